"""RT-4: many guards and many slices cost what a few of them cost. Each part names its own bar.

Guards: 10,000 on one symbol. A tick that touches none is measured by the thousand; one that touches 100 runs through
the reducers of their positions until the last close is queued to leave. Numbers of this machine at this moment, the
best of some tries: what else runs here is no property of ours.
"""

import gc
import sys
from importlib import import_module
from typing import Any, Final

from proofs.house import ROOT
from proofs.measured import Measured

sys.path.insert(0, str(ROOT / "tests" / "bench"))

BAR: Final = (
    "10,000 guards on one symbol: a tick that fires none <= 5 us; one that fires 100 has all sends queued in <= 20 ms;"
    " <= 4 KB each"
)
NONE_US: Final = 5.0
QUEUED_MS: Final = 20.0
EACH_BYTES: Final = 4096
TRIES: Final = 10


def prove() -> Measured:
    bench: Any = import_module("bench_guards")
    gc.collect()
    found = [bench.measure() for _ in range(TRIES)]
    measured = {
        "guards": bench.GUARDS,
        "tick_fires_none_us": round(min(each.idle_us for each in found), 3),
        "tick_fires_100_queued_ms": round(min(each.queued_ms for each in found), 2),
        "tick_fires_100_cpu_ms": round(min(each.cpu_ms for each in found), 2),
        "bytes_each": max(each.bytes_each for each in found),
        "fired": found[0].fired,
        "closes_queued": found[0].queued,
    }
    right = all(each.fired == bench.FIRED == each.queued for each in found)
    fast = measured["tick_fires_none_us"] <= NONE_US and measured["tick_fires_100_queued_ms"] <= QUEUED_MS
    return Measured(measured, BAR, passed=right and fast and measured["bytes_each"] <= EACH_BYTES)
