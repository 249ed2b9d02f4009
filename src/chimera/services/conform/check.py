"""A check: one question to a venue, what the documents say the answer is, and where they say it."""

from collections.abc import Awaitable, Callable
from typing import Any

from chimera.services.conform.hands import Answer, Desk, Facts
from chimera.trading.value import Value

Ask = Callable[[Desk], Awaitable[Facts]]


class Check(Value):
    """``expects`` is ``None`` where no document says; ``question``: its number in the reference's open questions."""

    name: str
    source: str  # section of the Binance reference
    ask: Ask
    expects: Facts | None = None
    question: int | None = None


Send = Callable[[Desk], Awaitable[Answer]]


def refusal(name: str, source: str, send: Send, code: int, *, msg: str | None = None, status: int = 400) -> Check:
    """The venue says no with this code, and with this text where ``msg`` is given (digits as ``#``)."""

    async def ask(desk: Desk) -> Facts:
        told = (await send(desk)).facts()
        if msg is None:
            told.pop("msg", None)
        return told

    expected: dict[str, Any] = {"status": status, "code": code}
    return Check(name=name, source=source, ask=ask, expects=expected | ({} if msg is None else {"msg": msg}))


def shape(name: str, source: str, send: Send, names: str, *, open_to: str = "") -> Check:
    """The answer has exactly the fields ``names``; those of ``open_to`` may be there or not and are not compared."""

    async def ask(desk: Desk) -> Facts:
        told = (await send(desk)).facts()
        if "fields" in told:
            told["fields"] = [field for field in told["fields"] if field not in open_to.split()]
        return told

    return Check(name=name, source=source, ask=ask, expects={"status": 200, "fields": sorted(names.split())})
