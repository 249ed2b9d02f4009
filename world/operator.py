"""The operator of a run: in some of them everything, the symbol or a strategy is killed, and later armed again.

Who kills does not believe in an answer that did not come: the same again, until a receipt says that it is on disk.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from chimera.services.router.router import Router
from chimera.services.stage.clock import VirtualClock
from chimera.services.stage.loop import DetLoop
from chimera.services.stage.tape import Tape
from chimera.services.stage.trip import is_entry
from chimera.simulate.door.messages import WireRequest
from chimera.trading.errors import NotSent, OutcomeUnknown, Refused, StoreUnavailable
from chimera.trading.ids import DEFAULT_STRATEGY
from chimera.trading.instrument import Instrument
from chimera.trading.market import Market
from chimera.trading.standstill import Kill, Scope
from world.link import Link
from world.spans import Span
from world.workload import Request

SHARE: Final = 0.3  # of the runs
CALL_MS: Final = 4_000
AGAIN_S: Final = 0.4


class Operator:
    """``windows``: from a durable kill's receipt to the moment at which arming began, for what is killed there."""

    def __init__(
        self,
        loop: DetLoop,
        tape: Tape,
        link: Link[Request, Any],
        instrument: Instrument,
        clock: VirtualClock,
        deaths: Callable[[], int],
    ) -> None:
        self.windows: list[Span] = []
        self.entries_sent: list[int] = []  # moments at which an order that may add exposure left S4, µs
        self.entries_on: dict[Market, list[int]] = {market: [] for market in Market}  # the same, by market
        self.everywhere: list[Span] = []  # the windows in which its other market stands still, too
        self.kills = 0
        self._loop = loop
        self._tape = tape
        self._link = link
        self._instrument = instrument
        self._clock = clock
        self._deaths = deaths

    def watch(self, request: WireRequest) -> None:
        """S4 let a request go."""
        if is_entry(request):
            self.entries_sent.append(self._loop.now_us)
            market = Market.SPOT if request.path.startswith("/api/") else Market.FUT
            self.entries_on[market].append(self._loop.now_us)

    def start(self, *, until_s: float, always: bool = False) -> None:
        """In some runs: kill at a drawn moment, arm at a later one."""
        tape = self._tape
        drawn = always or tape.u("operator?") < SHARE
        at_s, hold_s = tape.between("kill_at", 4, until_s), tape.between("kill_for", 2, 15)
        scope = tape.pick("kill_scope", (Scope.GLOBAL, Scope.SYMBOL, Scope.MARKET, Scope.STRATEGY))
        flatten = tape.u("kill_flatten") < 0.5
        if drawn and tape.event("operator#0"):
            self._loop.outside(self._stand_still(at_s, hold_s, scope, flatten), name="operator")

    async def _stand_still(self, at_s: float, hold_s: float, scope: Scope, flatten: bool) -> None:
        rules = self._instrument
        places = {Scope.MARKET: str(rules.market), Scope.SYMBOL: str(rules.symbol), Scope.STRATEGY: DEFAULT_STRATEGY}
        name = places.get(scope, "")
        await asyncio.sleep(at_s)

        async def kill(router: Router) -> Any:
            asked = Kill(
                scope=scope, name=name, by="operator", reason="drill", at_ms=self._clock.now_ms(), flatten=flatten
            )
            return await router.kill(asked, wait_ms=500)

        began_us = await self._until_durable(kill)
        self.kills += 1
        await asyncio.sleep(hold_s)
        self.windows.append((began_us, self._loop.now_us))
        if scope is not Scope.MARKET:
            self.everywhere.append(self.windows[-1])
        word: str | None = None

        async def arm(router: Router) -> Any:
            return await router.arm(scope, name, by="operator", reason="drill is over", confirm=word)

        while True:
            try:
                answer = await self._ask(arm) or {}
            except Refused as refused:
                if refused.code == "NOT_KILLED":  # an answer that was lost had done it
                    return
                answer = {}
            if word is not None and answer.get("signature"):
                return
            word = answer.get("confirm", word)
            await asyncio.sleep(AGAIN_S)

    async def _until_durable(self, kill: Request) -> int:
        """The moment of the first receipt, if S4 lived from it to the one that says "durable"."""
        began: tuple[int, int] | None = None  # moment, deaths of S4 before it
        while True:
            receipt = await self._ask(kill)
            if receipt is not None and (began is None or began[1] != self._deaths()):
                began = self._loop.now_us, self._deaths()
            if began is not None and receipt is not None and receipt["durable"]:
                return began[0]
            await asyncio.sleep(AGAIN_S)

    async def _ask(self, request: Request) -> Any:
        try:
            return await self._link.call(None, request, timeout_ms=CALL_MS)
        except (NotSent, OutcomeUnknown, StoreUnavailable):
            return None
