"""A model behind HTTP: ``POST {symbol, features{name: "0.2"}}`` answers 200 ``{p, size_mult_ml, version?}``.

Numbers never pass through ``float``. Anything but a whole answer in time is ``NotSent``: what stands in for it is not
decided here. The answer comes from where it was asked for: a redirect is not followed. Of a body no more is read than
an answer can have.
"""

import asyncio
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import aiohttp

from chimera.trading.decision import Score
from chimera.trading.errors import NotSent
from chimera.trading.ids import Symbol
from chimera.trading.money import sound, text

BODY_MAX: Final = 16_384  # bytes
VERSION_MAX: Final = 64  # letters


class HttpScorer:
    """``chimera.ports.score.Scorer``."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def score(self, symbol: Symbol, features: Mapping[str, Decimal], *, timeout_ms: int) -> Score:
        """``timeout_ms`` is for all of it, from connecting to the answer's last byte."""
        asked = {"symbol": symbol, "features": {name: text(value) for name, value in features.items()}}
        try:
            async with asyncio.timeout(timeout_ms / 1000):
                return _score(await self._answer(asked))
        except TimeoutError as error:
            raise NotSent(f"the model did not answer in {timeout_ms} ms") from error
        except (aiohttp.ClientError, OSError) as error:
            raise NotSent(f"the model is away: {error or type(error).__name__}") from error
        except (ValueError, ArithmeticError, RecursionError) as error:  # the last: nested a thousand deep
            raise NotSent(f"the model's answer is of no use: {error}") from error

    async def _answer(self, asked: object) -> bytes:
        async with self._session.post(
            self._url, json=asked, allow_redirects=False, headers={"Accept-Encoding": "identity"}
        ) as answer:
            if answer.status != 200:
                raise ValueError(f"its status is {answer.status}")
            if packed := answer.headers.get("Content-Encoding"):
                raise ValueError(f"it is packed ({packed[:VERSION_MAX]})")
            body = b""
            async for piece in answer.content.iter_any():
                body += piece
                if len(body) > BODY_MAX:
                    raise ValueError(f"it is longer than {BODY_MAX} bytes")
            return body


def session() -> aiohttp.ClientSession:
    """For ``HttpScorer``: it unpacks nothing, so that no small answer becomes a large one."""
    return aiohttp.ClientSession(auto_decompress=False)


def _score(body: bytes) -> Score:
    document = json.loads(body, parse_float=Decimal)
    if not isinstance(document, dict):
        raise ValueError("it is no object")
    p, size_mult = _number(document, "p"), _number(document, "size_mult_ml")
    if not 0 <= p <= 1 or size_mult < 0:
        raise ValueError(f"p {p} or size_mult_ml {size_mult} is out of range")
    return Score(p=p, size_mult_ml=size_mult, source="http", version=_version(document.get("version", "")))


def _number(document: Mapping[str, Any], name: str) -> Decimal:
    value = document.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError(f"{name} is {_short(value)}")
    number = Decimal(value)
    if not sound(number):
        raise ValueError(f"{name} is {_short(value)}")
    return number


def _version(given: object) -> str:
    """A name or a number; it stands on the signal."""
    if isinstance(given, bool) or not isinstance(given, str | int) or len(str(given)) > VERSION_MAX:
        raise ValueError(f"version is {_short(given)}")
    return str(given)


def _short(given: object) -> str:
    shown = repr(given)
    return shown if len(shown) <= VERSION_MAX else f"{shown[:VERSION_MAX]}..."
