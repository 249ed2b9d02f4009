"""What goes wrong on demand: the named faults, when they strike, and what they do to a request or a frame."""
