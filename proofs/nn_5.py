"""NN-5: real processes killed with -9 two hundred times under load over real HTTP; the venue's audit decides.

The venue, the feed, S4 and S3 run as a user starts them, with Binance's limits in force. Four callers and S3 trade two
symbols; S4 is killed at any moment, right after a request and during its recovery, paused now and then, S3 is killed,
too; in about a third of the time the venue fails in named ways. The clock of "naked after a kill" begins anew at each
kill; healthy is when S4 was ready for a moment and no fault was at work.
"""

import asyncio
from typing import Final

from proofs.measured import Measured
from proofs.soak.blows import AFTER_A_KILL_US, HEALTHY_US
from proofs.soak.run import soak

BAR: Final = (
    "200 kills -9: ledger equals exchange; naked <= 1.5 s healthy, <= 10 s after a kill; nothing twice; the same answer"
)
KILLS: Final = 200
SEED: Final = 1


def prove() -> Measured:
    told = asyncio.run(soak(KILLS, SEED))
    enough = told["kills"] >= KILLS and told["kills_in_recovery"] > 0 and told["faulty"] > 0 and told["intents"] > KILLS
    within = told["naked_healthy_ms"] * 1000 <= HEALTHY_US and told["naked_after_kill_ms"] * 1000 <= AFTER_A_KILL_US
    return Measured(dict(told), BAR, passed=told.good and enough and within, seed=SEED)
