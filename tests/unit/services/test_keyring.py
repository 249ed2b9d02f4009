"""Whether a new key may take over: what the venue says of it, asked by questions that change nothing."""

from types import SimpleNamespace
from typing import Any

import pytest

from chimera.adapters.binance.account import BinanceFutures
from chimera.adapters.binance.outcomes import by_code
from chimera.services.router.hosting import Pair
from chimera.services.router.keyring import Signed, Trial
from chimera.trading.errors import ChimeraError, NotSent, Refused
from chimera.trading.ids import Symbol
from chimera.trading.market import Market
from chimera.trading.venue import AccountModes

pytestmark = pytest.mark.req("CONF-1")


class Account(BinanceFutures):
    """Answers as it is told; what is asked of a test order is ``trouble``."""

    def __init__(self, whose: str | ChimeraError, trouble: ChimeraError | None = None, can_trade: bool = True) -> None:
        put = object.__setattr__
        modes = AccountModes(hedge=False, multi_asset=False, can_trade=can_trade)
        put(self, "records", SimpleNamespace(alias=answering(whose), modes=answering(modes)))
        put(self, "venue", SimpleNamespace(rehearse=answering(trouble)))
        put(self, "raw", SimpleNamespace(server_now_ms=lambda: 1, venue_clock=None))

    async def close(self) -> None: ...


def answering(what: object) -> Any:
    async def answer(*_: object, **__: object) -> object:
        if isinstance(what, Exception):
            raise what
        return what

    return answer


async def asked(new: Account, present: Account | None = None) -> None:
    signed = Signed({Market.FUT: present or Account("alias-1")}, None)
    trial = Trial(signed, lambda _, __: new, "sim", {Market.FUT: Symbol("BTCUSDT")})
    await trial(Pair("new", "secret"))


async def test_a_key_of_the_same_account_that_may_trade_takes_over() -> None:
    await asked(Account("alias-1"))


@pytest.mark.parametrize("code", [-2022, -4164, -1111])
async def test_what_is_wrong_with_the_test_order_alone_says_nothing_of_the_key(code: int) -> None:
    await asked(Account("alias-1", by_code(code, "no")))


@pytest.mark.parametrize("code", [-2015, -1002])
async def test_a_key_without_the_right_to_trade_does_not(code: int) -> None:
    with pytest.raises(Refused, match="may not trade FUT"):
        await asked(Account("alias-1", by_code(code, "no")))


async def test_nor_one_of_an_account_that_may_not_or_of_another_or_of_nobodys_knowledge() -> None:
    with pytest.raises(Refused, match="may not trade FUT"):
        await asked(Account("alias-1", can_trade=False))
    with pytest.raises(Refused, match="another account"):
        await asked(Account("alias-2"))
    with pytest.raises(Refused, match="never told"):
        await asked(Account("alias-1"), present=Account(NotSent("away")))
    with pytest.raises(Refused, match="never told"):
        await asked(Account(""), present=Account(""))


async def test_a_venue_that_does_not_answer_has_said_nothing_of_the_key() -> None:
    with pytest.raises(NotSent):
        await asked(Account("alias-1", NotSent("429")))
