"""One futures call in hand: the caller's account, the symbols it names."""

from dataclasses import dataclass

from chimera.simulate.door.call import Call
from chimera.simulate.usdm.accounts import Account
from chimera.simulate.usdm.exchange import FuturesExchange
from chimera.simulate.usdm.floor import FuturesFloor
from chimera.simulate.usdm.perpetual import Perpetual
from chimera.simulate.usdm.reports import FuturesWire


@dataclass(slots=True)
class FuturesCall(Call):
    """``Call`` on the futures market."""

    exchange: FuturesExchange
    wire: FuturesWire

    @property
    def floor(self) -> FuturesFloor:
        return self.exchange.floor

    @property
    def account(self) -> Account:
        """The caller's."""
        return self.floor.accounts[self.owner]

    @property
    def listing(self) -> Perpetual:
        """The mandatory symbol's listing."""
        return self.floor.listing(self.params.need("symbol"))

    @property
    def maybe_symbol(self) -> str | None:
        """The optional symbol, which must be listed if given."""
        return self.floor.listing(self.params.text("symbol")).symbol if self.params.has("symbol") else None

    def chosen(self) -> list[Perpetual]:
        """The optional symbol's listing, or all."""
        symbol = self.maybe_symbol
        return [each for each in self.floor.listings.values() if symbol in (None, each.symbol)]
