"""One rehearsal: the checks of each market, asked in turn, and the difference as plain rows.

On ``sim`` an answer is held against the documents; on ``demo`` against the twin, which is asked the same questions
at the same time. A rehearsal begins only where nothing of the symbol is open or held, and ends by cancelling and
flattening whatever happened in between. Rows hold facts, no key and no amount; what slipped through is struck out.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from chimera.ports.clock import Clock
from chimera.services.conform import futures, spot
from chimera.services.conform.check import Check
from chimera.services.conform.hands import Caller, Desk, Facts, transport_of
from chimera.services.conform.target import CODE, Target, simulator
from chimera.services.simulator.market import open_synthetic
from chimera.services.simulator.server import SimulatorServer
from chimera.services.simulator.settings import SimulatorSettings
from chimera.trading.errors import ChimeraError, Refused
from chimera.trading.value import Value

STRUCK_OUT: Final = "***"
LISTED: Final = 6  # names of an answer that are told in full
CHECK_S: Final = 180.0  # one check at most; the slowest waits for the market to move
NOT_ASKED: Final = (
    (9, "a partly filled maker leg of a list", "needs somebody who takes a part of it; by hand"),
    (12, "the throttle and conditional orders", "by documentation watch: it cannot be provoked"),
    (13, "the event of a transfer", "in production with the smallest amount: demo has no transfers"),
)

Say = Callable[[str], None]


class Book(Value):
    """One market's questions and how to begin and end there."""

    market: str
    base: str
    checks: tuple[Check, ...]
    untouched: Callable[[Desk], Awaitable[bool]]
    tidy: Callable[[Desk], Awaitable[None]]


BOOKS: Final = (
    Book(market="FUT", base="/fapi/v1", checks=futures.CHECKS, untouched=futures.untouched, tidy=futures.tidy),
    Book(market="SPOT", base="/api/v3", checks=spot.CHECKS, untouched=spot.untouched, tidy=spot.tidy),
)


async def rehearse(
    targets: Mapping[str, Target], clock: Clock, *, symbol: str, tag: str, against_twin: bool, say: Say
) -> list[dict[str, Any]]:
    """A row for each check of the markets in ``targets``; ``against_twin``: expect what the twin does. Raises
    ``Refused`` where something is open or held.
    """
    rows: list[dict[str, Any]] = []
    for book in BOOKS:
        target = targets.get(book.market)
        if target is None:
            continue
        expected = {check.name: check.expects for check in book.checks}
        if against_twin:
            async with own_simulator(symbol) as address:
                expected |= await _at(book, simulator(address)[book.market], clock, symbol, tag, _quietly)
        got = await _at(book, target, clock, symbol, tag, say)
        rows += [row(book.market, check, expected[check.name], got[check.name]) for check in book.checks]
        rows = redacted(rows, _secrets(target))
    return rows


def unasked() -> list[dict[str, Any]]:
    """The open questions that no request can answer, as rows."""
    return [
        {"check": name, "source": "13", "question": number, "expected": None, "got": None, "same": None, "why": why}
        for number, name, why in NOT_ASKED
    ]


@asynccontextmanager
async def own_simulator(symbol: str) -> AsyncIterator[str]:
    """A simulator of our own with a synthetic market in wall time, on any free port; its address."""
    market = open_synthetic([symbol], seed=1)
    settings = SimulatorSettings(port=0, seed=1, speed=1.0, instruments=market.instruments, spot=market.spot)
    server = SimulatorServer(settings, market.events)
    await server.start()
    try:
        yield f"http://{server.address[0]}:{server.address[1]}"
    finally:
        await server.stop()


async def _at(book: Book, target: Target, clock: Clock, symbol: str, tag: str, say: Say) -> dict[str, Facts]:
    if target.credentials is None:
        raise Refused(CODE, f"there are no keys for {book.market}", field="environment")
    transport = transport_of(target)
    try:
        desk = Desk(Caller(transport, target.credentials, book.base, clock.now_ms), symbol, tag)
        await desk.open()
        secrets = _secrets(target)
        return await asked(book, desk, lambda line: say(_struck(f"{book.market:<4}  {line}", secrets)))
    finally:
        await transport.close()


async def asked(book: Book, desk: Desk, say: Say) -> dict[str, Facts]:
    """What came of each check, by name. Raises ``Refused`` before the first where something is open or held."""
    if not await book.untouched(desk):
        raise Refused(
            CODE, f"something of {desk.symbol} is open or held there, and a rehearsal would close it",
            field="--symbol", value=desk.symbol, accepted="an account that is flat in it",
        )  # fmt: skip
    try:
        return {check.name: await _one(check, desk, say) for check in book.checks}
    finally:
        await asyncio.shield(book.tidy(desk))


async def _one(check: Check, desk: Desk, say: Say) -> Facts:
    """A check that fails to be asked is an answer, too: what stood in the way."""
    try:
        async with asyncio.timeout(CHECK_S):
            await desk.look()
            got = await check.ask(desk)
    except (ChimeraError, TimeoutError, LookupError, TypeError, AttributeError, ValueError) as error:
        # The last four: an answer of another form than the check reads, which is what we came to find.
        got = {"unreadable": f"{type(error).__name__}: {error}"}
    say(f"{check.name}: {in_words(got)}")
    return got


def in_words(got: Facts) -> str:
    """An answer as a person reads it: status, code and text first, of a long list how many it has."""
    plain = [_short(got[name]) for name in ("status", "code", "msg") if name in got]
    return " ".join(plain + [f"{name}={_short(got[name])}" for name in got if name not in ("status", "code", "msg")])


def _short(fact: Any) -> str:
    if isinstance(fact, list):
        return str(len(fact)) if len(fact) > LISTED else ", ".join(map(str, fact)) or "none"
    return "none" if fact is None else str(fact)


def row(market: str, check: Check, expected: Facts | None, got: Facts) -> dict[str, Any]:
    """One line of the difference; without an expectation nothing is the same or not."""
    told: dict[str, Any] = {"check": check.name, "market": market, "source": check.source}
    if check.question is not None:
        told["question"] = check.question
    if check.expects is not None:
        told["documented"] = check.expects
    return told | {"expected": expected, "got": got, "same": None if expected is None else expected == got}


def redacted(rows: Iterable[Any], secrets: Sequence[str]) -> list[Any]:
    """The same with every secret struck out, wherever it stands."""
    return [_struck(row, [secret for secret in secrets if secret]) for row in rows]


def _struck(told: Any, secrets: Sequence[str]) -> Any:
    match told:
        case str():
            for secret in secrets:
                told = told.replace(secret, STRUCK_OUT)
            return told
        case dict():
            return {_struck(name, secrets): _struck(value, secrets) for name, value in told.items()}
        case list() | tuple():
            return [_struck(value, secrets) for value in told]
        case _:
            return told


def _secrets(target: Target) -> tuple[str, ...]:
    known = target.credentials
    return () if known is None else (known.key, known.secret)


def _quietly(line: str) -> None:
    """Nobody listens while the twin is asked."""
