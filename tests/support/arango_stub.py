"""An ArangoDB as far as our own statements reach: HTTP on loopback, documents in memory, faults on order.

It knows our statements by their text and answers each by Python of ours. It proves what the adapter sends (paths,
headers, bodies, bind variables: exactly those that the statement names), that its documents fit its own schemas, and
what it makes of every answer: conflicts between overlapping writers, refusals, answers that are lost, late or never
come. It does NOT prove that a server takes our AQL, isolates as it promises, uses our indexes, syncs or fails over.
"""

import asyncio
import base64
import json
import re
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import jwt
from aiohttp import web

from chimera.adapters.arango import aql

USER, PASSWORD = "desk", "p:/,@1"
Document = dict[str, Any]


@dataclass
class Seen:
    """One request as it came."""

    method: str
    path: str
    params: dict[str, str]
    headers: dict[str, str]
    body: Any

    @property
    def statement(self) -> str:
        return str(self.body.get("query", "")) if isinstance(self.body, dict) else ""


@dataclass
class Fault:
    """Meets the next ``times`` requests that ``hits``."""

    how: str  # refuse, drop (before), lose (after), late (after the caller left, by ``deliver``), garble
    hits: Callable[[Seen], bool] = lambda seen: True
    times: int = 1
    status: int = 503
    number: int = 0


@dataclass
class Collection:
    properties: Document
    indexes: list[Document] = field(default_factory=list)
    documents: dict[str, Document] = field(default_factory=dict)


class Refused(Exception):
    def __init__(self, status: int, number: int, text: str = "") -> None:
        super().__init__(text)
        self.status, self.number, self.text = status, number, text


@dataclass
class ArangoStub:
    """``await stub.start()``; ``stub.url`` then has no database in it."""

    databases: dict[str, dict[str, Collection]] = field(default_factory=lambda: {"_system": {}})
    seen: list[Seen] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    late: list[Callable[[], Awaitable[Any]]] = field(default_factory=list)
    token_life_s: int = 3600
    tokens: set[str] = field(default_factory=set)
    revision: int = 0
    url: str = ""

    async def start(self, *, tls: Any = None, port: int = 0) -> "ArangoStub":
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port, ssl_context=tls)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"https://localhost:{port}" if tls else f"http://127.0.0.1:{port}"
        return self

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def deliver(self) -> None:
        """What was given up arrives now."""
        for apply in self.late:
            with suppress(Refused):  # nobody is there to be told
                await apply()
        self.late.clear()

    def queries(self) -> list[Seen]:
        return [each for each in self.seen if each.path.endswith("/_api/cursor")]

    # ── the wire ──

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        text = await request.text()
        body = json.loads(text) if text else None
        seen = Seen(request.method, request.path, dict(request.query), dict(request.headers), body)
        self.seen.append(seen)
        fault = next((each for each in self.faults if each.times > 0 and each.hits(seen)), None)
        if fault is not None:
            fault.times -= 1
            if (met := await self._meet(fault, request, seen)) is not None:
                return met
        try:
            answer = await self._answer(seen)
        except Refused as no:
            told = {"error": True, "code": no.status, "errorNum": no.number, "errorMessage": no.text}
            return web.json_response(told, status=no.status)
        if fault is not None and fault.how == "lose":
            _hang_up(request)
        return web.json_response(answer)

    async def _meet(self, fault: Fault, request: web.Request, seen: Seen) -> web.StreamResponse | None:
        match fault.how:
            case "refuse":
                told = {"error": True, "code": fault.status, "errorNum": fault.number, "errorMessage": "as ordered"}
                return web.json_response(told, status=fault.status)
            case "garble":
                return web.Response(text="<html>a proxy</html>", status=fault.status)
            case "drop":
                _hang_up(request)
                return web.Response()
            case "late":
                self.late.append(lambda: self._answer(seen))
                await asyncio.sleep(3600)  # until the caller hangs up, which cancels nothing but this handler's use
        return None

    async def _answer(self, seen: Seen) -> Any:
        if seen.path == "/_open/auth":
            return self._sign_in(seen)
        self._must_be_signed(seen)
        found = re.fullmatch(r"/_db/([^/]+)(/_api/.*)", seen.path)
        if found is None:
            raise Refused(404, 404, f"unknown path {seen.path}")
        name, path = found.groups()
        if name not in self.databases:
            raise Refused(404, 1228, f"database not found: {name}")
        collections = self.databases[name]
        if path == "/_api/cursor" and seen.method == "POST":
            return {"result": await self._query(collections, seen), "hasMore": False, "error": False, "code": 201}
        return self._administer(collections, path, seen)

    # ── who may ──

    def _sign_in(self, seen: Seen) -> Document:
        if (seen.body["username"], seen.body["password"]) != (USER, PASSWORD):
            raise Refused(401, 401, "Wrong credentials")
        now = int(time.time()) + 5  # a server's clock ahead of ours
        claims = {"iat": now, "exp": now + self.token_life_s, "iss": "arangodb", "n": len(self.seen)}
        token = jwt.encode(claims, "k" * 32)
        self.tokens.add(token)
        return {"jwt": token}

    def _must_be_signed(self, seen: Seen) -> None:
        kind, _, value = seen.headers.get("Authorization", "").partition(" ")
        basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if not ((kind == "Basic" and value == basic) or (kind == "bearer" and value in self.tokens)):
            raise Refused(401, 11, "not authorized to execute this request")

    # ── collections and indexes ──

    def _administer(self, collections: dict[str, Collection], path: str, seen: Seen) -> Any:
        match seen.method, path.split("/")[2:]:
            case "GET", ["collection"]:
                return {"result": [{"name": name} for name in collections]}
            case "POST", ["collection"]:
                if seen.body["name"] in collections:
                    raise Refused(409, 1207, "duplicate name")
                collections[seen.body["name"]] = Collection(dict(seen.body))
                return seen.body
            case "GET", ["collection", name, "properties"]:
                return {"id": name, **collections[name].properties}
            case "PUT", ["collection", name, "properties"]:
                collections[name].properties |= seen.body
                return {"id": name, **collections[name].properties}
            case "GET", ["index"]:
                name = seen.params["collection"]
                primary = {"id": f"{name}/0", "type": "primary", "name": "primary", "fields": ["_key"], "unique": True}
                return {"indexes": [primary, *collections[name].indexes]}
            case "POST", ["index"]:
                name = seen.params["collection"]
                index = {"id": f"{name}/{len(self.seen)}", "estimates": True, **seen.body}
                collections[name].indexes.append(index)
                return index
            case "DELETE", ["index", name, number]:
                kept = [each for each in collections[name].indexes if each["id"] != f"{name}/{number}"]
                collections[name].indexes = kept
                return {"id": f"{name}/{number}"}
            case "POST", ["database"]:
                self.databases[seen.body["name"]] = {}
                return {"result": True}
        raise Refused(404, 404, f"unknown path {seen.method} {path}")

    # ── statements ──

    async def _query(self, collections: dict[str, Collection], seen: Seen) -> list[Any]:
        text, bind = seen.body["query"], seen.body.get("bindVars", {})
        named = set(re.findall(r"(?<!@)@(@?\w+)", text))
        if named != set(bind):
            raise Refused(400, 1551, f"bind variables {sorted(named ^ set(bind))}")
        name = bind.get("@rows") or re.search(r"(?:IN|INTO) (?!@)(\w+)", text)[1]  # type: ignore[index]
        if name not in collections:
            raise Refused(404, 1203, f"collection or view not found: {name}")
        return await self._known(text)(collections[name], bind, text)

    def _known(self, text: str) -> Callable[[Collection, Document, str], Awaitable[list[Any]]]:
        reads = dict.fromkeys((aql.SEAT, aql.ROW, aql.CLAIM, aql.LEASE), _whole)
        reads |= {aql.KEYS: _positions, aql.LAYOUT: _version}
        if text in reads:
            return _reading(reads[text])
        writes = {
            aql.NEW_SEAT: _seat,
            aql.NEW_LEASE: _lease,
            aql.NEW_CLAIM: _claim,
            aql.NEW_LAYOUT: _layout,
            aql.PING: _beat,
        }
        writes |= dict.fromkeys((aql.new_row(synced=True), aql.new_row(synced=False)), _row)
        if text in writes:
            return self._inserting(writes[text], replaces=text in (aql.NEW_LAYOUT, aql.PING))
        changes: dict[str, Any] = {aql.NEXT_FENCE: _fenced, aql.SAVE: _saved}
        changes |= {aql.NEXT_LEASE: _let_next, aql.RENEW: _renewed, aql.RELEASE: _released}
        changes |= dict.fromkeys((aql.newer_row(synced=True), aql.newer_row(synced=False)), _newer)
        if text in changes:
            return self._changing(changes[text])
        if text.startswith("FOR r IN @@rows FILTER r.part == @part AND") or text == aql.find({}):
            return _reading(_searched)
        raise Refused(400, 1501, f"syntax error in: {text}")

    def _inserting(self, make: Any, *, replaces: bool) -> Callable[[Collection, Document, str], Awaitable[list[Any]]]:
        async def insert(rows: Collection, bind: Document, text: str) -> list[Any]:
            document, returned = make(rows, bind)
            await asyncio.sleep(0)  # other statements overlap
            unique = [["_key"], *(index["fields"] for index in rows.indexes if index.get("unique"))]
            for fields in [] if replaces else unique:
                values = [_at(document, name) for name in fields]
                if any([_at(each, name) for name in fields] == values for each in rows.documents.values()):
                    raise Refused(409, 1210, f"unique constraint violated - in index over {fields}")
            self._store(rows, document)
            return [document[returned]]

        return insert

    def _changing(self, change: Any) -> Callable[[Collection, Document, str], Awaitable[list[Any]]]:
        async def replace(rows: Collection, bind: Document, text: str) -> list[Any]:
            former = rows.documents.get(bind["key"])
            document, returned = (None, "") if former is None else change(former, bind)
            await asyncio.sleep(0)  # other statements overlap
            if former is None or document is None:
                return []
            if rows.documents[bind["key"]]["_rev"] != former["_rev"]:
                raise Refused(409, 1200, "write-write conflict")
            self._store(rows, {**document, "_key": bind["key"]})
            return [document[returned]]

        return replace

    def _store(self, rows: Collection, document: Document) -> None:
        key, rule = document["_key"], rows.properties["schema"]["rule"]
        assert re.fullmatch(r"[a-zA-Z0-9_\-:.@()+,=;$!*'%]{1,254}", key), f"no _key: {key}"
        for name in rule["required"]:
            if name not in document:
                raise Refused(400, 1620, f"{name} is missing")
        for name, of in rule["properties"].items():
            if name in document and not _is_a(document[name], of["type"]):
                raise Refused(400, 1620, f"{name} is no {of['type']}")
        self.revision += 1
        rows.documents[key] = json.loads(json.dumps({**document, "_id": f"c/{key}", "_rev": f"_{self.revision}"}))


# ── what each statement means ──


def _whole(rows: Collection, bind: Document, text: str) -> list[Any]:
    return [rows.documents[bind["key"]]] if bind["key"] in rows.documents else []


def _positions(rows: Collection, bind: Document, text: str) -> list[Any]:
    return [each["position"] for each in rows.documents.values() if each.get("body") is not None]


def _version(rows: Collection, bind: Document, text: str) -> list[Any]:
    return [each["version"] for each in rows.documents.values()]


def _searched(rows: Collection, bind: Document, text: str) -> list[Any]:
    filters, order = re.fullmatch(r"FOR r IN @@rows FILTER (.*) SORT (.*) LIMIT @limit RETURN r", text).groups()  # type: ignore[union-attr]
    found = [
        each for each in rows.documents.values() if all(_holds(each, bind, term) for term in filters.split(" AND "))
    ]
    ways = [way.split(" ") for way in order.split(", ")]
    found.sort(key=lambda each: [_at(each, way[0][2:]) for way in ways], reverse=ways[0][1] == "DESC")
    return found[: bind["limit"]]


def _holds(row: Document, bind: Document, term: str) -> bool:
    if term.startswith("("):
        return any(_holds(row, bind, each) for each in term.strip("()").split(" OR "))
    name, sign, variable = term.split(" ")
    left, right = _at(row, name[2:].replace("`", "")), bind[variable[1:]]
    match sign:
        case "==":
            return _same(left, right)
        case "IN":
            return any(_same(left, each) for each in right)
    if not isinstance(left, int | float) or isinstance(left, bool):
        return sign.startswith(">") and isinstance(left, str | list | dict)  # AQL: null < bool < number < the others
    return bool({">": left > right, ">=": left >= right, "<": left < right}[sign])


def _same(left: Any, right: Any) -> bool:
    return bool(left == right) and isinstance(left, bool) == isinstance(right, bool)


def _seat(rows: Collection, bind: Document) -> tuple[Document, str]:
    seat = {name: bind[name] for name in ("position", "owner", "by")}
    return {"_key": bind["key"], **seat, "fence": 1, "rev": 0}, "fence"


def _lease(rows: Collection, bind: Document) -> tuple[Document, str]:
    return {"_key": bind["key"], **_without(bind, "key")}, "fence"


def _claim(rows: Collection, bind: Document) -> tuple[Document, str]:
    return {**bind["sealed"], "_key": bind["key"]}, "_key"


def _layout(rows: Collection, bind: Document) -> tuple[Document, str]:
    return {"_key": "layout", "version": bind["version"]}, "version"


def _beat(rows: Collection, bind: Document) -> tuple[Document, str]:
    return {"_key": bind["me"], "at": time.time()}, "_key"


def _row(rows: Collection, bind: Document) -> tuple[Document, str]:
    last = max((each["number"] for each in rows.documents.values() if each["part"] == bind["part"]), default=0)
    own = {name: bind[name] for name in ("part", "seq", "stamp", "by")}
    return {**bind["sealed"], "_key": bind["key"], **own, "number": last + 1, "born_by": bind["by"]}, "number"


def _fenced(seat: Document, bind: Document) -> tuple[Document | None, str]:
    if seat["fence"] != bind["was"]:
        return None, ""
    return {**seat, "fence": seat["fence"] + 1, "owner": bind["owner"], "by": bind["by"]}, "fence"


def _saved(seat: Document, bind: Document) -> tuple[Document | None, str]:
    if (seat["rev"], seat["fence"]) != (bind["rev"], bind["fence"]):
        return None, ""
    kept = {name: seat[name] for name in ("position", "fence", "owner", "by")}
    return {**bind["sealed"], **kept, "rev": seat["rev"] + 1}, "rev"


def _let_next(lease: Document, bind: Document) -> tuple[Document | None, str]:
    return ({**lease, **_without(bind, "key", "was")} if lease["by"] == bind["was"] else None), "fence"


def _renewed(lease: Document, bind: Document) -> tuple[Document | None, str]:
    is_theirs = (lease["fence"], lease["owner"]) == (bind["fence"], bind["owner"])
    return ({**lease, "by": bind["by"]} if is_theirs else None), "by"


def _released(lease: Document, bind: Document) -> tuple[Document | None, str]:
    renewed, returned = _renewed(lease, bind)
    return (None if renewed is None else {**renewed, "owner": ""}), returned


def _newer(row: Document, bind: Document) -> tuple[Document | None, str]:
    seq, had = bind["seq"], row.get("seq")
    if row["stamp"] >= bind["stamp"] or not (seq is None or had is None or had < seq):
        return None, ""
    kept = {name: row[name] for name in ("part", "number", "born_by")}
    return {**bind["sealed"], **kept, "seq": seq, "stamp": bind["stamp"], "by": bind["by"]}, "number"


# ── small change ──


def _reading(read: Any) -> Callable[[Collection, Document, str], Awaitable[list[Any]]]:
    async def answer(rows: Collection, bind: Document, text: str) -> list[Any]:
        return list(read(rows, bind, text))

    return answer


def _without(bind: Document, *names: str) -> Document:
    return {name: value for name, value in bind.items() if name not in names}


def _at(document: Any, path: str) -> Any:
    for name in path.split("."):
        document = document.get(name) if isinstance(document, dict) else None
    return document


def _is_a(value: Any, kind: Any) -> bool:
    kinds = [kind] if isinstance(kind, str) else kind
    types: dict[str, Any] = {"string": str, "integer": int, "number": (int, float), "object": dict, "null": type(None)}
    return any(isinstance(value, types[each]) for each in kinds)


def _hang_up(request: web.Request) -> None:
    assert request.transport is not None
    request.transport.abort()
