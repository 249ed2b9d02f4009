"""The spot user stream in virtual time: subscriptions, gaps, silence and renewal, over a scripted venue."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any

import msgspec
import pytest

from chimera.adapters.binance.signed import READ_TIMEOUT_MS
from chimera.adapters.binance.spot.account import BinanceSpot, open_spot
from chimera.adapters.binance.spot.raw import SUBSCRIBE
from chimera.adapters.binance.spot.stream import SpotStreamTimes
from chimera.adapters.binance.transport import Reply
from chimera.ports.venue import Loss, OrderReport, Report, StreamDown, StreamUp
from chimera.services.stage.loop import DetLoop
from chimera.trading.errors import NotSent
from chimera.trading.money import Millis
from chimera.trading.order import Status

NEWS: dict[str, Any] = {
    "e": "executionReport", "s": "BTCUSDT", "c": "a-m1", "S": "BUY", "o": "LIMIT", "q": "0.01", "x": "NEW", "X": "NEW",
    "i": 1, "z": "0", "T": 1,
}  # fmt: skip
HOUR_MS = 3_600_000
BEGAN_MS = 1_763_635_200_000


class LoopClock:
    def now_ms(self) -> Millis:
        return Millis(BEGAN_MS + self.monotonic_ms())

    def monotonic_ms(self) -> Millis:
        return Millis(round(asyncio.get_running_loop().time() * 1000))


class ScriptedSocket:
    """Answers subscriptions as told; ``None`` ends the connection."""

    def __init__(self, answers: list[dict[str, Any] | None], early: list[bytes]) -> None:
        self.queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.sent: list[dict[str, Any]] = []
        self._answers = answers
        self._early = early

    async def frames(self) -> AsyncIterator[bytes]:
        while (frame := await self.queue.get()) is not None:
            yield frame

    async def send(self, frame: bytes) -> None:
        asked = msgspec.json.decode(frame)
        self.sent.append(asked)
        for each in self._early:
            self.queue.put_nowait(each)
        told = self._answers.pop(0) if self._answers else {"status": 200, "result": {"subscriptionId": 0}}
        if told is not None:
            self.queue.put_nowait(msgspec.json.encode({"id": asked["id"]} | told))

    def tell(self, **event: Any) -> None:
        self.queue.put_nowait(msgspec.json.encode({"subscriptionId": 0, "event": event}))


class ScriptedVenue:
    """Connections, and what each subscription is answered: None is silence."""

    def __init__(self, *answers: dict[str, Any] | None, early: list[bytes] | None = None) -> None:
        self.sockets: list[ScriptedSocket] = []
        self.opened_s: list[int] = []
        self.refuse: list[NotSent] = []
        self.open = 0
        self.spot: BinanceSpot
        self._answers = list(answers)
        self._early = early or []

    async def request(
        self, method: str, target: str, *, headers: Mapping[str, str], body: bytes = b"", timeout_ms: int
    ) -> Reply:
        assert (method, target) == ("GET", "/api/v3/time")
        at_ms = BEGAN_MS + 90_000 + round(asyncio.get_running_loop().time() * 1000)
        return Reply(status=200, headers={}, body=b'{"serverTime":%d}' % at_ms)

    @asynccontextmanager
    async def connect(self, target: str) -> AsyncIterator[ScriptedSocket]:
        assert target == "/ws-api/v3"
        if self.refuse:
            raise self.refuse.pop(0)
        self.opened_s.append(round(asyncio.get_running_loop().time()))
        self.sockets.append(ScriptedSocket(self._answers, self._early))
        self.open += 1
        try:
            yield self.sockets[-1]
        finally:
            self.open -= 1

    async def close(self) -> None:
        assert self.open == 0


Script = Callable[[ScriptedVenue], Coroutine[Any, Any, None]]


def play(script: Script, *, venue: ScriptedVenue | None = None, times: SpotStreamTimes | None = None) -> list[Report]:
    """What the reader heard while ``script`` ran; afterwards nothing may be left open or running."""
    loop, heard = DetLoop(7), list[Report]()
    told = venue or ScriptedVenue()

    async def listen(spot: BinanceSpot) -> None:
        async with aclosing(spot.venue.reports()) as reports:
            async for report in reports:
                heard.append(report)

    async def run() -> None:
        told.spot = spot = open_spot(told, "key", "secret", LoopClock(), jitter=random.Random(1), times=times)
        reader = asyncio.create_task(listen(spot))
        await script(told)
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
        assert reader.cancelled()
        await spot.close()
        assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []

    loop.run_until_complete(run())
    assert loop.unheard() == []
    loop.close()
    return heard


def losses(heard: list[Report]) -> list[Loss]:
    return [each.cause for each in heard if isinstance(each, StreamDown)]


async def a_while(_: ScriptedVenue) -> None:
    await asyncio.sleep(60)


def test_up_comes_with_the_answer_and_events_follow() -> None:
    async def script(venue: ScriptedVenue) -> None:
        await asyncio.sleep(1)
        (asked,) = venue.sockets[0].sent
        assert asked["method"] == "userDataStream.subscribe.signature"
        assert {name: type(value) for name, value in asked["params"].items()} == {
            "apiKey": str, "recvWindow": int, "signature": str, "timestamp": int,
        }  # fmt: skip
        assert venue.spot.raw.uses()[0].used == SUBSCRIBE.weight
        venue.sockets[0].tell(e="outboundAccountPosition")
        venue.sockets[0].tell(**NEWS)
        await asyncio.sleep(1)

    up, news = play(script)

    assert up == StreamUp()
    assert isinstance(news, OrderReport)
    assert (news.order.ref, news.order.status) == ("a-m1", Status.NEW)


def test_an_event_that_overtakes_the_answer_is_heard() -> None:
    early = [msgspec.json.encode({"subscriptionId": 0, "event": NEWS})]

    heard = play(a_while, venue=ScriptedVenue(early=early))

    assert heard[0] == StreamUp()
    assert [each.order.ref for each in heard if isinstance(each, OrderReport)] == ["a-m1"]


@pytest.mark.req("S4-NET-1")
@pytest.mark.parametrize(
    ("frame", "cause"),
    [
        ({"event": {"e": "serverShutdown", "E": 1}}, Loss.CLOSED),
        ({"subscriptionId": 0, "event": {"e": "eventStreamTerminated", "E": 1}}, Loss.KEY_EXPIRED),
        ({"id": None, "status": 401, "error": {"code": -2015, "msg": "Invalid API-key"}}, Loss.KEY_REFUSED),
        (None, Loss.CLOSED),
    ],
)
def test_a_lost_connection_is_told_and_made_again(frame: dict[str, Any] | None, cause: Loss) -> None:
    async def script(venue: ScriptedVenue) -> None:
        await asyncio.sleep(60)
        venue.sockets[0].queue.put_nowait(None if frame is None else msgspec.json.encode(frame))
        await asyncio.sleep(60)

    heard = play(script)

    assert [type(each) for each in heard] == [StreamUp, StreamDown, StreamUp]
    assert losses(heard) == [cause]


@pytest.mark.req("S4-NET-1")
def test_an_event_that_cannot_be_read_is_a_gap_on_a_connection_that_stays() -> None:
    async def script(venue: ScriptedVenue) -> None:
        await asyncio.sleep(1)
        venue.sockets[0].tell(e="executionReport", s="BTCUSDT")
        venue.sockets[0].tell(**NEWS)
        await asyncio.sleep(1)
        assert len(venue.sockets) == 1

    heard = play(script)

    assert [type(each) for each in heard] == [StreamUp, StreamDown, StreamUp, OrderReport]
    assert losses(heard) == [Loss.UNREADABLE]


def test_no_answer_to_the_subscription_is_no_stream() -> None:
    heard = play(a_while, venue=ScriptedVenue(None, None))

    assert [type(each) for each in heard] == [StreamDown, StreamUp]
    assert heard[0] == StreamDown(
        reason=f"no answer to the subscription in {READ_TIMEOUT_MS} ms", cause=Loss.UNREACHABLE
    )


def test_a_refused_key_is_tried_again_slowly_and_told_once() -> None:
    no = {"status": 401, "error": {"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."}}
    venue = ScriptedVenue(*[no] * 4)

    heard = play(a_while, venue=venue)

    assert losses(heard) == [Loss.KEY_REFUSED]
    assert heard[-1] == StreamUp()
    assert venue.opened_s == [0, 5, 10, 15, 20]


def test_a_clock_that_is_off_is_set_by_the_refusal() -> None:
    late = {"status": 400, "error": {"code": -1021, "msg": "Timestamp for this request is outside of the recvWindow."}}
    venue = ScriptedVenue(late)

    heard = play(a_while, venue=venue)

    assert [type(each) for each in heard] == [StreamDown, StreamUp]
    stamps = [asked["params"]["timestamp"] for socket in venue.sockets for asked in socket.sent]
    assert stamps[1] - stamps[0] >= 90_000


def test_a_ban_is_waited_out() -> None:
    wait = {"serverTime": BEGAN_MS, "retryAfter": BEGAN_MS + 30_000}
    banned = {"status": 418, "error": {"code": -1003, "msg": "Way too many requests", "data": wait}}
    venue = ScriptedVenue(banned)

    heard = play(a_while, venue=venue)

    assert losses(heard) == [Loss.UNREACHABLE]
    assert venue.opened_s == [0, 30]


def test_silence_ends_a_connection_and_age_renews_it() -> None:
    async def script(venue: ScriptedVenue) -> None:
        for _ in range(50):
            await asyncio.sleep(1800)
            venue.sockets[-1].tell(e="balanceUpdate")

    heard = play(script, times=SpotStreamTimes(silence_ms=2 * HOUR_MS))
    assert losses(heard) == [Loss.RENEWED]

    async def nothing(_: ScriptedVenue) -> None:
        await asyncio.sleep(3 * 3600)

    assert losses(play(nothing, times=SpotStreamTimes(silence_ms=2 * HOUR_MS))) == [Loss.SILENT]


def test_who_asks_for_a_new_connection_gets_one() -> None:
    async def script(venue: ScriptedVenue) -> None:
        await asyncio.sleep(20)
        venue.spot.venue.reconnect("deaf")
        await asyncio.sleep(20)

    heard = play(script)

    assert heard == [StreamUp(), StreamDown(reason="deaf", cause=Loss.ASKED), StreamUp()]


def test_an_unreachable_host_is_told_once_and_tried_ever_more_slowly() -> None:
    venue = ScriptedVenue()
    venue.refuse = [NotSent("no route")] * 6

    heard = play(a_while, venue=venue)

    assert heard == [StreamDown(reason="no route", cause=Loss.UNREACHABLE), StreamUp()]
