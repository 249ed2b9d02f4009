"""How a request comes in: its shape, its key and signature, the limits it counts against, and every refusal's text."""
