"""Between the venue's rules and the ledger's holdings a start knows symbols and no owner: then nobody says a final no.

Found in the composed world: an exit and a close by hand, asked in the first second of a start, were refused for good
(UNKNOWN_SYMBOL, 422), and so was all that had come by the stream while S4 was down.
"""

from typing import Any, cast
from unittest.mock import AsyncMock, MagicMock

import pytest
from desk import BTC, an_intent

from chimera.adapters.memory.ledger import MemoryLedger
from chimera.services.clock import SystemClock
from chimera.services.router.accepting import Accepting
from chimera.services.router.changing import change
from chimera.services.router.closing import Closing
from chimera.services.router.ground import Ground
from chimera.services.router.intake import Intake
from chimera.services.router.refused import is_final
from chimera.trading.errors import Refused
from chimera.trading.market import Market, Side
from support.grounds import a_ground

pytestmark = pytest.mark.req("S4-EXIT-1", "S3-PER-2")

NOBODY = cast("Any", MagicMock())


def a_start(*, loaded: bool) -> Ground:
    ground = a_ground()._replace(symbols=(BTC.symbol,), loaded=lambda: loaded)
    ground.instruments[BTC.symbol] = BTC
    return ground


async def taken(ground: Ground) -> None:
    intake: Any = MagicMock(known=AsyncMock(return_value=None))
    parts: Any = [intake, *[NOBODY] * 7]
    accepting = Accepting(ground, *parts, routing=NOBODY, stop_optional=True, asked=lambda: False)
    await accepting.take(an_intent(side=Side.SELL, reduce_only=True, stop=None), "h", 0)


async def closed(ground: Ground) -> None:
    await Closing(ground, NOBODY, MemoryLedger()).close(Market.FUT, BTC.symbol, None, "BY_HAND")


async def changed(ground: Ground) -> None:
    intake = Intake(ground.owners, MemoryLedger(), SystemClock())
    await change(ground, intake, NOBODY, NOBODY, "s3-btc-i1", {"qty": "0.01"})


@pytest.mark.parametrize("ask", [taken, closed, changed])
@pytest.mark.parametrize("loaded", [False, True])
async def test_it_is_asked_too_early_and_not_refused_for_good(ask: Any, *, loaded: bool) -> None:
    with pytest.raises(Refused) as refused:
        await ask(a_start(loaded=loaded))

    assert is_final(refused.value) is loaded
    assert loaded or refused.value.code == "NOT_READY"
