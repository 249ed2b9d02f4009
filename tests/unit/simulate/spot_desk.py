"""A trader at the spot core: places tickets, moves the market, sees every report."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from chimera.simulate.door.refusals import Refusal
from chimera.simulate.spot.accounts import SpotAccount
from chimera.simulate.spot.admission import SpotTicket
from chimera.simulate.spot.exchange import Placed, SpotExchange
from chimera.simulate.spot.list_admission import ListTicket
from chimera.simulate.spot.lists import ListKind, OrderList
from chimera.simulate.spot.orders import OrderType, SpotFill, SpotOrder
from chimera.simulate.spot.pair import SPOT_DEMO, Pair
from chimera.simulate.venue.account_spec import READY_ACCOUNT
from chimera.simulate.venue.audit import Audit
from chimera.simulate.venue.orders import Stp, Tif
from chimera.trading.ids import Symbol
from chimera.trading.market import DepthChanged, Level, Side, TopOfBook, Traded

D = Decimal
START_MS = 1_763_635_200_000
FREE_OF_FEES = {"spot_maker_rate": D(0), "spot_taker_rate": D(0)}
AMOUNTS = ("qty", "quote_qty", "price", "stop_price", "iceberg_qty")


@dataclass
class Heard:
    """Reports as they came, each in a short form."""

    said: list[tuple[Any, ...]] = field(default_factory=list)

    def order(self, order: SpotOrder, execution: str, fill: SpotFill | None = None, cancel_id: str = "") -> None:
        self.said.append((execution, order.client_id, str(order.status)))

    def list_status(self, order_list: OrderList) -> None:
        self.said.append(("list", order_list.client_id, str(order_list.status_type)))

    def balances(self, account: SpotAccount, assets: Iterable[str]) -> None:
        self.said.append(("balances", account.name, tuple(sorted(assets))))

    def balance_moved(self, account: SpotAccount, asset: str, delta: Decimal) -> None:
        self.said.append(("moved", asset, delta))

    def printed(self, pair: Pair, price: Decimal, qty: Decimal, taker: Side) -> None:
        self.said.append(("print", price, qty))


class SpotDesk:
    """One spot market; ``me`` has 10,000 USDT, 1 BTC and 2 BNB, ``other`` as much."""

    def __init__(self, **spec: Any) -> None:
        self.audit, self.heard = Audit(), Heard()
        self.exchange = SpotExchange(SPOT_DEMO, 7, self.audit, self.heard)
        self.floor = self.exchange.floor
        self.floor.now_ms = START_MS
        terms = {"spot": {"USDT": D(10_000), "BTC": D(1), "BNB": D(2)}} | spec
        self.me = self.floor.admit(READY_ACCOUNT.but(name="me", **terms))
        self.other = self.floor.admit(READY_ACCOUNT.but(name="other", **terms))
        self.count = 0

    # ── the market ──────────────────────────────────────────────────────────────────────────────────────────────────
    @property
    def pair(self) -> Pair:
        return self.floor.listings["BTCUSDT"]

    def top(self, bid: str, ask: str, size: str = "5", symbol: str = "BTCUSDT") -> None:
        event = TopOfBook(
            symbol=Symbol(symbol), at_us=self._at_us(), bid=D(bid), bid_qty=D(size), ask=D(ask), ask_qty=D(size)
        )
        self.exchange.market(event)

    def depth(self, bids: dict[str, str], asks: dict[str, str]) -> None:
        levels = [tuple(Level(price=D(p), qty=D(q)) for p, q in side.items()) for side in (bids, asks)]
        event = DepthChanged(
            symbol=Symbol("BTCUSDT"), at_us=self._at_us(), bids=levels[0], asks=levels[1], snapshot=True
        )
        self.exchange.market(event)

    def trade(self, price: str, qty: str = "0.001", taker: Side = Side.BUY, symbol: str = "BTCUSDT") -> None:
        event = Traded(symbol=Symbol(symbol), at_us=self._at_us(), price=D(price), qty=D(qty), taker=taker)
        self.exchange.market(event)

    def _at_us(self) -> int:
        return self.floor.now_ms * 1_000

    # ── orders ──────────────────────────────────────────────────────────────────────────────────────────────────────
    def ticket(self, side: str, type_: str, qty: str = "0", **more: Any) -> SpotTicket:
        self.count += 1
        amounts = {name: D(more.pop(name)) for name in AMOUNTS if name in more}
        if "stp" in more:
            more["stp"] = Stp(more["stp"])
        more["tif"] = Tif(more.get("tif", "GTC"))
        terms = {"account": self.me, "pair": self.pair, "client_id": f"o{self.count}"} | more
        return SpotTicket(side=Side(side), type=OrderType(type_), **({"qty": D(qty)} | amounts), **terms)

    def place(self, side: str, type_: str, qty: str = "0", **more: Any) -> SpotOrder:
        return self.exchange.place(self.ticket(side, type_, qty, **more))

    def limit(self, side: str, qty: str, price: str, **more: Any) -> SpotOrder:
        return self.place(side, "LIMIT", qty, price=price, **more)

    def refused(self, side: str, type_: str, qty: str = "0", **more: Any) -> tuple[int, str]:
        with pytest.raises(Refusal) as caught:
            self.place(side, type_, qty, **more)
        return caught.value.code, caught.value.msg

    def place_list(self, kind: str, *orders: SpotTicket, client_id: str = "list") -> Placed:
        terms = {"account": orders[0].account, "pair": self.pair, "client_id": client_id}
        return self.exchange.place_list(ListTicket(kind=ListKind(kind), orders=orders, **terms))

    def refused_list(self, kind: str, *orders: SpotTicket, client_id: str = "list") -> tuple[int, str]:
        with pytest.raises(Refusal) as caught:
            self.place_list(kind, *orders, client_id=client_id)
        return caught.value.code, caught.value.msg

    def oco(self, qty: str = "0.1", above: str = "61000", below: str = "59000", **more: Any) -> OrderList:
        """A SELL OCO: a target above, a stop below."""
        legs = (
            self.ticket("SELL", "LIMIT_MAKER", qty, price=above),
            self.ticket("SELL", "STOP_LOSS", qty, stop_price=below),
        )
        return self.place_list("OCO", *legs, **more).order_list

    # ── money ───────────────────────────────────────────────────────────────────────────────────────────────────────
    def money(self, asset: str, account: SpotAccount | None = None) -> tuple[Decimal, Decimal]:
        """Free and locked."""
        held = (account or self.me).balance(asset)
        return held.free, held.locked

    def heard_since(self, start: int) -> list[tuple[Any, ...]]:
        return [each for each in self.heard.said[start:] if each[0] not in ("balances", "print")]
