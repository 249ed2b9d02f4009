"""Safeguards that can be taken away, to prove that the world would notice (reliability 3.10).

Product code knows nothing of this: for the length of a run, named attributes of product modules are replaced by ones
that lack the safeguard, and put back afterwards. A safeguard whose removal no seed notices is either not needed or
not tested; both are worth knowing.
"""

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from chimera.services.world.plan import SLOW_DISK, SLOW_ENTRIES, TIGHT_STOPS
from chimera.trading.commands import Place
from chimera.trading.facts import PlaceNotSent, PlaceUnanswered
from chimera.trading.fill import Fill
from chimera.trading.holding import Holding
from chimera.trading.money import Millis
from chimera.trading.order import Order, Status, Trigger
from chimera.trading.scene import Scene


class Seam(NamedTuple):
    """``attribute`` of ``place`` (a module, or a class in one) becomes ``without(original)``."""

    place: str  # "package.module" or "package.module:Class"
    attribute: str
    without: Callable[[Any], Any]


class Safeguard(NamedTuple):
    """What is removed, in one sentence, and where; ``scenario`` is the class of runs in which it matters most."""

    sentence: str
    seams: tuple[Seam, ...]
    scenario: str | None = None


def _save_before_send(_: Any) -> Any:
    return lambda command: False


def _dedupe_trades(take_fill: Any) -> Any:
    def take(holding: Holding, fill: Fill, scene: Scene, **more: Any) -> Holding:
        blind = holding.but(seen_trades={}, trades_confirmed_ms=Millis(0))
        taken: Holding = take_fill(blind, fill, scene, **more)
        return taken.but(seen_trades=holding.seen_trades, trades_confirmed_ms=holding.trades_confirmed_ms)

    return take


def _protect_fills(_: Any) -> Any:
    return lambda holding, wanted, scene: (holding, ())


def _ask_before_resend(place: Any) -> Any:
    async def blind(sender: Any, command: Place, *rest: Any) -> Any:
        fact = await place(sender, command, *rest)
        if isinstance(fact, PlaceUnanswered) and not command.order.reduce_only:
            return PlaceNotSent(ref=fact.ref, reason="taken for refused")
        return fact

    return blind


def _recover_pending(_: Any) -> Any:
    def forget(order: Order, scene: Scene) -> Order:
        return order.after(Trigger.NOT_SENT) if order.status is Status.PENDING_NEW else order

    return forget


def _wait_out_window(not_found: Any) -> Any:
    return lambda order, asked, scene: not_found(order.but(dead_after_ms=Millis(0)), asked, scene)


def _trade_history(absorb: Any) -> Any:
    return lambda holding, snapshot, scene: absorb(holding, snapshot.but(trades=()), scene)


def _ask_after_restart(restart: Any) -> Any:
    def hasty(order: Order, scene: Scene) -> Order:
        after: Order = restart(order, scene)
        return after.but(created_ms=scene.now_ms) if after.resendable else after

    return hasty


def _limits_at_last_hop(_: Any) -> Any:
    return lambda book, order, exposure, now_ms: None


def _double_children(send: Any) -> Any:
    return lambda holding, working, left, scene: send(holding, working, left * 2, scene)


def _parent_cap(_: Any) -> Any:
    return staticmethod(lambda ref, holding: None)


def _no_kill(_: Any) -> Any:
    return lambda *args: None


def _forgets(_: Any) -> Any:
    async def load(controls: Any) -> None:
        return None

    return load


_SENDER: Final = "chimera.services.router.sender:Sender"
_SLIP: Final = Seam("chimera.execute.entry", "_send", _double_children)
_ADVANCE: Final = "chimera.execute.advance"
SAFEGUARDS: Final[dict[str, Safeguard]] = {
    "save_before_send": Safeguard(
        "An entry leaves before the state that ordered it is on disk.",
        (Seam("chimera.services.router.owner", "waits_for_save", _save_before_send),),
        SLOW_DISK,
    ),
    "dedupe_trades": Safeguard(
        "A trade told twice is counted twice.",
        (Seam(_ADVANCE, "take_fill", _dedupe_trades),),
    ),
    "protect_fills": Safeguard(
        "Fills get no stop and no target.",
        (Seam("chimera.protect.guard", "guard", _protect_fills),),
    ),
    "ask_before_resend": Safeguard(
        "An entry without an answer is taken for refused, and sent again.",
        (Seam(_SENDER, "_place", _ask_before_resend),),
    ),
    "recover_pending": Safeguard(
        "After a restart, what was on its way is taken for never sent.",
        (Seam(_ADVANCE, "_restart", _recover_pending),),
    ),
    "wait_out_window": Safeguard(
        "An order that a query does not know is dead at once, though it may still arrive.",
        (Seam(_ADVANCE, "_not_found", _wait_out_window),),
        SLOW_ENTRIES,
    ),
    "trade_history": Safeguard(
        "Trades that the stream missed are not pulled from the venue's history.",
        (Seam(_ADVANCE, "_absorb_survey", _trade_history),),
    ),
    "ask_after_restart": Safeguard(
        "After a restart a stop in doubt is sent again before the venue was asked whether it lived.",
        (Seam(_ADVANCE, "_restart", _ask_after_restart),),
        TIGHT_STOPS,
    ),
    "limits_at_last_hop": Safeguard(
        "No limit is checked or reserved as an entry leaves.",
        (Seam("chimera.admit.limits:LimitBook", "reserve", _limits_at_last_hop),),
    ),
    "kill_switch": Safeguard(
        "A kill is answered, and nothing asks whether there is one.",
        (Seam("chimera.trading.standstill:Standstill", "over", _no_kill),),
    ),
    "keep_kills": Safeguard(
        "After a restart nobody remembers what was killed.",
        (Seam("chimera.services.router.controls:Controls", "load", _forgets),),
        SLOW_DISK,
    ),
    "parent_cap": Safeguard(
        "Children are planned twice too large, and the last hop does not hold them to their intent.",
        (_SLIP, Seam(_SENDER, "_parent_objection", _parent_cap)),
    ),
}
# Mistakes that a safeguard of the table is there for: with one of them made and all safeguards in place nothing breaks.
SLIPS: Final[dict[str, Safeguard]] = {
    "double_children": Safeguard("Children are planned twice too large.", (_SLIP,)),
}


@contextmanager
def switched_off(name: str | None) -> Iterator[None]:
    """Run without this safeguard; ``None`` leaves all in place. Raises ``KeyError`` for a name not known.

    A slip is made in the same way.
    """
    put_back: list[tuple[Any, str, Any]] = []
    seams = () if name is None else (SAFEGUARDS | SLIPS)[name].seams
    try:
        for seam in seams:
            owner = _owner(seam.place)
            original = vars(owner)[seam.attribute]
            put_back.append((owner, seam.attribute, original))
            setattr(owner, seam.attribute, seam.without(original))
        yield
    finally:
        for owner, attribute, original in reversed(put_back):
            setattr(owner, attribute, original)


def _owner(place: str) -> Any:
    module_name, _, class_name = place.partition(":")
    module = importlib.import_module(module_name)
    return getattr(module, class_name) if class_name else module
