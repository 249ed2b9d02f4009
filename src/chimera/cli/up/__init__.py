"""``chimera up``: the whole house in one go, with somebody who keeps deciding and somebody who watches."""
