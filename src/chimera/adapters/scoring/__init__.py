"""Score sources behind ``ports.score``."""
