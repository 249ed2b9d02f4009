"""MM-4: an order's whole store work, from the intent on the stream to the last row: SQLite, one Redis and a Cluster.

The same orders go by turns over both, each beside a ledger of its own (``tests/bench/bench_order_stores.py``).
Milliseconds are those in which a call to that store was under way: of this machine at this moment. The ratio says more.
"""

import sys
from importlib import import_module
from typing import Any, Final

from proofs.house import ROOT
from proofs.measured import Measured

sys.path.insert(0, str(ROOT / "tests" / "bench"))

BAR: Final = (
    "an order's calls to a Cluster of six take <= 3 x those to one Redis (medians, by turns); same number of calls"
)
RATIO: Final = 3.0


def prove() -> Measured:
    bench: Any = import_module("bench_order_stores")
    found = bench.measure()
    single, cluster = found["redis single"], found["redis cluster"]
    ratio = round(cluster.p50_ms / single.p50_ms, 2)
    measured = {
        "orders_over_each": bench.ORDERS,
        "cluster_to_single": ratio,
        **{store: share._asdict() for store, share in found.items()},
    }
    return Measured(measured, BAR, passed=ratio <= RATIO and single.calls == cluster.calls)
