"""The fee rates that this account pays, by symbol: read from the venue, kept, and known again after a restart.

Until they are known, the venue's usual ones stand in. A ledger that is away holds nothing up: what was read
is in force at once, and is kept at the next reading that finds the store.
"""

from decimal import Decimal
from typing import Final

import msgspec
import structlog

from chimera.ports.ledger import Rows
from chimera.ports.venue import Records
from chimera.services.router.ground import Ground
from chimera.trading.errors import StoreUnavailable
from chimera.trading.ids import Symbol
from chimera.trading.venue import FeeRates
from chimera.wire import keys
from chimera.wire.codec import SCHEMA_VERSION, plain

log = structlog.get_logger()

USUAL_FEES: Final = FeeRates(maker=Decimal("0.0002"), taker=Decimal("0.0005"))  # futures'
SPOTS_USUAL_FEES: Final = FeeRates(maker=Decimal("0.001"), taker=Decimal("0.001"))


class FeeBook:
    """Of one account on one market."""

    def __init__(self, ground: Ground, records: Records, rows: Rows) -> None:
        self.rates: dict[Symbol, FeeRates] = {}
        self._ground = ground
        self._records = records
        self._rows = rows
        self._kept: dict[Symbol, FeeRates] = {}
        self._unasked: set[Symbol] = set()  # neither read nor looked up

    def expect(self, symbol: Symbol) -> None:
        """The usual rates, until the account's own are known."""
        if symbol not in self.rates:
            self.rates[symbol] = USUAL_FEES if self._ground.market.reduces_only else SPOTS_USUAL_FEES
            self._unasked.add(symbol)

    async def read(self, symbol: Symbol) -> None:
        """Ask the venue; keep what is new. Raises what ``Records.fee_rates`` raises."""
        rates = await self._records.fee_rates(symbol)
        self._unasked.discard(symbol)
        self.rates[symbol] = rates
        if rates != self._kept.get(symbol):
            log.info("fee_rates", symbol=symbol, maker=str(rates.maker), taker=str(rates.taker))
            await self._keep(symbol, rates)

    async def recall(self) -> None:
        """What was kept of symbols that the venue has not been asked about yet."""
        for symbol in sorted(self._unasked):
            try:
                found = await self._rows.get(keys.FEE_RATES, self._name(symbol))
            except StoreUnavailable as error:
                log.info("fee_rates_not_recalled", symbol=symbol, error=str(error))
                return
            if symbol in self._unasked:
                self._unasked.discard(symbol)
                if found is not None:
                    self.rates[symbol] = self._kept[symbol] = msgspec.convert(found["rates"], FeeRates)

    async def _keep(self, symbol: Symbol, rates: FeeRates) -> None:
        ground = self._ground
        document = {
            "schema_version": SCHEMA_VERSION,
            "account_id": ground.account_id,
            "market": str(ground.market),
            "symbol": symbol,
            "at_ms": ground.clock.now_ms(),
            "rates": plain(rates),
        }
        try:
            await self._rows.put(keys.FEE_RATES, self._name(symbol), document)
        except StoreUnavailable as error:
            log.info("fee_rates_unkept", symbol=symbol, error=str(error))
        else:
            self._kept[symbol] = rates

    def _name(self, symbol: Symbol) -> str:
        return f"{self._ground.account_id}:{self._ground.market}:{symbol}"
