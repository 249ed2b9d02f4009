"""A decision as its reader needs it: the checks as a tree with the first that failed, what would have changed it, two
beside one another, and skips by hour. Pure, over S3's documents; what is absent is left out.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from chimera.services.console.shown import amount
from chimera.trading.errors import Refused
from chimera.trading.money import HOUR_MS
from chimera.trading.value import Value

Document = Mapping[str, Any]
PLACES: Final = Decimal("1e-6")  # of a figure that is no money: a spread has thirty digits
HOURS: Final = 12
CODES: Final = 8
LEVELS: Final = 4  # of a cell's shade
SUPPOSED_MOST: Final = 16
_GROUPS: Final = {"allOf": "all of", "anyOf": "any of", "not": "not"}
_STEP: Final = re.compile(r"\.(allOf|anyOf|not)(?:\[(\d+)\])?")


def number(given: object) -> Decimal | None:
    """A figure of an answer, whether it came as a number or as digits; None for what is none."""
    if isinstance(given, bool) or given is None:
        return None
    try:
        return Decimal(str(given))
    except InvalidOperation:
        return None


def figure(given: object) -> str:
    """To six decimals, half to even, without the zeros behind; words as they are."""
    value = number(given)
    if value is None:
        return "" if given is None else str(given)
    if value == value.to_integral_value():
        return amount(value, 0)
    rounded = value.quantize(PLACES) if value.as_tuple().exponent < -6 else value  # type: ignore[operator]  # finite
    return amount(rounded.normalize() if rounded else Decimal(0))


# ── the tree ──


class Line(Value, tag=False):
    """One check, or the head of a group. ``first``: of those beside it the first to fail; ``room``: what is left."""

    depth: int
    kind: str  # gate, rule, group, clause
    passed: bool
    name: str
    says: str = ""
    value: str = ""
    limit: str = ""
    room: str = ""
    first: bool = False


def tree(explanation: Document) -> tuple[Line, ...]:
    """Gates in the order in which they are asked, then every rule with its clauses."""
    return (*_gates(explanation.get("gates") or ()), *_rules(explanation.get("rules") or ()))


def first_failing(decided: Document, lines: Iterable[Line]) -> Line | None:
    """What ended it; a decision that opened was ended by nothing, though some rules did not fire."""
    return None if decided.get("decision") == "open" else next((line for line in lines if line.first), None)


def _gates(gates: Sequence[Document]) -> Iterator[Line]:
    failed = False
    for gate in gates:
        passed = bool(gate.get("passed"))
        first = not passed and not failed
        failed = failed or first
        limit = f"{gate.get('op', '')} {figure(gate.get('limit'))}".strip()
        yield Line(
            depth=0, kind="gate", passed=passed, name=str(gate.get("code")), says=str(gate.get("name") or ""),
            value=figure(gate.get("value")), limit=limit, room=figure(gate.get("margin")), first=first,
        )  # fmt: skip


def _rules(rules: Sequence[Document]) -> Iterator[Line]:
    for rule in rules:
        fired = bool(rule.get("fired"))
        yield Line(depth=0, kind="rule", passed=fired, name=str(rule.get("rule_id")), says=str(rule.get("action")))
        yield from _clauses(rule.get("clauses") or (), fired=fired)


def _clauses(clauses: Sequence[Document], *, fired: bool) -> Iterator[Line]:
    told: set[str] = set()
    failed = False
    for clause in clauses:
        path, depth, so_far = str(clause.get("path") or ""), 1, ""
        for step in _STEP.finditer(path):
            group = so_far + "." + step[1]
            if group not in told:
                told.add(group)
                yield Line(depth=depth, kind="group", passed=fired, name=_GROUPS[step[1]])
            so_far, depth = path[: step.end()], depth + 1
        holds = bool(clause.get("holds"))
        first = not holds and not failed and not fired
        failed = failed or first
        limits = " and ".join(figure(limit) for limit in clause.get("limits") or ())
        yield Line(
            depth=depth, kind="clause", passed=holds, name=str(clause.get("factor")),
            value=figure(clause.get("value")), limit=f"{clause.get('op', '')} {limits}".strip(),
            room=figure(clause.get("margin")), first=first,
        )  # fmt: skip


# ── what would have changed it ──


class Way(Value, tag=False):
    """Changes that together would have let it trade, and what it would have been."""

    changes: tuple[str, ...]
    reason: str
    suppose: str  # as the what-if takes it


class Miss(Value, tag=False):
    rule_id: str
    action: str
    misses: tuple[str, ...]


class Needed(Value, tag=False):
    single: tuple[Way, ...] = ()
    together: Way | None = None
    misses: tuple[Miss, ...] = ()
    left: int = 0
    complete: bool = True


def needed(document: Document | None) -> Needed:
    """The nearest first."""
    if not document:
        return Needed()
    together = document.get("together")
    return Needed(
        single=tuple(_way(way) for way in document.get("single") or ()),
        together=_way(together) if together else None,
        misses=tuple(
            Miss(
                rule_id=str(rule.get("rule_id")),
                action=str(rule.get("action") or ""),
                misses=tuple(str(miss.get("text") or miss.get("name")) for miss in rule.get("misses") or ()),
            )
            for rule in document.get("rules") or ()
        ),
        left=int(document.get("rules_left") or 0),
        complete=bool(document.get("complete", True)),
    )


def _way(way: Document) -> Way:
    changes = way.get("changes") or ()
    return Way(
        changes=tuple(_change(change) for change in changes),
        reason=str(way.get("reason") or ""),
        suppose=", ".join(f"{change['name']}={change['needed']}" for change in changes if "needed" in change),
    )


def _change(change: Document) -> str:
    about = "about " if change.get("about") else ""
    fresh = ", fresh" if change.get("fresh") else ""
    return f"{change.get('name')} {figure(change.get('value'))} → {about}{figure(change.get('needed'))}{fresh}"


# ── two of them ──


class Part(Value, tag=False):
    what: str
    one: str
    other: str

    @property
    def same(self) -> bool:
        return self.one == self.other


def compared(one: Document, other: Document) -> tuple[Part, ...]:
    """Part by part, those that differ first; a part that neither has is none."""
    first, second = dict(_parts(one)), dict(_parts(other))
    names = dict.fromkeys((*first, *second))
    parts = [Part(what=name, one=first.get(name, ""), other=second.get(name, "")) for name in names]
    return tuple(sorted(parts, key=lambda part: part.same))


def _parts(trace: Document) -> Iterator[tuple[str, str]]:
    asked = trace.get("asked") or {}
    yield from (
        (name, str(trace.get(name) or ""))
        for name in ("decision", "reason", "symbol", "market", "bundle_id", "config_rev")
    )
    yield "wished", " ".join(str(asked[name]) for name in ("market", "side_hint") if asked.get(name))
    yield "rules fired", ", ".join(trace.get("rules_fired") or ())
    explanation = trace.get("explanation") or {}
    for line in tree(explanation):
        if line.kind == "gate":
            yield f"gate {line.name}", f"{'✓' if line.passed else '✕'} {line.value} {line.limit}"
        elif line.kind == "rule":
            yield f"rule {line.name}", "✓ fired" if line.passed else "✕ did not fire"
    for part in ("sizing", "levels", "score"):
        for name, value in (explanation.get(part) or {}).items():
            yield f"{part} {name}", figure(value)
    for name, feature in (trace.get("features") or {}).items():
        stale = "" if feature.get("usable") is not False else " (not usable)"
        yield f"factor {name}", figure(feature.get("value")) + stale


# ── what if ──


def supposed(words: str) -> dict[str, Decimal]:
    """``spread_bps=3.5, touch.age_ms=10``. Raises ``Refused``."""
    context = {}
    for item in filter(None, (part.strip() for part in words.split(","))):
        name, _, given = item.partition("=")
        value = number(given.strip())
        if value is None or not value.is_finite() or not name.strip():
            raise Refused("SUPPOSE", f"{item} cannot be supposed: write NAME=NUMBER, with commas", field="suppose")
        context[name.strip()] = value
    if len(context) > SUPPOSED_MOST:
        raise Refused("SUPPOSE", f"{SUPPOSED_MOST} figures at most", field="suppose")
    return context


# ── skips by hour ──


class Cell(Value, tag=False):
    count: int
    level: int  # 0 none to LEVELS most


class CodeRow(Value, tag=False):
    code: str
    total: int
    cells: tuple[Cell, ...]


class Grid(Value, tag=False):
    """``hours``: their beginnings, oldest first; the last goes on."""

    hours: tuple[int, ...]
    rows: tuple[CodeRow, ...]
    decisions: int
    skips: int


def grid(hours: Mapping[int, Document], now_ms: int) -> Grid:
    """``hours`` by their beginning, as S3 counts them; the most frequent codes first."""
    last = now_ms // HOUR_MS * HOUR_MS
    shown = tuple(last - HOUR_MS * back for back in range(HOURS - 1, -1, -1))
    told: Counter[str] = Counter()
    for hour in shown:
        told.update((hours.get(hour) or {}).get("codes") or {})
    counts = {
        code: [int(((hours.get(hour) or {}).get("codes") or {}).get(code, 0)) for hour in shown]
        for code, _ in told.most_common(CODES)
    }
    most = max((count for row in counts.values() for count in row), default=0)
    rows = tuple(
        CodeRow(
            code=code,
            total=told[code],
            cells=tuple(Cell(count=count, level=-(-count * LEVELS // most) if most else 0) for count in row),
        )
        for code, row in counts.items()
    )
    return Grid(
        hours=shown,
        rows=rows,
        decisions=sum(int((hours.get(hour) or {}).get("decisions", 0)) for hour in shown),
        skips=sum(int((hours.get(hour) or {}).get("skips", 0)) for hour in shown),
    )
