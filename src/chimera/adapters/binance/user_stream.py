"""The futures user stream: listen key, connection, reconnection; frames in, reports out.

Invariants: ``StreamUp`` comes first and after every gap, ``StreamDown`` with its cause and its reason, once per reason;
only order events become reports. The key is asked for anew at each connection (Binance gives back the live one and
extends it), one request at a time, kept alive every 30 minutes and never deleted: one key serves the account, and a
DELETE would deafen whoever else listens. Source: Binance USD-M user-data-streams.

Not read, and why: ``ACCOUNT_UPDATE`` (positions come from our fills and from surveys; a change of position without an
order event is what a survey is for), ``TRADE_LITE`` (a faster fill without fee or cumulative quantity; the full event
follows under the same trade id), ``ACCOUNT_CONFIG_UPDATE``, ``MARGIN_CALL``. A frame that cannot be read may have been
a fill: it is reported as a gap, so that whoever listens asks.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Final
from urllib.parse import quote

from chimera.adapters.binance import payloads, translate
from chimera.adapters.binance.backing_off import pause_ms
from chimera.adapters.binance.order_names import OrderNames
from chimera.adapters.binance.payloads import Unreadable, decoded
from chimera.adapters.binance.raw import KEEP_LISTEN_KEY, OPEN_LISTEN_KEY, RawFutures, answer
from chimera.adapters.binance.transport import Socket
from chimera.ports.venue import KeyAtRisk, Loss, OrderReport, Report, StreamDown, StreamUp
from chimera.trading.errors import ChimeraError, NotSent, OutcomeUnknown, VenueRejected
from chimera.trading.value import Value

STREAM_PATH: Final = "/private/ws"  # without ``events``: a selection would leave out ALGO_UPDATE
_HEALTHY_MS: Final = 10_000  # a connection that lived this long resets the back-off
_KEY_REFUSED_PAUSE_MS: Final = 5_000


class StreamTimes(Value):
    """How long things last, in ms. Key validity is 60 minutes, a connection's 24 hours (Binance)."""

    keep_alive_ms: int = 30 * 60_000
    keep_alive_retry_ms: int = 60_000
    key_good_ms: int = 55 * 60_000
    renew_ms: int = 23 * 3_600_000
    silence_ms: int = 180_000  # no frame for so long: an idle account or a deaf stream, and a reconnection tells


class _Lost(Exception):
    """This connection is over; the text says why."""

    def __init__(self, cause: Loss, reason: str) -> None:
        super().__init__(reason)
        self.cause = cause


class UserStream:
    """``reports`` may be iterated by one reader at a time."""

    def __init__(
        self, raw: RawFutures, names: OrderNames, jitter: random.Random, times: StreamTimes | None = None
    ) -> None:
        self._raw = raw
        self._names = names
        self._jitter = jitter
        self._times = times or StreamTimes()
        self._key_lock = asyncio.Lock()
        self._asked = asyncio.Event()
        self._why = ""

    def reconnect(self, why: str) -> None:
        """End the present connection, which is open and does not tell, and make another."""
        self._why = why
        self._asked.set()

    async def reports(self) -> AsyncGenerator[Report, None]:
        """For ever. Close it (``aclosing``) to end the connection at once."""
        failures, told = 0, ""
        while True:
            began: int | None = None
            wait_ms = 0
            try:
                key = await self._open_key()
                async with self._raw.transport.connect(f"{STREAM_PATH}?listenKey={quote(key, safe='')}") as socket:
                    began, told = self._raw.clock.monotonic_ms(), ""
                    self._asked.clear()
                    yield StreamUp()
                    async with aclosing(self._listen(socket, key)) as heard:
                        async for report in heard:
                            yield report
                cause, reason = Loss.CLOSED, "the venue closed the stream"
            except _Lost as error:
                cause, reason = error.cause, str(error)
            except VenueRejected as error:
                cause, reason, wait_ms = Loss.KEY_REFUSED, f"no listen key: {error}", _KEY_REFUSED_PAUSE_MS
            except NotSent as error:
                cause, reason, wait_ms = Loss.UNREACHABLE, error.reason, error.retry_after_ms or 0
            except OutcomeUnknown as error:
                cause, reason = Loss.UNREACHABLE, str(error)
            if reason != told:
                told = reason
                yield StreamDown(reason=reason, cause=cause)
            lived_ms = 0 if began is None else self._raw.clock.monotonic_ms() - began
            failures = 0 if lived_ms >= _HEALTHY_MS else failures + 1
            await asyncio.sleep(max(pause_ms(failures, self._jitter), wait_ms) / 1000)

    async def _listen(self, socket: Socket, key: str) -> AsyncGenerator[Report, None]:
        """Reports of one connection; returns when the venue ends it, raises ``_Lost`` when we do."""
        frames, upkeep = socket.frames(), self._upkeep(key)
        incoming, kept = asyncio.create_task(_next(frames)), asyncio.create_task(anext(upkeep))
        asked = asyncio.create_task(self._asked.wait())
        try:
            while True:
                await asyncio.wait(
                    (incoming, kept, asked),
                    timeout=self._times.silence_ms / 1000,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if incoming.done():
                    frame = incoming.result()
                    if frame is None:
                        return
                    incoming = asyncio.create_task(_next(frames))
                    for report in self._read(frame, key):
                        yield report
                elif kept.done():
                    yield kept.result()
                    kept = asyncio.create_task(anext(upkeep))
                elif asked.done():
                    raise _Lost(Loss.ASKED, self._why)
                else:
                    raise _Lost(Loss.SILENT, f"silent for {self._times.silence_ms} ms")
        finally:
            for task in (incoming, kept, asked):
                task.cancel()
            await asyncio.gather(incoming, kept, asked, return_exceptions=True)

    def _read(self, frame: bytes, key: str) -> tuple[Report, ...]:
        try:
            found = read_frame(frame)
        except Unreadable as error:
            return StreamDown(reason=f"unreadable event: {error}", cause=Loss.UNREADABLE), StreamUp()
        if isinstance(found, payloads.KeyExpired):
            if found.listen_key in ("", key):
                raise _Lost(Loss.KEY_EXPIRED, "the listen key expired")
            return ()
        if found is None:
            return ()
        self._names.note(found.order)
        return (found,)

    async def _open_key(self) -> str:
        async with self._key_lock:  # two parallel creations may rotate the key under each other (ccxt #29393)
            key = answer(await self._raw.call(OPEN_LISTEN_KEY), payloads.ListenKey).listen_key
        if not key:
            raise OutcomeUnknown("no listen key in the answer")
        return key

    async def _upkeep(self, key: str) -> AsyncGenerator[KeyAtRisk, None]:
        """Keep the key alive, telling the first failure in a row; raises ``_Lost`` when it cannot be, or is old."""
        clock, times = self._raw.clock, self._times
        opened = extended = clock.monotonic_ms()
        wait_ms = times.keep_alive_ms
        while True:
            left_ms = opened + times.renew_ms - clock.monotonic_ms()
            await asyncio.sleep(max(min(wait_ms, left_ms), 0) / 1000)
            now = clock.monotonic_ms()
            if now - opened >= times.renew_ms:
                raise _Lost(Loss.RENEWED, "renewed before the venue's 24 hours")
            try:
                named = answer(await self._raw.call(KEEP_LISTEN_KEY), payloads.ListenKey).listen_key
            except VenueRejected as error:
                raise _Lost(Loss.KEY_EXPIRED, f"the listen key is gone: {error}") from error
            except ChimeraError as error:
                if now - extended >= times.key_good_ms:
                    raise _Lost(Loss.KEY_UNKEPT, f"keep-alive failed: {error}") from error
                if wait_ms == times.keep_alive_ms:
                    yield KeyAtRisk(reason=f"keep-alive failed: {error}")
                wait_ms = times.keep_alive_retry_ms
                continue
            if named not in ("", key):
                raise _Lost(Loss.KEY_EXPIRED, "the listen key changed")
            extended, wait_ms = now, times.keep_alive_ms


def read_frame(frame: bytes) -> OrderReport | payloads.KeyExpired | None:
    """What a user event says; None for kinds we do not read. Raises ``Unreadable``."""
    match decoded(frame, payloads.FrameHead).kind:
        case "ORDER_TRADE_UPDATE":
            order, fill = translate.order_event(decoded(frame, payloads.OrderEvent))
            return OrderReport(order=order, fill=fill)
        case "ALGO_UPDATE":
            return OrderReport(order=translate.algo_event(decoded(frame, payloads.AlgoEvent)))
        case "listenKeyExpired":
            return decoded(frame, payloads.KeyExpired)
        case _:
            return None


async def _next(frames: AsyncIterator[bytes]) -> bytes | None:
    return await anext(frames, None)
