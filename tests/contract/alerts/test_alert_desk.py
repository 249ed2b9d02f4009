"""The desk over its stores, with a receiver on a real socket; and its HTTP face."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import httpx2
import pytest
from alert_receivers import Receiver, receiving
from alert_records import T0, fields

from chimera.adapters.memory.bus import MemoryBus
from chimera.adapters.memory.ledger import MemoryLedger
from chimera.services.alerts import desk as desk_module
from chimera.services.alerts.beat import AGAIN_S, EVERY_S, SOON_S, SUBJECT, Beat
from chimera.services.alerts.channels import Webhook, signing_key
from chimera.services.alerts.desk import DEAF, DEAF_LONG_MS, DEAF_MS, UNDELIVERED, Desk, Line
from chimera.services.alerts.http import build_app
from chimera.services.alerts.telling import Policy
from chimera.services.alerts.watch import SILENT, Watch
from chimera.services.exposition import page
from chimera.services.service import Service
from chimera.trading.errors import StoreUnavailable
from chimera.trading.events import Severity
from chimera.trading.money import Millis
from chimera.wire.keys import ALERTS

pytestmark = pytest.mark.req("S4-ALR-1", "S3-ALR-1")


class Hand:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.ms = T0

    def now_ms(self) -> Millis:
        return Millis(self.ms)

    def monotonic_ms(self) -> int:
        return self.ms


class House:
    """A desk that is opened, asked and killed; its stores outlive it."""

    def __init__(self, receiver: Receiver, session: aiohttp.ClientSession) -> None:
        self.clock = Hand()
        self.rows, self.bus = MemoryLedger(), MemoryBus(self.clock)
        self.receiver, self.session = receiver, session
        self.number = 0
        self.desk = self.made()

    def made(self) -> Desk:
        hook = Webhook(self.receiver.url, signing_key("0123456789abcdef"), self.session, self.clock, "docs/runbook.md")
        return Desk(rows=self.rows, streams=self.bus, clock=self.clock, channels=(hook,), policy=Policy())

    async def again(self) -> None:
        self.desk = self.made()
        await self.desk.open()

    async def publish(self, *records: dict[str, str]) -> None:
        for record in records:
            self.number += 1
            await self.bus.publish(ALERTS, f"e{self.number}", record)

    async def read(self) -> None:
        """What is on the stream, taken."""
        await self.desk.take(await self.bus.read(ALERTS, "alerts", "alerts", count=100, block_ms=0))

    @property
    def line(self) -> Line:
        return self.desk.lines["webhook"]

    def sent(self) -> list[list[tuple[str, str]]]:
        told = [json.loads(body) for _, _, body in self.receiver.got]
        return [[(each["code"], each["what"]) for each in message["alerts"]] for message in told]

    def codes(self) -> list[str]:
        return [ticket.code for ticket in self.desk.book.standing]


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with receiving() as receiver, aiohttp.ClientSession() as session:
        made = House(receiver, session)
        await made.desk.open()
        yield made


async def test_what_the_stream_says_is_kept_and_sent_once(house: House) -> None:
    await house.publish(fields("USER_STREAM", lasts=True))
    await house.read()
    assert await house.desk.tell(house.line) == 0
    assert await house.desk.tell(house.line) == 0
    await house.publish(fields("USER_STREAM_OVER", Severity.INFO))
    await house.read()
    await house.desk.tell(house.line)
    assert house.sent() == [[("USER_STREAM", "OPENED")], [("USER_STREAM", "RESOLVED")]]


async def test_a_desk_that_is_killed_before_it_wrote_what_it_sent_sends_the_same_again(house: House) -> None:
    await house.publish(fields("USER_STREAM", lasts=True), fields("DOUBT_OLD"))
    await house.read()
    await house.desk.tell(house.line)
    await house.again()
    assert sorted(house.codes()) == ["DOUBT_OLD", "USER_STREAM"]
    house.clock.ms += 5_000
    await house.desk.tell(house.line)
    (_, first, _), (_, second, _) = house.receiver.got
    assert first["webhook-id"] == second["webhook-id"], "whoever has had it knows it by its id"


async def test_what_was_told_is_on_disk_and_not_told_by_the_next_life(house: House) -> None:
    await house.publish(fields("USER_STREAM", lasts=True), fields("DOUBT_OLD"))
    await house.read()
    await house.desk.tell(house.line)
    await house.desk.save()
    await house.again()
    assert await house.desk.tell(house.line) == 0
    assert len(house.receiver.got) == 1
    await house.publish(fields("USER_STREAM_OVER", Severity.INFO))
    await house.read()
    await house.again()  # it is over on disk, and nobody has heard
    await house.desk.tell(house.line)
    assert house.sent()[1:] == [[("USER_STREAM", "RESOLVED")]]


async def test_a_record_whose_ticket_cannot_be_saved_stays_on_the_stream(house: House) -> None:
    class Away(MemoryLedger):
        async def put(self, *_: Any) -> None:
            raise StoreUnavailable("disk full")

    there = house.rows
    house.rows = Away()
    await house.again()
    await house.publish(fields("DOUBT_OLD"))
    with pytest.raises(StoreUnavailable):
        await house.read()
    assert not house.desk.store_up
    house.rows = there
    await house.again()
    await house.read()
    assert house.codes() == ["DOUBT_OLD"]


async def test_a_full_disk_of_its_own_keeps_none_of_many_from_being_told(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has no ticket on disk stays on the stream, and comes first with every reading: nothing came after it."""

    class Full(MemoryLedger):
        async def put(self, *_: Any) -> None:
            raise StoreUnavailable("disk full")

    monkeypatch.setattr(desk_module, "BATCH", 2)
    house.rows = Full()
    await house.again()
    for number in range(7):
        await house.publish(fields("EXTERNAL_ORDER", subject=f"o{number}"))
    for _ in range(7):
        with pytest.raises(StoreUnavailable):
            await house.desk.hear(block_ms=0)
    assert sorted(ticket.subject[-2:] for ticket in house.desk.book.standing) == [f"o{number}" for number in range(7)]
    assert house.desk.heard_ms == house.clock.ms


async def test_one_that_cannot_be_read_holds_up_no_other(house: House) -> None:
    await house.publish({"code": "X"}, fields("DOUBT_OLD"), {**fields("NEWER"), "data": '{"schema_version": 999}'})
    await house.read()
    assert (house.codes(), house.desk.unreadable) == (["DOUBT_OLD"], 2)
    assert await house.bus.read(ALERTS, "alerts", "alerts", count=9, block_ms=0) == []


async def test_what_went_by_the_streams_length_is_an_alert_with_its_count(house: House) -> None:
    house.bus = MemoryBus(house.clock, stream_max=3)
    await house.again()
    await house.publish(fields("DOUBT_OLD"))
    await house.read()
    await house.publish(*(fields(f"CODE_{n}") for n in range(7)))
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        listening = group.create_task(house.desk._listen())
        while "CODE_6" not in house.codes():  # noqa: ASYNC110 - its own task
            await asyncio.sleep(0.001)
        listening.cancel()
    assert sorted(house.codes()) == ["ALERTS_GONE", "CODE_4", "CODE_5", "CODE_6", "DOUBT_OLD"]
    [told] = [ticket for ticket in house.desk.book.standing if ticket.code == "ALERTS_GONE"]
    assert told.text.startswith("4 records of alerts were trimmed away")


async def test_a_receiver_that_fails_is_asked_again_with_the_same_id_and_is_an_alert(house: House) -> None:
    house.receiver.answers = [(500, {}, {}), (503, {}, {"Retry-After": "60"})]
    await house.publish(fields("DOUBT_OLD"))
    await house.read()
    first = await house.desk.tell(house.line)
    assert 800 <= first <= 1_200
    assert house.codes() == ["DOUBT_OLD"], "once is nothing"
    assert await house.desk.tell(house.line) == 60_000
    assert sorted(house.codes()) == [UNDELIVERED, "DOUBT_OLD"]
    assert house.line.state == "failing"
    assert await house.desk.tell(house.line) == 0
    assert len({headers["webhook-id"] for _, headers, _ in house.receiver.got}) == 1
    assert (house.codes(), house.line.state) == (["DOUBT_OLD"], "ok")


async def test_what_comes_while_a_receiver_is_away_is_one_message_when_it_is_back(house: House) -> None:
    house.receiver.answers = [(401, {}, {})]
    await house.publish(fields("DOUBT_OLD"))
    await house.read()
    assert await house.desk.tell(house.line) == desk_module.LONGEST_PAUSE_MS
    for number in range(50):
        await house.publish(fields("EXTERNAL_ORDER", subject=f"o{number}"))
    await house.read()
    house.clock.ms += desk_module.LONGEST_PAUSE_MS
    await house.desk.tell(house.line)
    await house.desk.tell(house.line)
    told = json.loads(house.receiver.got[1][2])
    assert len(told["alerts"]) + told["more"] == 52  # with the one that says that the channel failed
    assert house.sent()[2:] == [[(UNDELIVERED, "RESOLVED")]]


async def test_a_stream_that_does_not_answer_is_an_alert_and_so_is_its_end(house: House) -> None:
    class Deaf(MemoryBus):
        async def read(self, *_: Any, **__: Any) -> list[Any]:
            raise StoreUnavailable("Redis refused 'read': OOM")

    house.desk.heard_ms, house.desk._streams = house.clock.ms, Deaf(house.clock)
    with pytest.raises(StoreUnavailable):
        await house.desk.hear()
    house.clock.ms += DEAF_MS
    house.desk.look()
    assert [(t.code, t.severity) for t in house.desk.book.standing] == [(DEAF, "ERROR")]
    assert house.desk.book.standing[0].text.endswith("10 s: Redis refused 'read': OOM")
    house.clock.ms += DEAF_LONG_MS - DEAF_MS
    house.desk.look()
    assert [(t.code, t.severity) for t in house.desk.book.standing] == [(DEAF, "FATAL")], (
        "a quiet hour, or a bare night"
    )
    house.desk.heard_ms = house.clock.ms
    house.desk.look()
    assert house.codes() == []


async def test_all_of_it_runs_by_itself_and_a_broken_channel_holds_up_no_other(house: House) -> None:
    class Broken:
        name = "broken"

        async def send(self, _: object) -> str:
            raise RuntimeError("a mistake of ours")

    async with receiving() as other:
        good = Webhook(other.url, b"0123456789abcdef", house.session, house.clock, "docs/runbook.md")
        desk = Desk(rows=house.rows, streams=house.bus, clock=house.clock, channels=(Broken(), good), policy=Policy())
        running = asyncio.create_task(desk.run())
        await house.publish(fields("DOUBT_OLD"))
        while UNDELIVERED not in "".join(body.decode() for _, _, body in other.got):
            await other.until(len(other.got) + 1)
        assert not running.done()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    [ticket] = [ticket for ticket in desk.book.standing if ticket.code == UNDELIVERED]
    assert (ticket.subject, desk.lines["broken"].state) == ("broken", "failing")
    assert ticket.text == "broken: it broke: RuntimeError, see the log", "no more, since its words may have a secret"


# ── who is watched ──


async def test_a_service_that_does_not_answer_is_an_alert_and_s4s_is_the_worst(house: House) -> None:
    async with receiving() as s3:
        watch = a_watch(house, {"s3": ("http://127.0.0.1:9", s3.url), "s4": ("http://127.0.0.1:9",)})
        await look(watch, "s3", "s4")
        assert house.codes() == [], "a house that starts is given time"
        house.clock.ms += 30_000
        s3.answers = [(404, {}, {})]  # a refusal is an answer
        await look(watch, "s3", "s4")
        assert [(t.code, t.subject, t.severity) for t in house.desk.book.standing] == [(SILENT, "s4", "FATAL")]
        assert watch.shown()["s4"]["up"] is False
    house.clock.ms += 30_000
    await look(watch, "s3")
    assert [t.subject for t in house.desk.book.standing] == ["s4", "s3"]


async def test_routers_that_all_stand_by_are_the_silence_of_s4(house: House) -> None:
    """Each of them answers, and none puts a stop under a fill: none of them would tell, either."""
    standby = (200, {"status": "standby", "checks": {"lease": "unknown"}}, {})
    async with receiving() as first, receiving() as second:
        watch = a_watch(house, {"s4": (first.url, second.url)})
        first.answers, second.answers = [standby, standby], [standby, (200, {"status": "degraded"}, {})]
        house.clock.ms += 30_000
        await look(watch, "s4")
        [silent] = house.desk.book.standing
        assert (silent.code, silent.severity, "nobody acts" in silent.text) == (SILENT, "FATAL", True)
        await look(watch, "s4")
        assert house.codes() == [], "one has taken over"


async def test_what_was_of_the_worst_and_told_to_nobody_is_told_after_a_start(house: House) -> None:
    """It came and went while the channel was away, and then this process died."""
    await house.publish(
        fields("SLI_UNPROTECTED", Severity.FATAL, lasts=True), fields("SLI_UNPROTECTED_OVER", Severity.INFO)
    )
    await house.read()
    await house.again()
    await house.desk.tell(house.line)
    assert house.sent() == [[("SLI_UNPROTECTED", "RESOLVED")]]


def a_watch(house: House, addresses: dict[str, tuple[str, ...]]) -> Watch:
    def raised(code: str, why: str | None, subject: str, severity: Severity) -> None:
        house.desk.level(code, why, subject=subject, severity=severity)

    return Watch(addresses, 30_000, house.clock, raised)


async def look(watch: Watch, *names: str) -> None:
    from chimera.client.http import ServiceHttp  # noqa: PLC0415 - beside its one use

    for name in names:
        faces = [ServiceHttp(address) for address in watch._addresses[name]]
        await watch.look(name, faces)
        for face in faces:
            await face.close()


# ── who watches from outside ──


@pytest.mark.fault("G20")
async def test_a_sign_goes_out_while_alerts_would_be_told_and_never_else(house: House) -> None:
    def raised(code: str, why: str | None, subject: str, severity: Severity) -> None:
        house.desk.level(code, why, subject=subject, severity=severity)

    async with receiving() as outside:
        beat = Beat(outside.url + "/ping/c0ffee", house.session, house.desk.mute, raised)
        heard = [await beat.look()]
        await house.desk.hear(block_ms=0)
        heard.append(await beat.look())
        house.line.since_ms = house.clock.ms  # its one channel fails
        heard.append(await beat.look())
        house.line.since_ms = None
        house.clock.ms += DEAF_MS
        heard.append(await beat.look())
        assert (heard, [path for path, _, _ in outside.got]) == ([SOON_S, EVERY_S, SOON_S, SOON_S], ["/ping/c0ffee"])

        await house.desk.hear(block_ms=0)
        outside.answers = [(500, {}, {})] * 2
        assert [await beat.look(), await beat.look()] == [AGAIN_S, AGAIN_S]
        [ticket] = house.desk.book.standing
        assert (ticket.code, ticket.subject) == (UNDELIVERED, SUBJECT)
        assert ticket.text == "the watcher outside: 127.0.0.1 answered 500", "not where: it is as good as a key"
        assert await beat.look() == EVERY_S
    assert house.codes() == []


# ── the face ──


@asynccontextmanager
async def face(house: House) -> AsyncIterator[httpx2.AsyncClient]:
    app = build_app(house.desk, a_watch(house, {}), house.clock)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://a") as client:
        yield client


async def test_alerts_are_listed_worst_first_acknowledged_and_resolved(house: House) -> None:
    await house.publish(
        fields("MAKER_TIMEOUT", Severity.WARN), fields("EXIT_FAILING", Severity.FATAL), fields("CLOCK", lasts=True)
    )
    await house.read()
    async with face(house) as client:
        told = (await client.get("/alerts")).json()
        assert [each["code"] for each in told["alerts"]] == ["EXIT_FAILING", "CLOCK", "MAKER_TIMEOUT"]
        assert (told["worst"], told["counts"]) == ("FATAL", {"open": 3, "acknowledged": 0})
        fatal, clock, _ = (each["id"] for each in told["alerts"])

        seen = (await client.post(f"/alerts/{fatal}/ack", json={"by": "anna", "note": "looking"})).json()
        assert (seen["state"], seen["acknowledged"]["by"]) == ("ACKNOWLEDGED", "anna")
        assert [each["id"] for each in (await client.get("/alerts?state=acknowledged")).json()["alerts"]] == [fatal]

        refused = await client.post(f"/alerts/{clock}/resolve")
        assert (refused.status_code, refused.json()["code"]) == (409, "STILL_STANDS")
        done = (await client.post(f"/alerts/{fatal}/resolve", json={"note": "closed by hand"})).json()
        assert (done["state"], done["resolved"]["by"]) == ("RESOLVED", "loopback")
        assert [each["id"] for each in (await client.get("/alerts?state=resolved")).json()["alerts"]] == [fatal]
        await house.again()
    async with face(house) as client:
        assert (await client.get(f"/alerts/{fatal}")).json()["resolved"]["note"] == "closed by hand"
        assert (await client.get("/alerts?state=all&newest=2")).json()["alerts"][1]["code"] == "MAKER_TIMEOUT"


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/alerts/nobody/ack", {}, 404, "NOT_FOUND"),
        ("/alerts/nobody/ack", {"who": "x"}, 400, "UNKNOWN_FIELD"),
        ("/alerts/nobody/resolve", {"note": "x" * 501}, 400, "MALFORMED"),
    ],
)
async def test_a_deed_that_is_none_is_refused(house: House, path: str, body: object, status: int, code: str) -> None:
    async with face(house) as client:
        answer = await client.post(path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert "GET /alerts" in answer.json()["accepted"] or code != "NOT_FOUND"


async def test_a_list_that_nobody_knows_is_refused(house: House) -> None:
    async with face(house) as client:
        assert (await client.get("/alerts?state=odd")).json()["code"] == "OUT_OF_RANGE"
        assert (await client.get("/alerts?newest=0")).json()["field"] == "newest"


async def test_a_test_goes_to_every_channel_at_once_and_tells_what_came_of_it(house: House) -> None:
    house.receiver.answers = [(200, {}, {}), (403, {}, {})]
    async with face(house) as client:
        good = (await client.post("/alerts/test")).json()["channels"]
        bad = (await client.post("/alerts/test")).json()["channels"]
    assert [(each["channel"], each["ok"], each["detail"]) for each in (*good, *bad)] == [
        ("webhook", True, "200"), ("webhook", False, "the webhook answered 403"),
    ]  # fmt: skip
    assert json.loads(house.receiver.got[0][2])["type"] == "alerts.test"


async def test_health_and_metrics_say_how_it_is(house: House) -> None:
    async with face(house) as client:
        assert (await client.get("/ready")).status_code == 503, "the stream has not been heard yet"
        house.desk.heard_ms = house.clock.ms
        assert (await client.get("/ready")).status_code == 200
        told = (await client.get("/health")).json()
        assert (told["status"], told["checks"]["channels"]["webhook"]["state"]) == ("ok", "idle")
        house.line.since_ms = 5
        assert (await client.get("/health")).json()["status"] == "degraded"
        assert 'alerts_channel_up{channel="webhook"} 0.0' in (await client.get("/metrics")).text
    assert page(Service.ALERTS, ()) is not None
