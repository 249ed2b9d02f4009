"""MM-2: three routers of one account; whoever acts is killed or frozen, over and over under load; the audit decides.

(a) The venue with its limits, the feed, three S4 over one ledger and one Redis, and S3, as a user starts them. Four
callers and S3 trade two symbols; whoever acts is killed with -9 (at any moment, or right after a request) or frozen
with SIGSTOP for longer than its lease and woken while another acts; a stand-by is frozen while the one that acts is
killed. Nothing may be traded twice, no fill lost. Between the end of one and the take-over by the next nobody can
protect; what fills then is bare, and so is what had filled just before. That is not excused but bounded: from the blow
on by the five seconds of a take-over and the second and a half that whoever acts undisturbed has; how long each such
fill was bare in all is printed.
One that is frozen within a commit keeps the ledger from its heir, which protects by the venue's word until the other
wakes; so of a dead one it is timed until each position has the venue's word, of a frozen one until somebody acts. The
bound on bare time is the same for both.
(b) Ten accounts of a hundred positions each (``proofs.accounts``), all routers killed at once and started again.
"""

import asyncio
import tempfile
from pathlib import Path
from typing import Final

from proofs.accounts import recovered
from proofs.measured import Measured
from proofs.soak.blows import HEALTHY_US
from proofs.soak.heirs import BARE_US, TAKEN_OVER_US
from proofs.soak.run import soak

BAR: Final = (
    "60 take-overs of three routers: nothing twice, ledger equals exchange; no stop missing for > 1.5 s while one acts,"
    " nor > 6.5 s after a blow; a dead router's positions taken over in <= 5 s;"
    " 10 accounts of 100 positions recovered in <= 30 s"
)
TAKE_OVERS: Final = 60
ACCOUNTS, POSITIONS = 10, 100
RECOVERED_S: Final = 30.0
SEED: Final = 1


def prove() -> Measured:
    return asyncio.run(_measured())


async def _measured() -> Measured:
    with tempfile.TemporaryDirectory(prefix="chimera-mm2-") as folder:
        many = await recovered(ACCOUNTS, POSITIONS, Path(folder))
    told = await soak(TAKE_OVERS, SEED, routers=3)
    struck = told["take_overs"] >= TAKE_OVERS and told["kills"] > 0 and told["freezes"] > 0
    within = told["naked_healthy_ms"] * 1000 <= HEALTHY_US and told["naked_after_kill_ms"] * 1000 <= BARE_US
    taken_ms = max(told["killed_to_heard_ms"]["worst"], told["frozen_to_acting_ms"]["worst"])
    taken = taken_ms * 1000 <= TAKEN_OVER_US
    whole = many["as_before"] and many["positions"] == ACCOUNTS * POSITIONS
    back = whole and many["stops_and_targets"] == 2 * many["positions"] and many["last_ready_s"] <= RECOVERED_S
    passed = told.good and struck and within and taken and back
    return Measured({"routers": dict(told), "accounts": many}, BAR, passed=passed, seed=SEED)
