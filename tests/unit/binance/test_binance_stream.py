"""The user stream in virtual time: gaps, keys, silence and back-off, over a scripted venue."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any

import msgspec
import pytest

from chimera.adapters.binance.account import BinanceFutures, open_futures
from chimera.adapters.binance.transport import Reply
from chimera.adapters.binance.user_stream import StreamTimes, read_frame
from chimera.ports.venue import KeyAtRisk, Loss, ModesDoubted, OrderReport, Report, StreamDown, StreamUp, TermsChanged
from chimera.services.stage.loop import DetLoop
from chimera.trading.errors import ChimeraError, NotSent, OutcomeUnknown
from chimera.trading.ids import Symbol
from chimera.trading.money import Millis
from chimera.trading.order import Status

NEWS = b"""{"e":"ALGO_UPDATE","T":1,"E":1,"o":{"caid":"a-s1","aid":1,"o":"STOP_MARKET","s":"BTCUSDT","S":"SELL",
 "q":"0.010","X":"NEW","ai":"","tp":"89000"}}"""
HOUR_MS = 3_600_000


class LoopClock:
    def now_ms(self) -> Millis:
        return Millis(1_763_635_200_000 + self.monotonic_ms())

    def monotonic_ms(self) -> Millis:
        return Millis(round(asyncio.get_running_loop().time() * 1000))


class ScriptedSocket:
    """Frames given by the test; ``None`` ends the connection."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def frames(self) -> AsyncIterator[bytes]:
        while (frame := await self.queue.get()) is not None:
            yield frame

    async def send(self, frame: bytes) -> None:
        raise AssertionError("a user stream says nothing")


class ScriptedVenue:
    """Listen keys and connections; each trouble given is raised or answered once."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, str]] = []  # when (s), what
        self.sockets: list[ScriptedSocket] = []
        self.refuse: list[ChimeraError] = []  # connections
        self.trouble: list[ChimeraError | Reply] = []  # requests
        self.key = "key-1"
        self.open = 0
        self.futures: BinanceFutures

    async def request(
        self, method: str, target: str, *, headers: Mapping[str, str], body: bytes = b"", timeout_ms: int
    ) -> Reply:
        self._note(f"{method} {target}")
        assert headers == {"X-MBX-APIKEY": "key"}
        await asyncio.sleep(0.05)
        if self.trouble:
            trouble = self.trouble.pop(0)
            if isinstance(trouble, ChimeraError):
                raise trouble
            return trouble
        return Reply(status=200, headers={}, body=msgspec.json.encode({"listenKey": self.key}))

    @asynccontextmanager
    async def connect(self, target: str) -> AsyncIterator[ScriptedSocket]:
        self._note(target)
        if self.refuse:
            raise self.refuse.pop(0)
        self.sockets.append(ScriptedSocket())
        self.open += 1
        try:
            yield self.sockets[-1]
        finally:
            self.open -= 1

    async def close(self) -> None:
        assert self.open == 0

    def _note(self, what: str) -> None:
        self.calls.append((round(asyncio.get_running_loop().time()), what))

    def said(self, what: str) -> int:
        return sum(what in call for _, call in self.calls)


Script = Callable[[ScriptedVenue, list[Report]], Coroutine[Any, Any, None]]


def play(script: Script, *, venue: ScriptedVenue | None = None, times: StreamTimes | None = None) -> list[Report]:
    """What the reader heard while ``script`` ran; afterwards nothing may be left open or running."""
    loop, heard = DetLoop(7), list[Report]()
    told = venue or ScriptedVenue()

    async def listen(futures: BinanceFutures) -> None:
        async with aclosing(futures.venue.reports()) as reports:
            async for report in reports:
                heard.append(report)

    async def run() -> None:
        told.futures = futures = open_futures(told, "key", "secret", LoopClock(), jitter=random.Random(1), times=times)
        reader = asyncio.create_task(listen(futures))
        await script(told, heard)
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
        assert reader.cancelled()
        await futures.close()
        assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []

    loop.run_until_complete(run())
    assert loop.unheard() == []
    loop.close()
    return heard


def causes(heard: list[Report]) -> list[str]:
    return ["up" if isinstance(each, StreamUp) else each.reason for each in heard if not isinstance(each, OrderReport)]


def losses(heard: list[Report]) -> list[Loss]:
    return [each.cause for each in heard if isinstance(each, StreamDown)]


def test_up_comes_first_and_events_follow() -> None:
    async def script(venue: ScriptedVenue, _: list[Report]) -> None:
        await asyncio.sleep(1)
        venue.sockets[0].queue.put_nowait(NEWS)
        venue.sockets[0].queue.put_nowait(b'{"e":"TRADE_LITE"}')
        await asyncio.sleep(1)
        assert venue.calls[1][1] == "/private/ws?listenKey=key-1"

    up, news = play(script)

    assert up == StreamUp()
    assert isinstance(news, OrderReport)
    assert news.order.status is Status.NEW


OF_ONE_SIDE = b"""{"e":"ORDER_TRADE_UPDATE","T":1,"E":1,"o":{"s":"BTCUSDT","c":"web_1","S":"BUY","o":"LIMIT","q":"1",
 "x":"NEW","X":"NEW","i":1,"z":"0","T":1,"p":"60000","ps":"%s"}}"""


@pytest.mark.req("S4-LIM-3")
@pytest.mark.parametrize(
    ("frame", "doubts"),
    [
        (OF_ONE_SIDE % b"LONG", True),
        (OF_ONE_SIDE % b"BOTH", False),
        (NEWS.replace(b'"S":"SELL"', b'"S":"SELL","ps":"SHORT"'), True),
        (b'{"e":"ACCOUNT_UPDATE","a":{"m":"ORDER","P":[{"s":"A","pa":"1","ps":"BOTH"},{"ps":"SHORT"}]}}', True),
        (b'{"e":"ACCOUNT_UPDATE","a":{"m":"ORDER","P":[{"s":"A","pa":"1","ps":"BOTH"}]}}', False),
        (b'{"e":"ACCOUNT_UPDATE","a":{"m":"DEPOSIT","B":[]}}', False),
        (b'{"e":"ACCOUNT_UPDATE","a":"of a new shape"}', False),
        (b'{"e":"ACCOUNT_CONFIG_UPDATE","ai":{"j":true}}', True),
        (b'{"e":"ACCOUNT_CONFIG_UPDATE","ac":{"s":"BTCUSDT","l":5}}', False),
    ],
)
def test_what_only_another_mode_of_the_account_explains_is_told_beside_the_order(frame: bytes, doubts: bool) -> None:
    async def script(venue: ScriptedVenue, _: list[Report]) -> None:
        await asyncio.sleep(1)
        venue.sockets[0].queue.put_nowait(frame)
        await asyncio.sleep(1)

    _, *heard = play(script)
    of_orders = [OrderReport] if b'"o":{' in frame else []

    assert [type(each) for each in heard if not isinstance(each, TermsChanged)] == of_orders + [ModesDoubted] * doubts


@pytest.mark.req("S4-RULE-2")
@pytest.mark.fault("F13")
@pytest.mark.parametrize(
    ("frame", "told"),
    [
        (
            b'{"e":"ACCOUNT_CONFIG_UPDATE","ac":{"s":"BTCUSDT","l":100}}',
            [TermsChanged(symbol=Symbol("BTCUSDT"), leverage=100)],
        ),
        (b'{"e":"ACCOUNT_CONFIG_UPDATE","ai":{"j":false}}', []),
        (
            b'{"e":"ACCOUNT_UPDATE","a":{"P":[{"s":"BTCUSDT","mt":"cross","ps":"BOTH"}]}}',
            [TermsChanged(symbol=Symbol("BTCUSDT"))],
        ),
        (b'{"e":"ACCOUNT_UPDATE","a":{"P":[{"s":"BTCUSDT","mt":"isolated","ps":"BOTH"}]}}', []),
    ],
)
def test_a_leverage_or_margin_type_that_somebody_sets_is_told(frame: bytes, told: list[TermsChanged]) -> None:
    assert [each for each in read_frame(frame) if isinstance(each, TermsChanged)] == told


@pytest.mark.req("S4-NET-1")
def test_a_lost_connection_is_told_and_made_again() -> None:
    async def script(venue: ScriptedVenue, _: list[Report]) -> None:
        await asyncio.sleep(60)
        venue.sockets[0].queue.put_nowait(None)
        await asyncio.sleep(1)
        venue.sockets[1].queue.put_nowait(NEWS)
        await asyncio.sleep(1)
        assert venue.said("POST") == 2  # the key is asked for again: it may have died meanwhile

    heard = play(script)

    assert causes(heard) == ["up", "the venue closed the stream", "up"]
    assert isinstance(heard[-1], OrderReport)


@pytest.mark.req("S4-NET-1")
@pytest.mark.fault("C8")
def test_a_long_outage_is_told_once_and_retried_ever_slower() -> None:
    async def script(venue: ScriptedVenue, _: list[Report]) -> None:
        await asyncio.sleep(60)
        venue.refuse = [NotSent("refused") for _ in range(40)]
        venue.sockets[0].queue.put_nowait(None)
        await asyncio.sleep(120)
        tries = [at for at, what in venue.calls if "ws" in what][1:]
        assert 8 <= len(tries) <= 24
        assert tries[-1] - tries[-2] >= 7
        venue.refuse.clear()
        await asyncio.sleep(20)

    assert causes(play(script)) == ["up", "the venue closed the stream", "refused", "up"]


def test_a_ban_is_waited_out() -> None:
    async def script(venue: ScriptedVenue, _: list[Report]) -> None:
        await asyncio.sleep(299)
        assert venue.said("POST") == 1
        await asyncio.sleep(20)
        assert venue.said("POST") == 2

    venue = ScriptedVenue()
    venue.trouble = [Reply(status=418, headers={"retry-after": "300"}, body=b"")]
    heard = play(script, venue=venue)

    assert isinstance(heard[0], StreamDown)
    assert heard[1:] == [StreamUp()]


@pytest.mark.fault("B38")
def test_a_refused_key_is_told() -> None:
    venue = ScriptedVenue()
    venue.trouble = [Reply(status=401, headers={}, body=b'{"code":-2015,"msg":"Invalid API-key"}')] * 2

    async def script(_: ScriptedVenue, __: list[Report]) -> None:
        await asyncio.sleep(30)

    assert causes(play(script, venue=venue)) == ["no listen key: -2015: Invalid API-key", "up"]


def test_the_key_is_kept_alive_every_half_hour() -> None:
    async def script(venue: ScriptedVenue, _: list[Report]) -> None:
        await asyncio.sleep(5 * 3600 + 60)
        assert venue.said("PUT") == 10
        assert venue.said("POST") == 1

    assert causes(play(script, times=StreamTimes(silence_ms=24 * HOUR_MS))) == ["up"]


def test_a_keep_alive_that_fails_is_tried_again_before_the_key_dies() -> None:
    async def script(venue: ScriptedVenue, _: list[Report]) -> None:
        await asyncio.sleep(10)
        venue.trouble = [OutcomeUnknown("lost"), NotSent("away"), OutcomeUnknown("lost")]
        await asyncio.sleep(50 * 60)
        assert venue.said("PUT") == 4
        assert venue.said("POST") == 1

    heard = play(script, times=StreamTimes(silence_ms=24 * HOUR_MS))

    assert heard == [StreamUp(), KeyAtRisk(reason="keep-alive failed: lost")]  # told once, while there is time


def test_a_keep_alive_that_never_succeeds_ends_in_a_new_key() -> None:
    async def script(venue: ScriptedVenue, _: list[Report]) -> None:
        await asyncio.sleep(10)
        venue.trouble = [OutcomeUnknown("lost")] * 26
        await asyncio.sleep(58 * 60)
        assert venue.said("POST") == 2

    heard = play(script, times=StreamTimes(silence_ms=24 * HOUR_MS))

    assert causes(heard)[2:] == ["keep-alive failed: lost", "up"]
    assert losses(heard) == [Loss.KEY_UNKEPT]


def test_a_key_the_venue_forgot_is_replaced() -> None:
    async def script(venue: ScriptedVenue, _: list[Report]) -> None:
        await asyncio.sleep(10)
        venue.trouble = [Reply(status=400, headers={}, body=b'{"code":-1125,"msg":"This listenKey does not exist."}')]
        venue.key = "key-2"
        await asyncio.sleep(31 * 60)
        assert venue.said("listenKey=key-2") == 1

    heard = play(script, times=StreamTimes(silence_ms=24 * HOUR_MS))

    assert "-1125" in causes(heard)[1]
    assert losses(heard) == [Loss.KEY_EXPIRED]


@pytest.mark.fault("C6")
@pytest.mark.incident(23)
def test_an_expired_key_is_replaced_at_once() -> None:
    async def script(venue: ScriptedVenue, _: list[Report]) -> None:
        await asyncio.sleep(60)
        venue.key = "key-2"
        venue.sockets[0].queue.put_nowait(b'{"e":"listenKeyExpired","E":1,"listenKey":"somebody-elses"}')
        await asyncio.sleep(1)
        assert len(venue.sockets) == 1
        venue.sockets[0].queue.put_nowait(b'{"e":"listenKeyExpired","E":1,"listenKey":"key-1"}')
        await asyncio.sleep(1)
        assert venue.said("listenKey=key-2") == 1

    heard = play(script)

    assert causes(heard) == ["up", "the listen key expired", "up"]
    assert losses(heard) == [Loss.KEY_EXPIRED]


@pytest.mark.req("S4-NET-1")
def test_a_deaf_connection_is_made_anew_when_asked() -> None:
    async def script(venue: ScriptedVenue, _: list[Report]) -> None:
        venue.futures.venue.reconnect("nobody hears that: there is no connection yet")
        await asyncio.sleep(60)
        assert len(venue.sockets) == 1
        venue.futures.venue.reconnect("deaf")
        await asyncio.sleep(1)
        assert len(venue.sockets) == 2
        venue.sockets[1].queue.put_nowait(NEWS)
        await asyncio.sleep(30)
        assert (len(venue.sockets), venue.open) == (2, 1)

    heard = play(script)

    assert causes(heard) == ["up", "deaf", "up"]
    assert losses(heard) == [Loss.ASKED]
    assert isinstance(heard[-1], OrderReport)


@pytest.mark.req("CONF-1")
def test_who_asks_while_a_connection_is_being_made_gets_another() -> None:
    """The key was changed behind the request that opens it: what was opened is the old key's."""

    async def script(venue: ScriptedVenue, _: list[Report]) -> None:
        await asyncio.sleep(0.01)
        assert venue.said("POST") == 1
        venue.futures.venue.reconnect("the key was changed")
        await asyncio.sleep(60)
        assert (len(venue.sockets), venue.open) == (2, 1)

    assert causes(play(script)) == ["up", "the key was changed", "up"]


@pytest.mark.fault("C7", "C15")
def test_a_connection_is_renewed_before_the_venue_ends_it() -> None:
    async def script(venue: ScriptedVenue, _: list[Report]) -> None:
        await asyncio.sleep(23 * 3600 + 10)
        assert len(venue.sockets) == 2

    assert causes(play(script, times=StreamTimes(silence_ms=48 * HOUR_MS)))[1:] == [
        "renewed before the venue's 24 hours",
        "up",
    ]


@pytest.mark.req("S4-NET-1")
@pytest.mark.fault("C5")
@pytest.mark.incident(23)
def test_silence_is_a_fault() -> None:
    async def script(venue: ScriptedVenue, __: list[Report]) -> None:
        for _ in range(5):
            await asyncio.sleep(9)
            venue.sockets[0].queue.put_nowait(b'{"e":"ACCOUNT_UPDATE"}')  # not read, but a sign of life
        await asyncio.sleep(11)
        assert len(venue.sockets) == 2

    assert causes(play(script, times=StreamTimes(silence_ms=10_000)))[:3] == ["up", "silent for 10000 ms", "up"]


def test_an_unreadable_event_is_a_gap() -> None:
    async def script(venue: ScriptedVenue, _: list[Report]) -> None:
        await asyncio.sleep(1)
        venue.sockets[0].queue.put_nowait(b'{"e":"ORDER_TRADE_UPDATE","o":{"s":"BTCUSDT"}}')
        venue.sockets[0].queue.put_nowait(NEWS)
        await asyncio.sleep(1)
        assert len(venue.sockets) == 1  # the connection itself is well

    heard = play(script)

    assert [type(each) for each in heard] == [StreamUp, StreamDown, StreamUp, OrderReport]


@pytest.mark.parametrize("when_s", [0.0, 0.02, 0.05, 0.06, 0.2])
def test_it_can_be_ended_at_any_moment(when_s: float) -> None:
    async def script(_: ScriptedVenue, __: list[Report]) -> None:
        await asyncio.sleep(when_s)

    play(script)
