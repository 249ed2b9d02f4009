"""The pure decision, timed beside other engines in turns, so that whatever else runs here hits all alike.

Wall time by ``time.perf_counter_ns``, a decision at a time; each round asks a case that no round before has asked.
"""

import gc
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from importlib import import_module
from typing import Any, Final

from proofs.house import ROOT

sys.path.insert(0, str(ROOT / "tests" / "unit" / "decide"))

from chimera.decide.decision import Case, decide
from chimera.trading.decision import Open
from chimera.wire.codec import plain
from proofs.rivals import Terms, ours, theirs

_CASES: Final[Any] = import_module("decide_cases")  # the builders of the unit tests
RULES: Final = 100
ROUNDS: Final = 400
SIZES: Final = (10, 100, 1_000, 10_000)
A_TURN: Final = 20  # of ours for one of theirs
AGREE: Final = 50
A_BATCH: Final = 400  # decisions; the quietest of twenty such: what else runs here is no property of ours


def beside_others() -> dict[str, Any]:
    """Microseconds at the median with 100 rules; ``x`` and ``y`` differ each time."""
    rules = [Terms(i) for i in range(RULES)]
    bundle, others = ours(rules), theirs(rules)
    cases = [_case(x, y) for x, y in _values(ROUNDS)]
    for (x, y), case in zip(_values(AGREE), cases, strict=False):
        names = [name for name in decide(bundle, case).rules_fired if name != "SIDE"]
        for other, match in others.items():
            assert sorted(match(x, y)) == names, f"{other} finds other rules"
    took: dict[str, list[int]] = {name: [] for name in ("decide", "explain", *others)}
    with _quiet():
        for number, (x, y) in enumerate(_values(ROUNDS)):
            for turn in range(A_TURN):
                case = cases[(number + turn) % ROUNDS]
                took["decide"].append(_ns(lambda case=case: decide(bundle, case)))  # type: ignore[misc]  # B023
            for name, match in others.items():
                took[name].append(_ns(lambda match=match, x=x, y=y: match(x, y)))  # type: ignore[misc]  # B023
            if number % 10 == 0:
                told = decide(bundle, cases[number])
                took["explain"].append(_ns(lambda told=told: plain(told.why)))  # type: ignore[misc]  # B023
    p50 = {name: statistics.median(found) / 1_000 for name, found in took.items()}
    opens = sum(isinstance(decide(bundle, case), Open) for case in cases)
    return {
        **{f"{name}_p50_us": round(value, 2) for name, value in p50.items()},
        "decide_quietest_p50_us": round(_quietest(took["decide"]), 2),
        "decide_p99_us": round(statistics.quantiles(took["decide"], n=100)[98] / 1_000, 2),
        "opens": f"{opens} of {len(cases)}",
    }


def by_size() -> dict[str, float]:
    """Microseconds at the median, against the number of rules; in turns. One case: what fires grows with the rules."""
    bundles = {size: ours([Terms(i) for i in range(size)]) for size in SIZES}
    case = _case(Decimal("0.05"), Decimal("0.85"))
    took: dict[int, list[int]] = {size: [] for size in SIZES}
    with _quiet():
        for _ in range(ROUNDS):
            for size, bundle in bundles.items():
                took[size].append(_ns(lambda bundle=bundle: decide(bundle, case)))  # type: ignore[misc]  # B023
    fired = {size: len(decide(bundle, case).rules_fired) for size, bundle in bundles.items()}
    return {f"{size}_rules_{fired[size]}_fire_us": round(statistics.median(took[size]) / 1_000, 2) for size in SIZES}


def _quietest(took: list[int]) -> float:
    """The lowest of the batches' medians, microseconds."""
    return min(statistics.median(took[at : at + A_BATCH]) for at in range(0, len(took), A_BATCH)) / 1_000


def _values(count: int) -> Iterator[tuple[Decimal, Decimal]]:
    for number in range(count):
        yield Decimal(number * 61 % 1_037) / 100, Decimal(number * 7 % 90) / 100 + Decimal("0.05")


def _case(x: Decimal, y: Decimal) -> Case:
    case: Case = _CASES.a_case(features=_CASES.some_features(x=x, y=y))
    return case


def _ns(act: Callable[[], object]) -> int:
    began = time.perf_counter_ns()
    act()
    return time.perf_counter_ns() - began


class _quiet:
    """No garbage is collected inside: what one engine leaves behind is not another's to clear away."""

    def __enter__(self) -> None:
        gc.collect()
        gc.disable()

    def __exit__(self, *_: object) -> None:
        gc.enable()
