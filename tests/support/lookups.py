"""A venue that has one answer for each path, for adapters that only ask; it stands at one moment."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from chimera.adapters.binance.transport import Reply, Socket
from chimera.trading.money import Millis


class NoonClock:
    def now_ms(self) -> Millis:
        return Millis(100)

    def monotonic_ms(self) -> Millis:
        return Millis(100)


class Answers:
    """One answer per path; an error body comes with status 400."""

    def __init__(self, **bodies: Any) -> None:
        self.bodies = bodies
        self.asked: list[tuple[str, dict[str, str]]] = []

    async def request(
        self, method: str, target: str, *, headers: Mapping[str, str], body: bytes = b"", timeout_ms: int
    ) -> Reply:
        path, _, query = target.partition("?")
        name = path.rpartition("/")[2]
        self.asked.append((name, dict(parse_qsl(query))))
        said = self.bodies[name]
        status = 400 if isinstance(said, dict) and "code" in said else 200
        return Reply(status=status, headers={}, body=msgspec.json.encode(said))

    def connect(self, target: str) -> AbstractAsyncContextManager[Socket]:
        raise AssertionError("no stream here")

    async def close(self) -> None:
        return
