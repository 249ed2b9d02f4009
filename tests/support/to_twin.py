"""The exchange twin without a wire: requests go to it directly, and one of them in trouble, and no other."""

from collections.abc import Mapping
from typing import Any

from chimera.adapters.binance.transport import Reply
from chimera.ports.clock import Clock
from chimera.simulate.door.messages import WireRequest
from chimera.simulate.trouble.faults import NoFaults, RequestFault
from chimera.simulate.twin import Twin
from chimera.trading.errors import OutcomeUnknown


class ToTwin:
    """A ``Transport``; without streams, unless a child of it ``pump``s what the twin has to say."""

    def __init__(self, twin: Twin, clock: Clock) -> None:
        self._twin = twin
        self._clock = clock

    async def request(
        self, method: str, target: str, *, headers: Mapping[str, str], body: bytes = b"", timeout_ms: int
    ) -> Reply:
        path, _, query = target.partition("?")
        request = WireRequest(method=method, path=path, query=query, headers=dict(headers), body=body.decode())
        told = self._twin.handle(request, self._clock.now_ms())
        self.pump()
        if told.dropped:
            raise OutcomeUnknown("dropped")
        return Reply(status=told.status, headers={k.lower(): v for k, v in told.headers.items()}, body=told.body)

    def connect(self, target: str) -> Any:
        raise AssertionError("nobody listens here")

    def pump(self) -> None:
        """Nobody listens."""

    async def close(self) -> None: ...


class Once(NoFaults):
    """The next request by this method, of any where none is named."""

    def __init__(self, fault: RequestFault, method: str = "") -> None:
        super().__init__()
        self._left: RequestFault | None = fault
        self._method = method

    def on_request(self, request: WireRequest, now_ms: int) -> RequestFault | None:
        if self._method not in ("", request.method):
            return None
        fault, self._left = self._left, None
        return fault
