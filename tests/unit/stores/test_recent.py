"""What a bus remembers of what it told, and how it tells it again: by a clock that moves when told."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import exceptions as redis_errors

from chimera.adapters.redis import recent
from chimera.adapters.redis.patience import is_break
from chimera.adapters.redis.recent import KEEP_S, LATEST_S, Recent
from chimera.ports.streams import Latest, Record

HELD_BACK_S = 3.0  # what a server may lose when it is killed


class Server:
    """Streams that may lose what they acknowledged of late; each takes an event id once."""

    def __init__(self) -> None:
        self.s = 1000.0
        self.held: list[tuple[float, Record]] = []
        self.shown: list[Latest] = []
        self.commands = 0
        self.failing: dict[str, Exception] = {}
        self.home = "here"
        self.recent = Recent(KEEP_S, clock_s=lambda: self.s)

    async def append(self, records: Sequence[Record]) -> int:
        self.commands += 1
        if error := self.failing.get(records[0].stream):
            raise error
        new = [each for each in records if each not in self.records()]
        self.held += [(self.s, each) for each in new]
        return len(new)

    async def show(self, latest: Latest) -> None:
        self.shown.append(latest)

    async def tell(self, *names: str, stream: str = "s") -> None:
        """As the bus does it."""
        records = [Record(stream=stream, event_id=name, fields={}) for name in names]
        await self.retell(stream)
        await self.append(records)
        self.recent.told(records, self.home)

    async def retell(self, *writing: str) -> None:
        if self.recent.owes(writing, self.home):
            await self.recent.retell(writing, self.home, self.append, self.show)

    def show_first(self, *news: Latest) -> None:
        self.recent.showing(news, self.home)

    def breaks(self) -> None:
        self.recent.broken(self.home)

    def answers(self, asked_s: float | None = None) -> None:
        self.recent.heard(self.s if asked_s is None else asked_s, self.home)

    def dies(self, loses_s: float = HELD_BACK_S) -> None:
        self.held = [(at_s, each) for at_s, each in self.held if at_s < self.s - loses_s]

    def records(self) -> list[Record]:
        return [each for _, each in self.held]

    def names(self, stream: str = "s") -> list[str]:
        return [each.event_id for each in self.records() if each.stream == stream]


async def test_what_was_lost_comes_back_in_its_order_and_once() -> None:
    server = Server()
    for name in "abc":
        await server.tell(name)
        server.s += 2
    server.dies()
    assert server.names() == ["a", "b"]
    server.breaks()
    await server.tell("d")
    assert server.names() == ["a", "b", "c", "d"]
    assert not server.recent.owes(("s",), server.home)


async def test_a_quiet_bus_that_hears_late_of_a_death_still_knows_what_it_told() -> None:
    """Counted back from the last answer: how long ago that was says nothing of when the server died."""
    server = Server()
    await server.tell("a")
    server.answers()
    server.s += 1
    server.dies()
    server.s += 3600
    server.breaks()
    await server.retell()
    assert server.names() == ["a"]


async def test_an_answer_that_was_read_late_proves_no_more_than_that_its_server_lived_when_it_was_asked() -> None:
    server = Server()
    await server.tell("a")
    asked_s = server.s
    server.s += 60  # a loop that stood still
    server.answers(asked_s)
    server.held.clear()
    server.breaks()
    await server.retell()
    assert server.names() == ["a"]


async def test_what_is_safe_is_forgotten_and_what_is_owed_never() -> None:
    server = Server()
    await server.tell("a")
    server.breaks()
    server.s += 60
    server.answers()
    await server.retell()
    commands = server.commands
    server.s += 60
    server.answers()
    server.breaks()
    await server.retell()
    assert server.commands == commands, "a is safe by now"


async def test_a_telling_that_fails_stays_owed_and_begins_anew() -> None:
    server = Server()
    await server.tell("a")
    await server.tell("b", stream="t")
    server.dies()
    server.breaks()
    server.failing["t"] = redis_errors.ConnectionError("gone again")
    with pytest.raises(redis_errors.ConnectionError):
        await server.retell()
    server.dies()
    server.breaks()
    server.failing.clear()
    await server.retell()
    assert (server.names(), server.names("t")) == (["a"], ["b"])


async def test_a_break_while_it_tells_makes_it_tell_all_again() -> None:
    server = Server()
    await server.tell(*(f"e{n}" for n in range(recent.CHUNK + 1)))
    wanted = server.names()
    server.dies()
    server.breaks()
    whole, seen = server.append, 0

    async def dying(records: Sequence[Record]) -> int:
        nonlocal seen
        seen += 1
        if seen == 2:  # between the two parts
            server.dies()
            server.breaks()
        return await whole(records)

    await server.recent.retell((), server.home, dying, server.show)
    assert (seen, sorted(server.names())) == (4, sorted(wanted))


async def test_a_stream_that_is_refused_holds_up_itself_alone_and_stays_owed() -> None:
    server = Server()
    await server.tell("a")
    await server.tell("b", stream="t")
    server.dies()
    server.breaks()
    server.failing["s"] = redis_errors.ResponseError("OOM command not allowed")
    await server.tell("c", stream="t")
    assert (server.names(), server.names("t")) == ([], ["b", "c"])
    for _ in range(2):
        with pytest.raises(redis_errors.ResponseError, match="OOM"):
            await server.tell("d")
    commands = server.commands
    await server.retell()
    assert server.commands == commands, "not tried at each call"
    server.failing.clear()
    await server.tell("d")
    assert server.names() == ["a", "d"]


async def test_of_a_key_the_newest_is_shown_for_what_is_left_of_its_time() -> None:
    server = Server()
    server.show_first(Latest(key="old", document=b"1"))
    server.s += 1
    server.show_first(Latest(key="k", document=b"1"), Latest(key="brief", document=b"1", ttl_ms=2_000))
    server.show_first(Latest(key="k", document=b"2"), Latest(key="long", document=b"1", ttl_ms=60_000))
    server.breaks()
    server.s += LATEST_S - 0.5
    assert server.recent.owes(("k",), server.home)
    await server.retell()
    assert server.shown == [
        Latest(key="k", document=b"2"),
        Latest(key="long", document=b"1", ttl_ms=30_500),
    ]


async def test_no_more_is_remembered_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "COUNT_MAX", 3)
    server = Server()
    for n in range(5):
        await server.tell(f"e{n}")
        server.show_first(Latest(key=f"k{n}", document=b""))
    server.dies()
    server.breaks()
    await server.retell()
    assert server.names() == ["e2", "e3", "e4"]
    assert [each.key for each in server.shown] == ["k2", "k3", "k4"]


async def test_another_server_is_met_once() -> None:
    server = Server()
    assert server.recent.met("here", "one")
    await server.tell("a")
    assert server.recent.met("here", "one")
    assert not server.recent.owes((), "here")
    assert not server.recent.met("here", "two")
    assert server.recent.owes((), "here")
    assert server.recent.met("here", "two")


async def test_a_server_met_at_another_place_takes_nothing_from_this_one() -> None:
    server = Server()
    assert server.recent.met("here", "one")
    await server.tell("a")
    assert server.recent.met("elsewhere", "two")
    assert server.recent.met("elsewhere", "three")
    assert not server.recent.owes((), "here")


async def test_a_break_is_of_one_home_alone() -> None:
    """What is away holds up nothing elsewhere, and what is told elsewhere does not touch it."""
    server = Server()
    await server.tell("a")
    server.home = "there"
    await server.tell("b", stream="t")
    server.dies()
    server.recent.broken("here")
    await server.retell()
    await server.tell("c", stream="t")
    assert (server.names(), server.names("t")) == ([], ["c"])
    server.home = "here"
    await server.retell()
    assert (server.names(), server.names("t")) == (["a"], ["c"])


async def test_a_stream_that_lives_elsewhere_now_is_told_there_before_anything_is_written() -> None:
    server = Server()
    await server.tell("a", "b")
    await server.tell("x", stream="t")
    server.dies()
    server.recent.rehomed(lambda topic: "there" if topic == "s" else "here")
    assert not server.recent.owes((), "here")
    server.home = "there"
    await server.tell("c")
    assert (server.names(), server.names("t")) == (["a", "b", "c"], [])
    server.recent.rehomed(lambda topic: "there" if topic == "s" else "")  # of "t" nobody knows
    assert not server.recent.owes(("s", "t"), "there")


async def test_what_one_shard_answers_says_nothing_of_anothers() -> None:
    server = Server()
    await server.tell("a")
    server.s += 60
    server.recent.heard(server.s, "there")
    server.dies(loses_s=120)
    server.breaks()
    await server.retell()
    assert server.names() == ["a"]


async def test_records_acknowledged_by_a_server_that_has_just_given_way_are_owed_to_the_next() -> None:
    server = Server()
    server.recent.told([Record(stream="s", event_id="a", fields={})], "there", by="here")
    server.home = "there"
    await server.retell()
    assert server.names() == ["a"]


async def test_a_server_that_keeps_its_name_to_itself_may_be_another_each_time() -> None:
    server = Server()
    assert server.recent.met("here", "")
    await server.tell("a")
    assert server.recent.met("here", "")
    assert server.recent.owes((), "here")


@pytest.mark.parametrize(
    ("error", "broken"),
    [
        (redis_errors.ConnectionError("closed"), True),
        (redis_errors.TimeoutError("silent"), True),
        (redis_errors.ReadOnlyError("a replica by now"), True),
        (redis_errors.ClusterDownError("CLUSTERDOWN"), True),
        (redis_errors.ResponseError("UNBLOCKED force unblock from blocking operation"), True),
        (AttributeError("'NoneType' object has no attribute 'write'"), True),
        (ConnectionResetError("reset"), True),
        (redis_errors.MovedError("1 127.0.0.1:1"), False),
        (redis_errors.AskError("1 127.0.0.1:1"), False),
        (redis_errors.TryAgainError("TRYAGAIN"), False),
        (redis_errors.MaxConnectionsError("too many"), False),
        (redis_errors.ResponseError("WRONGTYPE"), False),
        (redis_errors.AuthenticationError("WRONGPASS"), False),
    ],
)
def test_what_a_server_may_have_died_over(error: Exception, broken: bool) -> None:
    assert is_break(error) is broken


@given(
    st.lists(
        st.one_of(
            st.tuples(st.sampled_from(["tell", "tell elsewhere"]), st.floats(0, 4)),
            st.tuples(st.sampled_from(["dies", "answers", "breaks"]), st.floats(0, 30)),
        ),
        max_size=40,
    )
)
async def test_nothing_is_lost_and_nothing_doubled_whenever_it_dies(story: list[tuple[str, float]]) -> None:
    server, told = Server(), {"s": list[str](), "t": list[str]()}
    for n, (what, wait_s) in enumerate(story):
        match what:
            case "dies":
                server.dies()
                server.breaks()
            case "breaks":
                server.breaks()
            case "answers":
                await server.retell()
                server.answers()
            case _:
                stream = "s" if what == "tell" else "t"
                asked_s = server.s
                await server.tell(f"e{n}", stream=stream)
                server.answers(asked_s)
                told[stream].append(f"e{n}")
        server.s += wait_s
    await server.retell()
    for stream, names in told.items():
        assert server.names(stream) == names
