"""How the venue and our way to it are, by S4's health: a picture of each market. Pure; what is not told is left out."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from chimera.admit.breaker import BreakerPolicy
from chimera.admit.vigil import OFFSET_LIMIT_MS, OFFSET_WARN_MS
from chimera.services.console.deciding import number
from chimera.services.console.verdicts import Tone
from chimera.trading.money import ZERO
from chimera.trading.rates import Lane
from chimera.trading.value import Value

Document = Mapping[str, Any]
TIGHT: Final = Decimal("0.6")  # of a limit: entries stop there
FULL: Final = Decimal("0.85")


class Check(Value, tag=False):
    name: str
    word: str
    tone: Tone


class Budget(Value, tag=False):
    """One limit of the venue; ``open_at`` is the share at which entries wait."""

    name: str
    used: int
    most: int
    share: Decimal
    open_at: Decimal
    tone: Tone
    lanes: tuple[tuple[str, int, int], ...]  # name, ours, ceiling


LEAST: Final = BreakerPolicy().least  # fewer calls than these open nothing, whatever became of them


class BreakerPicture(Value, tag=False):
    state: str
    why: str
    next_try_in_ms: int | None
    good: int
    bad: int
    window_s: int
    share: Decimal
    limit: Decimal
    history: tuple[tuple[int, str, str], ...]  # at_ms, state, why

    @property
    def tone(self) -> Tone:
        return {"CLOSED": Tone.GOOD, "OPEN": Tone.BAD}.get(self.state, Tone.CAUTION)


class MarketPicture(Value, tag=False):
    market: str
    checks: tuple[Check, ...]
    budgets: tuple[Budget, ...]
    breaker: BreakerPicture
    barriers: tuple[Document, ...]
    refusals: tuple[tuple[str, int], ...]
    forms: tuple[Document, ...]


def pictures(health: Document) -> tuple[MarketPicture, ...]:
    """None before S4 has spoken."""
    each = health.get("markets") or ({"FUT": health} if "checks" in health else {})
    return tuple(_picture(str(name), told) for name, told in each.items() if isinstance(told, Mapping))


def _picture(market: str, told: Document) -> MarketPicture:
    refusals = told.get("venue_refusals") or {}
    return MarketPicture(
        market=market,
        checks=tuple(_checks(told)),
        budgets=tuple(_budget(use) for use in told.get("rates") or ()),
        breaker=_breaker(told),
        barriers=tuple(told.get("barriers") or ()),
        refusals=tuple((str(code), int(count)) for code, count in refusals.items()),
        forms=tuple(told.get("protective_forms") or ()),
    )


def _checks(told: Document) -> Iterator[Check]:
    checks, watched = told.get("checks") or {}, told.get("watchdogs") or {}
    for name in ("exchange", "user_stream", "redis", "ledger"):
        word = str(checks.get(name, "unknown"))
        yield Check(name=name.replace("_", " "), word=word, tone=Tone.GOOD if word == "ok" else Tone.BAD)
    if watched.get("polling"):
        yield Check(
            name="positions", word="asked every second or two: the stream cannot be relied on", tone=Tone.CAUTION
        )
    offset = told.get("clock_offset_ms")
    if isinstance(offset, int):
        beyond = abs(offset) > OFFSET_LIMIT_MS, abs(offset) > OFFSET_WARN_MS
        tone = Tone.BAD if beyond[0] else Tone.CAUTION if beyond[1] else Tone.GOOD
        yield Check(name="clock", word=f"{offset:+d} ms", tone=tone)
    lag = watched.get("loop_lag_ms")
    if isinstance(lag, int):
        worst = watched.get("loop_worst_lag_ms", lag)
        yield Check(name="event loop", word=f"{lag} ms late, {worst} at worst", tone=Tone.CAUTION if lag else Tone.GOOD)


def _budget(use: Document) -> Budget:
    used, most = int(use["used"]), int(use["limit"])
    share = Decimal(used) / most if most else ZERO
    lanes: Document = use.get("lanes") or {}
    ceiling = int((lanes.get("OPEN") or {}).get("ceiling", most))
    span_s = int(use["span_ms"]) // 1_000
    span = f"{span_s} s" if span_s < 120 else f"{span_s // 3_600} h" if span_s >= 3_600 else f"{span_s // 60} min"
    return Budget(
        name=f"{str(use['counts']).lower().replace('_', ' ')} in {span}",
        used=used,
        most=most,
        share=share,
        open_at=Decimal(ceiling) / most if most else ZERO,
        tone=Tone.BAD if share >= FULL else Tone.CAUTION if share >= TIGHT else Tone.GOOD,
        lanes=tuple(
            (lane.lower(), int(lanes[lane].get("ours", 0)), int(lanes[lane].get("ceiling", most)))
            for lane in Lane
            if lane in lanes
        ),
    )


def _breaker(told: Document) -> BreakerPicture:
    breaker: Document = told.get("breaker") or {}
    good, bad = int(breaker.get("good", 0)), int(breaker.get("bad", 0))
    changes: Sequence[Document] = breaker.get("history") or ()
    return BreakerPicture(
        state=str(told.get("circuit_breaker", "unknown")),
        why=str(breaker.get("why") or ""),
        next_try_in_ms=breaker.get("next_try_in_ms"),
        good=good,
        bad=bad,
        window_s=int(breaker.get("window_ms", 0)) // 1_000,
        share=Decimal(bad) / max(good + bad, LEAST),
        limit=number(breaker.get("share")) or ZERO,
        history=tuple((int(each["at_ms"]), str(each["state"]), str(each.get("why") or "")) for each in changes),
    )
