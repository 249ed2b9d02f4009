"""What callers want of S4 in one run: a seeded handful of intents, closes and cancels, pursued as S3 pursues them.

Every intent ends by itself (``max_hold_s``), so a run that went well ends flat. The same intent is sent again until
its answer is known: whoever calls may not know better.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from decimal import Decimal
from typing import Any, Final

from chimera.services.router.router import Router
from chimera.services.stage.clock import VirtualClock
from chimera.services.stage.loop import DetLoop
from chimera.services.stage.tape import Tape
from chimera.trading.errors import NotSent, OutcomeUnknown, Refused, StoreUnavailable
from chimera.trading.ids import ClientOrderId, IntentId, Symbol, stem_of
from chimera.trading.instrument import Instrument
from chimera.trading.intent import (
    ExecPolicy,
    Intent,
    MakerThenTaker,
    MarketNow,
    OrderList,
    StopSpec,
    TargetKind,
    TargetSpec,
)
from chimera.trading.market import Market, Side
from chimera.trading.money import BPS, Millis, Price, Qty
from chimera.trading.value import Value
from chimera.wire import failures
from world.link import Link

FIRST_S: Final = 3.0
AGAIN_S: Final = 0.7
TIGHT_BPS: Final = (2, 5)
CALL_MS: Final = 6_000
WORKLOAD: Final = "WORKLOAD"  # why callers close and cancel
SIDES: Final = {Market.FUT: (Side.BUY, Side.SELL), Market.SPOT: (Side.BUY,)}
ON_SPOT: Final = 100  # steps of spot to one of futures; of a few wishes the quantity is near the least notional
PATIENCE_S: Final = 25.0  # how long a caller repeats an intent that nobody has accepted
_LATER: Final = frozenset({*failures.AWAY, *failures.HELD, "CLOSING"} - {"BREAKER_OPEN"})


class Wish(Value):
    """An intent yet to be made: its price levels depend on the market at ``at_s``. Distances in bps of mid."""

    number: int
    at_s: float
    side: Side
    qty: Qty
    policy: ExecPolicy
    stop_bps: int
    target_bps: int | None
    hold_s: int
    cancel_after_s: float | None = None
    close_after_s: float | None = None


class Part(Value):
    """Closes of a part: ``calls`` of them at once, and the same again after ``again_s``; None: only if unanswered."""

    at_s: float
    qty: Qty
    calls: int
    again_s: float | None


Request = Callable[[Router], Coroutine[Any, Any, Any]]


def wishes(tape: Tape, instrument: Instrument, *, last_s: float, tight: bool = False, nets: bool = False) -> list[Wish]:
    """Three to six of them, both sides, every policy; ``tight``: with stops that fire soon.

    ``nets``: each is against the one before it, and held longer, so that many meet a position of the other side.
    """
    count = tape.whole("intents", 3, 6)
    main = tape.pick("main_side", SIDES[instrument.market])  # a wish of the other side is refused while one is open
    made = [_wish(tape, number, instrument, last_s, main) for number in range(count)]
    if nets:
        in_time = sorted(made, key=lambda wish: wish.at_s)
        sides = (main, main.opposite)
        made = [wish.but(side=sides[at % 2], hold_s=wish.hold_s * 2) for at, wish in enumerate(in_time)]
    return [wish.but(stop_bps=tape.whole("tight_bps", *TIGHT_BPS)) for wish in made] if tight else made


def _wish(tape: Tape, number: int, instrument: Instrument, last_s: float, main: Side) -> Wish:
    policy: ExecPolicy
    match number % 3:  # each kind in every run
        case 0:
            policy = MarketNow()
        case 1:
            policy = MakerThenTaker(wait_ms=tape.whole("wait_ms", 300, 2_500), slices=1, gap_ms=0)
        case _:
            policy = MakerThenTaker(
                wait_ms=tape.whole("wait_ms", 0, 800),
                slices=tape.whole("slices", 2, 4),
                gap_ms=tape.whole("gap_ms", 500, 2_000),
            )
    other = main.opposite if instrument.market is Market.FUT else main
    wish = Wish(
        number=number,
        at_s=tape.between("at", FIRST_S, last_s),
        side=main if tape.u("side") < 0.75 else other,
        qty=Qty(instrument.step * tape.whole("qty", 4, 60)),
        policy=policy,
        stop_bps=tape.whole("stop_bps", 6, 50),
        target_bps=tape.whole("target_bps", 4, 40) if tape.u("target?") < 0.7 else None,
        hold_s=tape.whole("hold_s", 4, 18),
        cancel_after_s=tape.between("cancel_s", 0.1, 4) if tape.u("cancel?") < 0.15 else None,
        close_after_s=tape.between("close_s", 1, 8) if tape.u("close?") < 0.25 else None,
    )
    return wish if instrument.market is Market.FUT else _on_spot(tape, wish, instrument)


def _on_spot(tape: Tape, wish: Wish, instrument: Instrument) -> Wish:
    """In odd quantities, some of them small; some by the policy that ends with a list."""
    small = tape.u("small?") < 0.15
    qty = wish.qty * (1 if small else ON_SPOT) + instrument.step * tape.whole("odd", 8 if small else 0, 99)
    by_list = isinstance(wish.policy, MarketNow) and wish.target_bps is not None and tape.u("list?") < 0.6
    return wish.but(qty=Qty(qty), policy=OrderList() if by_list else wish.policy)


def parts(tape: Tape, instrument: Instrument, near: Sequence[Wish], *, last_s: float, share: float) -> Iterator[Part]:
    """In ``share`` of the runs some of them, where one of ``near`` may hold a position, or anywhere."""
    if tape.u("parts?") >= share:
        return
    scale = 1 if instrument.market is Market.FUT else ON_SPOT
    for _ in range(tape.whole("parts", 3, 6)):
        at_s = tape.between("part_at", FIRST_S + 1, last_s)
        after = tape.u("part_after")
        if near:
            wish = tape.pick("part_of", near)
            at_s = wish.at_s + 0.2 + after * wish.hold_s
        yield Part(
            at_s=at_s,
            qty=Qty(instrument.step * tape.whole("part_qty", 1, 12) * scale),
            calls=tape.pick("part_calls", (1, 1, 2, 3)),
            again_s=tape.between("part_again", 0.05, 1.5) if tape.u("part_again?") < 0.4 else None,
        )


class Callers:
    """They stand outside every process; what they know is what the link told them."""

    def __init__(
        self,
        loop: DetLoop,
        link: Link[Request, Any],
        instrument: Instrument,
        mid: Callable[[], Decimal],
        clock: VirtualClock,
    ) -> None:
        self.intended: dict[ClientOrderId, Decimal] = {}
        self.answers: dict[IntentId, str] = {}
        self.parts_asked = Decimal(0)  # base asset, over every call that S4 took up, repeated ones too
        self._loop = loop
        self._link = link
        self._instrument = instrument
        self._mid = mid
        self._clock = clock

    def want(self, wish: Wish) -> None:
        """Pursue it from its moment on."""
        self._loop.outside(self._pursue(wish), name=f"intent {wish.number}")

    def part(self, wanted: Part) -> None:
        """Close so much when its moment comes; who has no answer asks the same again, once."""
        for _ in range(wanted.calls):
            self._loop.outside(self._close_part(wanted), name="part")

    async def _close_part(self, wanted: Part) -> None:
        async def close(router: Router) -> Any:
            self.parts_asked += wanted.qty
            return await router.close(self._instrument.market, self._instrument.symbol, wanted.qty, WORKLOAD)

        answered = await self._once(close, wanted.at_s)
        if wanted.again_s is not None or not answered:
            await self._once(close, wanted.again_s or AGAIN_S)

    async def _pursue(self, wish: Wish) -> None:
        await asyncio.sleep(wish.at_s)
        intent = self._intent(wish)
        self.intended[stem_of(intent.client_order_id)] = intent.qty
        if wish.cancel_after_s is not None:
            self._loop.outside(self._cancel(intent, wish.cancel_after_s))
        if wish.close_after_s is not None:
            self._loop.outside(self._close(intent.symbol, wish.close_after_s))
        self.answers[intent.intent_id] = await self._insist(intent)

    async def _insist(self, intent: Intent) -> str:
        """Until the intent is done, or refused for good, or nobody accepted it for too long."""
        give_up = self._loop.time() + PATIENCE_S
        accepted, last = False, "nothing"
        while accepted or self._loop.time() < give_up:
            try:
                outcome = await self._link.call(None, _submit(intent), timeout_ms=CALL_MS)
                if outcome.done:
                    return str(outcome.row["status"])
                accepted = True
            except Refused as error:
                if error.code not in _LATER:
                    return f"REFUSED {error.code}"
                last = error.code
            except (NotSent, OutcomeUnknown, StoreUnavailable) as error:
                last = type(error).__name__  # it may have been accepted: the same intent again finds out
            await asyncio.sleep(AGAIN_S)
        return f"GIVEN_UP {last}"

    async def _cancel(self, intent: Intent, after_s: float) -> None:
        async def cancel(router: Router) -> Any:
            return await router.cancel(intent.intent_id, by="intent_id", reason=WORKLOAD, escalate=False, cascade=False)

        await self._once(cancel, after_s)

    async def _close(self, symbol: Symbol, after_s: float) -> None:
        async def close(router: Router) -> Any:
            return await router.close(self._instrument.market, symbol, None, WORKLOAD)

        await self._once(close, after_s)

    async def _once(self, request: Request, after_s: float) -> bool:
        """Whether it was answered."""
        await asyncio.sleep(after_s)
        try:
            await self._link.call(None, request, timeout_ms=CALL_MS)
        except (Refused, NotSent, OutcomeUnknown, StoreUnavailable):
            return False  # a wish that did not get through: the run must hold without it
        return True

    def _intent(self, wish: Wish) -> Intent:
        mid, rules, away = self._mid(), self._instrument, wish.side.sign
        exit_side = wish.side.opposite
        stop = rules.stop_toward_entry(mid * (1 - away * wish.stop_bps / BPS), exit_side)
        target = None
        if wish.target_bps is not None:
            price = rules.target_away(mid * (1 + away * wish.target_bps / BPS), exit_side)
            target = TargetSpec(kind=TargetKind.PRICE, value=price)
        return Intent(
            intent_id=IntentId(f"w-{wish.number}"),
            client_order_id=ClientOrderId(f"s3-w{wish.number}"),
            market=rules.market,
            symbol=rules.symbol,
            side=wish.side,
            qty=wish.qty,
            policy=wish.policy,
            created_ms=Millis(self._clock.now_ms()),
            stop=StopSpec(price=Price(stop)),
            target=target,
            max_hold_s=wish.hold_s,
        )


def _submit(intent: Intent) -> Request:
    async def submit(router: Router) -> Any:
        return await router.submit(intent, f"hash-{intent.intent_id}", wait_ms=3_000)

    return submit
