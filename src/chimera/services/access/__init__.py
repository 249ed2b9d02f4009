"""Who may ask what of a service over HTTP: roles, tokens, limits, signatures, and the trail of what was done."""
