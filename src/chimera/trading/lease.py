"""A lease: the right to act under a name, for a while, that one holder at a time has by the ledger's word.

``owner`` is of one life of a process: the next life of the same machine is another. ``fence`` grows with every grant to
another life, or after an end, and never falls.
"""

from chimera.trading.money import Millis
from chimera.trading.value import Value


class Lease(Value):
    """Granted for ``ttl_ms`` at a time, which a holder counts by its own clock from before it asked."""

    name: str
    owner: str
    fence: int
    ttl_ms: Millis


class Holder(Value):
    """Who has it instead. ``left_ms``: for how long nobody else is granted it, as far as can be told."""

    owner: str
    url: str
    left_ms: Millis
