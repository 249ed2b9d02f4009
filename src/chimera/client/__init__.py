"""The typed, asynchronous client of Chimera's services: what S3 itself uses and what users import."""
