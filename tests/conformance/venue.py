"""The simulator under test: the real server on a free port of the loopback, with a market the scenario moves by hand.

Clients reach it through HTTP and WebSockets only. The scenario reads the twin's state directly, and moves the market
through the twin's market door, so that what a client says can be held against what the venue knows.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from ears import until
from told import D, Past, Told

from chimera.services.simulator.readers import ApiReader
from chimera.services.simulator.server import SimulatorServer, wall_ms
from chimera.services.simulator.settings import SimulatorSettings
from chimera.simulate.venue.account_spec import AccountSpec
from chimera.simulate.venue.audit import AuditRecord, Kind
from chimera.trading.instrument import Market
from chimera.trading.market import Marked, MarketEvent, Side, TopOfBook, Traded
from chimera.trading.money import Millis

SYMBOL = "BTCUSDT"
BID, ASK, MARK = D("65799.90"), D("65800.00"), D("65800.00")
_PAIR = Ed25519PrivateKey.from_private_bytes(b"chimera conformance, no secret!!")
PRIVATE_KEY = _PAIR.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
PUBLIC_KEY = _PAIR.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
READY = SimulatorSettings().accounts[0]
KEEPER = AccountSpec(name="keeper", api_key="keeper-sim-key", public_key=PUBLIC_KEY, spot=READY.spot)
DEEP = D(50)  # base asset shown at the touch


async def _still() -> AsyncIterator[MarketEvent]:
    """A market that says nothing by itself."""
    await asyncio.Event().wait()
    yield TopOfBook(symbol=SYMBOL, at_us=0, bid=BID, bid_qty=DEEP, ask=ASK, ask_qty=DEEP)


class Venue:
    """A running simulator, seen from one of its markets."""

    def __init__(self, server: SimulatorServer, market: Market) -> None:
        self.server = server
        self.market = market
        self.owner = READY.name
        address = server.spot_address if market is Market.SPOT else server.address
        self.host = f"127.0.0.1:{address[1]}"
        self.rest = f"http://{self.host}"
        self.ws = f"ws://{self.host}"
        self.key = READY.api_key
        self.secret = READY.secret

    # ── the market ──────────────────────────────────────────────────────────────────────────────────────────────────
    def quote(self, bid: Decimal = BID, ask: Decimal = ASK, qty: Decimal = DEEP, symbol: str = SYMBOL) -> None:
        """The touch becomes this."""
        self._move(TopOfBook(symbol=symbol, at_us=wall_ms() * 1000, bid=bid, bid_qty=qty, ask=ask, ask_qty=qty))

    def trade(self, price: Decimal, qty: Decimal, taker: Side = Side.SELL, symbol: str = SYMBOL) -> None:
        """Others trade; resting orders priced better than ``price`` fill."""
        self._move(Traded(symbol=symbol, at_us=wall_ms() * 1000, price=price, qty=qty, taker=taker))

    def trade_both_ways(self) -> Past:
        """One trade up and one down; what is then to be told of them."""
        self.trade(ASK, D("0.5"), Side.BUY)
        self.trade(BID, D("0.25"))
        trades = [(ASK, D("0.5"), True), (BID, D("0.25"), False)]
        return Past(candle=(ASK, ASK, BID, BID, D("0.75")), last=BID, volume=D("0.75"), trades=trades)

    def mark(self, price: Decimal = MARK, symbol: str = SYMBOL) -> None:
        """The mark price becomes this."""
        at_us = wall_ms() * 1000
        self._move(Marked(symbol=symbol, at_us=at_us, mark=price, index=price, funding_rate=D(0), next_funding_ms=0))

    def _move(self, event: MarketEvent) -> None:
        self.server.twin.market(event, Millis(wall_ms()), self.market)
        self.server.hub.pump()

    # ── what the venue knows ────────────────────────────────────────────────────────────────────────────────────────
    @property
    def floor(self) -> Any:
        """The market's floor."""
        twin = self.server.twin
        return twin.spot.floor if self.market is Market.SPOT else twin.usdm.floor

    @property
    def account(self) -> Any:
        """The owner's account on this market."""
        return self.floor.accounts[self.owner]

    def free(self, asset: str) -> Decimal:
        """What the owner may use of an asset on the spot market."""
        amount: Decimal = self.server.twin.spot.floor.accounts[self.owner].free(asset)
        return amount

    def order(self, client_id: str, symbol: str = SYMBOL) -> Any:
        """The newest order under this id, as the matching engine holds it."""
        return self.floor.orders.newest[self.owner, symbol, client_id]

    def open_orders(self) -> list[Any]:
        """The ready account's open orders, oldest first."""
        return list(self.floor.orders.open_of(self.account))

    def algo(self, client_id: str) -> Any:
        """A conditional order that waits."""
        return next(each for each in self.open_algos() if each.client_id == client_id)

    def open_algos(self) -> list[Any]:
        """The ready account's waiting conditional orders."""
        return list(self.floor.algos.waiting_of(self.account))

    def fills(self) -> list[AuditRecord]:
        """Every execution, by the venue's own record."""
        return [record for record in self.server.twin.audit if record.kind is Kind.FILL]

    def now_ms(self) -> int:
        """The venue's clock."""
        return wall_ms()

    async def listened(self, route: str, part: str = "") -> None:
        """Until somebody hears a stream of this route whose name contains ``part``."""
        readers = self.server.hub._readers
        await until(lambda: any(r == route and part in name for r, name in readers), f"{route} {part} is listened to")

    async def listened_by_api(self) -> None:
        """Until somebody hears the owner's events on the spot WebSocket API."""
        readers = self.server.hub._all
        await until(
            lambda: any(reader.session.hears(self.owner) for reader in readers if isinstance(reader, ApiReader)),
            "the owner's spot events are listened to",
        )

    def position(self, symbol: str = SYMBOL) -> Decimal:
        """Signed position of the ready account, one-way."""
        qty: Decimal = self.account.position(symbol).qty
        return qty

    def agrees(self, told: Told, symbol: str = SYMBOL) -> Any:
        """Hold what the client understood against the venue's own order; returns that order."""
        return compare(told, self.order(told.client_id, symbol))


def compare(told: Told, order: Any) -> Any:
    """Every fact the client stated is the venue's."""
    assert told.order_id == str(order.order_id)
    stated = {"side": told.side, "status": told.status, "price": told.price, "qty": told.qty, "filled": told.filled}
    known = {
        "side": order.side.value,
        "status": order.status.value,
        "price": order.price,
        "qty": order.qty,
        "filled": order.cum_qty,
    }
    assert {name: value for name, value in stated.items() if value is not None} == {
        name: value for name, value in known.items() if stated[name] is not None
    }
    return order


@asynccontextmanager
async def open_venue(market: Market) -> AsyncIterator[Venue]:
    """A fresh venue with its ready account, another one that signs with Ed25519, and a quiet market."""
    server = SimulatorServer(SimulatorSettings(port=0, accounts=(READY, KEEPER)), _still())
    await server.start()
    try:
        venue = Venue(server, market)
        venue.quote()
        venue.mark()
        yield venue
    finally:
        await server.stop()
