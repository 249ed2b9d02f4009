"""S3 decides: may we, which way, how much, with what stop. Facts in, ``Open`` or ``Skip`` out, with every reason."""
