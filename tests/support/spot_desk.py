"""The desk on spot: fees from what is bought, order lists, and a wallet that holds more than ours."""

from decimal import Decimal

from chimera.trading.commands import Command, PlacePair
from chimera.trading.facts import Found, PlaceRefused, Reported
from chimera.trading.fill import Fill
from chimera.trading.form import SPOT_FORMS
from chimera.trading.holding import Holding
from chimera.trading.ids import TradeId, VenueOrderId
from chimera.trading.instrument import Instrument
from chimera.trading.intent import Intent, StopSpec, TargetKind, TargetSpec
from chimera.trading.market import Market
from chimera.trading.money import Millis, Price, Qty, Quote
from chimera.trading.order import NewOrder, Role, Status
from chimera.trading.refusal import Refusal
from chimera.trading.scene import Scene
from support.desk import BTC, KEY, SYMBOL, T0, Desk, an_intent

SPOT = BTC.but(market=Market.SPOT, step=Decimal("0.00001"), min_qty=Qty(Decimal("0.00001")), takes_pairs=True)
STOP = StopSpec(price=Price(Decimal(64000)))
TARGET = TargetSpec(kind=TargetKind.PRICE, value=Decimal(67000))


def buy(name: str = "i1", qty: str = "0.01", **wishes: object) -> Intent:
    told: dict[str, object] = {"stop": STOP, "target": TARGET} | wishes
    return an_intent(name, qty=qty, **told).but(market=Market.SPOT)  # type: ignore[arg-type]  # forwarded


class SpotDesk(Desk):
    """``fee_rate`` is taken in the base asset from what is bought, in quote from what is sold."""

    def __init__(self, fee_rate: str = "0.001") -> None:
        super().__init__()
        self.holding = Holding(key=KEY.but(market=Market.SPOT), survey_due_ms=Millis(T0 + 10**9))
        self.rules: Instrument = SPOT
        self.forms = SPOT_FORMS
        self.fee_rate = Decimal(fee_rate)

    @property
    def scene(self) -> Scene:
        return super().scene.but(mark=None)

    def a_fill(self, order: NewOrder, qty: str, price: str, trade: str) -> Fill:
        bought = order.side.sign > 0
        return Fill(
            trade_id=TradeId(trade),
            ref=order.ref,
            venue_id=VenueOrderId(f"v-{order.ref}"),
            market=Market.SPOT,
            symbol=SYMBOL,
            side=order.side,
            price=Price(Decimal(price)),
            qty=Qty(Decimal(qty)),
            fee=Decimal(qty) * self.fee_rate * (1 if bought else Decimal(price)),
            fee_asset="BTC" if bought else "USDT",
            realized_pnl=Quote(Decimal(0)),
            maker=False,
            at_ms=self.now,
        )

    def bought(self, intent: Intent | None = None) -> "SpotDesk":
        """An entry filled at once."""
        self.submit(intent or buy())
        entry = self.placed(Role.TAKER)
        self.ack(entry)
        self.fill(entry, str(entry.qty))
        return self

    # ── lists ──

    def pairs(self) -> list[PlacePair]:
        return [command for command in self.told if isinstance(command, PlacePair)]

    def stand(self, pair: PlacePair) -> "SpotDesk":
        """The venue took the list."""
        self.hear(Found(order=self.word(pair.stop, Status.NEW)))
        self.hear(Found(order=self.word(pair.target, Status.NEW)))
        return self

    def refuse(self, pair: PlacePair, refusal: Refusal, code: int = -2010) -> tuple[Command, ...]:
        self.hear(PlaceRefused(ref=pair.stop.ref, code=code, message=refusal, refusal=refusal))
        return self.hear(PlaceRefused(ref=pair.target.ref, code=code, message=refusal, refusal=refusal))

    def end(self, order: NewOrder, status: Status = Status.EXPIRED, cum: str = "0") -> tuple[Command, ...]:
        return self.hear(Reported(order=self.word(order, status, cum)))

    def cancel_list(self, pair: PlacePair) -> tuple[Command, ...]:
        self.end(pair.stop, Status.CANCELED)
        return self.end(pair.target, Status.CANCELED)


def a_spot_long(**wishes: object) -> SpotDesk:
    """Bought, and its list stands."""
    desk = SpotDesk().bought(buy(**wishes))  # type: ignore[arg-type]  # forwarded to the builder
    return desk.stand(desk.pairs()[-1])
