"""Cut off from the venue for long: what is to be closed or reduced may be gone by now, and another opened by hand.

Then the venue is heard first. Not for ever: it may take orders and answer no questions. So a try goes out all the same
after a pause, once a question has failed: then the connection has not just come back, its first answer yet to come.
"""

from typing import Final

from chimera.trading.holding import Holding
from chimera.trading.money import Millis
from chimera.trading.scene import Scene

TOUCH_MS: Final = 120_000  # no survey was answered and no trade told for so long, which is four times the usual
RARELY_MS: Final = 10_000  # from one try to the next meanwhile
ASK_MS: Final = 250


def hears_first(holding: Holding, since_ms: Millis, scene: Scene, *, pause_ms: int = RARELY_MS) -> bool:
    """Whether what was tried, or begun, at ``since_ms`` waits. On spot the end of each list is heard before a sale."""
    heard_ms = max(holding.surveyed_ms, holding.filled_ms)
    lately = not heard_ms or scene.now_ms <= heard_ms + TOUCH_MS
    if lately or not holding.key.market.reduces_only:
        return False
    waits_ms = pause_ms if holding.survey_asked_ms is None else 2 * pause_ms
    return scene.now_ms < since_ms + waits_ms


def asking(holding: Holding, scene: Scene) -> Holding:
    """With a survey due soon."""
    return holding.but(survey_due_ms=Millis(min(holding.survey_due_ms, scene.now_ms + ASK_MS)))
