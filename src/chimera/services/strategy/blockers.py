"""What keeps each symbol from being entered now: levels, kept up to date by real decisions and by a look of our own.

A look is a decision that leaves nothing: no score model is asked, no lock taken, no row written. It goes by what was
wished last for the symbol. S4's barriers and kills are asked for once a look and stand before every symbol they are
about; that it refused the symbol's last entry stands for ``REFUSED_MS``, or until it takes one. The levels are saved
when they change, and a restart keeps the moment of each that still stands. A symbol's change is told in one alert once
it has lasted, at most one a minute; what is told last is how it stands.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import structlog

from chimera.decide.blockers import Blocker, Kind, of_decision, standing
from chimera.decide.rules.bundle import EVERY_SYMBOL
from chimera.ports.clock import Clock
from chimera.ports.intents import RouterLevel, RouterLevels
from chimera.ports.ledger import Rows
from chimera.services.strategy.alerts import Alerts
from chimera.services.strategy.config import ConfigWatcher
from chimera.services.strategy.judging import Judge
from chimera.services.strategy.settings import StrategySettings
from chimera.services.strategy.signals import Tracks
from chimera.trading.decision import Code, Open, Skip
from chimera.trading.errors import NewerSchema, NotSent, OutcomeUnknown, Refused, StoreUnavailable
from chimera.trading.events import Severity
from chimera.trading.intent import Intent
from chimera.trading.market import Market, Side
from chimera.trading.money import Millis
from chimera.wire.codec import SCHEMA_VERSION, check_version, plain
from chimera.wire.decisions import DecideRequest
from chimera.wire.keys import BLOCKERS

LOOK_S: Final = 5.0
SPARED: Final = 9  # of the time, this many parts for each one that looks take: decisions come first
SETTLED_MS: Final = 15_000  # what passes sooner is told to nobody
TELL_MS: Final = 60_000  # between two alerts about one symbol
REFUSED_MS: Final = 600_000
SYMBOLS_MAX: Final = 1_000
CLOCK_SET: Final = "CLOCK_SET"
ROUTER_AWAY: Final = "ROUTER_AWAY"
ROUTER_REFUSED: Final = "ROUTER_REFUSED"  # where it says no code
REFUSED_NAME: Final = "last entry"

log = structlog.get_logger(__name__)


@dataclass
class _Watched:
    """One symbol. ``told``: the codes that the newest alert named, ``None`` before the first."""

    symbol: str
    market: Market | None = None
    side: Side | None = None
    own: tuple[Blocker, ...] = ()  # by our decisions
    routers: tuple[Blocker, ...] = ()
    refused: Blocker | None = None  # its last entry, by S4
    refused_ms: int = 0  # UTC, when it last did, or took one
    decision: str | None = None
    looked_ms: Millis | None = None
    told: frozenset[str] = field(default_factory=frozenset)
    told_ms: Millis | None = None
    saved: object = None

    @property
    def blockers(self) -> tuple[Blocker, ...]:
        refused = () if self.refused is None else (self.refused,)
        return tuple(sorted((*self.own, *self.routers, *refused), key=lambda blocker: blocker.since_ms))

    @property
    def state(self) -> object:
        """What a restart must find; a new number alone is none."""
        since = [(blocker.key, blocker.since_ms) for blocker in self.blockers]
        return since, self.market, self.side, self.told, self.told_ms


class Blockers:
    """``routers``: who tells of S4's levels; None: nobody, and nothing is said of S4."""

    def __init__(
        self,
        ledger: Rows,
        judge: Judge,
        config: ConfigWatcher,
        alerts: Alerts,
        clock: Clock,
        settings: StrategySettings,
        routers: RouterLevels | None = None,
        *,
        off_ms: Callable[[], int] = lambda: 0,
    ) -> None:
        self._ledger = ledger
        self._judge = judge
        self._config = config
        self._alerts = alerts
        self._clock = clock
        self._settings = settings
        self._routers = routers
        self._off_ms = off_ms
        self._loaded = False
        self._watched: dict[str, _Watched] = {
            symbol: _Watched(symbol) for symbol in settings.symbols if symbol != EVERY_SYMBOL
        }

    # ── what decisions tell ──

    def decided(self, request: DecideRequest, decision: Open | Skip) -> None:
        """A real decision: how it stands, and what is wished for the symbol."""
        watched = self._of(request.symbol)
        if watched is None:
            return
        watched.market, watched.side = request.market, request.sideHint
        self._stand(watched, decision)

    def answered(self, intent: Intent, tracks: Tracks) -> None:
        """What came of an entry at S4: one that is refused each time is no symbol that can be entered."""
        watched = self._of(intent.symbol)
        if watched is None:
            return
        if tracks.taken:
            watched.refused, watched.refused_ms = None, self._clock.now_ms()
        elif tracks.refused:
            code, words = tracks.code or ROUTER_REFUSED, f"S4 refused the last entry: {tracks.message}"
            now = self._blocker(code, Kind.S4, words).but(name=REFUSED_NAME, market=intent.market)
            known = watched.refused
            since_ms = known.since_ms if known is not None and known.key == now.key else now.since_ms
            watched.refused, watched.refused_ms = now.but(since_ms=since_ms), self._clock.now_ms()

    # ── the look ──

    async def run(self) -> None:
        """For ever."""
        while True:
            try:
                await self.look()
            except StoreUnavailable as away:
                log.warning("blockers_not_saved", why=str(away))
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """At every symbol and at S4, once; then save and tell what changed. Raises ``StoreUnavailable`` of saving."""
        await self._load()
        levels = await self._router_levels()
        for watched in tuple(self._watched.values()):
            began_ms = self._clock.monotonic_ms()
            await self._look_at(watched)
            took_ms = self._clock.monotonic_ms() - began_ms
            watched.routers = self._of_router((*(levels or ()), *self._of_clock()), watched)
            if self._clock.now_ms() - watched.refused_ms > REFUSED_MS:
                watched.refused = None
            await self._tell(watched)
            await self._save(watched)
            await asyncio.sleep(took_ms * SPARED / 1000)

    async def _look_at(self, watched: _Watched) -> None:
        loaded = self._config.loaded
        if loaded is None:
            words = self._config.fault or "no configuration is loaded yet"
            self._set(watched, (self._blocker(Code.NO_CONFIG, Kind.CONFIG, words),), "skip")
            return
        request = DecideRequest.model_construct(
            symbol=watched.symbol, sideHint=watched.side, market=watched.market, dry_run=True
        )
        judged = await self._judge.judge(loaded.active, request, await self._judge.look(request), asks_score=False)
        self._stand(watched, judged.decision)

    async def _router_levels(self) -> Sequence[RouterLevel] | None:
        if self._routers is None:
            return None
        try:
            return await self._routers.levels()
        except (NotSent, OutcomeUnknown) as away:
            return [RouterLevel(code=ROUTER_AWAY, why=f"S4 does not answer: {away}")]
        except Refused as strange:  # another service, or another version of it
            return [RouterLevel(code=ROUTER_AWAY, why=f"S4 does not tell how it stands: {strange.message}")]

    def _of_clock(self) -> Sequence[RouterLevel]:
        """Where the machine's clock was set by more than a touch may be old, whoever stamps by it is stale for us."""
        off_ms = self._off_ms()
        if abs(off_ms) <= self._settings.touch_max_age_ms:
            return ()
        words = f"the machine's clock was set by {off_ms} ms while S3 ran, which goes by the old one: restart S3"
        return (RouterLevel(code=CLOCK_SET, why=words),)

    def _of_router(self, levels: Sequence[RouterLevel], watched: _Watched) -> tuple[Blocker, ...]:
        """Since when is S4's to say; where it does not, since we first heard."""
        known = {blocker.key: blocker.since_ms for blocker in watched.routers}
        found: dict[object, Blocker] = {}
        for level in levels:
            if level.symbol not in (None, watched.symbol) or level.strategy not in (None, self._settings.strategy_id):
                continue
            name = level.symbol or level.strategy or ""
            kind = Kind.S3 if level.code == CLOCK_SET else Kind.S4
            blocker = self._blocker(level.code, kind, level.why).but(name=name, market=level.market)
            since_ms = known.get(blocker.key, blocker.since_ms) if level.since_ms is None else level.since_ms
            found.setdefault(blocker.key, blocker.but(since_ms=since_ms))
        return tuple(found.values())

    # ── levels ──

    def _stand(self, watched: _Watched, decision: Open | Skip) -> None:
        now = of_decision(decision, self._clock.now_ms())
        if now is not None:
            self._set(watched, now, "open" if isinstance(decision, Open) else "skip")

    def _set(self, watched: _Watched, now: tuple[Blocker, ...], decision: str) -> None:
        watched.own = standing(watched.own, now)
        watched.decision, watched.looked_ms = decision, self._clock.now_ms()

    def _blocker(self, code: str, kind: Kind, words: str) -> Blocker:
        return Blocker(code=str(code), kind=kind, text=words, since_ms=self._clock.now_ms())

    def _of(self, symbol: str) -> _Watched | None:
        if symbol not in self._watched and len(self._watched) < SYMBOLS_MAX:
            self._watched[symbol] = _Watched(symbol)
        return self._watched.get(symbol)

    # ── telling and keeping ──

    async def _tell(self, watched: _Watched) -> None:
        """One alert for what is otherwise than was told last, once that has lasted."""
        now_ms = self._clock.now_ms()
        unexpected = [blocker for blocker in watched.blockers if not blocker.expected]
        lasting = {_name(blocker) for blocker in unexpected if now_ms - blocker.since_ms >= SETTLED_MS}
        still = watched.told & {_name(blocker) for blocker in unexpected}
        named = frozenset(lasting | still)
        if not named and unexpected:
            return
        if named == watched.told or (watched.told_ms is not None and now_ms - watched.told_ms < TELL_MS):
            return
        watched.told, watched.told_ms = named, now_ms
        if not named:
            await self._alerts.say(Severity.INFO, "UNBLOCKED", watched.symbol, f"{watched.symbol} can be entered again")
            return
        texts = "; ".join(f"{blocker.code}: {blocker.text}" for blocker in unexpected if _name(blocker) in named)
        gates_alone = all(blocker.kind is Kind.GATE for blocker in unexpected)
        severity = Severity.INFO if gates_alone else Severity.WARN
        words = f"{watched.symbol} is not entered: {texts}"
        await self._alerts.say(severity, "BLOCKED", watched.symbol, words, lasts=True)

    async def _save(self, watched: _Watched) -> None:
        state = watched.state
        if state == watched.saved:
            return
        row = {
            "schema_version": SCHEMA_VERSION,
            "symbol": watched.symbol,
            "market": watched.market,
            "side_hint": watched.side,
            "own": plain(watched.own),
            "routers": plain(watched.routers),
            "refused": plain(watched.refused),
            "refused_ms": watched.refused_ms,
            "told": sorted(watched.told),
            "told_ms": watched.told_ms,
            "changed_ms": self._clock.now_ms(),
        }
        await self._ledger.put(BLOCKERS, watched.symbol, row)
        watched.saved = state

    async def _load(self) -> None:
        """Once: what an earlier process knew. What decisions have said meanwhile is newer, and not since when."""
        if self._loaded:
            return
        for row in await self._ledger.find(BLOCKERS, newest=SYMBOLS_MAX):
            symbol = str(row.get("symbol"))
            if symbol not in self._watched and EVERY_SYMBOL not in self._settings.symbols:
                continue
            try:
                found = _read(row)
            except (msgspec.ValidationError, NewerSchema) as wrong:
                log.error("blockers_unreadable", symbol=symbol, why=str(wrong))
                continue
            watched = self._of(symbol)
            if watched is None:
                continue
            if watched.looked_ms is None:
                watched.market, watched.side, watched.own = found.market, found.side, found.own
            else:
                watched.own = standing(found.own, watched.own)
            watched.routers, watched.told, watched.told_ms = found.routers, found.told, found.told_ms
            if not watched.refused_ms:  # S4 has answered none of ours yet
                watched.refused, watched.refused_ms = found.refused, found.refused_ms
        self._loaded = True

    # ── what is shown ──

    def shown(self, symbol: str | None = None) -> dict[str, Any]:
        """Every symbol, or one. Raises ``Refused`` for one that is not decided on here."""
        if symbol is not None and symbol not in self._watched:
            raise Refused(
                "UNKNOWN_SYMBOL", "nothing is known of this symbol here", field="symbol", value=symbol,
                accepted=", ".join(self._watched),
            )  # fmt: skip
        chosen = self._watched.values() if symbol is None else (self._watched[symbol],)
        return {"now_ms": self._clock.now_ms(), "symbols": [self._row(watched) for watched in chosen]}

    def _row(self, watched: _Watched) -> dict[str, Any]:
        now_ms = self._clock.now_ms()
        return {
            "symbol": watched.symbol,
            "asked": {"market": watched.market, "side_hint": watched.side},
            "decision": watched.decision,
            "looked_ms": watched.looked_ms,
            "blocked": bool(watched.blockers),
            "blockers": [
                {**plain(blocker), "for_ms": max(now_ms - blocker.since_ms, 0)} for blocker in watched.blockers
            ],
        }


def _name(blocker: Blocker) -> str:
    """What an alert goes by."""
    return " ".join(str(part) for part in blocker.key if part)


def _read(row: dict[str, Any]) -> _Watched:
    """Raises ``NewerSchema`` or ``msgspec.ValidationError``."""
    check_version(int(row.get("schema_version", SCHEMA_VERSION)))
    return _Watched(
        symbol=str(row["symbol"]),
        market=msgspec.convert(row.get("market"), Market | None),
        side=msgspec.convert(row.get("side_hint"), Side | None),
        own=msgspec.convert(row.get("own", ()), tuple[Blocker, ...], strict=False),
        routers=msgspec.convert(row.get("routers", ()), tuple[Blocker, ...], strict=False),
        refused=msgspec.convert(row.get("refused"), Blocker | None, strict=False),
        refused_ms=msgspec.convert(row.get("refused_ms", 0), int),
        told=frozenset(msgspec.convert(row.get("told", ()), tuple[str, ...])),
        told_ms=msgspec.convert(row.get("told_ms"), Millis | None),
    )
