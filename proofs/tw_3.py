"""TW-3: the fast book is the naive one by state hash; the same seed gives the same bytes in any process.

Histories of quotes, depth, takes and waits are drawn by hypothesis (``tests/support/book_histories.py``). Two owners
trade on both markets with a fault at work, from one seed in processes of different hash seeds, and from another seed.
"""

import os
import subprocess
import sys
from typing import Any, Final

from hypothesis import given, settings

from proofs.house import ROOT
from proofs.measured import Measured

sys.path.insert(0, str(ROOT / "tests" / "support"))

from book_histories import QUEUE, histories, only_touches, play_book, play_queue

BAR: Final = (
    "5,000 histories of book and queue without a difference; one seed, one hash, in 3 processes; another, another"
)
EXAMPLES: Final = 2_000
QUEUES: Final = 1_000
SEED, OTHER_SEED, STEPS = 7, 8, 4_000


def prove() -> Measured:
    plan = ((play_book, (histories,), EXAMPLES), (play_book, (only_touches,), EXAMPLES), (play_queue, QUEUE, QUEUES))
    for play, drawn, examples in plan:  # raises with the smallest history that differs
        tried = given_to(play, drawn)
        settings(max_examples=examples, deadline=None, database=None)(tried)()
    same = {digest(SEED, hash_seed) for hash_seed in ("0", "1", "random")}
    other = digest(OTHER_SEED, "0")
    measured = {
        "histories": sum(examples for *_, examples in plan),
        "hashes_of_one_seed": sorted(same),
        "of_another": other,
        "steps": STEPS,
    }
    return Measured(measured, BAR, passed=len(same) == 1 and other not in same, seed=SEED)


def given_to(play: Any, drawn: tuple[Any, ...]) -> Any:
    """The property that ``play`` raises for nothing ``drawn``."""
    property_of: Any = given(*drawn)
    return property_of(play)


def digest(seed: int, hash_seed: str) -> str:
    """The line of a process of its own."""
    command = [sys.executable, str(ROOT / "tests" / "support" / "same_bytes.py"), str(seed), str(STEPS)]
    env = {**os.environ, "PYTHONHASHSEED": hash_seed}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True).stdout.strip()
