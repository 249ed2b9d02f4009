"""A process that saves until it is killed, and says what was acknowledged: ``python writing.py LEDGER``.

Each line is told only after the ledger answered: ``save <symbol> <rev>`` or ``fill <id>``.
"""

import asyncio
import sys
from pathlib import Path

from chimera.adapters.embedded.ledger import SqliteLedger
from chimera.trading.holding import Holding
from chimera.trading.ids import AccountId, PositionKey, Symbol
from chimera.trading.market import Market


async def save_on(ledger: SqliteLedger, symbol: str) -> None:
    key = PositionKey(venue="binance", account=AccountId("main"), market=Market.FUT, symbol=Symbol(symbol))
    fence, rev = await ledger.fence(key, "writer"), 0
    while True:
        rev = await ledger.save(Holding(key=key, event_seq=rev + 1), rev=rev, fence=fence)
        print("save", symbol, rev, flush=True)
        await ledger.insert("fills", f"{symbol}-{rev}", {"rev": rev})
        print("fill", f"{symbol}-{rev}", flush=True)


async def main() -> None:
    ledger = await SqliteLedger.open(Path(sys.argv[1]))
    async with asyncio.TaskGroup() as together:
        for number in range(8):
            together.create_task(save_on(ledger, f"S{number}"))


asyncio.run(main())
