"""The four answers of the status bar: which mode, may we trade, is every position protected, is data fresh.

Pure. Each is a word, a tone and what it rests on; the page shows tone by shape and text, colour only beside them.
What is older than ``STALE_MS``, or of somebody who did not answer when last asked, answers nothing: the verdict is
then unknown, never a remembered yes.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from chimera.admit.vigil import OFFSET_LIMIT_MS
from chimera.services.console.seen import STALE_MS, Seen, Source
from chimera.services.console.shown import gap
from chimera.trading.standstill import Scope
from chimera.trading.value import Value

REASON_CHARS: Final = 90
GLOBAL: Final = Scope.GLOBAL.value


class Tone(StrEnum):
    """``GLYPHS`` gives each its shape."""

    GOOD = "good"
    CAUTION = "caution"
    BAD = "bad"
    UNKNOWN = "unknown"
    IDLE = "idle"


GLYPHS: Final = {Tone.GOOD: "✓", Tone.CAUTION: "▲", Tone.BAD: "✕", Tone.UNKNOWN: "?", Tone.IDLE: "○"}


class Verdict(Value, tag=False):
    tone: Tone
    word: str
    because: tuple[str, ...] = ()

    @property
    def glyph(self) -> str:
        return GLYPHS[self.tone]


def age_ms(source: Source, mono_ms: int) -> int | None:
    """Since its last good answer; None: it never answered."""
    return None if source.heard_ms is None else max(0, mono_ms - source.heard_ms)


def is_stale(source: Source, mono_ms: int) -> bool:
    age = age_ms(source, mono_ms)
    return age is None or age > STALE_MS


def is_silent(source: Source, mono_ms: int) -> bool:
    """One asking without an answer is enough: whoever died a moment ago has not grown old yet."""
    return bool(source.error) or is_stale(source, mono_ms)


def market_age_ms(seen: Seen, now_ms: int) -> int | None:
    """Of the oldest newest tick; None while a symbol has none."""
    if not seen.symbols or any(symbol not in seen.ticks for symbol in seen.symbols):
        return None
    return max(0, now_ms - min(seen.ticks[symbol].at_ms for symbol in seen.symbols))


def may_trade(seen: Seen, mono_ms: int) -> Verdict:
    """By S4's own health; S3's silence only means that nobody asks for a trade."""
    silent = _silence(seen.s4_health, mono_ms)
    if silent:
        return Verdict(tone=Tone.UNKNOWN, word="Unknown", because=(silent,))
    parts = [f"killed: {', '.join(seen.killed)}"] if seen.killed and GLOBAL not in seen.killed else []
    blockers = _blockers(seen.health if not parts else {**seen.health, "kill_switch": False})
    if blockers:
        return Verdict(tone=Tone.BAD, word="No", because=(*parts, *blockers))
    if parts:
        return Verdict(tone=Tone.BAD, word="Not all", because=tuple(parts))
    offset = f"clock {_number(seen.health.get('clock_offset_ms')):+d} ms"
    notes = _s3_notes(seen, mono_ms)
    if not _redis_up(seen.health):
        notes.append("S4 cannot reach Redis: S3 hears no budget")
    faults = _number(_checks(seen.health).get("own_faults"))
    if faults:
        notes.append(f"{faults} own faults in S4, see its log")
    if notes:
        return Verdict(tone=Tone.CAUTION, word="Yes, but", because=tuple(notes))
    return Verdict(tone=Tone.GOOD, word="Yes", because=("breaker closed", "nothing killed", offset))


def protected(seen: Seen, mono_ms: int) -> Verdict:
    silent = _silence(seen.s4, mono_ms)
    if silent:
        return Verdict(tone=Tone.UNKNOWN, word="Unknown", because=(silent,))
    held = [row for row in seen.positions if row.is_open]
    bare = [row for row in held if row.bare]
    longest = max((row.max_unprotected_ms for row in seen.positions), default=0)
    memory = f"longest gap {gap(longest)}"
    if bare:
        words = tuple(f"{row.symbol} {gap(row.unprotected_ms)} without full stop" for row in bare)
        return Verdict(tone=Tone.BAD, word=f"{len(bare)} of {len(held)} NOT", because=words)
    if not held:
        return Verdict(tone=Tone.IDLE, word="Flat", because=("no position is open", memory))
    return Verdict(tone=Tone.GOOD, word=f"Yes, {len(held)} of {len(held)}", because=("0 s unprotected now", memory))


def fresh(seen: Seen, now_ms: int, mono_ms: int) -> Verdict:
    """The ages themselves stand beside it on the page and tick there."""
    if seen.fault:
        return Verdict(tone=Tone.BAD, word="No", because=(seen.fault,))
    silent = [source.name for source in seen.sources if is_silent(source, mono_ms)]
    old = [f"silent: {', '.join(silent)}"] if silent else []
    market = market_age_ms(seen, now_ms)
    if market is None or market > STALE_MS:
        old.append("no market data yet" if market is None else "market data is old")
    if old:
        return Verdict(tone=Tone.BAD, word="Stale", because=tuple(old))
    return Verdict(tone=Tone.GOOD, word="Yes")


def _silence(source: Source, mono_ms: int) -> str:
    """Why it answers nothing; empty when it does."""
    if not is_silent(source, mono_ms):
        return ""
    words = f"{source.name} is silent" if source.heard_ms is not None else f"{source.name} has not answered yet"
    return f"{words}: {source.error[:REASON_CHARS]}" if source.error else words


def _s3_notes(seen: Seen, mono_ms: int) -> list[str]:
    if is_silent(seen.s3, mono_ms):
        return ["S3 is silent: nobody decides"]
    status = seen.s3_health.get("status", "ok")
    return [] if status == "ok" else [f"S3 is {status}"]


def _blockers(health: Mapping[str, Any]) -> list[str]:
    found = []
    if health.get("kill_switch") is not False:  # not told counts as engaged
        found.append("kill switch engaged")
    breaker = str(health.get("circuit_breaker", "unknown"))
    if breaker != "CLOSED":
        found.append(f"breaker {breaker}")
    offset = _number(health.get("clock_offset_ms"))
    if abs(offset) > OFFSET_LIMIT_MS:
        found.append(f"clock {offset:+d} ms off")
    found += [f"{each.get('code')}: {each.get('why')}" for each in _barriers(health)]
    for name, check in _checks(health).items():
        if name == "redis":  # without it S4 protects on; what it keeps back for that is a barrier
            continue
        word = check.get("status") if isinstance(check, Mapping) else check
        if word is False:
            found.append(f"not {name.replace('_', ' ')}")
        elif isinstance(word, str) and word != "ok":
            found.append(f"{name.replace('_', ' ')} {word}")
    if not found and health.get("status", "ok") != "ok" and _redis_up(health):
        found.append(f"S4 is {health['status']}")
    return found


def _barriers(health: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Those before every symbol."""
    standing = health.get("barriers")
    rows = standing if isinstance(standing, list) else []
    return [row for row in rows if isinstance(row, Mapping) and row.get("symbol") is None]


def _redis_up(health: Mapping[str, Any]) -> bool:
    return bool(_checks(health).get("redis", "ok") == "ok")


def _checks(health: Mapping[str, Any]) -> Mapping[str, Any]:
    checks = health.get("checks")
    return checks if isinstance(checks, Mapping) else {}


def _number(given: object) -> int:
    return int(given) if isinstance(given, int) and not isinstance(given, bool) else 0
