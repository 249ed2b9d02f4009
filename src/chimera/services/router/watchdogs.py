"""Each watchdog: a measure, a limit, an alert, and a safe reaction: a barrier before entries, or a look of our own.

Exits, stops, cancels and questions go on whatever barks. While the user stream is away, or has missed something, each
position with anything open or working is surveyed every second or two; a stream that is open and deaf is made anew.
What is out of bounds is ``admit.vigil``'s to say.
"""

import asyncio
from contextlib import suppress
from typing import Final

import structlog
from msgspec.structs import asdict

from chimera.admit import vigil
from chimera.admit.vigil import Hearing, Lag, Load
from chimera.ports.venue import (
    KeyAtRisk,
    Loss,
    ModesDoubted,
    OrderReport,
    Report,
    StreamDown,
    StreamUp,
    TermsChanged,
    Venue,
)
from chimera.services.router.alarms import Alarms
from chimera.services.router.capability import Capability
from chimera.services.router.ground import Ground
from chimera.services.router.intake import Intake
from chimera.services.router.levels import Levels
from chimera.services.router.market import MarketView
from chimera.services.router.patience import Looks
from chimera.services.router.preparing import Preparing
from chimera.services.router.sweeping import Sweeping
from chimera.services.router.tallying import Tallying
from chimera.trading.events import Alert, Event, FillRecorded, Severity
from chimera.trading.facts import Gapped, Reported, Ticked
from chimera.trading.holding import Holding
from chimera.trading.ids import Symbol
from chimera.trading.money import Millis
from chimera.trading.scene import Policy

log = structlog.get_logger()

LOOK_S: Final = 0.5
UP_S: Final = 1.0  # how long a start waits for the user stream: who asks after it came need not ask again
_LOOK_EVERY: Final = round(LOOK_S * 1_000 / vigil.LAG_LOOK_MS)
_KEY_ALERTS: Final = {
    Loss.KEY_EXPIRED: ("LISTEN_KEY_EXPIRED", Severity.WARN),
    Loss.KEY_REFUSED: ("LISTEN_KEY_REFUSED", Severity.ERROR),
    Loss.KEY_UNKEPT: ("LISTEN_KEY_UNKEPT", Severity.ERROR),
    Loss.UNREADABLE: ("STREAM_UNREADABLE", Severity.WARN),
}


class Watchdogs:
    """Of one router. ``policy`` is the configured one, with surveys as often as the user stream makes necessary."""

    def __init__(
        self,
        ground: Ground,
        venue: Venue,
        market: MarketView,
        sweeping: Sweeping,
        capability: Capability,
        tallies: Tallying,
        alarms: Alarms,
        intake: Intake,
        preparing: Preparing,
    ) -> None:
        self.policy: Policy = ground.policy
        self.hearing = Hearing()
        self.lag = Lag()
        self.venue_heard_ms: Millis | None = None  # monotonic: its clock was read
        self._bus_heard_ms: Millis | None = None  # monotonic: it took something, or answered
        self._bus_said = ""  # why it did not, of late
        self._ground = ground
        self._venue = venue
        self._market = market
        self._sweeping = sweeping
        self._capability = capability
        self._tallies = tallies
        self._alarms = alarms
        self._intake = intake
        self._preparing = preparing
        self._notices = Levels(ground.clock, ground.tell)
        self._began_ms: Millis | None = None
        self._came = asyncio.Event()

    @property
    def stream_up(self) -> bool:
        """Whether a user stream is connected."""
        return self.hearing.up_ms is not None

    @property
    def polling(self) -> bool:
        """Whether positions are surveyed because the user stream cannot be relied on."""
        return self.policy is not self._ground.policy

    def shown(self) -> dict[str, object]:
        """For ``GET /health``."""
        notices = {level.code: level.why for level in self._notices.standing}
        late = {"loop_worst_lag_ms": self.lag.worst_ms, "loop_lag_ms": self.lag.peak_ms}
        return {"polling": self.polling, **late, "queues": asdict(self.load), "notices": notices}

    @property
    def looks(self) -> Looks:
        """What goes on for ever, by name."""
        return {"user stream": self.listen, "watchdogs": self.run}

    # ── the user stream ──

    async def listen(self) -> None:
        """The user stream, for ever: each report to its owner; after each gap everybody asks."""
        async for report in self._venue.reports():
            self._hear(report)

    async def up_soon(self) -> None:
        """Until the stream has come up for the first time, or long enough."""
        with suppress(TimeoutError):
            async with asyncio.timeout(UP_S):
                await self._came.wait()

    def heard(self, events: tuple[Event, ...]) -> None:
        """Trades that were counted, whoever brought them."""
        for event in events:
            if isinstance(event.body, FillRecorded):
                self.hearing = self.hearing.counted(event.body.fill, self._now)

    def counted_again(self) -> None:
        """Who takes over counts trades that the stream has told already: it is not deaf for telling them once."""
        self.hearing = self.hearing.but(owed={}, up_venue_ms=self._ground.venue_now_ms)

    def _hear(self, report: Report) -> None:
        match report:
            case StreamUp():
                self._came.set()
                self.hearing = self.hearing.came(self._now, self._ground.venue_now_ms)
                self._preparing.doubt()
                for owner in self._ground.owners.values():
                    owner.hear(Gapped())
            case StreamDown(reason=reason, cause=cause):
                self.hearing = self.hearing.went(self._now)
                log.warning("user_stream_down", reason=reason, cause=cause)
                if cause in _KEY_ALERTS:
                    code, severity = _KEY_ALERTS[cause]
                    self._ground.tell(Alert(severity=severity, code=code, text=reason))
            case KeyAtRisk(reason=reason):
                log.warning("listen_key_at_risk", reason=reason)
                self._ground.tell(Alert(severity=Severity.WARN, code="LISTEN_KEY_AT_RISK", text=reason))
            case ModesDoubted(why=why):
                self._capability.doubt_modes(why)
            case TermsChanged(symbol=symbol, leverage=leverage):
                self._preparing.heard(symbol, leverage)
                standing = self._ground.owner_of(symbol)
                if standing is not None and standing.holding.exposure:
                    standing.hear(Gapped())  # where it is liquidated may be another price now
            case OrderReport(order=order, fill=None) if order.ref in self._capability.probing.own:
                pass  # asked of the venue to learn something, and gone again
            case OrderReport(order=order, fill=fill):
                self._sweeping.heard(report)
                known = self._ground.owner_of(order.symbol)
                if known is None:  # what a trade of it opened is found by the sweep
                    log.warning("report_for_foreign_symbol", symbol=order.symbol, ref=order.ref)
                else:
                    known.hear(Reported(order=order, fill=fill))
                if fill is not None:
                    self.hearing = self.hearing.told(fill)

    # ── looking ──

    async def run(self) -> None:
        """For ever: how late the loop is, each tenth of a second; all the rest every ``LOOK_S``."""
        self._began_ms = self._began_ms or self._now
        self.hearing = self.hearing.but(lost_ms=self._now) if self.hearing.lost_ms == 0 else self.hearing
        number, loop = 0, asyncio.get_running_loop()
        while True:
            asleep_ms, timers_s = self._now, loop.time()
            await asyncio.sleep(vigil.LAG_LOOK_MS / 1_000)
            passed_ms = self._now - asleep_ms
            self.lag = self.lag.after(passed_ms - vigil.LAG_LOOK_MS, self._now)
            if passed_ms - (loop.time() - timers_s) * 1_000 > vigil.LAG_LIMIT_MS:
                self._woken()
            number = (number + 1) % _LOOK_EVERY
            if not number or self.lag.peak_ms:
                self.look()

    def _woken(self) -> None:
        """The machine slept, and the loop's timers with it: what came due meanwhile is late."""
        for owner in tuple(self._ground.owners.values()):
            owner.hear(Ticked())

    def look(self) -> None:
        """Every level as it stands now."""
        level, notice, now_ms = self._ground.barriers.level, self._notices.level, self._now
        level("LOOP_LAG", self.lag.over(vigil.LAG_LIMIT_MS))
        notice("LOOP_SLOW", self.lag.over(vigil.LAG_WARN_MS))
        level("QUEUE_FULL", vigil.overfull(self.load))
        level("LEDGER_AWAY", self._ledger_away())
        level("BUS_AWAY", self._bus_away())
        level("CLOCK_UNKNOWN", vigil.clock_unread(self.venue_heard_ms, now_ms))
        self._look_at_stream()
        self._tallies.look()

    def clock_read(self, offset_ms: int) -> None:
        """The venue's clock was read: minus ours it is ``offset_ms``."""
        self.venue_heard_ms = self._now
        self._ground.barriers.level("CLOCK", vigil.clock_off(offset_ms, vigil.OFFSET_LIMIT_MS))
        self._ground.barriers.level("CLOCK_UNKNOWN", None)
        self._notices.level("CLOCK_OFFSET", vigil.clock_off(offset_ms, vigil.OFFSET_WARN_MS))

    def bus_heard(self) -> None:
        """Redis took something, or answered."""
        self._bus_heard_ms, self._bus_said = self._now, ""

    def bus_missed(self, why: str) -> None:
        """It did not."""
        self._bus_said = f": {why}"

    def price_looked(self, symbol: Symbol) -> None:
        """The market of this symbol was looked at, with or without success."""
        self._ground.barriers.level("MARKET_STALE", self._market.stale(symbol), symbol=symbol)

    @property
    def load(self) -> Load:
        """The longest queue of each kind."""
        owners = self._ground.owners.values()
        return Load(
            outbox=max((len(owner.holding.outbox) for owner in owners), default=0),
            held=max((owner.held for owner in owners), default=0),
            tasks=max((owner.under_way for owner in owners), default=0),
            alarms=self._alarms.waiting,
            callers=self._intake.waiting,
        )

    def _look_at_stream(self) -> None:
        self.hearing = self.hearing.at(self._now)
        why = self.hearing.away(self._now)
        self._ground.barriers.level("USER_STREAM", why)
        deaf = self.hearing.deaf
        if deaf is not None:
            log.error("stream_deaf", why=deaf)
            self._ground.tell(Alert(severity=Severity.ERROR, code="STREAM_DEAF", text=f"{deaf}: reconnecting"))
            self.hearing = self.hearing.went(self._now)
            self._venue.reconnect(deaf)
        self._poll(on=why is not None or self.hearing.doubtful)

    def _poll(self, *, on: bool) -> None:
        """Survey what is open or working, as often as the venue's weight allows."""
        base = self._ground.policy
        if not on:
            self.policy = base
            return
        busy = [owner for owner in self._ground.owners.values() if _busy(owner.holding)]
        every_ms = min(vigil.poll_every_ms(len(busy)), base.survey_every_ms)
        if not self.polling or self.policy.survey_every_ms != every_ms:
            self.policy = base.but(survey_every_ms=every_ms)
        latest_ms = self._ground.clock.now_ms() + every_ms
        for owner in busy:
            if owner.holding.survey_asked_ms is None and owner.holding.survey_due_ms > latest_ms:
                owner.hear(Gapped())

    def _ledger_away(self) -> str | None:
        longest = max((owner.unsaved_ms() for owner in self._ground.owners.values()), default=0)
        if longest <= vigil.STORE_AWAY_MS:
            return None
        why = next((f": {owner.ledger_away}" for owner in self._ground.owners.values() if owner.ledger_away), "")
        return f"the ledger has not taken a state for more than {vigil.STORE_AWAY_MS} ms{why}"

    def _bus_away(self) -> str | None:
        began_ms = self._now if self._began_ms is None else self._began_ms
        heard_ms = self._bus_heard_ms
        if self._now - max(began_ms, heard_ms or began_ms) <= vigil.STORE_AWAY_MS:
            return None
        return f"Redis has taken nothing for more than {vigil.STORE_AWAY_MS} ms{self._bus_said}"

    @property
    def _now(self) -> Millis:
        return self._ground.clock.monotonic_ms()


def _busy(holding: Holding) -> bool:
    return bool(holding.exposure) or holding.entering or holding.exit is not None
