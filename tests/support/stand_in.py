"""One application for many tests: drawing its routes takes longer than most of them, and it keeps nothing itself."""

from typing import Any


class StandIn:
    """Whoever is behind the face just now; it is asked at each request."""

    def __init__(self) -> None:
        self.now: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.now, name)
