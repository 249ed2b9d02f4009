"""Steering orders that are worked, and guards: a target's guard can be given up, a stop's cannot."""

from typing import Any, Final

from chimera.services.console import scheduling
from chimera.services.console.acts import Act, Desk, Effect, Given, Step
from chimera.services.console.deciding import number
from chimera.services.console.others import Steer
from chimera.services.console.same import Same
from chimera.services.console.screen import Params
from chimera.services.console.shown import amount
from chimera.trading.errors import Refused

_WORDS: Final[dict[Steer, tuple[str, str, str]]] = {
    "pause": ("Pause", "take what rests out of the book, and send nothing more until it is resumed",
              "What has filled stays protected. A pause of more than an hour moves the deadline no further."),
    "resume": ("Resume", "go on where it stopped: waits and gaps go on from there", ""),
    "finish": ("Finish now", "take all that is left at the market at once", "It pays the spread and the taker's fee."),
}  # fmt: skip


def _steering(ask: Steer) -> Act:
    words, does, note = _WORDS[ask]

    async def effect(desk: Desk, params: Params) -> Effect | None:
        name = params["order"]
        found = scheduling.working([await desk.others.router.order(name)], desk.others.clock.now_ms())
        if not found or ask == ("pause" if found[0].paused else "resume"):
            return None  # it is so already
        order = found[0]
        left = amount(order.qty - order.filled)
        return Effect(
            about=name,
            title=f"{words}: {order.side} {amount(order.qty)} {order.symbol}?",
            lead=f"{amount(order.filled)} has filled, {left} is left. On the {desk.seen.mode} account S4 will:",
            steps=(Step(does, order.name),),
            button=words,
            leave="Leave it",
            note=note,
            word=order.symbol if ask == "finish" else "",
            rests_on=(str(order.paused),),
            same=(Same(method="POST", path=f"/orders/{name}/{ask}"),),
            grave=ask == "finish",
            basis=name,
        )

    async def do(desk: Desk, made: Effect, _: Given) -> str:
        row: dict[str, Any] = await desk.others.router.steer(made.basis, ask)
        return f"{str(row.get('status')).lower()}, {amount(number(row.get('filled_qty')))} filled"

    return Act(name=f"{ask}-order", asks=("order",), effect=effect, do=do)


async def _disarming(desk: Desk, params: Params) -> Effect | None:
    guards = scheduling.armed(await desk.others.router.positions())
    found = next((each for each in guards if each.position == params["position"] and each.role == "TARGET"), None)
    if found is None:
        stop = any(each.position == params["position"] for each in guards)
        if stop:
            raise Refused("STOP_STAYS", "a stop's guard goes with its position alone: close the position")
        return None
    return Effect(
        about=found.position,
        title=f"Give up the target of {found.position}?",
        lead=f"On the {desk.seen.mode} account S4 will:",
        steps=(
            Step(f"watch the price {amount(found.price)} no longer, for {amount(found.qty)} {found.symbol}"),
            Step("keep the stop as it is"),
        ),
        button="Disarm the target",
        leave="Leave it armed",
        note="Without a target the position ends by its stop, by its time, or by hand.",
        word=found.position,
        rests_on=(str(found.price), str(found.qty)),
        same=tuple(
            Same(method="POST", path=f"/orders/{intent}/replace", body='{"tp":null}') for intent in found.intents[:1]
        ),
        basis=found.intents,
    )


async def _disarm(desk: Desk, effect: Effect, _: Given) -> str:
    for intent in effect.basis:
        await desk.others.router.replace(intent, {"tp": None})
    return f"{len(effect.basis)} order{'s have' if len(effect.basis) != 1 else ' has'} no target any more"


PAUSE, RESUME, FINISH = (_steering(ask) for ask in _WORDS)
DISARM: Final = Act(name="disarm", asks=("position",), effect=_disarming, do=_disarm)
