"""Each role against each endpoint of each service, over ASGI; and that no route is outside the table."""

from typing import Any

import httpx2
import pytest
from access_doors import OWN, TOKENS, Doors, a_row, bearer, write_tokens
from starlette.routing import Route

from chimera.services.access.gate import Gate
from chimera.services.access.table import ENDPOINTS, GATED, KEYS, ROLES, Endpoint, Role, endpoint_of
from chimera.services.feed import main as feed
from chimera.services.service import Service

CASES = [  # the stream has a test of its own: it never ends
    pytest.param(each, id=f"{each.service}-{each.method}-{each.path}") for each in ENDPOINTS if each.path != "/events"
]


def asked_path(endpoint: Endpoint) -> str:
    names = {"{name:path}": "x", "{name}": "console.js" if endpoint.service is Service.CONSOLE else "x"}
    path = endpoint.path
    for template, value in names.items():
        path = path.replace(template, value)
    for part in ("{symbol}", "{signal_id}", "{bundle_id}", "{other_id}"):
        path = path.replace(part, "BTCUSDT")
    return path


async def ask(client: httpx2.AsyncClient, endpoint: Endpoint, **headers: str) -> httpx2.Response:
    own = OWN if endpoint.service is Service.CONSOLE and endpoint.method == "POST" else {}
    body = b"{}" if endpoint.method == "POST" else None
    return await client.request(endpoint.method, asked_path(endpoint), headers={**own, **headers}, content=body)


def routes_of(app: Any) -> set[tuple[str, str]]:
    """Method and path of every route, those that no schema shows, too. ``neither`` answers 405 to what is no way."""
    return {
        (method, route.path)
        for route in app.routes
        if isinstance(route, Route) and route.name != "neither"
        for method in (route.methods or ())
        if method != "HEAD"
    }


def test_every_route_is_in_the_table_and_every_row_is_a_route(doors: Doors) -> None:
    for service, app in doors.apps.items():
        told = {(each.method, each.path) for each in ENDPOINTS if each.service is service}
        assert routes_of(app) == told, service
        assert len(app.routes) == sum(isinstance(route, Route) for route in app.routes), "a mount is no row"


@pytest.mark.parametrize("endpoint", CASES)
async def test_each_role_at_each_endpoint(doors: Doors, endpoint: Endpoint) -> None:
    """Without a token 401, with too little 403, with enough whatever the application answers, which is neither."""
    async with doors.client(endpoint.service) as client:
        nobody = await ask(client, endpoint)
        told = {word: (await ask(client, endpoint, **bearer(word))).status_code for word in (*ROLES, "s3", "late")}

    if endpoint.least is Role.NOBODY:
        assert nobody.status_code not in (403, 429), nobody.text
        assert endpoint.path == "/login" or nobody.status_code != 401
        return
    at_page = endpoint.path == "/" and endpoint.service is Service.CONSOLE
    assert (nobody.status_code, nobody.headers.get("location")) == ((303, "/login") if at_page else (401, None))
    for word, role in ROLES.items():
        if role >= endpoint.least:
            assert told[word] not in (401, 403, 429), word
        else:
            assert told[word] == 403, word
    allowed = (endpoint.service, endpoint.method, endpoint.path) in KEYS["s3"]
    assert (told["s3"] != 403) is allowed
    assert told["late"] == (303 if at_page else 401)


async def test_the_stream_of_the_console_asks_who_is_there(doors: Doors) -> None:
    gate = doors.gate(Service.CONSOLE)

    assert await first_status(gate, "/events", {}) == 401
    assert await first_status(gate, "/events", bearer("s3")) == 403
    assert await first_status(gate, "/events", bearer("read")) == 200


async def first_status(gate: Gate, path: str, headers: dict[str, str]) -> int:
    """Of an answer that may never end: the caller goes when it has begun."""

    class Begun(Exception):
        pass

    found = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        found.append(message["status"])
        raise Begun

    raw = [(b"host", b"127.0.0.1"), *((name.lower().encode(), value.encode()) for name, value in headers.items())]
    scope = {
        "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"", "headers": raw,
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8080), "scheme": "http", "http_version": "1.1",
        "root_path": "", "asgi": {"version": "3.0", "spec_version": "2.4"},
    }  # fmt: skip
    with pytest.raises(BaseException) as ended:  # noqa: PT011 - Begun, in a group where the stream runs in one
        await gate(scope, receive, send)
    assert ended.group_contains(Begun) if isinstance(ended.value, BaseExceptionGroup) else ended.type is Begun
    return int(found[0])


async def test_a_web_socket_is_let_in_by_nobody(doors: Doors) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": "/events", "headers": [(b"authorization", b"Bearer x")]}
    await doors.gate(Service.S4)(scope, None, send)  # type: ignore[arg-type]  # nothing is received

    assert sent == [{"type": "websocket.close", "code": 1008}]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nowhere", 404), ("DELETE", "/orders", 405), ("PUT", "/transfers", 405), ("GET", "/kill/", 404),
     ("GET", "/docs", 404), ("OPTIONS", "/kill", 405)],
)  # fmt: skip
async def test_what_is_not_in_the_table_is_not_reached(doors: Doors, method: str, path: str, status: int) -> None:
    async with doors.client(Service.S4) as client:
        assert (await client.request(method, path)).status_code == 401
        assert (await client.request(method, path, headers=bearer("admin"))).status_code == status


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({}, "TOKEN_NEEDED"),
        ({"Authorization": "Basic YWRtaW46YWRtaW4="}, "TOKEN_NEEDED"),
        ({"Authorization": "Bearer "}, "TOKEN_NEEDED"),
        ({"Authorization": "Bearer chm_nobody"}, "TOKEN_WRONG"),
        ({"Authorization": f"Bearer {TOKENS['admin'][:-1]}"}, "TOKEN_WRONG"),
        (bearer("gone"), "TOKEN_WRONG"),
        (bearer("late"), "TOKEN_EXPIRED"),
    ],
)
async def test_who_is_not_known_is_told_so_and_no_more(doors: Doors, given: dict[str, str], code: str) -> None:
    async with doors.client(Service.S4) as client:
        answer = await client.get("/positions", headers=given)

    assert (answer.status_code, answer.json()["code"]) == (401, code)
    assert answer.headers["www-authenticate"] == "Bearer"
    assert not any(token in answer.text for token in TOKENS.values())


async def test_health_tells_whoever_is_unknown_that_it_answers_and_no_more(doors: Doors) -> None:
    async with doors.client(Service.S4) as client:
        assert (await client.get("/health")).json() == {"status": "up", "checks": {}}
        assert (await client.get("/health", headers=bearer("gone"))).json() == {"status": "up", "checks": {}}
        assert (await client.get("/health", headers=bearer("read"))).json()["checks"]
        assert (await client.get("/health", headers=bearer("s3"))).json()["checks"]


async def test_tokens_are_taken_and_revoked_without_a_restart(doors: Doors) -> None:
    """Within a second; a file that is broken takes nobody's token away."""
    async with doors.client(Service.S4) as client:

        async def status(word: str) -> int:
            doors.clock.pass_ms(1_000)
            return (await client.get("/positions", headers=bearer(word))).status_code

        assert [await status("read"), await status("gone")] == [200, 401]
        write_tokens(doors.path, a_row("gone", Role.READ))
        assert [await status("read"), await status("gone")] == [401, 200]
        doors.path.write_text("{")
        assert await status("gone") == 200
        doors.path.unlink()
        assert await status("gone") == 200
        write_tokens(doors.path, a_row("read", Role.READ))
        assert [await status("read"), await status("gone")] == [200, 401]
        write_tokens(doors.path, a_row("gone", Role.READ))
        doors.path.chmod(0o644)
        assert await status("read") == 200, "others may read it"
        doors.path.chmod(0o600)
        assert [await status("read"), await status("gone")] == [401, 200], "no byte of it has changed since"


async def test_a_token_expires_by_the_clock(doors: Doors) -> None:
    write_tokens(doors.path, a_row("read", Role.READ, expires_ms=doors.clock.now_ms() + 10_000))
    doors.clock.pass_ms(1_000)
    async with doors.client(Service.S4) as client:
        assert (await client.get("/positions", headers=bearer("read"))).status_code == 200
        doors.clock.pass_ms(9_000)
        assert (await client.get("/positions", headers=bearer("read"))).status_code == 401


async def test_without_tokens_everything_is_as_if_there_were_no_gate(doors: Doors) -> None:
    async with doors.client(Service.S4, book=None) as client:
        assert (await client.get("/positions")).status_code == 200
        assert (await client.post("/orders", content=b"{}")).status_code == 400
        assert (await client.get("/nowhere")).json()["code"] == "NOT_FOUND"
        assert (await client.put("/transfers")).status_code == 405


def test_the_feed_has_no_gate_and_nothing_to_keep() -> None:
    """Loopback alone, reading alone; with more it needs rows."""
    assert feed.HOST == "127.0.0.1"
    assert routes_of(feed.build_app({})) == {("GET", "/health"), ("GET", "/metrics")}
    assert set(Service) - set(GATED) == {Service.FEED}


def test_head_is_asked_as_get_is() -> None:
    found = endpoint_of(Service.S4, "HEAD", "/positions")

    assert found is not None
    assert found.least is Role.READ
    assert endpoint_of(Service.S4, "HEAD", "/kill") is None


def test_killing_is_easier_than_arming() -> None:
    least = {(each.service, each.path): each.least for each in ENDPOINTS if each.method == "POST"}

    assert least[Service.S4, "/kill"] < least[Service.S4, "/arm"] == Role.ADMIN
    assert {each.path for each in ENDPOINTS if each.protects} == {
        "/kill", "/cancel", "/positions/{symbol}/close", "/acts/close", "/acts/cancel", "/acts/kill",
    }  # fmt: skip
