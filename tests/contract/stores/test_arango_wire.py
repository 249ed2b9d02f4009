"""What ``ArangoLedger`` sends and what it makes of each answer, on a stub server. Nothing here asks a real ArangoDB."""

import asyncio
import datetime as dt
import json
import re
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("arangoasync", reason="ArangoDB's driver is not installed (chimera[arango])")

from arango_homes import address_at, bare_stub, stub_with_layout
from arango_stub import PASSWORD, USER, ArangoStub, Fault, Seen
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from test_ledger_contract import BTC, a_claim, a_holding
from typer.testing import CliRunner

from chimera.adapters.arango import aql, layout
from chimera.adapters.arango.address import Address, address_of
from chimera.adapters.arango.ledger import ArangoLedger
from chimera.adapters.arango.link import Link
from chimera.adapters.embedded.ledger import SqliteLedger
from chimera.cli.main import app
from chimera.ports.ledger import Ledger
from chimera.services.stores import open_ledger
from chimera.trading.errors import NewerSchema, StaleWriter, StoreUnavailable
from chimera.trading.money import Millis
from chimera.wire import keys

pytestmark = [pytest.mark.slow, pytest.mark.req("DB-1", "DB-2")]

SHORT: Any = {"deadline_ms": Millis(400)}


@pytest.fixture
async def stub() -> AsyncIterator[ArangoStub]:
    async with stub_with_layout() as stub:
        yield stub


@pytest.fixture
async def bare() -> AsyncIterator[ArangoStub]:
    async with bare_stub() as stub:
        yield stub


@pytest.fixture
async def arango(stub: ArangoStub) -> AsyncIterator[ArangoLedger]:
    ledger = await ArangoLedger.open(address_at(stub))
    stub.seen.clear()
    yield ledger
    await ledger.close()


def of(*statements: str) -> Callable[[Seen], bool]:
    return lambda seen: seen.statement in statements


def row_writes(seen: Seen) -> bool:
    return "@@rows" in seen.statement and "@sealed" in seen.statement


WRITES: dict[str, Callable[[Ledger], Any]] = {
    "put": lambda ledger: ledger.put("orders", "o", {"n": 1}),
    "put_newer": lambda ledger: ledger.put_newer("orders", "o", {"n": 1}, 7),
    "insert": lambda ledger: ledger.insert("orders", "o", {"n": 1}),
    "fence": lambda ledger: ledger.fence(BTC, "a"),
    "claim": lambda ledger: ledger.claim(a_claim()),
    "ping": lambda ledger: ledger.ping(),
}
WROTE: Any = {"put": None, "put_newer": True, "insert": True, "fence": 1, "claim": a_claim(), "ping": None}


def is_write(seen: Seen) -> bool:
    return any(word in seen.statement for word in ("INSERT", "REPLACE", "UPDATE"))


# ── what goes out ──


async def test_each_request_is_one_signed_query_with_its_variables(stub: ArangoStub, arango: ArangoLedger) -> None:
    fence = await arango.fence(BTC, "a")
    await arango.save(a_holding(), rev=0, fence=fence)

    asked = stub.seen
    assert [(each.method, each.path, each.params) for each in asked] == [("POST", "/_db/chimera/_api/cursor", {})] * 3
    assert [each.statement for each in asked] == [aql.SEAT, aql.NEW_SEAT, aql.SAVE]
    assert all(each.headers["Authorization"].startswith("Basic ") for each in asked)
    saved = asked[-1].body["bindVars"]
    assert saved["sealed"]["body"]["event_seq"] == 1
    assert {name: value for name, value in saved.items() if name != "sealed"} == {
        "key": "binance;main;FUT;BTCUSDT", "rev": 0, "fence": 1,
    }  # fmt: skip


@pytest.mark.parametrize(("collection", "synced"), [("orders", "true"), ("strategy_events", "false")])
async def test_what_money_depends_on_is_synced(
    stub: ArangoStub, arango: ArangoLedger, collection: str, synced: str
) -> None:
    await arango.put(collection, "k", {})
    await arango.put(collection, "k", {})
    await arango.insert(collection, "k", {})
    assert {each.statement.count(f"waitForSync: {synced}") for each in stub.seen if row_writes(each)} == {1}
    assert stub.databases["chimera"][collection].properties["waitForSync"] is (synced == "true")


def test_every_statement_that_money_depends_on_waits_for_the_disk_and_minds_revisions() -> None:
    for statement in (aql.NEW_SEAT, aql.NEXT_FENCE, aql.SAVE, aql.NEW_CLAIM, aql.PING, aql.NEW_LAYOUT):
        assert "waitForSync: true" in statement
    for statement in (aql.NEXT_FENCE, aql.SAVE, aql.newer_row(synced=True), aql.newer_row(synced=False)):
        assert "ignoreRevs: false" in statement


async def test_a_first_put_takes_two_questions_and_the_next_takes_one(stub: ArangoStub, arango: ArangoLedger) -> None:
    await arango.put("orders", "o", {"n": 1})
    assert len(stub.seen) == 2
    await arango.put("orders", "o", {"n": 2})
    assert len(stub.seen) == 3


async def test_parts_of_a_collection_count_for_themselves(arango: ArangoLedger) -> None:
    one, other = keys.alerts_outbox("main"), keys.alerts_outbox("second")
    for collection in (one, other, one):
        await arango.insert(
            collection, f"{collection}/{len(await arango.page(one, after=0, limit=9))}", {"c": collection}
        )
    assert [row.number for row in await arango.page(one, after=0, limit=9)] == [1, 2]
    assert [row.document for row in await arango.page(other, after=0, limit=9)] == [{"c": other}]


@pytest.mark.parametrize("key", ["a/b", "ü?#%", "a;b", "", "x" * 300, "x" * 299 + "y", "!", "order:1", "a%2Fb"])
def test_keys_are_such_as_the_server_takes_and_stay_apart(key: str) -> None:
    made = aql.row_key("", key)
    assert re.fullmatch(r"[a-zA-Z0-9_\-:.@()+,=;$!*'%]{1,254}", made)
    others = {aql.row_key("", other) for other in ("a/c", "a", "b", "x" * 301, "%21", "a%3Bb")}
    assert made not in others | {aql.row_key("p", key), aql.row_key("a", "b")}


# ── what comes back ──


@pytest.mark.fault("E2")
@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize("how", ["lose", "drop"])
async def test_a_write_whose_answer_is_lost_is_done_once(
    stub: ArangoStub, arango: ArangoLedger, name: str, how: str
) -> None:
    stub.faults.append(Fault(how, lambda seen: "INSERT" in seen.statement, times=2))
    assert await WRITES[name](arango) == WROTE[name]
    documents = [each for rows in stub.databases["chimera"].values() for each in rows.documents.values()]
    assert len([each for each in documents if "version" not in each]) == 1
    assert stub.faults[0].times < 2  # a lost one may be found by asking


@pytest.mark.fault("E2")
@pytest.mark.parametrize("how", ["lose", "drop", "garble"])
async def test_a_save_whose_answer_is_lost_is_asked_after(stub: ArangoStub, arango: ArangoLedger, how: str) -> None:
    fence = await arango.fence(BTC, "a")
    stub.faults.append(Fault(how, of(aql.SAVE)))
    assert await arango.save(a_holding(1), rev=0, fence=fence) == 1
    assert await arango.save(a_holding(2), rev=1, fence=fence) == 2


@pytest.mark.parametrize("how", ["lose", "drop"])
async def test_a_replacement_whose_answer_is_lost_was_ours(stub: ArangoStub, arango: ArangoLedger, how: str) -> None:
    await arango.put_newer("orders", "o", {"n": 1}, 1)
    stub.faults.append(Fault(how, row_writes))
    assert await arango.put_newer("orders", "o", {"n": 2}, 2) is True
    assert await arango.get("orders", "o") == {"n": 2}


async def test_the_second_of_two_inserts_is_told_so_though_an_answer_was_lost(
    stub: ArangoStub, arango: ArangoLedger
) -> None:
    await arango.insert("fills", "t", {"n": 1})
    stub.faults.append(Fault("lose", row_writes))
    assert await arango.insert("fills", "t", {"n": 1}) is False


PASSING = [(409, 1200), (412, 1200), (503, 1496), (503, 1495), (503, 1457), (500, 18), (409, 28), (403, 1004),
           (503, 503), (503, 21004), (503, 1429), (429, 429), (500, 32), (503, 30), (503, 1465)]  # fmt: skip


@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize(("status", "number"), PASSING)
async def test_what_passes_is_tried_again(
    stub: ArangoStub, arango: ArangoLedger, name: str, status: int, number: int
) -> None:
    stub.faults.append(Fault("refuse", is_write, times=2, status=status, number=number))
    assert await WRITES[name](arango) == WROTE[name]


LASTING = [(401, 11, "user and password"), (403, 11, "refused"), (404, 1203, "chimera init"),
           (404, 1228, "chimera init"), (400, 1501, "refused"), (400, 1620, "refused")]  # fmt: skip


@pytest.mark.parametrize(("status", "number", "says"), LASTING)
async def test_what_lasts_is_refused_at_once(
    stub: ArangoStub, arango: ArangoLedger, status: int, number: int, says: str
) -> None:
    stub.faults.append(Fault("refuse", times=99, status=status, number=number))
    with pytest.raises(StoreUnavailable, match=says):
        await arango.put("orders", "o", {})
    assert len(stub.seen) == 1


@pytest.mark.slow
async def test_a_server_that_stays_away_ends_at_the_deadline_and_is_back_without_help(stub: ArangoStub) -> None:
    ledger = await ArangoLedger.open(address_at(stub), **SHORT)
    stub.faults.append(Fault("refuse", times=10_000, number=1496))
    reads: list[Callable[[Ledger], Any]] = [lambda it: it.load(BTC), lambda it: it.page("orders", after=0, limit=1)]
    for call in (*WRITES.values(), *reads):
        with pytest.raises(StoreUnavailable, match="1496"):
            await call(ledger)
    stub.faults.clear()
    await ledger.ping()
    await ledger.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        await ledger.ping()


async def test_another_coordinator_is_asked_when_one_does_not_answer(stub: ArangoStub) -> None:
    port = stub.url.rpartition(":")[2]
    away = address_at(stub).but(hosts=("http://127.0.0.1:1", f"http://127.0.0.1:{port}"))
    ledger = await ArangoLedger.open(away)
    await ledger.ping()
    await ledger.close()


# ── what arrives late ──


async def late(stub: ArangoStub, ledger: ArangoLedger, hits: Callable[[Seen], bool], call: Any, then: Any) -> Any:
    """The first try of ``call`` is given up, its second succeeds, ``then`` follows, and the first try arrives."""
    stub.faults.append(Fault("late", hits))
    first = await call
    await then()
    assert stub.late
    await stub.deliver()
    return first


@pytest.fixture
async def hasty(stub: ArangoStub) -> AsyncIterator[ArangoLedger]:
    """Gives a try up after 100 ms."""
    link = Link(address_at(stub), try_ms=Millis(100))
    ledger = ArangoLedger(link)
    yield ledger
    await ledger.close()


@pytest.mark.fault("E3")
@pytest.mark.parametrize("there", [False, True])
async def test_a_late_put_overwrites_nothing(stub: ArangoStub, hasty: ArangoLedger, there: bool) -> None:
    if there:
        await hasty.put("orders", "o", {"n": 0})
    put = hasty.put("orders", "o", {"n": 1})
    await late(stub, hasty, row_writes, put, lambda: hasty.put("orders", "o", {"n": 2}))
    assert await hasty.get("orders", "o") == {"n": 2}
    assert len(await hasty.page("orders", after=0, limit=9)) == 1


@pytest.mark.req("I19")
@pytest.mark.parametrize("before", [0, 1])
async def test_a_late_fence_deposes_nobody(stub: ArangoStub, hasty: ArangoLedger, before: int) -> None:
    for _ in range(before):
        await hasty.fence(BTC, "other")

    async def saved() -> None:
        await hasty.save(a_holding(1), rev=0, fence=before + 1)

    hits = of(aql.NEW_SEAT, aql.NEXT_FENCE)
    fence = await late(stub, hasty, hits, hasty.fence(BTC, "a"), saved)
    assert await hasty.save(a_holding(2), rev=1, fence=fence) == 2


@pytest.mark.req("I19")
async def test_a_late_save_undoes_nothing(stub: ArangoStub, hasty: ArangoLedger) -> None:
    fence = await hasty.fence(BTC, "a")

    async def next_one() -> None:
        await hasty.save(a_holding(2), rev=1, fence=fence)

    await late(stub, hasty, of(aql.SAVE), hasty.save(a_holding(1), rev=0, fence=fence), next_one)
    stored = await hasty.load(BTC)
    assert stored is not None
    assert (stored.holding.event_seq, stored.rev) == (2, 2)


async def test_a_writer_whose_clock_is_behind_still_writes(stub: ArangoStub, arango: ArangoLedger) -> None:
    behind = await ArangoLedger.open(address_at(stub))
    behind._stamp = 0
    await arango.put("orders", "o", {"n": 1})
    await behind.put("orders", "o", {"n": 2})
    assert await arango.get("orders", "o") == {"n": 2}
    await arango.put("orders", "o", {"n": 3})
    assert await behind.put_newer("orders", "o", {"n": 4}, 4) is True
    assert await behind.put_newer("orders", "o", {"n": 3}, 3) is False
    assert await behind.get("orders", "o") == {"n": 4}
    await behind.close()


# ── two processes ──


async def test_two_processes_number_rows_without_a_gap_or_a_twin(stub: ArangoStub, arango: ArangoLedger) -> None:
    other = await ArangoLedger.open(address_at(stub))
    each = [ledger.insert("cash", f"{place}{n}", {}) for n in range(15) for place, ledger in enumerate((arango, other))]
    assert all(await asyncio.gather(*each))
    assert [row.number for row in await arango.page("cash", after=0, limit=99)] == list(range(1, 31))
    await other.close()


@pytest.mark.req("I19")
@pytest.mark.fault("A13")
async def test_of_two_processes_the_newest_fence_saves(stub: ArangoStub, arango: ArangoLedger) -> None:
    other = await ArangoLedger.open(address_at(stub))
    fences = await asyncio.gather(*(ledger.fence(BTC, "o") for ledger in (arango, other) for _ in range(8)))
    assert sorted(fences) == list(range(1, 17))
    with pytest.raises(StaleWriter):
        await arango.save(a_holding(), rev=0, fence=15)
    await other.close()


# ── signing in ──


async def test_a_token_is_bought_once_and_renewed_before_it_ends(stub: ArangoStub) -> None:
    ledger = await ArangoLedger.open(address_at(stub, "?auth=jwt"))
    await ledger.ping()
    assert [each.path for each in stub.seen] == ["/_open/auth", *["/_db/chimera/_api/cursor"] * 2]
    assert stub.seen[1].headers["Authorization"] == f"bearer {next(iter(stub.tokens))}"
    await ledger.close()
    stub.seen.clear()
    stub.token_life_s = 0  # at once on its way out
    ledger = await ArangoLedger.open(address_at(stub, "?auth=jwt"))
    await ledger.ping()
    assert [each.path for each in stub.seen].count("/_open/auth") == 2
    await ledger.close()


async def test_a_token_that_is_no_longer_taken_is_replaced(stub: ArangoStub) -> None:
    ledger = await ArangoLedger.open(address_at(stub, "?auth=jwt"))
    stub.tokens.clear()
    await ledger.put("orders", "o", {"n": 1})
    assert await ledger.get("orders", "o") == {"n": 1}
    assert all(each.path in ("/_open/auth", "/_db/chimera/_api/cursor") for each in stub.seen)
    await ledger.close()


@pytest.mark.parametrize("options", ["", "?auth=jwt"])
async def test_a_wrong_password_is_said_at_once_and_never_told(stub: ArangoStub, options: str) -> None:
    address = address_of(f"{stub.url}/chimera{options}", "desk", "wrong-one")
    with pytest.raises(StoreUnavailable, match="user and password") as told:
        await ArangoLedger.open(address)
    assert len(stub.seen) == 1
    assert "wrong-one" not in f"{told.value} {address!r} {address}"


async def test_tls_is_checked_against_the_authority_that_is_named(tmp_path: Path, certificate: Any) -> None:
    authority, served = certificate
    async with stub_with_layout(served) as stub:
        ledger = await ArangoLedger.open(address_at(stub, f"?ca={authority}"))
        await ledger.ping()
        await ledger.close()
        with pytest.raises(StoreUnavailable, match="CERTIFICATE"):
            await ArangoLedger.open(address_at(stub), **SHORT)
        with pytest.raises(StoreUnavailable, match="no certificate authority"):
            await ArangoLedger.open(address_at(stub, f"?ca={tmp_path / 'none.pem'}"))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    """Of ``localhost``, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(1))
        .not_valid_after(now + dt.timedelta(1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "ca.pem"
    secret = path.with_name("key.pem")
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    secret.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, secret)
    return path, context


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("db:8529", "give http"), ("ftp://db", "give http"), ("http://", "give http"), ("http://u:p@db", "settings of"),
        ("http://db/a/b", "not the name"), ("http://db?x=1", "'x'"), ("http://db?auth=none", "basic or jwt"),
        ("http://db?ca=/x", "https"),
    ],
)  # fmt: skip
def test_an_odd_uri_is_refused_with_a_sentence(uri: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        address_of(uri, None, None)


def test_an_address_reads_its_uri() -> None:
    read = address_of("https://a,b:1/house?auth=jwt&ca=/c.pem", None, PASSWORD)
    assert read == Address(
        hosts=("https://a:8529", "https://b:1"), database="house", password=read.password, jwt=True, ca="/c.pem"
    )
    assert str(address_of("http://db", "u", None)) == "http://db:8529/chimera"


# ── chimera init ──


async def test_init_makes_all_of_it_and_then_finds_nothing_to_do(bare: ArangoStub) -> None:
    stub = bare
    address, copies = address_at(stub), layout.Copies(replication_factor=3, write_concern=2)
    with pytest.raises(StoreUnavailable, match="chimera init"):
        await ArangoLedger.open(address)

    asked = await layout.init(address, copies, only_look=True)
    assert "chimera" not in stub.databases
    assert await layout.init(address, copies, only_look=False) == asked
    assert await layout.init(address, copies, only_look=False) == []
    assert await layout.init(address, copies, only_look=True) == []

    made = stub.databases["chimera"]
    assert set(keys.COLLECTIONS) < set(made)
    for name, collection in made.items():
        properties = collection.properties
        numbers = ("numberOfShards", "replicationFactor", "writeConcern")
        assert [properties[each] for each in numbers] == [1, 3, 2], name
        assert properties["waitForSync"] is (name not in keys.RELAXED)
        assert properties["schema"]["level"] == "strict"
    wanted = {"type": "persistent", "fields": ["part", "number"], "unique": True, "sparse": False, "name": "by_number"}
    assert all(wanted.items() <= made[name].indexes[0].items() for name in keys.COLLECTIONS)
    assert [each["expireAfter"] for each in made["heartbeats"].indexes] == [layout.HEARTBEAT_S]
    await (await ArangoLedger.open(address)).close()


async def test_init_mends_what_is_amiss_and_keeps_what_is_written(stub: ArangoStub, arango: ArangoLedger) -> None:
    await arango.insert("orders", "o", {"n": 1})
    made = stub.databases["chimera"]
    del made["fills"]
    made["claims"].properties["waitForSync"] = False
    made["signals"].properties["schema"] = None
    made["orders"].indexes[:2] = [{**made["orders"].indexes[0], "unique": False}]
    look = await layout.init(address_at(stub), layout.Copies(), only_look=True)
    assert look == [
        "change durability or schema of claims",
        "change durability or schema of signals",
        "drop the old index by_number of orders",
        "add the index by_number to orders",
        "add the index by_symbol to orders",
        "make the collection fills",
        "add the index by_number to fills",
        "add the index by_symbol to fills",
        "add the index by_intent_id to fills",
        "add the index by_client_order_id to fills",
        f"write layout {layout.LAYOUT}",
    ]
    assert await layout.init(address_at(stub), layout.Copies(), only_look=False) == look
    assert await layout.init(address_at(stub), layout.Copies(), only_look=True) == []
    assert await arango.get("orders", "o") == {"n": 1}


async def test_init_goes_on_though_an_answer_is_lost(bare: ArangoStub) -> None:
    stub = bare
    stub.faults.append(Fault("lose", lambda seen: seen.method == "POST", times=3))
    await layout.init(address_at(stub), layout.Copies(), only_look=False)
    assert await layout.init(address_at(stub), layout.Copies(), only_look=True) == []


@pytest.mark.req("LED-3")
async def test_a_newer_layout_is_refused_and_an_older_one_asks_for_init(stub: ArangoStub) -> None:
    document = stub.databases["chimera"]["chimera_layout"].documents["layout"]
    document["version"] = layout.LAYOUT + 1
    for opening in (
        ArangoLedger.open(address_at(stub)),
        layout.init(address_at(stub), layout.Copies(), only_look=False),
    ):
        with pytest.raises(NewerSchema):
            await opening
    document["version"] = 0
    with pytest.raises(StoreUnavailable, match="chimera init"):
        await ArangoLedger.open(address_at(stub))


# ── chosen by settings ──


@pytest.mark.req("CONF-1")
async def test_the_settings_alone_choose_the_ledger(stub: ArangoStub, tmp_path: Path) -> None:
    for uri, kind in ((f"{stub.url}/chimera", ArangoLedger), ("", SqliteLedger), (None, SqliteLedger)):
        ledger = await open_ledger(tmp_path / "l.sqlite", uri, USER, PASSWORD)
        assert type(ledger) is kind
        await ledger.close()
    with pytest.raises(ValueError, match="give http"):
        await open_ledger(tmp_path / "l.sqlite", "db", None, None)


async def test_one_that_is_away_may_be_waited_for_and_its_layout_is_looked_at_then(bare: ArangoStub) -> None:
    """S4 starts without it and protects; a database that is not made is said at once."""
    bare.faults.append(Fault("refuse", times=1_000))
    with pytest.raises(StoreUnavailable, match="did not finish"):
        await ArangoLedger.open(address_at(bare), **SHORT)
    ledger = await ArangoLedger.open(address_at(bare), waits=True, **SHORT)
    try:
        with pytest.raises(StoreUnavailable, match="did not finish"):
            await ledger.ping()
        bare.faults.clear()
        with pytest.raises(StoreUnavailable, match="chimera init"):
            await ledger.ping()
        await layout.init(address_at(bare), layout.Copies(), only_look=False)
        await ledger.ping()
        bare.databases["chimera"]["chimera_layout"].documents.clear()
        await ledger.ping()
    finally:
        await ledger.close()
    with pytest.raises(StoreUnavailable, match="chimera init"):
        await ArangoLedger.open(address_of(f"{bare.url}/other", USER, PASSWORD), waits=True)


def test_a_start_on_files_does_not_load_the_driver() -> None:
    look = "import sys, chimera.services.strategy.main, chimera.cli.main; sys.exit('arangoasync' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", look], check=False).returncode == 0


async def test_the_verb_init_looks_makes_and_finds_it_made(bare: ArangoStub, monkeypatch: pytest.MonkeyPatch) -> None:
    for service in ("S3", "S4"):
        monkeypatch.setenv(f"{service}_DB_ARANGO_URI", f"{bare.url}/house")
        monkeypatch.setenv(f"{service}_DB_ARANGO_USER", USER)
        monkeypatch.setenv(f"{service}_DB_ARANGO_PASS", PASSWORD)

    async def run(*words: str) -> tuple[int, Any]:
        result = await asyncio.to_thread(CliRunner().invoke, app, ["init", "--json", *words])
        return result.exit_code, json.loads(result.stdout.splitlines()[0])["ledgers"]

    code, told = await run("--check")
    assert (code, list(told), "house" in bare.databases) == (7, [f"{bare.url}/house"], False)
    assert await run() == (0, told)
    assert await run("--check") == (0, {f"{bare.url}/house": []})
    assert PASSWORD not in str(told)
