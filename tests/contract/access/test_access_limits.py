"""How often and how much may be asked, per token and per address; and that what protects or kills is never counted."""

import io
import logging

import httpx2
import pytest
import structlog
from access_doors import TOKENS, Doors, bearer
from console_stage import HandClock
from hypothesis import given
from hypothesis import strategies as st

from chimera.services import logs
from chimera.services.access.gate import FAILURES_PER_S, Terms
from chimera.services.access.rates import BURST_S, Buckets
from chimera.services.service import Service

FEW = Terms(rate=2)
FULL = FEW.rate * BURST_S


async def asked(client: httpx2.AsyncClient, word: str, times: int, path: str = "/positions") -> list[int]:
    return [(await client.get(path, headers=bearer(word))).status_code for _ in range(times)]


async def test_one_token_is_held_back_and_told_for_how_long(doors: Doors) -> None:
    async with doors.client(Service.S4, FEW) as client:
        assert await asked(client, "read", FULL + 1) == [200] * FULL + [429]
        answer = await client.get("/positions", headers=bearer("read"))
        assert (answer.json()["code"], answer.headers["retry-after"]) == ("TOO_MANY_REQUESTS", "1")
        assert await asked(client, "trade", 1) == [200], "another token has its own"
        doors.clock.pass_ms(500)
        assert await asked(client, "read", 2) == [200, 429]


async def test_one_address_is_held_back_whatever_tokens_it_has(doors: Doors) -> None:
    async with doors.client(Service.S4, FEW) as client:
        assert await asked(client, "read", FULL) == [200] * FULL
        assert await asked(client, "trade", FULL) == [200] * FULL
        assert await asked(client, "admin", 1) == [429]


@pytest.mark.parametrize("path", ["/kill", "/cancel", "/positions/BTCUSDT/close"])
async def test_what_protects_or_kills_is_never_held_back(doors: Doors, path: str) -> None:
    """Not by its own number, and not when everything else of this token and address is used up."""
    async with doors.client(Service.S4, FEW) as client:
        await asked(client, "trade", 2 * FULL)
        await asked(client, "admin", 2 * FULL)
        for _ in range(50):
            await client.get("/positions", headers={"Authorization": "Bearer chm_wrong"})
        assert await asked(client, "trade", 1) == [429]

        told = [(await client.post(path, json={}, headers=bearer("trade"))).status_code for _ in range(20 * FULL)]

    assert not {401, 403, 429} & set(told)


async def test_the_close_of_the_console_is_never_held_back(doors: Doors) -> None:
    own = {"Origin": "http://127.0.0.1:8080", "X-Chimera-Console": "1"}
    async with doors.client(Service.CONSOLE, FEW) as client:
        await asked(client, "trade", 2 * FULL, "/")
        sent = {"about": {"position": "BTCUSDT"}, "confirm": "x", "effect": "x"}
        told = await client.post("/acts/close", json=sent, headers=own | bearer("trade"))
        assert await asked(client, "trade", 1, "/") == [429]

    assert told.status_code == 422


async def test_wrong_tokens_are_held_back_and_a_right_one_beside_them_is_not(doors: Doors) -> None:
    wrong = {"Authorization": "Bearer chm_guess"}
    full = FAILURES_PER_S * BURST_S
    async with doors.client(Service.S4) as client:
        told = [(await client.get("/positions", headers=wrong)).status_code for _ in range(full + 1)]
        assert told == [401] * full + [429]
        assert await asked(client, "read", 1) == [200]


async def test_probes_are_never_held_back_and_what_else_is_open_to_all_is(doors: Doors) -> None:
    async with doors.client(Service.CONSOLE, FEW) as client:
        login = [(await client.get("/login")).status_code for _ in range(2 * FULL + 1)]
        probes = {(await client.get("/health")).status_code for _ in range(10 * FULL)}
    async with doors.client(Service.S4, FEW) as client:
        probes |= {(await client.get(path)).status_code for path in ("/ready", "/health") for _ in range(10 * FULL)}

    assert login == [200] * 2 * FULL + [429]
    assert 429 not in probes


async def test_a_body_that_says_that_it_is_too_large_is_not_read(doors: Doors) -> None:
    async with doors.client(Service.S4, Terms(rate=1_000, body_most=100)) as client:
        answer = await client.post("/orders", content=b"x" * 101, headers=bearer("trade"))
        assert (answer.status_code, answer.json()["code"]) == (413, "TOO_LARGE")
        assert (await client.post("/orders", content=b"x" * 100, headers=bearer("trade"))).status_code == 400


async def test_the_console_reads_no_body_that_does_not_say_how_long_it_is(doors: Doors) -> None:
    async def parts() -> object:
        yield b"{}"

    own = {"Origin": "http://127.0.0.1:8080", "X-Chimera-Console": "1", "Content-Type": "application/json"}
    async with doors.client(Service.CONSOLE) as client:
        chunked = await client.post("/acts/close", content=parts(), headers=own | bearer("trade"))  # type: ignore[arg-type]  # an async generator is one of its kinds
        long = await client.post("/acts/close", content=b" " * 5_000, headers=own | bearer("trade"))

    assert [chunked.status_code, long.status_code] == [413, 413]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3_000)), max_size=30), st.integers(1, 50))
def test_a_bucket_lets_through_its_rate_and_a_burst_and_its_wait_is_enough(
    steps: list[tuple[int, int]], rate: int
) -> None:
    clock = HandClock()
    buckets, began, let = Buckets(rate, clock), clock.monotonic_ms(), 0
    for times, passing in steps:
        for _ in range(times):
            let += buckets.take("a") == 0
        clock.pass_ms(passing)

    assert let <= rate * BURST_S + rate * (clock.monotonic_ms() - began) / 1000
    while wait_ms := buckets.take("a"):
        clock.pass_ms(wait_ms)
        assert buckets.take("a") == 0
        break


def test_buckets_are_bounded_and_forget_who_asked_longest_ago() -> None:
    buckets = Buckets(1, HandClock(), most=3)
    for key in ("a", "a", "b", "c", "d"):
        buckets.take(key)

    assert len(buckets) == 3
    assert [buckets.take(key) for key in ("a", "a", "a")] == [0, 0, 1_000], "forgotten, and so it is full"


async def test_an_unforeseen_error_shows_nobody_the_token_that_met_it(
    doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not in the answer, and not in the log's traceback, which has whatever the error says."""
    out, before = io.StringIO(), structlog.get_config()
    token = TOKENS["read"]

    async def breaks() -> None:
        raise RuntimeError(f"the headers were Authorization: Bearer {token}")

    monkeypatch.setattr(doors.router, "positions", breaks)
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    logs.to_stderr("s4", stream=out)
    try:
        async with doors.client(Service.S4) as client:
            answer = await client.get("/positions", headers=bearer("read"))
    finally:
        structlog.configure(**before)
        logging.getLogger().handlers[:], logging.getLogger().level = handlers, level

    assert (answer.status_code, answer.json()["code"]) == (500, "INTERNAL")
    assert "unforeseen_error" in out.getvalue()
    assert "RuntimeError" in out.getvalue()
    assert token not in answer.text + out.getvalue()
