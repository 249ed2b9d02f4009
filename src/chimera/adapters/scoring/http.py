"""A model behind HTTP: ``POST {symbol, features{name: "0.2"}}`` answers ``{p, size_mult_ml, version?}``.

Numbers never pass through ``float``. Anything but a whole answer in time is ``NotSent``: what stands in for it is not
decided here.
"""

import asyncio
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import aiohttp

from chimera.trading.decision import Score
from chimera.trading.errors import NotSent
from chimera.trading.ids import Symbol
from chimera.trading.money import text


class HttpScorer:
    """``chimera.ports.score.Scorer``."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def score(self, symbol: Symbol, features: Mapping[str, Decimal], *, timeout_ms: int) -> Score:
        asked = {"symbol": symbol, "features": {name: text(value) for name, value in features.items()}}
        try:
            async with (
                asyncio.timeout(timeout_ms / 1000),
                self._session.post(self._url, json=asked, raise_for_status=True) as answer,
            ):
                return _score(json.loads(await answer.text(), parse_float=Decimal))
        except TimeoutError as error:
            raise NotSent(f"the model did not answer in {timeout_ms} ms") from error
        except (aiohttp.ClientError, ValueError, ArithmeticError) as error:
            raise NotSent(f"the model's answer is of no use: {error}") from error


def _score(document: Any) -> Score:
    if not isinstance(document, dict):
        raise ValueError("it is no object")
    p, size_mult = _number(document, "p"), _number(document, "size_mult_ml")
    if not 0 <= p <= 1 or size_mult < 0:
        raise ValueError(f"p {p} or size_mult_ml {size_mult} is out of range")
    return Score(p=p, size_mult_ml=size_mult, source="http", version=str(document.get("version", "")))


def _number(document: Mapping[str, Any], name: str) -> Decimal:
    value = document.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError(f"{name} is {value!r}")
    number = Decimal(value)
    if not number.is_finite():
        raise ValueError(f"{name} is {value!r}")
    return number
