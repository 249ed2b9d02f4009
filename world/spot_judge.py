"""The verdict on a world of spot: every invariant, by the venue's log, what the ledger holds and who watched meanwhile.

How long a quantity that could be sold may be without a live stop at the venue: ``FAIR_US`` in fair weather (a list is
cancelled, its end is known, the next stands, or the rest is sold), ``FIRED_US`` where a stop has fired and does not
fill, and with faults ``ROUGH_US``: nothing in doubt is sent again there before it is provably dead, which takes
recvWindow and what surrounds it. In all that time S4 watches the price itself: ``unwatched`` is judged strictly.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from functools import wraps
from typing import Any, Final, Protocol

from chimera.admit.limits import Limits
from chimera.services.router.owner import Owner
from chimera.services.stage.loop import DetLoop
from chimera.simulate.spot.accounts import SpotAccount
from chimera.simulate.venue.audit import AuditRecord
from chimera.trading.holding import Holding
from chimera.trading.instrument import Instrument
from chimera.trading.market import Market
from chimera.trading.money import ZERO
from chimera.trading.order import FIRING, Role, Status
from chimera.trading.scene import Scene
from world import ceilings, oracle, quiet, spot_oracle
from world.closed import Begun, no_more_than_asked
from world.composed import World
from world.oracle import Violation
from world.others import Others
from world.plan import OVERLOAD, STUCK, Plan
from world.seams import replaced
from world.spans import Span, minus
from world.spot_world import SpotSide
from world.trouble import Spell
from world.workload import Callers

FAIR_US: Final = 1_500_000
FIRED_US: Final = 3_500_000
ROUGH_US: Final = 45_000_000  # three orders in a row of which nothing was heard, each 12.3 s until it is proven dead
UNWATCHED_US: Final = 1_500_000
_COMING: Final = (Status.PENDING_NEW, Status.IN_DOUBT)


class StoodStill(Protocol):
    """What was told of kills (``operator``)."""

    @property
    def entries_sent(self) -> Sequence[int]: ...
    @property
    def windows(self) -> Sequence[Span]: ...


class Judged(Protocol):
    """What is judged: a world of spot, or the spot face of a house."""

    instrument: Instrument
    limits: Limits
    own: Decimal
    forgotten: set[str]

    @property
    def loop(self) -> DetLoop: ...
    @property
    def plan(self) -> Plan: ...
    @property
    def wallet(self) -> SpotAccount: ...
    @property
    def others(self) -> Others: ...
    @property
    def callers(self) -> Callers: ...
    @property
    def operator(self) -> StoodStill: ...
    @property
    def closes(self) -> Sequence[Begun]: ...
    def neglected_spans(self, until_us: int) -> list[Span]: ...


@contextmanager
def watched(world: World) -> Iterator[None]:
    """While this is open, the moments at which S4 begins and ceases to neglect what it holds are put down (on spot)."""
    face = getattr(world, "spot", world)
    if not isinstance(face, SpotSide):
        yield
        return

    def around(real: Callable[[Owner, Any], None]) -> Callable[[Owner, Any], None]:
        @wraps(real)
        def hear(self: Owner, fact: Any) -> None:
            real(self, fact)
            if (self.holding.key.market, self.holding.key.symbol) == (Market.SPOT, face.instrument.symbol):
                face.neglect(_neglected(self.holding, self._scene(self.holding)))

        return hear

    with replaced((Owner, "hear", around)):
        yield


def _neglected(holding: Holding, scene: Scene) -> bool:
    """Held, and nobody minds: no stop stands, fires or is on its way, no guard is armed and nothing is closing it."""
    sellable = scene.instrument.floor_to_step(max(holding.exposure, ZERO))
    little = scene.near is not None and sellable * scene.near < scene.instrument.min_notional
    if sellable < scene.instrument.min_qty or sellable <= 0 or little or holding.exit is not None:
        return False
    if any(guard.role is Role.STOP for guard in holding.guards):
        return False
    stops = holding.in_role(Role.STOP)
    return not any(stop.live or stop.status in _COMING or stop.status in FIRING for stop in stops)


def unwatched(spans: Iterable[Span], excused: Sequence[Span]) -> list[Violation]:
    """No longer than ``UNWATCHED_US`` is something held without a stop, a guard or a close of ours."""
    return [
        Violation(invariant="WATCH", at_us=begun, text=f"held and neglected for {(ended - begun) // 1000} ms")
        for span in spans
        for begun, ended in minus(span, excused)
        if ended - begun > UNWATCHED_US
    ]


def judge(
    world: Judged, kept: quiet.Kept, audit: Sequence[AuditRecord], troubles: Sequence[Span], rough: Sequence[Span]
) -> list[Violation]:
    """``troubles``: when S4 could not act; ``rough``: while the network lies, and a while after."""
    rules, now_us, scenario = world.instrument, world.loop.now_us, world.plan.scenario
    ours = spot_oracle.of_ours(audit)
    position, dust = (ZERO, ZERO)
    if kept.stored is not None:
        position, dust = kept.stored.holding.position.qty, kept.stored.holding.position.dust_qty
    spans = spot_oracle.uncovered_spans(ours, now_us, rules, ((0, dust),))
    fired = tuple(spot_oracle.fired_spans(ours, now_us))
    throttled = [
        (round(blow.at_s * 1e6), round((blow.at_s + blow.for_s) * 1e6))
        for blow in world.plan.blows
        if isinstance(blow, Spell)
    ]
    own = getattr(world.others, "own", world.own)
    bound_us = ROUGH_US if rough else FIRED_US
    return [
        *spot_oracle.never_oversold(ours, rules.base),
        *spot_oracle.taken_once(ours, world.forgotten),
        *spot_oracle.one_leg(ours),
        *spot_oracle.own_untouched(
            world.wallet.balance(rules.base).total, own, spot_oracle.net(ours, rules.base), now_us
        ),
        *spot_oracle.ends_flat(ours, rules.base, position, dust),
        *oracle.within_parents(ours, world.callers.intended),
        *ceilings.within_limits(ours, world.limits.max_position_notional),
        *oracle.fills_agree(ours, kept.fills),
        *no_more_than_asked(ours, world.closes, world.callers.parts_asked),
        *oracle.stands_still(world.operator.entries_sent, world.operator.windows),
        *(oracle.few_while_down(world.operator.entries_sent, throttled) if scenario == OVERLOAD else ()),
        *oracle.protected(
            spans, bound_us=FIRED_US if scenario == STUCK else FAIR_US, excused=[*troubles, *rough, *fired]
        ),
        *oracle.protected(spans, bound_us=bound_us, excused=troubles),
        *unwatched(world.neglected_spans(now_us), troubles),
        *(() if kept.stored is None else quiet.undone(kept.stored.holding, now_us)),
    ]
