"""Every code that an alert or a level of ours can carry, read from the sources: what a page must have words for.

A code stands where it is told, as a word or as a constant of a module; what is computed there is named in ``COMPUTED``
with where it comes from, and a new place that computes one is an error here until it is named.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Final

from chimera.admit.breaker import State
from chimera.execute.telling import _GIVEN_UP
from chimera.protect.rehearsal import _REFUSED, _TAKEN
from chimera.reconcile.sweep import _AT_ONCE
from chimera.services.alerts.watch import SILENT
from chimera.services.objectives import OBJECTIVES
from chimera.services.router.rules import NOT_TRADING
from chimera.services.router.watchdogs import _KEY_ALERTS
from chimera.services.service import Service
from chimera.services.strategy.alerts import OF_A_SYMBOL
from chimera.trading.execution import UNGUARDABLE
from chimera.trading.ids import _FORCED

SOURCES: Final = Path(__file__).resolve().parents[2] / "src/chimera"
PARTS: Final = (
    "services/router",
    "services/strategy",
    "services/alerts",
    "execute",
    "protect",
    "reconcile",
    "admit",
    "trading",
)
PLACES: Final = {"Alert": None, "level": 0, "notice": 0, "say": 1, "_alarm": 1}  # which argument has the code
TELLS: Final = re.compile(rf"\b(?:{'|'.join(PLACES)})\(")
OVER: Final = "_OVER"  # of a level that has ended
RECEIPTS: Final = ("KILLED", "ARMED")  # told with their signature by ``receipts.Witness.receipt``


def _codes_of(service: Service) -> tuple[str, ...]:
    """Of its service levels."""
    return tuple(each.code for each in OBJECTIVES if each.service is service)


_SWEEP: Final = (*_AT_ONCE, "ORPHAN_ORDER", "ORDER_NOT_LISTED", "ORDER_OVERDUE", "SECOND_STOP")
COMPUTED: Final[dict[tuple[str, str], Iterable[str]]] = {
    ("services/router/levels.py", "level.code"): (),  # whatever a level was raised by
    ("services/router/alarms.py", "alert.code"): (),  # whatever it was handed
    ("services/alerts/main.py", "code"): (SILENT,),  # what ``watch`` raises
    ("services/router/observing.py", "code"): _codes_of(Service.S4),
    ("services/router/remembering.py", "NOT_TRADING"): (NOT_TRADING,),
    ("services/router/cash_book.py", "code"): (),  # what its ``_alarm`` is called with
    ("services/router/breaking.py", "f'BREAKER_{after.state}'"): tuple(f"BREAKER_{state}" for state in State),
    ("services/router/watchdogs.py", "code"): tuple(code for code, _ in _KEY_ALERTS.values()),
    ("services/router/sweeping.py", "forced"): tuple(_FORCED.values()),
    ("execute/telling.py", "deed"): tuple(_FORCED.values()),
    ("execute/telling.py", "code"): ("EXTERNAL_FILL", "FILL_OF_UNKNOWN_ORDER"),
    ("execute/telling.py", "after.exit.reason"): UNGUARDABLE,
    ("execute/telling.py", "work.refusal_code"): (*_GIVEN_UP, "IDS_SPENT"),
    ("execute/telling.py", "STOP_FIRST"): ("STOP_FIRST",),
    ("protect/rehearsal.py", "code"): (_TAKEN[1], _REFUSED[1]),
    ("reconcile/sweep.py", "code"): _SWEEP,
    ("services/strategy/alerts.py", "reason.code.value"): tuple(map(str, OF_A_SYMBOL)),
    ("services/strategy/config.py", "code"): ("CONFIG_REFUSED",),
    ("services/strategy/telemetry.py", "code"): _codes_of(Service.S3),
    ("services/strategy/telemetry.py", "f'{code}_OVER'"): (),
}


@cache
def told_codes() -> frozenset[str]:
    """All of them, without the endings of levels. Raises ``LookupError`` for a place that nobody has named."""
    found = {*RECEIPTS, *(code for codes in COMPUTED.values() for code in codes)}
    for path in sorted(path for part in PARTS for path in (SOURCES / part).rglob("*.py")):
        found |= set(_told_in(path))
    return frozenset(code.removesuffix(OVER) for code in found)


def _told_in(path: Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8")
    if not TELLS.search(text):  # most tell nothing, and parsing costs
        return
    nodes = list(ast.walk(ast.parse(text)))
    constants = {
        node.target.id: node.value.value
        for node in nodes
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and isinstance(node.value, ast.Constant)
    }
    name = path.relative_to(SOURCES).as_posix()
    for call in (node for node in nodes if isinstance(node, ast.Call)):
        given = _given(call)
        if given is None:
            continue
        word = constants.get(given.id) if isinstance(given, ast.Name) else getattr(given, "value", None)
        if isinstance(word, str):
            yield word
        elif (name, ast.unparse(given)) not in COMPUTED:
            raise LookupError(f"{name}:{call.lineno} tells {ast.unparse(given)}: name its codes in COMPUTED")


def _given(call: ast.Call) -> ast.expr | None:
    """The argument that is the code; None where this call tells nothing."""
    called = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if called not in PLACES:
        return None
    place = PLACES[called]
    if place is None:
        return next((word.value for word in call.keywords if word.arg == "code"), None)
    return call.args[place] if len(call.args) > place else None
