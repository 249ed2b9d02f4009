"""The collections, indexes and document schemas of the database, and how they come to be.

``chimera init`` compares what is with what stands here and makes up the difference; run again it finds none. Nothing is
dropped but an index of ours whose definition changed. A layout newer than this build's is refused. One shard each:
only so may a unique index hold in a cluster, and only so is the highest ``number`` read where the next one is written.

A layout version counts this page; the ``schema_version`` inside each document is ``wire.codec``'s.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final, NamedTuple

import msgspec

from chimera.adapters.arango import aql
from chimera.adapters.arango.address import Address
from chimera.adapters.arango.link import Link, Made, NotMade
from chimera.trading.errors import NewerSchema, StoreUnavailable
from chimera.trading.money import Millis
from chimera.trading.value import Value
from chimera.wire import keys

LAYOUT: Final = 2
STEP_MS: Final = Millis(60_000)  # a cluster makes a collection in seconds
LOOK_S: Final = 5.0
HEARTBEAT_S: Final = 86_400  # that of a process which is no more goes after a day
FIND_BY: Final[Mapping[str, tuple[str, ...]]] = {  # what ``find`` is asked for
    keys.ORDERS: ("symbol", "status", "intent_id", "client_order_id"),
    keys.FILLS: ("symbol", "intent_id", "client_order_id"),
    keys.SIGNALS: ("symbol", "intent_id", "decision", "delivery"),
}
BY_TIME: Final = (keys.CASH, keys.SIGNALS)  # what ``span`` is asked of

Fields = dict[str, str | list[str]]  # JSON types by name


class Index(Value):
    name: str
    fields: tuple[str, ...]
    unique: bool = False
    sparse: bool = False
    expire_s: int | None = None  # set: a TTL index

    @property
    def definition(self) -> dict[str, Any]:
        """As the server tells it; what it adds of its own is not compared."""
        if self.expire_s is not None:
            return {"type": "ttl", "fields": list(self.fields), "expireAfter": self.expire_s}
        unique = {"unique": self.unique, "sparse": self.sparse}
        return {"type": "persistent", "fields": list(self.fields)} | unique


class Collection(Value):
    name: str
    fields: Fields
    optional: Fields = {}
    indexes: tuple[Index, ...] = ()
    synced: bool = True

    @property
    def schema(self) -> dict[str, Any]:
        """What the server refuses a document for, whoever writes it."""
        properties = {name: {"type": kind} for name, kind in (self.fields | self.optional).items()}
        rule = {"type": "object", "properties": properties, "required": sorted(self.fields)}
        return {"rule": rule, "level": "strict", "message": f"not a document of {self.name}"}


class Copies(Value):
    """In a cluster: how many copies of each document, and how many must have a write before it is answered."""

    replication_factor: int | None = None  # None: the database's own
    write_concern: int | None = None


class Step(NamedTuple):
    text: str
    do: Callable[[], Awaitable[object]]


def _rows(name: str) -> Collection:
    index = [Index(name="by_number", fields=("part", "number"), unique=True)]
    if name in BY_TIME:
        index.append(Index(name="by_time", fields=("part", "body.at_ms", "number"), sparse=True))
    index += (
        Index(name=f"by_{field}", fields=("part", f"body.{field}", "number"), sparse=True)
        for field in FIND_BY.get(name, ())
    )
    whole: Fields = {"part": "string", "number": "integer", "stamp": "integer", "by": "string", "born_by": "string"}
    return Collection(
        name=name,
        fields=whole | {"schema_version": "integer", "body": "object"},
        optional={"seq": ["integer", "null"]},
        indexes=tuple(index),
        synced=name not in keys.RELAXED,
    )


COLLECTIONS: Final = (
    Collection(name="chimera_layout", fields={"version": "integer"}),
    Collection(
        name="heartbeats",
        fields={"at": "number"},
        indexes=(Index(name="by_age", fields=("at",), expire_s=HEARTBEAT_S),),
    ),
    Collection(
        name="holdings",
        fields={"position": "object", "fence": "integer", "owner": "string", "by": "string", "rev": "integer"},
        optional={"schema_version": "integer", "body": "object"},
    ),
    Collection(
        name="leases",
        fields={"fence": "integer", "owner": "string", "url": "string", "ttl_ms": "integer", "by": "string"},
    ),
    Collection(name="claims", fields={"schema_version": "integer", "body": "object"}),
    *(_rows(name) for name in keys.COLLECTIONS),
)


async def must_be_ours(link: Link) -> None:
    """Raises ``StoreUnavailable`` when ``chimera init`` is to be run first, ``NewerSchema`` when we are too old."""
    version = await _version(link, None)
    if version < LAYOUT:
        raise StoreUnavailable(f"the ledger {link.address} has layout {version}, not {LAYOUT}: run `chimera init`")


async def init(address: Address, copies: Copies, *, only_look: bool) -> list[str]:
    """What there was to do, in order, and done unless ``only_look``; after a failure it may be run again.

    Raises as ``must_be_ours``, but for what is not there yet.
    """
    link = Link(address, deadline_ms=STEP_MS, try_ms=STEP_MS)
    try:
        steps = await _differences(link, copies)
        for step in [] if only_look else steps:
            await link.until_done(step.text, partial(_done, link, step))
        return [step.text for step in steps]
    finally:
        await link.close()


async def _differences(link: Link, copies: Copies) -> list[Step]:
    try:
        found = {info["name"] for info in await _asked(link, "collections", link.db.collections)}
    except NotMade:
        made = Step(
            f"make the database {link.address.database}",
            lambda: link.database("_system").create_database(link.address.database),
        )
        return [made, *(step for each in COLLECTIONS for step in _make(link, each, copies)), _sign(link)]
    version = await _version(link, LOOK_S) if "chimera_layout" in found else 0
    steps: list[Step] = []
    for each in COLLECTIONS:
        steps += await _mend(link, each) if each.name in found else _make(link, each, copies)
    return steps if version == LAYOUT and not steps else [*steps, _sign(link)]


async def _done(link: Link, step: Step) -> None:
    try:
        await link.ask(step.do)
    except Made:
        return  # by an earlier try, whose answer was lost


def _make(link: Link, each: Collection, copies: Copies) -> list[Step]:
    async def make() -> None:
        await link.db.create_collection(
            each.name,
            wait_for_sync=each.synced,
            schema=each.schema,
            number_of_shards=1,
            replication_factor=copies.replication_factor,
            write_concern=copies.write_concern,
        )

    return [Step(f"make the collection {each.name}", make), *(_add(link, each, index) for index in each.indexes)]


async def _mend(link: Link, each: Collection) -> list[Step]:
    collection = link.db.collection(each.name)
    steps: list[Step] = []
    has = await _asked(link, each.name, collection.properties)
    if has.wait_for_sync != each.synced or not _covers(has.schema, each.schema):
        change = partial(collection.configure, wait_for_sync=each.synced, schema=each.schema)
        steps.append(Step(f"change durability or schema of {each.name}", change))
    indexes = {index.name: index for index in await _asked(link, each.name, collection.indexes)}
    for index in each.indexes:
        there = indexes.get(index.name)
        if there is not None and not _covers(there.to_dict(), index.definition):
            drop = partial(collection.delete_index, there.id, ignore_missing=True)
            steps.append(Step(f"drop the old index {index.name} of {each.name}", drop))
            there = None
        if there is None:
            steps.append(_add(link, each, index))
    return steps


def _add(link: Link, each: Collection, index: Index) -> Step:
    options = {name: value for name, value in index.definition.items() if name not in ("type", "fields")}
    options |= {"name": index.name, "inBackground": True}
    kind = index.definition["type"]

    async def add() -> None:
        await link.db.collection(each.name).add_index(kind, list(index.fields), options)

    return Step(f"add the index {index.name} to {each.name}", add)


def _sign(link: Link) -> Step:
    return Step(f"write layout {LAYOUT}", lambda: link.run(aql.NEW_LAYOUT, version=LAYOUT))


async def _version(link: Link, within_s: float | None) -> int:
    found = await link.until_done("look at the layout", lambda: link.run(aql.LAYOUT), within_s)
    version = msgspec.json.decode(found[0], type=int) if found else 0
    if version > LAYOUT:
        raise NewerSchema(f"the ledger {link.address} has layout {version}, newer than {LAYOUT}, this build's newest")
    return version


async def _asked(link: Link, what: str, call: Callable[[], Awaitable[Any]]) -> Any:
    return await link.until_done(what, lambda: link.ask(call), LOOK_S)


def _covers(there: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> bool:
    """The server adds members of its own."""
    return there is not None and all(there.get(name) == value for name, value in wanted.items())
