"""A Cluster whose shard gave way to one that lacks the last seconds: told again, each stream in its order."""

from collections.abc import Callable

import pytest

from chimera.adapters.redis.bus import connect
from chimera.ports.streams import Bus, Latest, Record


async def told(bus: Bus, stream: str) -> list[str]:
    return [entry.fields["n"] for entry in await bus.tail(stream, after="0", count=100, block_ms=0)]


@pytest.mark.slow
@pytest.mark.req("S4-EVT-1")
@pytest.mark.fault("D1", "D2")
@pytest.mark.parametrize("first_to_notice", ["a writer", "whoever reads"])
async def test_what_a_fail_over_lost_is_told_again(
    forgetful_cluster: Callable[[], str], fresh: str, first_to_notice: str
) -> None:
    bus, streams = connect(forgetful_cluster(), cluster=True), (f"{fresh}-a", f"{fresh}-b")
    for n in "12":
        news = [Record(stream=each, event_id=f"e{n}", fields={"n": n}) for each in streams]
        await bus.tell([*news, Latest(key=f"{fresh}-key", document=n.encode())])
    forgetful_cluster()
    if first_to_notice == "a writer":
        await bus.publish(streams[0], "e3", {"n": "3"})
    else:
        await bus.get("anything")
        assert await told(bus, streams[0]) == ["1", "2"], "at once, whenever something will be written next"
        await bus.publish(streams[0], "e3", {"n": "3"})
    assert [await told(bus, each) for each in streams] == [["1", "2", "3"], ["1", "2"]]
    assert await bus.get(f"{fresh}-key") == b"2"
    await bus.close()
