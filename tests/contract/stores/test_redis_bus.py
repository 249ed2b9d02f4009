"""What is the Redis adapter's own: slots, scripts, and which errors are tried again."""

import asyncio
import contextlib
import re
from pathlib import Path

import pytest
from redis import exceptions as redis_errors
from redis.asyncio import Redis, SSLConnection

from chimera.adapters.redis import bus as redis_bus
from chimera.adapters.redis import patience
from chimera.adapters.redis.bus import connect
from chimera.adapters.redis.clients import Address, address_of, client
from chimera.adapters.redis.slots import beside, by_slot, same_slot, slot
from chimera.ports.streams import Bus, Latest, Record
from chimera.trading.errors import RecordsGone, StoreUnavailable
from chimera.trading.money import Millis
from chimera.wire import keys
from proofs.shards import Shards

LUA = Path(redis_bus.__file__).parent / "lua"


@pytest.mark.req("RD-2")
def test_literal_braces_are_hash_tags_and_placeholders_are_none() -> None:
    """Slots as a server told them."""
    assert slot(keys.TWAP_QUEUE) == 15396
    assert slot(keys.ROUTE_CURVES) == 408
    assert (slot(keys.ORDER_RESULTS), slot(keys.ORDERS_INTENT)) == (4508, 4766)
    assert slot(keys.tick_key("BTCUSDT")) == 6819
    assert slot(keys.position_lock_key("BTCUSDT")) == 10640
    assert "{" not in keys.idempotency_key("CHM-1")


@pytest.mark.req("RD-2")
@pytest.mark.parametrize("stream", keys.STREAMS)
def test_a_seen_mark_lies_in_its_streams_slot(stream: str) -> None:
    assert slot(beside(stream, "seen")) == slot(stream)


def test_a_seen_mark_is_spelt_as_the_stores_page_says() -> None:
    assert beside(keys.ORDERS_INTENT, "seen") == "{orders:intent}:seen"
    assert beside(keys.ORDER_RESULTS, "seen") == "ord:{results}:seen"


@pytest.mark.parametrize("name", ["odd}name", "{}:x"])
async def test_a_stream_that_no_mark_can_stand_beside_is_refused_before_it_is_sent(name: str) -> None:
    bus = connect("127.0.0.1:1")
    with pytest.raises(ValueError, match="different Cluster slots"):
        await bus.publish(name, "e", {"a": "b"})
    await bus.close()


def test_keys_of_two_slots_never_share_a_command() -> None:
    with pytest.raises(ValueError, match="different Cluster slots"):
        same_slot([keys.TWAP_QUEUE, keys.ALERTS])
    groups = by_slot(["{a}1", "b", "{a}2"])
    assert sorted(map(sorted, groups)) == [["b"], ["{a}1", "{a}2"]]


@pytest.mark.parametrize("script", sorted(LUA.glob("*.lua")), ids=lambda path: path.stem)
def test_scripts_touch_declared_keys_only(script: Path) -> None:
    """A literal key works on one server and breaks on a Cluster, where the call was routed by the declared ones."""
    assert re.fullmatch(r"[a-z_]+_v\d+", script.stem)
    code = re.sub(r"--.*", "", script.read_text())
    calls = re.findall(r"redis\.p?call\('(\w+)', ('GROUP'|[\w\[\]]+)", code)
    assert calls
    assert {first for name, first in calls if name != "XREADGROUP"} <= {"KEYS[1]", "KEYS[2]", "KEYS[i]"}


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (redis_errors.ConnectionError("refused"), True),
        (redis_errors.TimeoutError("silence"), True),
        (redis_errors.BusyLoadingError("loading"), True),
        (redis_errors.ClusterDownError("CLUSTERDOWN"), True),
        (redis_errors.TryAgainError("TRYAGAIN"), True),
        (redis_errors.MovedError("1 127.0.0.1:1"), True),
        (redis_errors.ReadOnlyError("READONLY"), True),
        (redis_errors.RedisClusterException("Redis Cluster cannot be connected. ..."), True),
        (redis_errors.RedisClusterException("startup_nodes could not agree on a valid slots cache: a vs b"), True),
        (redis_errors.ResponseError("Script attempted to access a non local key in a cluster node script: 8a"), True),
        (redis_errors.ResponseError("UNBLOCKED force unblock"), True),
        (redis_errors.ResponseError("MASTERDOWN Link with MASTER is down"), True),
        (redis_errors.ResponseError("NOREPLICAS Not enough good replicas"), True),
        (OSError(111, "refused"), True),
        (AttributeError("'NoneType' object has no attribute 'writelines'"), True),
        (AttributeError("'Bus' object has no attribute 'x'"), False),
        (redis_errors.ClusterCrossSlotError("CROSSSLOT"), False),
        (redis_errors.CrossSlotTransactionError("slots"), False),
        (redis_errors.RedisClusterException("all keys must map to the same key slot"), False),
        (redis_errors.AuthenticationError("NOAUTH"), False),
        (redis_errors.NoPermissionError("NOPERM"), False),
        (redis_errors.OutOfMemoryError("OOM"), False),
        (redis_errors.ResponseError("WRONGTYPE Operation against a key"), False),
    ],
    ids=lambda value: str(value)[:30] if isinstance(value, Exception) else "",
)
@pytest.mark.fault("D15", "D19")
def test_which_errors_pass(error: Exception, again: bool) -> None:
    assert patience.passes(error) is again


@pytest.mark.fault("D15")
async def test_what_is_told_to_a_server_without_memory_is_heard(valkey: str) -> None:
    """Records go in, for the script has written before it appends; their reader was refused, for making its group."""
    bus = connect(valkey)
    port = int(valkey.rpartition(":")[2])
    async with Redis(port=port) as server:
        try:
            await bus.publish("scarce", "a", {"n": "1"})
            assert [entry.fields["n"] for entry in await bus.read("scarce", "g", "c", count=9, block_ms=0)] == ["1"]
            await server.config_set("maxmemory", 1)
            await bus.publish("scarce", "b", {"n": "2"})
            heard = await bus.read("scarce", "g", "c", count=9, block_ms=0)
            assert [entry.fields["n"] for entry in heard] == ["1", "2"]
            await bus.ack("scarce", "g", [entry.id for entry in heard])
            with pytest.raises(StoreUnavailable, match="maxmemory"):
                await bus.put("scarce:key", b"1")
        finally:
            await server.config_set("maxmemory", 0)
            await bus.close()


async def test_a_call_is_repeated_until_it_succeeds() -> None:
    async def third_time(tries: int) -> int:
        if tries < 2:
            raise redis_errors.ConnectionError("away")
        return tries

    assert await patience.until(5, "op", third_time) == 2


async def test_a_call_is_given_up_at_its_deadline() -> None:
    async def never(_: int) -> None:
        raise redis_errors.ConnectionError("away")

    with pytest.raises(StoreUnavailable, match=r"'op' in 0\.05 s: away") as caught:
        await patience.until(0.05, "op", never)
    assert isinstance(caught.value.__cause__, redis_errors.ConnectionError)


async def _deaf(_: int) -> str:
    """Swallows one cancellation, as ``asyncio.wait_for`` may before Python 3.12."""
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(5)
    return "done"


async def test_a_cancellation_that_the_driver_swallowed_is_passed_on() -> None:
    task = asyncio.create_task(patience.until(60, "op", _deaf))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_deadline_that_the_driver_swallowed_still_comes() -> None:
    with pytest.raises(StoreUnavailable, match=r"'op' in 0\.02 s"):
        await patience.until(0.02, "op", _deaf)


async def test_a_task_on_its_way_out_may_still_tidy_up() -> None:
    async def leave() -> str:
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            return await patience.until(5, "release", lambda _: asyncio.sleep(0, "released"))
        return "not cancelled"

    task = asyncio.create_task(leave())
    await asyncio.sleep(0)
    task.cancel()
    assert await task == "released"


async def test_a_reader_hears_its_cancellation_at_every_step(valkey: str, fresh: str) -> None:
    for step in range(40):
        bus = connect(valkey)
        reading = asyncio.create_task(bus.read(fresh, "g", f"c{step}", count=1, block_ms=50))
        for _ in range(step):
            await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await bus.close()


@pytest.mark.fault("D15")
async def test_a_refusal_is_told_at_once(valkey: str, fresh: str) -> None:
    bus = connect(valkey, deadline_ms=Millis(60_000))
    await bus.put(fresh, b"a string, not a stream")
    async with asyncio.timeout(5):
        with pytest.raises(StoreUnavailable, match="WRONGTYPE"):
            await bus.publish(fresh, "e1", {"a": "b"})
    await bus.close()


async def test_an_append_that_was_refused_is_not_marked_as_seen(valkey: str, fresh: str) -> None:
    bus = connect(valkey)
    await bus.put(fresh, b"in the way")
    with pytest.raises(StoreUnavailable):
        await bus.publish(fresh, "e1", {"a": "b"})
    async with Redis(host="127.0.0.1", port=int(valkey.rpartition(":")[2])) as raw:
        assert not await raw.exists(beside(fresh, "seen"))
    await bus.close()


def _news(stream: str, *events: str) -> list[Record | Latest]:
    return [Record(stream=stream, event_id=each, fields={"n": each}) for each in events]


async def _told(bus: Bus, stream: str) -> list[str]:
    return [entry.fields["n"] for entry in await bus.tail(stream, after="0", count=100, block_ms=0)]


async def test_news_refused_by_one_stream_is_told_on_the_others_and_later_there_each_once(
    valkey: str, fresh: str
) -> None:
    bus, raw = connect(valkey), client([valkey], cluster=False, answer_s=1)
    first, refusing, last = fresh, fresh + "-b", fresh + "-c"
    await bus.put(refusing, b"in the way")
    news = [*_news(first, "e1", "e2"), *_news(refusing, "e2", "e3"), *_news(last, "e3")]
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="WRONGTYPE"):
            await bus.tell(news)
    assert (await _told(bus, first), await _told(bus, last)) == (["e1", "e2"], ["e3"])
    await raw.delete(refusing)
    await bus.tell([*news, *_news(first, "e4")])
    assert await _told(bus, first) == ["e1", "e2", "e4"]
    assert (await _told(bus, refusing), await _told(bus, last)) == (["e2", "e3"], ["e3"])
    await raw.aclose()
    await bus.close()


async def test_a_server_that_has_just_begun_is_told_of_each_stream(valkey: str, fresh: str) -> None:
    bus, raw = connect(valkey), client([valkey], cluster=False, answer_s=1)
    await raw.script_flush()
    key = fresh + "-key"
    await bus.tell([*_news(fresh, "e1", "e2"), Latest(key=key, document=b"x"), *_news(fresh + "-b", "e1")])
    assert (await _told(bus, fresh), await _told(bus, fresh + "-b")) == (["e1", "e2"], ["e1"])
    assert await bus.get(key) == b"x"
    await raw.aclose()
    await bus.close()


async def test_a_telling_cut_short_leaves_no_answer_of_its_own_to_the_next_call(valkey: str, fresh: str) -> None:
    bus = connect(valkey)
    news = [*_news(fresh, "e1", "e2"), *_news(fresh + "-b", "e1"), Latest(key=fresh + "-key", document=b"x")]
    for turns in range(1, 30):
        telling = asyncio.create_task(bus.tell(news))
        for _ in range(turns):
            await asyncio.sleep(0)
        telling.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await telling
        await bus.put(fresh + "-other", str(turns).encode())
        assert await bus.get(fresh + "-other") == str(turns).encode()
    await bus.tell(news)
    assert (await _told(bus, fresh), await _told(bus, fresh + "-b")) == (["e1", "e2"], ["e1"])
    await bus.close()


async def test_a_lost_answer_to_remember_is_not_taken_for_another_writer(
    valkey: str, fresh: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus = connect(valkey)
    whole = redis_bus.RedisBus._set_absent
    lost: list[str] = []

    async def once_lost(self: redis_bus.RedisBus, key: str, value: str, ttl_ms: int) -> bytes | None:
        there = await whole(self, key, value, ttl_ms)
        if not lost:
            lost.append(key)
            raise redis_errors.ConnectionError("the answer was lost")
        return there

    monkeypatch.setattr(redis_bus.RedisBus, "_set_absent", once_lost)
    assert await bus.remember(fresh, "mine", 5000) is None
    assert lost
    assert await bus.remember(fresh, "other", 5000) == "mine"
    await bus.close()


def scripted(words: tuple[object, ...]) -> bool:
    return words[0] in ("EVAL", "EVALSHA")


async def test_records_handed_out_in_a_lost_answer_come_with_the_next_try(
    valkey: str, fresh: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus = connect(valkey)
    await bus.publish(fresh, "e1", {"n": "1"})
    whole = bus._client.execute_command
    lost: list[object] = []

    async def once_lost(*words: object, **options: object) -> object:
        answer = await whole(*words, **options)  # type: ignore[arg-type]  # passed on as they came
        if scripted(words) and not lost:
            lost.append(answer)
            raise redis_errors.ConnectionError("the answer was lost")
        return answer

    monkeypatch.setattr(bus._client, "execute_command", once_lost)
    [entry] = await bus.read(fresh, "g", "c", count=10, block_ms=0)
    assert (entry.fields, entry.deliveries, len(lost)) == ({"n": "1"}, 2, 1)
    await bus.close()


async def test_records_handed_to_a_cancelled_reader_come_with_the_next_read(
    valkey: str, fresh: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus = connect(valkey)
    assert list(await bus.read(fresh, "g", "c", count=10, block_ms=0)) == []  # from here on nothing is owed
    await bus.publish(fresh, "e1", {"n": "1"})
    whole = bus._client.execute_command
    handed = asyncio.Event()

    async def unheard(*words: object, **options: object) -> object:
        answer = await whole(*words, **options)  # type: ignore[arg-type]  # passed on as they came
        if scripted(words):
            handed.set()
            await asyncio.sleep(5)
        return answer

    with monkeypatch.context() as cut:
        cut.setattr(bus._client, "execute_command", unheard)
        reading = asyncio.create_task(bus.read(fresh, "g", "c", count=10, block_ms=0))
        await handed.wait()
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
    [entry] = await bus.read(fresh, "g", "c", count=10, block_ms=0)
    assert (entry.fields, entry.deliveries) == ({"n": "1"}, 2)
    await bus.close()


@pytest.mark.fault("D10")
@pytest.mark.req("I24")
async def test_whoever_dies_before_it_has_told_of_what_is_gone_is_told_again(valkey: str, fresh: str) -> None:
    """And a server that has nothing left of a stream still knows how much there was."""
    first, heir = (connect(valkey, deadline_ms=Millis(20_000)) for _ in range(2))
    async with Redis(host="127.0.0.1", port=int(valkey.rpartition(":")[2])) as raw:
        for n in (1, 2, 3):
            await first.publish(fresh, f"e{n}", {"n": str(n)})
        await first.read(fresh, "g", "c", count=1, block_ms=0)
        await raw.xtrim(fresh, maxlen=0, approximate=False)
        for bus in (first, heir):
            with pytest.raises(RecordsGone) as gone:
                await bus.read(fresh, "g", "c", count=2, block_ms=0)
            assert gone.value.count == 3
        assert list(await heir.read(fresh, "g", "c", count=2, block_ms=0)) == []
        assert (await raw.xpending(fresh, "g"))["pending"] == 0
        await first.publish(fresh, "e4", {"n": "4"})
        [left] = await heir.read(fresh, "g", "c", count=2, block_ms=0)
        assert left.fields == {"n": "4"}
    await first.close()
    await heir.close()


async def test_a_stream_is_kept_at_about_its_length(valkey: str, fresh: str) -> None:
    bus = connect(valkey, stream_max=100)
    for n in range(400):
        await bus.publish(fresh, f"e{n}", {"n": str(n)})
    kept = await bus.tail(fresh, after="0", count=1000, block_ms=0)
    assert 100 <= len(kept) <= 200
    assert kept[-1].fields == {"n": "399"}
    await bus.close()


@pytest.mark.parametrize("address", ["", ":6379", "host:port", "a:b:c"])
def test_a_bad_address_is_told(address: str) -> None:
    with pytest.raises(ValueError, match="address"):
        connect(address)


@pytest.mark.parametrize(
    ("address", "read"),
    [
        ("redis", Address("redis", 6379)),
        ("10.0.0.1:7000", Address("10.0.0.1", 7000)),
        ("[::1]:7000", Address("::1", 7000)),
        ("unix:/run/r.sock", Address(path="/run/r.sock")),
        ("redis://h", Address("h", 6379)),
        ("redis://h:7/3", Address("h", 7, db=3)),
        ("redis://:p%3A%2F%2C%401@h:7", Address("h", 7, password="p:/,@1")),
        ("redis://desk:p2@[::1]:7/", Address("::1", 7, user="desk", password="p2")),
        (
            "rediss://desk:p2@h?ca=/etc/ca.pem",
            Address("h", 6379, user="desk", password="p2", tls=True, ca="/etc/ca.pem"),
        ),
    ],
)
def test_addresses_are_read(address: str, read: Address) -> None:
    assert address_of(address) == read


@pytest.mark.parametrize(
    "address",
    ["redis://u:geheim@", "http://u:geheim@h", "redis://u:geheim@h:port", "redis://u:geheim@h/x",
     "redis://u:geheim@h/1/2", "u:geheim@h:1", "redis://u:geheim@h?ca=x", "rediss://u:geheim@h?cert=x",
     "redis://u:geheim@h#1"],
)  # fmt: skip
def test_a_bad_address_with_a_password_is_told_without_it(address: str) -> None:
    with pytest.raises(ValueError, match=r"address|ca goes with") as told:
        connect(address)
    assert "geheim" not in str(told.value)


def test_nodes_of_one_cluster_are_come_to_alike() -> None:
    with pytest.raises(ValueError, match="same user"):
        connect("redis://:a@h:1,redis://:b@h:2")


def test_a_cluster_has_no_databases_to_choose_from() -> None:
    with pytest.raises(ValueError, match="database 0 alone"):
        connect("redis://h:1/2,redis://h:2/2")


@pytest.mark.req("RD-1")
async def test_what_is_told_in_one_database_is_not_heard_in_another(valkey: str, fresh: str) -> None:
    """Streams, groups, boards, locks, queues and tables: each of two accounts on one server has its own."""
    one, two = connect(valkey), connect(f"redis://{valkey}/1")
    for bus in (one, two):
        assert await bus.acquire(f"{fresh}-lock", str(id(bus)), 3_000)
        await bus.put(f"{fresh}-board", str(id(bus)).encode())
        await bus.publish(fresh, "same-id", {"whose": str(id(bus))})
        await bus.schedule(f"{fresh}-queue", {str(id(bus)): Millis(1)})
        await bus.lay(f"{fresh}-table", {"line": str(id(bus)).encode()}, ttl_ms=3_000)
    for bus in (one, two):
        own = str(id(bus))
        assert await bus.get(f"{fresh}-board") == own.encode()
        entries = await bus.read(fresh, "g", "c", count=10, block_ms=0)
        assert [entry.fields["whose"] for entry in entries] == [own]
        due = await bus.claim(f"{fresh}-queue", now_ms=Millis(2), until_ms=Millis(3), count=10)
        assert [task.name for task in due] == [own]
        assert (await bus.table(f"{fresh}-table")).lines == {"line": own.encode()}
        await bus.close()


@pytest.mark.req("RD-1")
async def test_a_server_with_a_password_and_one_with_users_is_used(locked_valkey: str, fresh: str) -> None:
    """No password could be told: such a Redis could not be used at all."""
    for known in (":p%3A%2F%2C%401@", "desk:p2@"):
        bus = connect(f"redis://{known}{locked_valkey}")
        await bus.ping()
        await bus.publish(fresh, known, {"n": "1"})
        await bus.tell([*_news(fresh, f"{known}e2"), *_news(fresh + "-b", known)])
        assert (await _told(bus, fresh))[-1] == f"{known}e2"
        await bus.close()
    for unknown in ("", "redis://:wrong@", "redis://desk:wrong@"):
        bus = connect(unknown + locked_valkey, deadline_ms=Millis(300))
        with pytest.raises(StoreUnavailable) as refused:
            await bus.ping()
        assert "wrong" not in str(refused.value).replace("WRONGPASS", "")
        await bus.close()


async def test_over_tls_the_server_must_prove_who_it_is() -> None:
    speaking = client(["rediss://h:7?ca=/etc/ca.pem"], cluster=False, answer_s=1)
    assert isinstance(speaking, Redis)
    made = speaking.connection_pool.make_connection()
    assert isinstance(made, SSLConnection)
    assert (made.ca_certs, made.check_hostname) == ("/etc/ca.pem", True)


@pytest.mark.slow
async def test_one_address_of_a_cluster_is_told_to_be_too_few(six_nodes: Shards) -> None:
    one = six_nodes.nodes[0]
    bus = connect(one.address, deadline_ms=Millis(60_000))
    anothers = next(key for key in "abcdef" if six_nodes.master_of(key) is not one)
    with pytest.raises(StoreUnavailable, match="one node of a Redis Cluster: name more"):
        await bus.get(anothers)
    await bus.close()


@pytest.mark.slow
async def test_a_cluster_would_refuse_what_the_key_layer_refuses(valkey_cluster: str) -> None:
    """The truth that ``same_slot`` stands in for: the server itself says CROSSSLOT."""
    async with Redis(host="127.0.0.1", port=int(valkey_cluster.rpartition(":")[2])) as raw:
        with pytest.raises(redis_errors.ResponseError, match="slot"):
            await raw.mget([keys.TWAP_QUEUE, keys.ALERTS])
