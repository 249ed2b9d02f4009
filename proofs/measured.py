"""What a proof hands back."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Measured:
    """``measured`` against ``bar``; ``seed`` where chance was in it."""

    measured: dict[str, Any] | float
    bar: str
    passed: bool
    seed: int | None = None
