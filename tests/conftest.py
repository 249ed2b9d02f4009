"""Options and reports of every test run. Fixtures live beside the tests that use them."""

import decimal
import gc
import os
import sys
from pathlib import Path
from typing import Final

import pytest
import structlog
from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).parent / "support"))

from loud_skips import LoudSkips
from requirement_rows import RowReport

# Examples are drawn the same way on every machine, so that a red run can be repeated; no example is timed.
settings.register_profile("desk", deadline=None, print_blob=True)
settings.register_profile("ci", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])

PROCESSES = ("tests/e2e", "tests/integration/stores", "tests/contract/stores", "tests/conformance")  # they start some
LEAST_EXAMPLES: Final = 15  # that a property is tried with, however few are asked for


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("chimera")
    group.addoption("--rows", action="store_true", help="end with the requirement rows and how their tests went")
    group.addoption("--examples", type=int, metavar="PERCENT", help="try each property with so many of its examples")
    group.addoption("--rows-gate", action="store_true", help="--rows, and fail where a done row has no passing test")


def pytest_configure(config: pytest.Config) -> None:
    # structlog's default draws tracebacks with every local variable: seconds for one exception
    plain = [structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer(["event"])]
    structlog.configure(
        processors=plain, logger_factory=structlog.PrintLoggerFactory(), cache_logger_on_first_use=False
    )
    settings.load_profile("ci" if os.environ.get("CI") else "desk")
    config.pluginmanager.register(LoudSkips(), "loud-skips")
    if config.getoption("--rows") or config.getoption("--rows-gate"):
        config.pluginmanager.register(RowReport(gate=config.getoption("--rows-gate")), "requirement-rows")


def pytest_runtest_setup() -> None:
    """ccxt changes how its caller's decimals are rounded, and leaves it so."""
    decimal.setcontext(decimal.Context())


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What starts processes of its own goes to one worker: two such tests at once would starve each other."""
    for item in items:
        if item.nodeid.startswith(PROCESSES):
            item.add_marker(pytest.mark.xdist_group("processes"))
    if percent := config.getoption("--examples"):
        _fewer_examples(items, percent)


def _fewer_examples(items: list[pytest.Item], percent: int) -> None:
    """``make check`` draws a part of the examples that a property names; ``make test`` draws them all."""
    of_hypothesis = "_hypothesis_internal_use_settings"
    tests = [item.obj for item in items if isinstance(item, pytest.Function)]
    for test in {getattr(each, "__func__", each) for each in tests}:
        if (named := getattr(test, of_hypothesis, None)) is not None:
            fewer = min(named.max_examples, max(named.max_examples * percent // 100, LEAST_EXAMPLES))
            setattr(test, of_hypothesis, settings(named, max_examples=fewer))


def pytest_collection_finish() -> None:
    """Thousands of collected tests stay for good: the collector need not walk over them again and again."""
    gc.collect()
    gc.freeze()
