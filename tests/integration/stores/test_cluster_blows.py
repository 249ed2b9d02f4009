"""A Redis Cluster of six, struck under a desk's whole store work (``proofs/store_load.py``).

Nobody who had the patience hears an error; nothing is lost, nothing doubled.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final

import pytest

from chimera.adapters.redis import recent
from chimera.adapters.redis.bus import connect
from chimera.adapters.redis.cluster import ClusterClient
from chimera.ports.streams import Bus
from chimera.trading.money import Millis
from chimera.wire import keys
from proofs.shards import Shards, shards
from proofs.store_load import STREAMS, Load

pytestmark = [pytest.mark.slow, pytest.mark.req("RD-1", "S4-NET-2")]

PATIENT_MS: Final = Millis(60_000)
BEHIND_S: Final = 0.5
FROZEN_S: Final = 2.5
STEP_S: Final = 0.2


@pytest.fixture(scope="module")
def six(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shards]:
    with shards(tmp_path_factory.mktemp("six")) as running:
        yield running


async def master_dies_with_what_only_it_had(six: Shards) -> None:
    (await six.lose(keys.ROUTER_EVENTS, behind_s=BEHIND_S)).start()


async def planned(six: Shards) -> None:
    for stream in STREAMS:
        await six.fail_over(stream)


async def slots_move(six: Shards) -> None:
    for stream in STREAMS:
        await six.move_slowly(stream, STEP_S)


async def frozen(six: Shards) -> None:
    await six.freeze(keys.ROUTER_EVENTS, FROZEN_S)


@pytest.mark.req("S4-EVT-1", "S4-ROUTE-6", "I24")
@pytest.mark.fault("D1", "D2")
@pytest.mark.parametrize("blow", [master_dies_with_what_only_it_had, planned, slots_move, frozen, Shards.restart])
async def test_nothing_is_lost_or_doubled(
    blow: Callable[[Shards], Awaitable[None]], six: Shards, monkeypatch: pytest.MonkeyPatch
) -> None:
    redirected = Counter[str]()
    for name in ("_follow", "_ask"):
        monkeypatch.setattr(ClusterClient, name, counting(redirected, name, getattr(ClusterClient, name)))
    load = Load(lambda: connect(six.addresses, deadline_ms=PATIENT_MS), prefix=f"{blow.__name__}-")
    async with load.running():
        await blow(six)
        await six.until_whole()
        await asyncio.sleep(STEP_S)
    seen = await load.seen()
    await load.close()

    assert seen.sound, seen
    assert not seen.why, seen
    assert seen.told > 0
    if blow is slots_move:
        assert redirected["_follow"]
        assert redirected["_ask"]


def counting(counts: Counter[str], name: str, whole: Any) -> Any:
    async def counted(*words: Any) -> Any:
        counts[name] += 1
        return await whole(*words)

    return counted


async def only_the_master_has_it(
    six: Shards, stream: str, *, writer: Bus, then: Callable[[], Awaitable[object]]
) -> None:
    """The stream's second record is acknowledged by a master whose replica is away, and which dies with it."""
    master = six.master_of(stream)
    await writer.publish(stream, "e1", {"n": "1"})
    replica = await six.until_followed(master)
    replica.kill()
    await writer.publish(stream, "e2", {"n": "2"})
    master.kill()
    replica.start()
    await six.until_given_way(stream, master)
    await then()
    master.start()
    await six.until_whole()


async def told(bus: Bus, stream: str) -> list[str]:
    return [entry.fields["n"] for entry in await bus.tail(stream, after="0", count=9, block_ms=0)]


async def test_without_its_memory_a_bus_loses_what_only_a_dead_master_had(
    six: Shards, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The net is needed: with nothing remembered the same blow takes what was acknowledged."""
    monkeypatch.setattr(recent.Recent, "told", lambda *_, **__: None)
    bus, stream = connect(six.addresses, deadline_ms=PATIENT_MS), "unremembered"
    await only_the_master_has_it(six, stream, writer=bus, then=lambda: bus.publish(stream, "e3", {"n": "3"}))
    assert await told(bus, stream) == ["1", "3"]
    await bus.close()


async def test_a_shard_that_nobody_writes_to_any_more_is_told_again_by_whoever_uses_another(six: Shards) -> None:
    writer, reader = connect(six.addresses, deadline_ms=PATIENT_MS), connect(six.addresses, deadline_ms=PATIENT_MS)
    stream = "forgotten"
    elsewhere = next(key for key in "abcdefgh" if six.master_of(key) is not six.master_of(stream))

    async def used() -> None:
        async with asyncio.timeout(30):
            while await told(reader, stream) != ["1", "2"]:
                await writer.get(elsewhere)

    await only_the_master_has_it(six, stream, writer=writer, then=used)
    await writer.close()
    await reader.close()
