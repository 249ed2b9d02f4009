"""The world of spot: the same house over the twin's spot market, whose wallet also holds coins of the user's own.

Drawn with the seed: how many coins those are, and how fees are taken (in what is bought, in BNB, in BNB while it
lasts). S4 is the production router over the production spot adapter: orders by REST (or by socket), the user's events
over the WebSocket API. There is no S3 here: callers want.
"""

from collections.abc import Callable, Iterable
from contextvars import Context
from decimal import Decimal
from typing import Any, Final

from chimera.adapters.binance.account import BinanceFutures
from chimera.adapters.binance.spot.account import BinanceSpot, open_spot
from chimera.services.stage.clock import EPOCH_MS, VirtualClock
from chimera.services.stage.loop import DetLoop
from chimera.services.stage.tape import Tape
from chimera.simulate.spot.accounts import SpotAccount
from chimera.simulate.spot.pair import SPOT_DEMO
from chimera.simulate.twin import Twin
from chimera.simulate.venue.account_spec import READY_ACCOUNT, AccountSpec
from chimera.simulate.venue.audit import AuditRecord
from chimera.simulate.venue.listing import Listing
from chimera.tape.synthetic import Synthetic
from chimera.trading.market import Market, MarketEvent, Side, Traded
from chimera.trading.money import ZERO, Price, Qty
from world.composed import LIMITS, World
from world.market import MARKET
from world.others import Others
from world.plan import Plan
from world.spans import Span
from world.spot_others import SpotOthers

OWN: Final = (Decimal(1), Decimal(1), Decimal(1), ZERO)  # BTC
BNB: Final = {"in_base": ZERO, "in_bnb": Decimal(10), "while_it_lasts": Decimal("0.003")}
FUNDS: Final = Decimal(50_000)
SPOT_INSTRUMENT: Final = SPOT_DEMO[0]
_BNB_PRICE: Final = Price(Decimal(600))


class SpotSide:
    """Spot as it is in any world. ``own``: base asset that was the user's before anything moved."""

    instrument = SPOT_INSTRUMENT
    limits = LIMITS
    own: Decimal
    loop: DetLoop
    twin: Twin
    clock: VirtualClock

    def __init__(self) -> None:
        self._neglects: list[Span] = []
        self._neglected_us: int | None = None

    def neglect(self, is_so: bool) -> None:
        """S4's state now has something held that nobody minds, or has not."""
        if is_so and self._neglected_us is None:
            self._neglected_us = self.loop.now_us
        elif not is_so and self._neglected_us is not None:
            self._neglects.append((self._neglected_us, self.loop.now_us))
            self._neglected_us = None

    def neglected_spans(self, until_us: int) -> list[Span]:
        """When that was so."""
        if self._neglected_us is None:
            return self._neglects
        return [*self._neglects, (self._neglected_us, until_us)]

    @property
    def wallet(self) -> SpotAccount:
        """The venue's own account of it."""
        return self.twin.spot.floor.accounts[READY_ACCOUNT.name]

    def price_bnb(self) -> None:
        """Fees are paid in it at its last price."""
        trade = Traded(
            symbol=SPOT_DEMO[2].symbol, at_us=EPOCH_MS * 1000, price=_BNB_PRICE, qty=Qty(Decimal(1)), taker=Side.BUY
        )
        self.twin.market(trade, self.clock.now_ms(), Market.SPOT)


class SpotWorld(SpotSide, World):
    """With callers alone."""

    instrument = SPOT_INSTRUMENT

    def __init__(
        self,
        seed: int,
        loop: DetLoop,
        tape: Tape,
        plan: Plan,
        market: Iterable[MarketEvent] | None = None,
        *,
        on_audit: Callable[[AuditRecord], None] | None = None,
        audit_keep: int | None = None,
    ) -> None:
        self.own = tape.pick("own", OWN)
        self.fees = tape.pick("fees", tuple(BNB))
        SpotSide.__init__(self)
        market = Synthetic(seed, profile=MARKET.but(marks=False)) if market is None else market
        World.__init__(self, seed, loop, tape, plan, market, on_audit=on_audit, audit_keep=audit_keep)
        self.wallet.bnb_discount = self.fees != "in_base"

    def start(self, *, market_s: float) -> None:
        self.loop.call_later(0.001, self.price_bnb, context=Context())
        super().start(market_s=market_s)

    def _accounts(self) -> tuple[AccountSpec, ...]:
        spot = {"USDT": FUNDS, SPOT_INSTRUMENT.base: self.own, "BNB": BNB[self.fees]}
        return (READY_ACCOUNT.but(spot=spot),)

    def _others(self) -> Others:
        return SpotOthers(self.twin, self.clock, SPOT_INSTRUMENT, self.own)

    def _listing(self) -> Listing[Any]:
        return self.twin.spot.floor.listings[SPOT_INSTRUMENT.symbol]

    def _open(self, *how: Any, **terms: Any) -> BinanceFutures | BinanceSpot:
        return open_spot(*how, **terms)
