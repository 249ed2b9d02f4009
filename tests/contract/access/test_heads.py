"""The head of a request is bounded in bytes and in time, on a real socket; a body may take its time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from access_doors import Doors, served

from chimera.services import heads
from chimera.services.access.door import Door
from chimera.services.heads import HEAD_MOST
from chimera.services.service import Service

ASKED = b"GET /ready HTTP/1.1\r\nHost: 127.0.0.1\r\n"


@asynccontextmanager
async def connected(doors: Doors) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    async with served(doors, Door(host="127.0.0.1")) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        try:
            yield reader, writer
        finally:
            writer.close()


async def status_of(reader: asyncio.StreamReader) -> int:
    """Of the next answer, which is read to its end; 0: the connection was closed instead."""
    async with asyncio.timeout(10):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionResetError):
            return 0
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.partition(b":")[2]))
        return int(head.split()[1])


@pytest.mark.parametrize("each", [b"X-%d: " + b"x" * 4_000, b"X-%d: y"])
async def test_headers_beyond_the_bound_are_refused_and_the_connection_closed(doors: Doors, each: bytes) -> None:
    async with connected(doors) as (reader, writer):
        lines = [each % number for number in range(HEAD_MOST // (len(each) - 2) + 1)]
        writer.write(ASKED + b"\r\n".join(lines) + b"\r\n\r\n")

        assert await status_of(reader) == 400
        assert await status_of(reader) == 0


async def test_a_header_that_never_ends_is_not_read_for_ever(doors: Doors) -> None:
    async with connected(doors) as (reader, writer):
        writer.write(ASKED + b"X-Long: ")
        for _ in range(HEAD_MOST // 1_000 + 2):
            writer.write(b"x" * 1_000)
            await asyncio.sleep(0)

        assert await status_of(reader) in (400, 0)


async def test_what_is_within_the_bound_is_answered_again_and_again(doors: Doors) -> None:
    async with connected(doors) as (reader, writer):
        for _ in range(4):  # together more than the bound: each is counted for itself
            writer.write(ASKED + b"X-Long: " + b"x" * (HEAD_MOST // 2) + b"\r\n\r\n")
            assert await status_of(reader) in (200, 503)


async def test_who_does_not_show_a_whole_head_in_time_is_closed(doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "HEAD_S", 0.05)
    async with connected(doors) as (reader, writer):
        writer.write(ASKED)

        assert await status_of(reader) == 0


async def test_a_body_may_take_longer_than_a_head(doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "HEAD_S", 0.05)
    async with connected(doors) as (reader, writer):
        writer.write(b"POST /cancel HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\n\r\n{")
        await asyncio.sleep(0.2)
        writer.write(b"}")

        assert await status_of(reader) == 400


@pytest.mark.parametrize(
    ("host", "status"),
    [("127.0.0.1:8084", 200), ("localhost", 200), ("[::1]:8084", 200), ("evil.example", 403),
     ("evil.example:8084", 403), ("127.0.0.1.evil.example", 403)],
)  # fmt: skip
async def test_without_tokens_a_name_that_was_rebound_to_this_machine_is_no_way_in(
    doors: Doors, host: str, status: int
) -> None:
    async with doors.client(Service.S4, book=None) as client:
        assert (await client.get("/positions", headers={"Host": host})).status_code == status
