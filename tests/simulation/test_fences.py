"""The run-time fence, and the static check that product code does not even try."""

import ast
import datetime
import random
import sys
import threading
import time
import types
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from chimera.services.stage.loop import DetLoop
from chimera.services.stage.steps import FenceBroken
from world.fences import fenced

ROOT = Path(__file__).parents[2]

PRODUCT = """
import datetime, os, random, secrets, threading, time, uuid
from datetime import datetime as dt
from time import monotonic as mono
from uuid import uuid4

def clock(): return time.time()
def aliased(): return mono()
def now(): return dt.now(datetime.timezone.utc)
def today(): return datetime.date.today()
def chance(): return random.random()
def unique(): return uuid4()
def secret(): return secrets.token_hex(4)
def entropy(): return os.urandom(4)
def thread(): threading.Thread(target=print).start()

def seeded(): return random.Random(1).random()
def made(): return dt(2026, 1, 1), isinstance(dt.fromtimestamp(0, datetime.timezone.utc), dt)
"""


@pytest.fixture(params=["chimera", "world"])
def product(request: pytest.FixtureRequest) -> Iterator[types.ModuleType]:
    """Of the product, or of the world that it runs in."""
    module = types.ModuleType(f"{request.param}.a_module_under_test")
    sys.modules[module.__name__] = module
    exec(PRODUCT, vars(module))  # noqa: S102  # a module made for this test
    yield module
    del sys.modules[module.__name__]


@pytest.mark.parametrize(
    "call", ["clock", "aliased", "now", "today", "chance", "unique", "secret", "entropy", "thread"]
)
def test_product_code_meets_the_fence(product: types.ModuleType, call: str) -> None:
    loop = DetLoop(1)
    with fenced(loop), pytest.raises(FenceBroken):
        getattr(product, call)()
    assert len(loop.breaches) == 1
    loop.close()
    assert call == "thread" or getattr(product, call)() is not None


@pytest.mark.parametrize("call", ["clock", "aliased", "now", "today", "unique", "entropy", "thread"])
def test_a_thread_of_somebody_else_goes_on_as_ever(product: types.ModuleType, call: str) -> None:
    """A ledger's writer that ended late took the blame into a world of another test."""
    loop, raised, go = DetLoop(1), [], threading.Event()

    def late() -> None:
        go.wait()
        try:
            getattr(product, call)()
        except BaseException as error:  # noqa: BLE001  # what comes out of it is the question
            raised.append(error)

    thread = threading.Thread(target=late)
    thread.start()
    with fenced(loop):
        go.set()
        thread.join()
    assert (loop.breaches, raised) == ([], [])
    loop.close()


def test_seeded_chance_and_given_times_pass(product: types.ModuleType) -> None:
    loop = DetLoop(1)
    with fenced(loop):
        assert product.seeded() == random.Random(1).random()
        assert product.made() == (datetime.datetime(2026, 1, 1), True)  # noqa: DTZ001  # what the product wrote
        assert time.time() > 0
        assert uuid.uuid4()
    assert loop.breaches == []
    loop.close()


def test_everything_is_put_back(product: types.ModuleType) -> None:
    before = (time.time, random.random, uuid.uuid4, datetime.datetime, threading.Thread.start, product.mono, product.dt)
    loop = DetLoop(1)
    with fenced(loop):
        assert product.mono is not before[5]
    loop.close()
    after = (time.time, random.random, uuid.uuid4, datetime.datetime, threading.Thread.start, product.mono, product.dt)
    assert after == before


# ── the static check ──

BANNED_CALLS = {
    *(f"time.{name}" for name in ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns")),
    *("time.sleep", "datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today"),
    *("datetime.date.today", "uuid.uuid1", "uuid.uuid4", "os.urandom", "os.getrandom", "random.SystemRandom"),
    *("threading.Thread", "asyncio.to_thread", "asyncio.run", "asyncio.new_event_loop", "hash", "id"),
}
BANNED_MODULES = ("secrets", "concurrent.futures", "socket", "subprocess", "multiprocessing", "threading")
SHELLS = {  # what never runs inside the world, and why it may touch the real one
    "adapters/arango": "a real server",
    "adapters/redis": "a real server",
    "adapters/embedded": "real files, a writer thread, a supervised process",
    "adapters/otlp.py": "a real collector, from a thread",
    "adapters/binance": "real sockets; its pure half is checked by the run-time fence",
    "cli": "the terminal and the process",
    "services/access": "the gate before the face of a real process",
    "services/alerts": "keeps and sends what a real process has told",
    "services/conform": "a rehearsal over real sockets",
    "services/console": "a web page of a real process",
    "services/simulator": "the twin on the wire",
    "services/stage/loop.py": "it must know its own thread",
    "services/strategy": "checked by the run-time fence; its outer shell is a real process",
    "services/router": "checked by the run-time fence; its outer shell is a real process",
    "world/fences.py": "it holds the real ones to put them back",
    "world/cores.py": "many runs over all cores",
    "world/seeds.py": "times campaigns, outside the runs",
    "world/campaign.py": "times long campaigns, outside the runs",
    "world/sweeps.py": "times sweeps, outside the runs",
    "world/weigh.py": "weighs memory beside the run",
    "client": "users import it",
    "services/clock.py": "the real clock itself",
    "services/outlet.py": "where the lines of a real process go, from any of its threads",
    "services/serving.py": "binds real ports for real processes",
}


def banned_in(source: str) -> list[str]:
    """Calls in ``source`` that would leave virtual time, with their line."""
    tree = ast.parse(source)
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.asname or alias.name.split(".")[0]: alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = _dotted(node.func, names)
            unseeded = called == "random.Random" and not node.args and not node.keywords
            global_chance = called.startswith("random.") and called != "random.Random"
            if called in BANNED_CALLS or called.startswith(BANNED_MODULES) or unseeded or global_chance:
                found.append(f"{node.lineno}: {called}")
    return found


def _dotted(node: ast.expr, names: dict[str, str]) -> str:
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value, names)}.{node.attr}"
    return ""


def modules_of_ours() -> dict[str, Path]:
    """By what ``SHELLS`` calls them: the product's below ``chimera``, the world's with their package."""
    product = ROOT / "src" / "chimera"
    found = {path.relative_to(product).as_posix(): path for path in sorted(product.rglob("*.py"))}
    return found | {path.relative_to(ROOT).as_posix(): path for path in sorted((ROOT / "world").rglob("*.py"))}


def within(shell: str) -> list[Path]:
    return [path for name, path in modules_of_ours().items() if name == shell or name.startswith(shell + "/")]


def test_no_module_of_ours_that_runs_in_the_world_asks_the_real_clock_or_chance() -> None:
    let_off = {path for shell in SHELLS for path in within(shell)}
    told = {name: banned_in(path.read_text()) for name, path in modules_of_ours().items() if path not in let_off}
    assert {name: found for name, found in told.items() if found} == {}
    assert "world/composed.py" in told
    assert "services/stage/network.py" in told


def test_each_that_is_let_off_needs_it() -> None:
    assert [shell for shell in SHELLS if not any(banned_in(path.read_text()) for path in within(shell))] == []


@pytest.mark.parametrize(
    "source",
    [
        "import time\ntime.time()",
        "from time import monotonic as m\nm()",
        "from datetime import datetime\ndatetime.now()",
        "import datetime as d\nd.datetime.utcnow()",
        "import random\nrandom.random()",
        "import random\nrandom.Random()",
        "from random import Random\nRandom()",
        "from uuid import uuid4\nuuid4()",
        "import secrets\nsecrets.token_hex()",
        "import asyncio\nasyncio.to_thread(print)",
        "import threading\nthreading.Thread()",
        "hash('x')",
    ],
)
def test_the_static_check_sees_each_way_out(source: str) -> None:
    assert banned_in(source)


def test_the_static_check_lets_seeded_chance_pass() -> None:
    assert banned_in("from random import Random\nRandom(7).random()") == []
