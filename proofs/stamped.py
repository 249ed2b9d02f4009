"""The simulated exchange as a process that stamps what it does with a clock finer than its audit's milliseconds.

The same server and the same twin as ``chimera sim``; each fill and each accepted order is a JSON line with ``ns``, the
process's monotonic clock. A fill is stamped where it happens: before its frame is written and its request is answered.
Its limits are those of a larger account, told in ``exchangeInfo`` as Binance tells them; nobody is refused for them.
"""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Final

from chimera.services import serving
from chimera.services.simulator import accounts_file
from chimera.services.simulator.market import open_synthetic
from chimera.services.simulator.server import serve
from chimera.services.simulator.settings import SimulatorSettings
from chimera.simulate.door.limits import USDM_BUDGET
from chimera.simulate.doors import USDM
from chimera.simulate.twin import Twin
from chimera.simulate.venue.account_spec import READY_ACCOUNT, AccountSpec
from chimera.simulate.venue.audit import AuditRecord, Kind
from chimera.trading.market import Market

LARGER: Final = 50  # times the usual weight and number of orders
SEED: Final = 1
KEPT: Final = 10_000


def run(symbols: list[str], port: int, spot_port: int, stamps: IO[str], accounts: Sequence[AccountSpec]) -> None:
    """Until told to stop."""

    def stamp(record: AuditRecord) -> None:
        ns = time.perf_counter_ns()
        if record.account == "main" and record.kind in (Kind.FILL, Kind.ACCEPT):
            about = {"ns": ns, "kind": record.kind.value, "symbol": record.symbol, "type": record.type}
            qty, after = str(record.qty or 0), str(record.position_after or 0)
            line = about | {"qty": qty, "after": after, "reduces": record.reduce_only, "whole": record.close_position}
            stamps.write(json.dumps(line) + "\n")

    opened = open_synthetic(symbols, seed=SEED, markets=[Market.FUT])
    settings = SimulatorSettings(port=port, spot_port=spot_port, instruments=opened.instruments, seed=SEED)
    now_ms = time.time_ns() // 1_000_000
    twin = Twin(
        opened.instruments,
        accounts=accounts,
        seed=SEED,
        now_ms=now_ms,
        on_audit=stamp,
        audit_keep=KEPT,
        limits=False,
    )
    orders = USDM_BUDGET.orders
    twin.doors.limits[USDM].budget = USDM_BUDGET.but(
        weight=USDM_BUDGET.weight.but(limit=LARGER * USDM_BUDGET.weight.limit),
        orders=tuple(each.but(limit=LARGER * each.limit) for each in orders),
    )

    async def main() -> None:
        def ready(_: object) -> None:
            serving.say_ready("venue")

        await serve(settings, opened.events, stop=serving.told_to_stop(), ready=ready, twin=twin)

    serving.run(main)


def main() -> None:
    """The words of ``chimera sim`` that matter here; the audit's file gets the stamps."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--spot-port", type=int, required=True)
    parser.add_argument("--symbols", required=True)
    parser.add_argument("--audit", type=Path, required=True)
    parser.add_argument("--accounts", type=Path)
    told, _ = parser.parse_known_args()
    accounts = (READY_ACCOUNT,) if told.accounts is None else accounts_file.load(told.accounts)
    with told.audit.open("w", encoding="utf-8", buffering=1) as stamps:
        run(told.symbols.split(","), told.port, told.spot_port, stamps, accounts)


if __name__ == "__main__":
    main()
