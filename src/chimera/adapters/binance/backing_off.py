"""How long to wait before a connection is tried again: longer with each failure, and never in step with others."""

import random
from typing import Final

FIRST_PAUSE_MS: Final = 100
LONGEST_PAUSE_MS: Final = 15_000


def pause_ms(failures: int, jitter: random.Random) -> int:
    """``failures`` in a row, 0 after a healthy connection: half of the pause is certain, half of it drawn."""
    full = min(FIRST_PAUSE_MS << min(failures, 16), LONGEST_PAUSE_MS)
    return full // 2 + jitter.randrange(full // 2 + 1)
