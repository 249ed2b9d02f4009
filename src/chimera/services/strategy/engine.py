"""S3: gathers facts, decides, makes the decision durable, and lets the dispatcher carry it to the router.

``decide`` answers when signal and intent stand in the ledger and never waits for S4. One symbol is decided once at a
time (``turns``); a decision that took longer than its turn is given up before it becomes durable. A dry run takes no
turn and leaves nothing behind. The budget is judged and reserved in one step without an await, then announced and
judged again by what every S3 on the account has promised, so that several decisions at once never overspend it, here or
elsewhere.
asyncio alone, time by the clock that is handed in, of which a step of the wall's moves nothing: ages, deadlines and
stamps go on as they began. The virtual-time world runs this class unchanged.
"""

import asyncio
import json
import random
from collections.abc import Sequence
from typing import Any, Final

import structlog

from chimera.decide.decision import still
from chimera.decide.promises import rival
from chimera.decide.rules.bundle import EVERY_SYMBOL
from chimera.ports.clock import Clock
from chimera.ports.intents import IntentSink, RouterLevels
from chimera.ports.ledger import Ledger
from chimera.ports.score import Scorer
from chimera.ports.streams import Bus, Streams
from chimera.services.clock import SteadyClock
from chimera.services.strategy import health, signals, spans
from chimera.services.strategy.alerts import Alerts, tell_lent, tell_skip, tell_unreadable
from chimera.services.strategy.answers import answer as answer_of
from chimera.services.strategy.answers import each, skip
from chimera.services.strategy.blockers import Blockers
from chimera.services.strategy.bundles import Bundles
from chimera.services.strategy.config import ConfigWatcher, Loaded, Snapshot
from chimera.services.strategy.dispatch import Dispatcher, Item
from chimera.services.strategy.explaining import Explaining
from chimera.services.strategy.facts import Board
from chimera.services.strategy.hearing import Hearing
from chimera.services.strategy.ids import new_client_order_id, new_intent_id, new_uuid
from chimera.services.strategy.judging import Judge, check_dry
from chimera.services.strategy.limits import policy, terms
from chimera.services.strategy.promises import Promises
from chimera.services.strategy.scoring import Scoring
from chimera.services.strategy.settings import StrategySettings
from chimera.services.strategy.signals import Origin
from chimera.services.strategy.telemetry import Telemetry
from chimera.services.strategy.trials import Trials
from chimera.services.strategy.turns import USABLE_MS, Turns
from chimera.services.tracing import Tracing
from chimera.trading.budget import Reserve
from chimera.trading.decision import Code, Open, Skip, Verdict
from chimera.trading.errors import Refused, StoreUnavailable
from chimera.trading.events import Severity
from chimera.trading.ids import AccountId, StrategyId
from chimera.trading.intent import Intent
from chimera.trading.money import Millis
from chimera.trading.trace import DECIDE, trace_named
from chimera.wire import failures, requests
from chimera.wire.decisions import BatchAnswer, BatchRequest, DecideRequest, DecisionAnswer
from chimera.wire.keys import SIGNALS, idempotency_key
from chimera.wire.order_claim import CLAIMED_MS, Claim, claim

SERVICE: Final = "s3-strategy"

log = structlog.get_logger(__name__)


class Strategy:
    """The engine behind every face of S3."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        bus: Bus,
        clock: Clock,
        score: Scorer,
        router: IntentSink,
        settings: StrategySettings,
        rng: random.Random,
        routers: RouterLevels | None = None,
        hears: bool = False,
        tracing: Tracing | None = None,
        voice: Streams | None = None,
    ) -> None:
        """``routers`` tells what keeps entries back at S4; ``hears``: it reads the stream and tells what came of it;
        ``voice``: where alerts go, if not by ``bus``.
        """
        clock = SteadyClock(clock)
        self._tracing = tracing
        self._ledger = ledger
        self._bus = bus
        self._clock = clock
        self._settings = settings
        self._rng = rng
        self._turns = Turns(bus, clock, rng)
        self.telemetry = Telemetry(clock)
        self.alerts = Alerts(voice or bus, clock, settings.account_id)
        self._scoring = Scoring(
            score, self.alerts, clock, timeout_ms=settings.score_timeout_ms, most=settings.score_size_mult_max
        )
        self.config = ConfigWatcher(ledger, bus, self.alerts, settings)
        self.bundles = Bundles(ledger, self.config, clock)
        self.explaining = Explaining(ledger, self.bundles, self.config, settings)
        self.trials = Trials(ledger, self.config, self.alerts, clock)
        whose = settings.account_id, settings.strategy_id
        hearing = Hearing(bus, *whose, self.alerts, name=settings.name) if hears else None
        promises = Promises(bus, clock, settings.account_id)
        self._dispatcher = Dispatcher(
            ledger,
            bus,
            router,
            self.alerts,
            clock,
            settings.tracks,
            promises=promises,
            settled=self._settled,
            hearing=hearing,
            tracing=tracing,
        )
        board = Board(bus, ledger, settings.account_id)
        self._judge = Judge(board, self._scoring, clock, promises, settings, policy(settings))
        self.blockers = Blockers(
            ledger, self._judge, self.config, self.alerts, clock, settings, routers, off_ms=clock.off_ms
        )

    async def run(self, *, watching: bool = False) -> None:
        """In the background until cancelled: configuration, deliveries, what an earlier run left undone.

        ``watching``: also look every few seconds at what keeps each symbol from being entered.
        """
        await self.config.refresh()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.config.run())
            tasks.create_task(self._dispatcher.run())
            tasks.create_task(self.trials.run())
            tasks.create_task(self._scoring.run())
            if watching:
                tasks.create_task(self.blockers.run())

    # ── the faces ──

    async def decide(self, request: DecideRequest) -> DecisionAnswer:
        """Raises ``Refused``, and ``StoreUnavailable`` when the decision could not be made durable."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()  # finer than a clock of milliseconds
        loaded = self._checked(request)
        if request.dry_run:
            judged = await self._judge.judge(loaded.active, request, await self._judge.look(request))
            decision, intent = judged.decision, self._intent(loaded.active, judged.decision)
            needed = await self._judge.needed(loaded.active, judged.case) if request.explain else None
            answer = answer_of(decision, intent, dry_run=True, signal_id=None, supposed=judged.supposed, needed=needed)
        else:
            decision, answer = await self._decide_in_turn(loaded, request)
            self.blockers.decided(request, decision)
        took_ms = round((loop.time() - began_s) * 1000, 3)
        loop.call_soon(self._note, decision, answer, took_ms)  # the answer does not wait for it
        return answer

    async def decide_batch(self, batch: BatchRequest) -> BatchAnswer:
        """One result for each, in order; one that fails does not fail the rest."""
        return BatchAnswer(results=await asyncio.gather(*map(self._one_of_batch, each(batch))))

    async def recent(self, newest: int) -> Sequence[dict[str, object]]:
        """The newest ``signals`` rows, newest first, skips too. Raises ``StoreUnavailable``."""
        return await self._ledger.find(SIGNALS, newest=newest)

    async def health(self) -> dict[str, object]:
        pings = await health.pings(self._bus, self._ledger)  # a second, while which a configuration may be loaded
        checks, snapshot = {**pings, "config": health.of_config(self.config)}, self.config.snapshot
        checks["score"] = self._scoring.health()
        return {
            "status": "ok" if health.well(checks) else "degraded",
            "service": SERVICE,
            "checks": checks,
            "config_rev": snapshot.bundle.rev if snapshot else None,
            "config_rev_active": self.config.wanted_rev,
            "bundle_id": snapshot.bundle.bundle_id if snapshot else None,
            "rules_loaded": len(snapshot.bundle.rules) if snapshot else 0,
            "symbols": list(self._settings.symbols),
            "intents_pending": self._dispatcher.pending,
            "now_ms": self._clock.now_ms(),
        }

    async def ready(self) -> bool:
        """Whether a decision asked for now could become durable."""
        if self.config.snapshot is None or not self._dispatcher.restored:
            return False
        return health.well(await health.pings(self._bus, self._ledger))

    # ── one decision ──

    def _note(self, decision: Open | Skip, answer: DecisionAnswer, took_ms: float) -> None:
        self.telemetry.decided(decision, took_ms)
        traced = {}
        if isinstance(decision, Open) and answer.signal_id is not None:
            traced["trace_id"] = trace_named(answer.signal_id)
            if self._tracing is not None:
                with self._tracing.apart(DECIDE):
                    spans.decided(self._tracing, decision, answer, took_ms)
        log.info(
            "decided",
            symbol=answer.symbol,
            decision=answer.decision,
            reason=answer.reason,
            config_rev=answer.config_rev,
            rules_fired=answer.rules_fired,
            signal_id=answer.signal_id,
            dry_run=answer.dry_run,
            took_ms=took_ms,
            **traced,
        )

    def _settled(self, item: Item) -> None:
        self.trials.delivered(item)
        self.blockers.answered(item.intent, item.tracks)

    def _checked(self, request: DecideRequest) -> Loaded:
        """What this decision is made with, to its end."""
        symbols = self._settings.symbols
        if request.symbol not in symbols and EVERY_SYMBOL not in symbols:
            raise Refused(
                "UNKNOWN_SYMBOL",
                "this symbol is not decided on here (S3_SYMBOLS)",
                field="symbol",
                value=request.symbol,
                accepted=", ".join(symbols),
            )
        loaded = self.config.loaded
        if loaded is None:
            raise Refused("NOT_READY", f"no configuration is loaded yet: {self.config.fault or 'still reading'}")
        if not self._dispatcher.restored:
            raise Refused("NOT_READY", "what an earlier run left undone is not read yet; try again")
        check_dry(loaded.active, request)
        return loaded

    async def _decide_in_turn(self, loaded: Loaded, request: DecideRequest) -> tuple[Open | Skip, DecisionAnswer]:
        async with self._turns.of(request.symbol, lambda: self._judge.look(request)) as (locked_out, until_ms, facts):
            signal_id, snapshot = self.trials.drawn(loaded, lambda: new_uuid(self._rng))
            origin = signals.origin(loaded, snapshot, request)
            if locked_out is not None:
                return await self._record_skip(skip(snapshot.bundle.rev, request, locked_out), origin, signal_id)
            judged = await self._judge.judge(snapshot, request, facts)
            origin = origin.of(judged.facts, judged.case)
            if isinstance(judged.decision, Skip):
                await tell_skip(self.alerts, judged.decision)
                recorded = await self._record_skip(judged.decision, origin, signal_id)
            else:  # no await before it reserves
                recorded = await self._record_open(snapshot, request, judged.decision, origin, until_ms, signal_id)
            await tell_unreadable(self.alerts, judged.facts.unreadable)
            if judged.facts.lent:
                await tell_lent(self.alerts, judged.decision)
            self.trials.compare(loaded, snapshot, str(recorded[1].signal_id), judged.case, judged.decision)
            return recorded

    async def _record_skip(
        self, decision: Skip, origin: Origin, signal_id: str | None
    ) -> tuple[Open | Skip, DecisionAnswer]:
        signal_id = signal_id or new_uuid(self._rng)
        row = self._row(signal_id, decision, origin)
        await self._ledger.insert(SIGNALS, signal_id, row)
        explained = row["explanation"]
        return decision, answer_of(decision, None, dry_run=False, signal_id=signal_id, explained=explained)

    async def _record_open(
        self,
        snapshot: Snapshot,
        request: DecideRequest,
        decision: Open,
        origin: Origin,
        until_ms: Millis,
        given_id: str | None,
    ) -> tuple[Open | Skip, DecisionAnswer]:
        """Reserve, claim the id, make it durable, start it. Whatever breaks off leaves nothing that is sent."""
        signal_id = given_id or new_uuid(self._rng)
        intent = self._intent(snapshot, decision, trace_id=signal_id)
        if intent is None:
            raise AssertionError("an open has an intent")
        item = self._item(signal_id, decision, intent, origin)
        self._dispatcher.reserve(item)
        rev = snapshot.bundle.rev
        try:
            taken, overspent = await asyncio.gather(
                self._claim(intent), self._announced(snapshot, request, decision, intent)
            )
            refused = skip(rev, request, taken) if taken is not None else overspent
            if refused is None and self._clock.monotonic_ms() >= until_ms:
                words = f"the decision took longer than {USABLE_MS} ms of its lock"
                refused = skip(rev, request, Verdict(code=Code.LOCKED, passed=False, text=words))
            if refused is None:
                await self._ledger.insert(SIGNALS, signal_id, item.row)
        except BaseException:  # cancelled, too: what was announced and is not stored must be void
            self._dispatcher.void(item)
            raise
        if refused is not None:
            self._dispatcher.forget(item)
            return await self._record_skip(refused, origin.otherwise, given_id)
        self._dispatcher.start(item)
        explained = item.row["explanation"]
        return decision, answer_of(decision, intent, dry_run=False, signal_id=signal_id, explained=explained)

    async def _announced(
        self, snapshot: Snapshot, request: DecideRequest, decision: Open, intent: Intent
    ) -> Skip | None:
        """Tell of it, and why not by what everybody has told."""
        try:
            told = await self._dispatcher.promises.announce(intent.intent_id)
        except StoreUnavailable as away:
            gone = Verdict(code=Code.BUS_AWAY, passed=False, text=f"the entry cannot be announced: {away}")
            return skip(snapshot.bundle.rev, request, gone)
        if told.unreadable:
            await self.alerts.say(Severity.ERROR, "BAD_DOCUMENT", "promises", told.unreadable)
        limits = terms(snapshot, request.symbol, self._settings)[decision.market].gates
        again = still(decision, told.budget, told.reserved, limits, self._clock.now_ms())
        if isinstance(again, Skip):
            return again
        first = rival(intent, told.others, told.budget)
        if first is None:
            return None
        words = f"another process decided on {request.symbol} meanwhile: {first.intent_id}"
        return skip(snapshot.bundle.rev, request, Verdict(code=Code.LOCKED, passed=False, text=words))

    async def _claim(self, intent: Intent) -> Verdict | None:
        """``idem:order:{client_order_id}`` RESERVED; why not, where it is not ours."""
        body_hash = requests.body_hash(intent)
        record = claim(Claim.RESERVED, body_hash, intent_id=intent.intent_id, at_ms=intent.created_ms)
        told = json.dumps(record, sort_keys=True)
        try:
            there = await self._bus.remember(idempotency_key(intent.client_order_id), told, CLAIMED_MS)
        except StoreUnavailable as away:
            return Verdict(code=Code.BUS_AWAY, passed=False, text=f"the order id cannot be reserved: {away}")
        if there is None or there == told:
            return None
        words = f"client order id {intent.client_order_id} is taken"
        return Verdict(code=Code.LOCKED, passed=False, name="client_order_id", text=words)

    async def _one_of_batch(self, request: DecideRequest) -> dict[str, Any]:
        try:
            return (await self.decide(request)).model_dump(mode="json")
        except Refused as no:
            return {"symbol": request.symbol, **failures.error_body(no)}
        except StoreUnavailable as away:
            down = Refused("STORE_DOWN", f"the decision could not be made durable: {away}")
            return {"symbol": request.symbol, **failures.error_body(down)}
        except Exception:  # what the others decided stands, may trade already, and is not to be hidden by one of them
            log.exception("decision_broke", symbol=request.symbol)
            broke = Refused("INTERNAL", "something went wrong here; see the log")
            return {"symbol": request.symbol, **failures.error_body(broke)}

    # ── values ──

    def _intent(self, snapshot: Snapshot, decision: Open | Skip, *, trace_id: str = "") -> Intent | None:
        if isinstance(decision, Skip):
            return None
        settings, now_ms = self._settings, self._clock.now_ms()
        listed = snapshot.listed.get((decision.market, decision.symbol))
        base = listed.instrument.base if listed else decision.symbol
        return Intent(
            intent_id=new_intent_id(self._rng),
            client_order_id=new_client_order_id(settings.strategy_id, base, now_ms, self._rng),
            market=decision.market,
            symbol=decision.symbol,
            side=decision.side,
            qty=decision.qty,
            policy=decision.policy,
            created_ms=now_ms,
            account_id=AccountId(settings.account_id),
            strategy_id=StrategyId(settings.strategy_id),
            stop=decision.stop,
            target=decision.target,
            leverage=decision.leverage,
            max_hold_s=settings.max_hold_s or None,
            valid_until_ms=Millis(now_ms + settings.intent_valid_ms),
            trace_id=trace_id,
        )

    def _item(self, signal_id: str, decision: Open, intent: Intent, origin: Origin) -> Item:
        tracks = self._dispatcher.fresh_tracks()
        reserve = Reserve(
            intent_id=intent.intent_id,
            market=intent.market,
            symbol=intent.symbol,
            margin_usdt=decision.sizing.margin_usdt,
            notional_usdt=decision.sizing.notional_usdt,
            loss_usdt=decision.levels.loss_at_stop,
        )
        row = self._row(signal_id, decision, origin, intent=intent, tracks=tracks, reserve=reserve)
        return Item(signal_id, row, intent, tracks, reserve)

    def _row(self, signal_id: str, decision: Open | Skip, origin: Origin, **delivery: Any) -> dict[str, Any]:
        return signals.row(
            signal_id,
            self._clock.now_ms(),
            decision,
            origin,
            account_id=self._settings.account_id,
            strategy_id=self._settings.strategy_id,
            **delivery,
        )
