"""Alerts to the stream ``alerts``: sent at once, kept while the bus is away, the same one at most once a minute."""

from collections import deque
from collections.abc import Iterable
from typing import Final

import structlog

from chimera.ports.clock import Clock
from chimera.ports.streams import Streams
from chimera.trading.decision import Code, Open, Skip
from chimera.trading.errors import StoreUnavailable
from chimera.trading.events import Severity
from chimera.trading.market import Market
from chimera.trading.money import Millis
from chimera.wire.alerts import S3, described
from chimera.wire.events import fields_of
from chimera.wire.keys import ALERTS, spot_tick_key

REPEAT_MS: Final = 60_000
KEPT_MAX: Final = 200
SUBJECTS_MAX: Final = 1_000

OF_A_SYMBOL: Final = (
    Code.FEATURE_MISSING, Code.FEATURE_STALE, Code.FEATURE_INVALID, Code.MARKET_INVALID, Code.MARKET_CROSSED,
)  # fmt: skip

log = structlog.get_logger(__name__)


class Alerts:
    def __init__(self, streams: Streams, clock: Clock, account_id: str) -> None:
        self._streams = streams
        self._clock = clock
        self._account_id = account_id
        self._life_ms = clock.now_ms()
        self._said: dict[tuple[str, str], int] = {}
        self._kept: deque[tuple[str, dict[str, str]]] = deque(maxlen=KEPT_MAX)

    def now_ms(self) -> Millis:
        return self._clock.now_ms()

    async def say(self, severity: Severity, code: str, subject: str, text: str, *, lasts: bool = False) -> None:
        """``subject`` is what it is about (a symbol, a rule, an intent): the same code and subject wait a minute.

        ``lasts``: its end will be said as well.
        """
        now_ms, about = self._clock.now_ms(), (code, subject)
        if now_ms - self._said.get(about, -REPEAT_MS) < REPEAT_MS:
            return
        if len(self._said) >= SUBJECTS_MAX:
            self._said.pop(next(iter(self._said)))
        self._said.pop(about, None)
        self._said[about] = now_ms
        log.warning("alert", severity=severity.value, code=code, subject=subject, text=text)
        told = described(
            service=S3,
            account_id=self._account_id,
            severity=severity,
            code=code,
            text=text,
            at_ms=now_ms,
            subject=subject,
            lasts=lasts,
            life_ms=self._life_ms,
        )
        if len(self._kept) == KEPT_MAX:
            log.error("alert_dropped", event_id=self._kept[0][0])
        self._kept.append((f"s3:{code}:{subject}:{now_ms}", fields_of(told)))
        await self.flush()

    async def flush(self) -> None:
        """Send what is kept, oldest first; what cannot be sent now stays."""
        while self._kept:
            event_id, fields = self._kept[0]
            try:
                await self._streams.publish(ALERTS, event_id, fields)
            except StoreUnavailable:
                return
            if self._kept and self._kept[0][0] == event_id:
                self._kept.popleft()


async def tell_lent(alerts: Alerts, decision: Open | Skip) -> None:
    """Of a decision that had futures' touch for spot."""
    if decision.market is Market.SPOT:
        words = f"no touch of {decision.symbol} on SPOT is written ({spot_tick_key(decision.symbol)}): futures' counts"
        await alerts.say(Severity.WARN, "SPOT_BY_FUTURES", decision.symbol, words)


async def tell_unreadable(alerts: Alerts, unreadable: Iterable[tuple[str, str]]) -> None:
    """Documents of the board, each with what is wrong, also where the decision did without."""
    for key, words in unreadable:
        await alerts.say(Severity.ERROR, "BAD_DOCUMENT", key, words)


async def tell_skip(alerts: Alerts, decision: Skip) -> None:
    """What of a skip somebody must look at."""
    for reason in decision.reasons:
        if reason.code is Code.NO_RULE:
            await alerts.say(Severity.WARN, "NO_USABLE_RULE", decision.symbol, reason.text)
        elif reason.code in OF_A_SYMBOL:
            await alerts.say(Severity.WARN, reason.code.value, f"{decision.symbol} {reason.name}", reason.text)
