"""When a Redis call is tried again, and when it is given up.

The driver's own retries are off: they have no pause, so a fail-over of seconds always surfaces, and during a reshard
they send appends twice (measured). Every operation above is safe to repeat, so here each is
repeated with growing, jittered pauses until its deadline; then ``StoreUnavailable``.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from redis import exceptions as redis_errors

from chimera.trading.errors import StoreUnavailable

FIRST_PAUSE_S: Final = 0.010
LONGEST_PAUSE_S: Final = 0.250

_PASSING: Final = (
    redis_errors.ConnectionError,  # with BusyLoadingError and MaxConnectionsError; its refusals of us stand below
    redis_errors.TimeoutError,
    redis_errors.ClusterDownError,
    redis_errors.SlotNotCoveredError,
    redis_errors.TryAgainError,
    redis_errors.MovedError,
    redis_errors.AskError,
    redis_errors.ReadOnlyError,
    OSError,
)
_LASTING: Final = (
    redis_errors.AuthenticationError,
    redis_errors.AuthorizationError,
    redis_errors.NoPermissionError,
    redis_errors.ClusterCrossSlotError,
    redis_errors.CrossSlotTransactionError,
)
_PASSING_WORDS: Final = (
    "UNBLOCKED", "LOADING", "MASTERDOWN", "CLUSTERDOWN", "READONLY", "TRYAGAIN", "NOREPLICAS",
)  # fmt: skip
_PASSING_IN_SCRIPTS: Final = ("while the cluster is down", "access a non local key")  # the slot left under the script
FOREIGN: Final = (redis_errors.RedisError, redis_errors.RedisClusterException, OSError, AttributeError, TypeError)

_NO_BREAK: Final = (
    redis_errors.MovedError, redis_errors.AskError, redis_errors.TryAgainError, redis_errors.MaxConnectionsError,
)  # fmt: skip

T = TypeVar("T")
Try = Callable[[int], Awaitable[T]]  # told how many tries came before


def passes(error: Exception) -> bool:
    """Whether the same call may succeed a moment later."""
    if isinstance(error, _LASTING):
        return False
    if isinstance(error, _PASSING):
        return True
    text = str(error)
    match error:
        case redis_errors.ResponseError():
            return text.startswith(_PASSING_WORDS) or any(words in text for words in _PASSING_IN_SCRIPTS)
        case redis_errors.RedisClusterException():
            return "cannot be connected" in text or "could not agree" in text
        case AttributeError() | TypeError():  # a transport closed under redis-py 8.1.0 (its pull request 4288)
            return "NoneType" in text
        case _:
            return False


def is_break(error: Exception) -> bool:
    """Whether the server may have died over it, or given way to another: what it acknowledged of late may be lost."""
    return passes(error) and not isinstance(error, _NO_BREAK) and not str(error).startswith("TRYAGAIN")


async def until(deadline_s: float, operation: str, once: Try[T]) -> T:
    """The answer of ``once``, tried until ``deadline_s`` seconds are over; then ``StoreUnavailable``."""
    cancels = _cancels()
    last: Exception | None = None
    try:
        async with asyncio.timeout(deadline_s):
            tries = 0
            while True:
                try:
                    answer = await once(tries)
                except FOREIGN as error:
                    _refuse_if_lasting(operation, error)
                    last = error
                    pause_s = min(FIRST_PAUSE_S * 2 ** min(tries, 8), LONGEST_PAUSE_S)
                else:
                    _heed(cancels)
                    return answer
                _heed(cancels)
                await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - spreads retries, guards nothing
                tries += 1
    except TimeoutError as error:
        why = f": {last}" if last else ""
        raise StoreUnavailable(f"Redis did not finish {operation!r} in {deadline_s:g} s{why}") from (last or error)


def _refuse_if_lasting(operation: str, error: Exception) -> None:
    if passes(error):
        return
    if isinstance(error, (AttributeError, TypeError)):
        raise error  # our own mistake
    raise StoreUnavailable(f"Redis refused {operation!r}: {error}") from error


def _cancels() -> int:
    """How often the running task was asked to end (by its owner, or by a time-out around us)."""
    task = asyncio.current_task()
    return task.cancelling() if task else 0


def _heed(cancels: int) -> None:
    """Pass on a cancellation that the driver swallowed: before Python 3.12 ``asyncio.wait_for``, by which redis-py
    sends, drops one that arrives just as it ends. Unheeded, a task would not stop and a deadline would never come.
    """
    if _cancels() > cancels:
        raise asyncio.CancelledError
