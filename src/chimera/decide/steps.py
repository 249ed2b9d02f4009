"""Work that is done in small steps, so that whoever drives it may do other things between two of them."""

from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")


def finished(work: Generator[None, None, T]) -> T:
    """What comes of it, without a pause."""
    while True:
        try:
            next(work)
        except StopIteration as done:
            answer: T = done.value
            return answer
