"""The spot user stream: a subscription on a WebSocket API connection; frames in, reports out.

There is no listen key since 2026-02-20: a signed request on the connection itself makes it hear the account, nothing
keeps it alive but the connection, and the venue ends that after 24 hours. ``reconnecting`` keeps the invariants of up,
down and gap; a frame that cannot be read may have been a fill and is reported as a gap.

Not read, and why: ``listStatus`` (what happens to a list happens to its legs, and each leg tells it by its own id),
``outboundAccountPosition`` and ``balanceUpdate`` (what is ours comes from our fills, and that the wallet has it from
surveys). Source: Binance Spot user-data-stream.md and web-socket-api.md.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Final

import msgspec

from chimera.adapters.binance.answers import answer
from chimera.adapters.binance.order_names import OrderNames
from chimera.adapters.binance.order_socket import Answer, Frame, as_rest
from chimera.adapters.binance.payloads import FrameHead, Unreadable, decoded
from chimera.adapters.binance.reconnecting import Line, Lost, Reconnecting
from chimera.adapters.binance.signed import READ_TIMEOUT_MS, SignedAccount
from chimera.adapters.binance.spot import payloads, translate
from chimera.adapters.binance.spot.raw import API_PATH, SUBSCRIBE
from chimera.adapters.binance.transport import Reply, Socket
from chimera.ports.venue import Loss, OrderReport, Report, StreamDown, StreamUp
from chimera.trading.errors import OutcomeUnknown
from chimera.trading.value import Value

_ID: Final = "events"


class SpotStreamTimes(Value):
    """How long things last, in ms; a connection's 24 hours are Binance's."""

    renew_ms: int = 23 * 3_600_000
    silence_ms: int = 180_000  # no frame for so long: an idle account or a deaf stream, and a reconnection tells


class SpotUserStream:
    """``reports`` may be iterated by one reader at a time. The transport's streams are the WebSocket API's host."""

    def __init__(
        self, raw: SignedAccount, names: OrderNames, jitter: random.Random, times: SpotStreamTimes | None = None
    ) -> None:
        self._raw = raw
        self._names = names
        self._times = times or SpotStreamTimes()
        self._again = Reconnecting(
            self._opened, raw.clock, jitter, silence_ms=self._times.silence_ms, refused="no subscription"
        )

    def reconnect(self, why: str) -> None:
        """End the present connection, which is open and does not tell, and make another."""
        self._again.reconnect(why)

    async def reports(self) -> AsyncGenerator[Report, None]:
        """For ever. Close it (``aclosing``) to end the connection at once."""
        async with aclosing(self._again.reports()) as heard:
            async for report in heard:
                yield report

    @asynccontextmanager
    async def _opened(self) -> AsyncGenerator[Line, None]:
        """A connection that hears the account. Events that overtake the answer are kept for the reader."""
        early: list[bytes] = []
        async with self._raw.transport.connect(API_PATH) as socket:
            frames = socket.frames()
            body = await self._raw.through(
                SUBSCRIBE.lane, SUBSCRIBE.cost({}), lambda: self._subscribe(socket, frames, early)
            )
            answer(body, payloads.Subscribed)
            yield Line(_after(early, frames), self._read, self._renewal())

    async def _subscribe(self, socket: Socket, frames: AsyncIterator[bytes], early: list[bytes]) -> Reply:
        try:
            async with asyncio.timeout(READ_TIMEOUT_MS / 1000):
                await socket.send(
                    msgspec.json.encode(Frame(id=_ID, method=SUBSCRIBE.path, params=self._raw.frame(SUBSCRIBE)))
                )
                async for frame in frames:
                    told = _answer(frame)
                    if told is not None:
                        return as_rest(told)
                    early.append(frame)
        except TimeoutError:
            raise OutcomeUnknown(f"no answer to the subscription in {READ_TIMEOUT_MS} ms") from None
        except (OSError, RuntimeError) as error:  # what a closing connection raises while it is written to
            raise OutcomeUnknown("connection lost while subscribing") from error
        raise OutcomeUnknown("the connection ended before the answer to the subscription")

    def _read(self, frame: bytes) -> tuple[Report, ...]:
        try:
            found = read_frame(frame)
        except Unreadable as error:
            return StreamDown(reason=f"unreadable event: {error}", cause=Loss.UNREADABLE), StreamUp()
        if found is None:
            return ()
        self._names.note(found.order)
        return (found,)

    async def _renewal(self) -> AsyncGenerator[Report, None]:
        """Says nothing until the connection is old."""
        for each in tuple[Report, ...]():
            yield each
        await asyncio.sleep(self._times.renew_ms / 1000)
        raise Lost(Loss.RENEWED, "renewed before the venue's 24 hours")


def read_frame(frame: bytes) -> OrderReport | None:
    """What a frame says; None for what we do not read. Raises ``Unreadable``, or ``Lost`` where it ends the stream."""
    envelope = decoded(frame, payloads.Envelope)
    event = bytes(envelope.event)
    if not event:
        if envelope.status >= 400:
            raise Lost(Loss.KEY_REFUSED, f"the venue ended the session: {bytes(envelope.error)[:200]!r}")
        return None
    match decoded(event, FrameHead).kind:
        case "executionReport":
            order, fill = translate.order_event(decoded(event, payloads.ExecutionReport))
            return OrderReport(order=order, fill=fill)
        case "eventStreamTerminated":
            raise Lost(Loss.KEY_EXPIRED, "the venue ended the subscription")
        case "serverShutdown":
            raise Lost(Loss.CLOSED, "the venue is about to close the stream")
        case _:
            return None


def _answer(frame: bytes) -> Answer | None:
    """The answer to our request; None for an event. What cannot be read is no answer, and is read again as an event."""
    try:
        told = msgspec.json.decode(frame, type=Answer)
    except msgspec.MsgspecError:
        return None
    return told if told.status else None


async def _after(early: list[bytes], frames: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    for frame in early:
        yield frame
    async for frame in frames:
        yield frame
