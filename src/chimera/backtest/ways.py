"""Ways to trade by name, and the assumptions that each is tried under.

market                 take at once
table                  maker, then taker, as the route table says; what a caller who names nothing gets
fees:WAIT              as the fees say where no table does, WAIT ms being the longest wait allowed
maker:WAIT             rest for WAIT ms, then take, whatever table and fees say
twap:SHAPE:N:GAP[:WAIT]  N slices, GAP ms apart, equal or sqrt, each resting WAIT ms (0: it takes)
"""

from collections.abc import Sequence
from typing import Final

from chimera.backtest.floor import Queue
from chimera.backtest.trials import LATENCY_MS, Way
from chimera.route.plan import RoutePolicy
from chimera.trading.intent import MakerThenTaker, MarketNow
from chimera.trading.routes import RouteTable, Shape
from chimera.trading.value import Value

MARKET: Final = "market"
USUAL: Final = (MARKET, "table", "fees:3000", "fees:30000", "maker:3000", "twap:equal:4:2000", "twap:sqrt:4:2000:1500")
ACCEPTED: Final = "market, table, fees:MS, maker:MS, twap:equal|sqrt:SLICES:GAP_MS[:WAIT_MS]"
WAIT_MAX_MS: Final = 600_000
SLICES_MAX: Final = 100


class Assumed(Value, tag=False):
    """What the venue is taken for."""

    queue: Queue = Queue.TRADES
    latency_ms: int = LATENCY_MS


BASE: Final = Assumed()
STRICT: Final = Assumed(queue=Queue.STRICT)
VARIED: Final = (
    BASE,
    STRICT,
    Assumed(queue=Queue.CANCELS),
    Assumed(latency_ms=50),
    Assumed(latency_ms=200),
)


class WrongWay(ValueError):
    """No way goes by this name."""


def named(name: str, table: RouteTable) -> Way:
    """Raises ``WrongWay``."""
    word, *rest = name.split(":")
    match word, rest:
        case "market", []:
            return Way(name=name, policy=MarketNow(), table=table)
        case "table", []:
            return Way(name=name, policy=MakerThenTaker(), table=table)
        case "fees", [wait]:
            wait_ms = _whole(name, wait, WAIT_MAX_MS)
            caps = RoutePolicy(maker_max_wait_ms=wait_ms)
            return Way(name=name, policy=MakerThenTaker(), table=table.but(rows=()), caps=caps)
        case "maker", [wait]:
            wait_ms = _whole(name, wait, WAIT_MAX_MS)
            asked = MakerThenTaker(wait_ms=wait_ms, slices=1)
            return Way(name=name, policy=asked, table=table, caps=RoutePolicy(maker_max_wait_ms=wait_ms))
        case "twap", [("equal" | "sqrt") as shape, slices, gap, *wait] if len(wait) <= 1:
            count = _whole(name, slices, SLICES_MAX)
            sliced = MakerThenTaker(
                wait_ms=_whole(name, wait[0], WAIT_MAX_MS) if wait else 0,
                slices=count,
                gap_ms=_whole(name, gap, WAIT_MAX_MS),
                shape=Shape(shape),
            )
            return Way(name=name, policy=sliced, table=table, caps=RoutePolicy(twap_max_slices=count))
        case _:
            raise WrongWay(name)


def tried(names: Sequence[str], table: RouteTable, assumed: Sequence[Assumed]) -> tuple[Way, ...]:
    """Every way under every assumption, and ``market`` with each, since the others are held against it."""
    all_names = tuple(dict.fromkeys((MARKET, *names)))
    return tuple(
        named(name, table).but(queue=each.queue, latency_ms=each.latency_ms) for each in assumed for name in all_names
    )


def longest_ms(ways: Sequence[Way]) -> int:
    """By when the slowest of them is over, generously."""
    return max(_longest_ms(way) for way in ways)


def _longest_ms(way: Way) -> int:
    asked = way.policy
    if not isinstance(asked, MakerThenTaker):
        return 5_000
    rows, most_ms = way.table.rows, way.caps.maker_max_wait_ms
    slices = min(asked.slices or max((row.twap.slices for row in rows), default=1), way.caps.twap_max_slices)
    gap_ms = max((row.twap.gap_ms for row in rows), default=0) if asked.gap_ms is None else asked.gap_ms
    wait_ms = max((row.maker_wait_ms for row in rows), default=most_ms) if asked.wait_ms is None else asked.wait_ms
    return slices * max(gap_ms, 1_000) * 3 // 2 + min(wait_ms, most_ms) + 5_000


def _whole(name: str, digits: str, most: int) -> int:
    if not digits.isdecimal() or int(digits) > most:
        raise WrongWay(name)
    return int(digits)
