"""Every order of a stretch of time, window by window: a full page may have left some out, so its window is halved.

What the venue's pages leave out (the oldest or the newest) need not be known for that. Orders that ended unfilled are
forgotten by the venue itself after three days.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

PAGE: Final = 1000  # allOrders' largest, on both markets

T = TypeVar("T")


async def in_windows(
    page: Callable[[dict[str, str]], Awaitable[Sequence[T]]], since_ms: int, until_ms: int, *, widest_ms: int
) -> list[T]:
    """``page`` is asked with ``startTime``, ``endTime`` and ``limit``; a thousand of one millisecond are all of it."""
    found: list[T] = []
    start, width = since_ms, widest_ms
    while start <= until_ms:
        end = min(start + width - 1, until_ms)
        rows = await page({"startTime": str(start), "endTime": str(end), "limit": str(PAGE)})
        if len(rows) >= PAGE and end > start:
            width = (end - start + 1) // 2
            continue
        found += rows
        start, width = end + 1, min(width * 2, widest_ms)
    return found
