"""Killing, in one step from its panel; and arming again, in two: S4 names a word, and it is typed."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import msgspec

from chimera.services.console import shown
from chimera.services.console.acts import Act, Answer, Deed, Desk, Effect, Field, Given, Item, Step
from chimera.services.console.rows import PositionRow
from chimera.services.console.same import Same
from chimera.services.console.screen import Params
from chimera.services.console.seen import Seen
from chimera.trading.errors import Refused
from chimera.trading.order import FINAL
from chimera.trading.standstill import Scope

WORD: Final = "KILL"
WAIT_S: Final = 0  # S4 answers at once, and is asked again
AGAIN_MS: Final = 2_000  # a look at the venue costs weight, which exits need
ENTERS: Final = ("MAKER", "TAKER")


def place_of(given: str) -> tuple[Scope, str]:
    """From ``GLOBAL`` or ``SYMBOL:BTCUSDT``. Raises ``Refused``."""
    scope, _, name = (given or Scope.GLOBAL).partition(":")
    if scope not in Scope.__members__ or bool(name) is (scope == Scope.GLOBAL):
        accepted = "GLOBAL, MARKET:…, SYMBOL:… or STRATEGY:…"
        raise Refused("OUT_OF_RANGE", "no such place", field="scope", value=given, accepted=accepted)
    return Scope(scope), name


def reached(seen: Seen, scope: Scope, name: str) -> tuple[PositionRow, ...]:
    """The open positions that a kill there is about."""
    return tuple(
        row
        for row in seen.positions
        if row.is_open and _is_under(scope, name, row.market, row.symbol, row.strategy_ids)
    )


def _is_under(scope: Scope, name: str, market: str, symbol: str, strategies: Sequence[str]) -> bool:
    match scope:
        case Scope.GLOBAL:
            return True
        case Scope.MARKET:
            return market == name
        case Scope.SYMBOL:
            return symbol == name
        case Scope.STRATEGY:
            return name in strategies


def _guarded(row: PositionRow) -> str:
    named = (("stop", row.stop), ("target", row.target))
    return " and ".join(name for name, order in named if order is not None) or "nothing yet"


def effect_of(seen: Seen, given: str, *, flatten: bool) -> Effect:
    """By what was seen last: a kill waits for nobody's answer. Raises ``Refused``."""
    scope, name = place_of(given)
    place = f"{scope} {name}".strip()
    held = reached(seen, scope, name)
    entries = [
        order
        for order in seen.orders.values()
        if order.role in ENTERS
        and order.status not in FINAL
        and _is_under(scope, name, order.market, order.symbol, (order.strategy_id,))
    ]
    steps = [Step(f"refuse every new entry under {place}, from this moment, over restarts, until it is armed again")]
    steps += [
        Step(f"cancel {order.side.lower()} {shown.amount(order.qty)} {order.symbol}", order.client_order_id)
        for order in entries
    ] or [Step("cancel entries that still work: none is known now")]
    if flatten:
        steps += [
            Step(f"{'sell' if row.qty > 0 else 'buy'} {shown.amount(abs(row.qty))} {row.name} at market, reduce-only")
            for row in held
        ] or [Step("close what is held: nothing is held there now")]
    else:
        steps += [
            Step(f"leave {row.name} {shown.amount(row.qty)} open, with what guards it: {_guarded(row)}") for row in held
        ] or [Step("leave what is held open: nothing is held there now")]
    body = {"scope": scope.value, "name": name, "by": "you", "reason": "by hand", "flatten": flatten}
    cli = f"chimera kill {_place_word(scope, name)}{' --flatten' if flatten else ''}"
    return Effect(
        about=given or Scope.GLOBAL.value,
        title=f"Kill {place}?",
        lead="S4 will at once:",
        steps=tuple(steps),
        button=f"Kill {place}",
        word=WORD,
        rests_on=(str(flatten),),
        fields=(Field("reason", "Why (it stands in the receipt)", value="by hand"),),
        same=(Same(method="POST", path="/kill", body=msgspec.json.encode(body).decode(), cli=cli),),
        basis=(scope, name, flatten),
    )


def _place_word(scope: Scope, name: str) -> str:
    return scope.value.lower() + (f":{name}" if name else "")


async def _kill_effect(desk: Desk, params: Params) -> Effect | None:
    return effect_of(desk.seen, params["scope"], flatten=params["flatten"] == "yes")


async def _kill(desk: Desk, effect: Effect, given: Given) -> str:
    scope, name, flatten = effect.basis
    reason = given.fields.get("reason") or "by hand"
    await desk.others.router.kill(by=given.by, reason=reason, scope=scope, name=name, flatten=flatten, wait_s=WAIT_S)
    return "it is in force"


async def _ask_kill(desk: Desk, deed: Deed) -> Deed:
    """The same kill again, which changes nothing: what the venue still shows, until it shows nothing.

    Where another stands by now that leaves open what is held, this one is over: nobody has asked for it since.
    """
    looked_ms = 0 if deed.receipt is None else int(deed.receipt["asked_ms"])
    if deed.answer is Answer.REFUSED or desk.others.clock.now_ms() - looked_ms < AGAIN_MS:
        return deed
    scope, name, flatten = deed.effect.basis
    standing = (await desk.others.router.killed()).get("kills", [])
    kill = next((row for row in standing if (row["scope"], row["name"]) == (scope.value, name)), None)
    if kill is None:
        return replace(deed, outcome="Armed again meanwhile", ended_ms=desk.others.clock.now_ms())
    if flatten and not kill["flatten"]:
        outcome = "Another kill stands there, which leaves open what is held"
        return replace(deed, outcome=outcome, ended_ms=desk.others.clock.now_ms())
    told = await desk.others.router.kill(
        by=str(kill["by"]), reason=str(kill["reason"]), scope=scope, name=name, flatten=flatten, wait_s=WAIT_S
    )
    items = (
        Item("in force: no entry is taken", True),
        Item("on disk" if told["durable"] else "being written to disk", bool(told["durable"])),
        *(Item(str(line), False) for line in told["remains"]),
        *(Item(f"{symbol}: {qty} held by the venue's word", True) for symbol, qty in told["positions"].items()),
    )
    deed = replace(deed, items=items, receipt=told, answer=Answer.TAKEN)
    if not told["verified"]:
        return deed
    outcome = "Verified: the venue shows nothing that should be gone"
    return replace(deed, outcome=outcome, ended_ms=desk.others.clock.now_ms())


KILL: Final = Act(
    name="kill",
    asks=("scope", "flatten"),
    effect=_kill_effect,
    do=_kill,
    follow=lambda deed, _, __: deed,
    ask=_ask_kill,
)


async def _arm_effect(desk: Desk, params: Params) -> Effect | None:
    scope, name = place_of(params["scope"])
    standing = await desk.others.router.killed()
    kill = next((row for row in standing["kills"] if (row["scope"], row["name"]) == (scope.value, name)), None)
    if kill is None:
        return None
    place, word = f"{scope} {name}".strip(), str(kill["confirm"])
    others = len(standing["kills"]) - 1
    left = f"{others} other kill{'s' if others > 1 else ''} stay{'' if others > 1 else 's'} in force" if others else ""
    named = _place_word(scope, name)
    return Effect(
        about=params["scope"],
        title=f"Arm {place} again?",
        lead=f"It was killed by {kill['by']}: {kill['reason']}. S4 will, on the {desk.seen.mode} account:",
        steps=(
            Step(f"take entries under {place} again, as soon as it is on disk"),
            Step("open nothing by itself: S3 decides as it did before"),
            Step(left or "stand still nowhere any more"),
        ),
        button=f"Arm {place}",
        leave="Stay killed",
        word=word,
        rests_on=(word,),
        fields=(Field("reason", "Why (it stands in the receipt)", value="by hand"),),
        same=(
            Same(
                method="POST",
                path="/arm",
                body=_arm_body(scope, name, word),
                cli=f"chimera arm {named} --confirm {word}",
            ),
        ),
        basis=(scope, name, word),
    )


def _arm_body(scope: Scope, name: str, word: str) -> str:
    body = {"scope": scope.value, "name": name, "by": "you", "reason": "by hand", "confirm": word}
    return msgspec.json.encode(body).decode()


async def _arm(desk: Desk, effect: Effect, given: Given) -> str:
    scope, name, word = effect.basis
    reason = given.fields.get("reason") or "by hand"
    await desk.others.router.arm(by=given.by, reason=reason, scope=scope, name=name, confirm=word)
    return "entries are taken again"


ARM: Final = Act(name="arm", asks=("scope",), effect=_arm_effect, do=_arm)
