"""A world as it was, asleep in a process of its own until it is asked to go on, part after part.

What a part costs late can so be set beside what it cost early, moments apart: a machine that others use is not as fast
in the evening as it was in the morning, and no yardstick of another make slows down quite as a world does. Outside the
simulated runs: processes are allowed here.
"""

import os
import struct
from collections.abc import Iterator
from typing import Final, NoReturn

_COST: Final = struct.Struct("d")


class Young:
    """``parts`` runs one part at each step and gives its CPU seconds. Only the process that begins here draws them."""

    def __init__(self, parts: Iterator[float]) -> None:
        asked, self._ask = os.pipe()
        self._told, tell = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._ask)
            os.close(self._told)
            _sleep(parts, asked, tell)
        os.close(asked)
        os.close(tell)

    def part(self) -> float:
        """CPU seconds of its next part, run now. Raises ``RuntimeError`` where it has died."""
        os.write(self._ask, b"+")
        told = os.read(self._told, _COST.size)
        if len(told) < _COST.size:
            raise RuntimeError("the young world has died")
        return float(_COST.unpack(told)[0])

    def end(self) -> None:
        """It wakes, hears that nobody asks any more, and goes."""
        os.close(self._ask)
        os.close(self._told)
        os.waitpid(self._pid, 0)


def _sleep(parts: Iterator[float], asked: int, tell: int) -> NoReturn:
    """In the child: nothing of its parent's is torn down here, however it ends."""
    try:
        while os.read(asked, 1):
            os.write(tell, _COST.pack(next(parts)))
    finally:
        os._exit(0)
