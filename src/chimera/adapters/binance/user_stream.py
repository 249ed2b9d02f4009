"""The futures user stream: listen key, connection, reconnection; frames in, reports out.

Invariants: ``StreamUp`` comes first and after every gap, ``StreamDown`` with its cause and its reason, once per reason;
order events become reports, and so does what only another mode of the account explains (position mode changes are not
in ``ACCOUNT_CONFIG_UPDATE``), and a leverage or margin type that somebody has set. The key is asked for anew at each
connection (Binance gives back the live one and extends it), one request at a time, kept alive every 30 minutes and
never deleted: one key serves the account, and a DELETE would deafen whoever else listens. Source: Binance USD-M
user-data-streams.

Not read, and why: what ``ACCOUNT_UPDATE`` says beside the sides and margin types of positions (they come from our fills
and from surveys; a change of position without an order event is what a survey is for), ``TRADE_LITE`` (a faster fill
without fee or cumulative quantity; the full event follows under the same trade id), ``MARGIN_CALL``. A frame that
cannot be read may have been a fill: it is reported as a gap, so that whoever listens asks.
"""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Final, TypeAlias
from urllib.parse import quote

from chimera.adapters.binance import payloads, translate
from chimera.adapters.binance.answers import answer
from chimera.adapters.binance.order_names import OrderNames
from chimera.adapters.binance.payloads import Unreadable, decoded
from chimera.adapters.binance.raw import KEEP_LISTEN_KEY, OPEN_LISTEN_KEY, RawFutures
from chimera.adapters.binance.reconnecting import Line, Lost, Reconnecting
from chimera.ports.venue import KeyAtRisk, Loss, ModesDoubted, OrderReport, Report, StreamDown, StreamUp, TermsChanged
from chimera.trading.errors import ChimeraError, OutcomeUnknown, VenueRejected
from chimera.trading.ids import Symbol
from chimera.trading.value import Value

CROSSED: Final = "cross"  # the margin type of a position, as events write it
ONE_WAY: Final = "BOTH"  # the side of every order and position in one-way mode
STREAM_PATH: Final = "/private/ws"  # without ``events``: a selection would leave out ALGO_UPDATE


class StreamTimes(Value):
    """How long things last, in ms. Key validity is 60 minutes, a connection's 24 hours (Binance)."""

    keep_alive_ms: int = 30 * 60_000
    keep_alive_retry_ms: int = 60_000
    key_good_ms: int = 55 * 60_000
    renew_ms: int = 23 * 3_600_000
    silence_ms: int = 180_000  # no frame for so long: an idle account or a deaf stream, and a reconnection tells


class UserStream:
    """``reports`` may be iterated by one reader at a time."""

    def __init__(
        self, raw: RawFutures, names: OrderNames, jitter: random.Random, times: StreamTimes | None = None
    ) -> None:
        self._raw = raw
        self._names = names
        self._times = times or StreamTimes()
        self._key_lock = asyncio.Lock()
        self._again = Reconnecting(
            self._opened, raw.clock, jitter, silence_ms=self._times.silence_ms, refused="no listen key"
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
        key = await self._open_key()
        async with self._raw.transport.connect(f"{STREAM_PATH}?listenKey={quote(key, safe='')}") as socket:
            yield Line(socket.frames(), lambda frame: self._read(frame, key), self._upkeep(key))

    def _read(self, frame: bytes, key: str) -> tuple[Report, ...]:
        try:
            found = read_frame(frame)
        except Unreadable as error:
            return StreamDown(reason=f"unreadable event: {error}", cause=Loss.UNREADABLE), StreamUp()
        reports: list[Report] = []
        for each in found:
            if isinstance(each, payloads.KeyExpired):
                if each.listen_key in ("", key):
                    raise Lost(Loss.KEY_EXPIRED, "the listen key expired")
                continue
            if isinstance(each, OrderReport):
                self._names.note(each.order)
            reports.append(each)
        return tuple(reports)

    async def _open_key(self) -> str:
        async with self._key_lock:  # two parallel creations may rotate the key under each other (ccxt #29393)
            key = answer(await self._raw.call(OPEN_LISTEN_KEY), payloads.ListenKey).listen_key
        if not key:
            raise OutcomeUnknown("no listen key in the answer")
        return key

    async def _upkeep(self, key: str) -> AsyncGenerator[Report, None]:
        """Keep the key alive, telling the first failure in a row; raises ``Lost`` when it cannot be, or is old."""
        clock, times = self._raw.clock, self._times
        opened = extended = clock.monotonic_ms()
        wait_ms = times.keep_alive_ms
        while True:
            left_ms = opened + times.renew_ms - clock.monotonic_ms()
            await asyncio.sleep(max(min(wait_ms, left_ms), 0) / 1000)
            now = clock.monotonic_ms()
            if now - opened >= times.renew_ms:
                raise Lost(Loss.RENEWED, "renewed before the venue's 24 hours")
            try:
                named = answer(await self._raw.call(KEEP_LISTEN_KEY), payloads.ListenKey).listen_key
            except VenueRejected as error:
                raise Lost(Loss.KEY_EXPIRED, f"the listen key is gone: {error}") from error
            except ChimeraError as error:
                if now - extended >= times.key_good_ms:
                    raise Lost(Loss.KEY_UNKEPT, f"keep-alive failed: {error}") from error
                if wait_ms == times.keep_alive_ms:
                    yield KeyAtRisk(reason=f"keep-alive failed: {error}")
                wait_ms = times.keep_alive_retry_ms
                continue
            if named not in ("", key):
                raise Lost(Loss.KEY_EXPIRED, "the listen key changed")
            extended, wait_ms = now, times.keep_alive_ms


Told: TypeAlias = OrderReport | ModesDoubted | TermsChanged | payloads.KeyExpired


def read_frame(frame: bytes) -> tuple[Told, ...]:
    """What a user event says; nothing of kinds we do not read. Raises ``Unreadable``."""
    match decoded(frame, payloads.FrameHead).kind:
        case "ORDER_TRADE_UPDATE" as kind:
            trade = decoded(frame, payloads.OrderEvent)
            order, fill = translate.order_event(trade)
            return OrderReport(order=order, fill=fill), *_sided(kind, trade.order.position_side)
        case "ALGO_UPDATE" as kind:
            algo = decoded(frame, payloads.AlgoEvent)
            return OrderReport(order=translate.algo_event(algo)), *_sided(kind, algo.order.position_side)
        case "ACCOUNT_UPDATE" | "ACCOUNT_CONFIG_UPDATE" as kind:
            with suppress(Unreadable):  # no fill is in it: a new shape of it is no gap
                return _of_account(frame) if kind == "ACCOUNT_UPDATE" else _of_settings(frame)
            return ()
        case "listenKeyExpired":
            return (decoded(frame, payloads.KeyExpired),)
        case _:
            return ()


def _of_account(frame: bytes) -> tuple[ModesDoubted | TermsChanged, ...]:
    held = decoded(frame, payloads.AccountEvent).account.positions
    crossed = (TermsChanged(symbol=Symbol(each.symbol)) for each in held if each.symbol and each.margin_type == CROSSED)
    return *_sided("ACCOUNT_UPDATE", *(position.position_side for position in held)), *crossed


def _of_settings(frame: bytes) -> tuple[ModesDoubted | TermsChanged, ...]:
    told = decoded(frame, payloads.ConfigEvent)
    found: tuple[ModesDoubted | TermsChanged, ...] = ()
    if bytes(told.assets):
        found += (ModesDoubted(why="ACCOUNT_CONFIG_UPDATE tells of the multi-assets mode"),)
    if told.terms is not None:
        found += (TermsChanged(symbol=Symbol(told.terms.symbol), leverage=told.terms.leverage),)
    return found


def _sided(kind: str, *sides: object) -> tuple[ModesDoubted, ...]:
    """An order or a position on one side only: there are such in hedge mode alone."""
    other = next((side for side in sides if side != ONE_WAY), None)
    return () if other is None else (ModesDoubted(why=f"{kind} has positionSide {str(other)[:20]}"),)
