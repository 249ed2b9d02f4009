"""One spot call in hand: the caller's account, the pair it names, its own ids and modes read as spot refuses them."""

import re
from dataclasses import dataclass
from typing import Final

from chimera.simulate.door.call import Call
from chimera.simulate.door.params import CLIENT_ID_RANGE
from chimera.simulate.door.refusals import Refusal
from chimera.simulate.spot.accounts import SpotAccount
from chimera.simulate.spot.exchange import SpotExchange
from chimera.simulate.spot.floor import SpotFloor
from chimera.simulate.spot.pair import Pair
from chimera.trading.money import DAY_MS

SYMBOL_RANGE: Final = r"^[\w\-._&&[^a-z]]{1,50}$"  # as the venue prints it: word characters, none of them lower case
_SYMBOL: Final = re.compile(r"((?![a-z])[\w\-.]){1,50}")
_CLIENT_ID: Final = re.compile(CLIENT_ID_RANGE)


@dataclass(slots=True)
class SpotCall(Call):
    """``Call`` on the spot market."""

    exchange: SpotExchange

    @property
    def floor(self) -> SpotFloor:
        return self.exchange.floor

    @property
    def account(self) -> SpotAccount:
        """The caller's."""
        return self.floor.accounts[self.owner]

    @property
    def pair(self) -> Pair:
        """The mandatory symbol's pair."""
        symbol = self.params.need("symbol")
        if _SYMBOL.fullmatch(symbol) is None:
            raise Refusal(-1100, "symbol", SYMBOL_RANGE)
        return self.floor.listing(symbol)

    def client_id(self, name: str) -> str | None:
        """An optional client id of Binance's alphabet and length."""
        value = self.params.text(name)
        if value and _CLIENT_ID.fullmatch(value) is None:
            raise Refusal(-1100, name, CLIENT_ID_RANGE)
        return value or None

    def new_id(self, name: str) -> str:
        """The client id given, or one made up."""
        return self.client_id(name) or self.floor.new_client_id()

    def between(self) -> tuple[int, int]:
        """From and to, both inclusive; at most a day apart where both are given."""
        start, end = self.period(DAY_MS)
        return start or 0, self.now_ms + 1 if end is None else end
