"""The two markets of one twin, each with its way out: what moves them, what time does to them, who hears their streams.

They share the audit and nothing else; neither knows of the other. What crosses between them (a transfer) is the twin's.
"""

from collections.abc import Iterable
from typing import Final

from chimera.simulate.door.messages import SPOT, Frame
from chimera.simulate.spot import streams as spot_streams
from chimera.simulate.spot.exchange import SpotExchange
from chimera.simulate.spot.reports import SpotWire
from chimera.simulate.usdm.exchange import FuturesExchange
from chimera.simulate.usdm.reports import FuturesWire
from chimera.simulate.usdm.streams import route_of
from chimera.simulate.venue.account_spec import AccountSpec
from chimera.simulate.venue.audit import Audit
from chimera.trading.instrument import Instrument
from chimera.trading.market import DepthChanged, Marked, MarketEvent, TopOfBook, Traded

_SPOT_SEED: Final = 0x5907  # the markets' drawn tokens are to differ


class FuturesMarket:
    """USD-M."""

    def __init__(self, instruments: Iterable[Instrument], seed: int, audit: Audit) -> None:
        self.wire = FuturesWire()
        self.exchange = FuturesExchange(instruments, seed, audit, self.wire)

    def at(self, now_ms: int) -> None:
        """What follows happens at ``now_ms``, and after whatever was due by then."""
        self.exchange.floor.now_ms = self.wire.now_ms = now_ms
        self.exchange.come_due()

    def market(self, event: MarketEvent, now_ms: int) -> None:
        """The market moved: match, trigger, publish. A symbol not listed here is ignored."""
        listing = self.exchange.market(event)
        if listing is None:
            return
        publisher = self.wire.publisher
        match event:
            case TopOfBook() | DepthChanged():
                publisher.quoted(listing, now_ms)
            case Traded():
                publisher.trade(listing, event.price, event.qty, event.taker, now_ms)
            case Marked():
                publisher.marked(listing, now_ms)
        if not listing.mark_given and self.exchange.remark(listing):
            publisher.marked(listing, now_ms)
            self.exchange.settle(listing)

    def tick(self, now_ms: int) -> None:
        """Time passed: orders whose time is up, marks not given, depth frames due, listenKeys whose hour is over."""
        self.exchange.tick()
        for listing in self.exchange.floor.listings.values():
            if not listing.mark_given and self.exchange.remark(listing):
                self.wire.publisher.marked(listing, now_ms)
                self.exchange.settle(listing)
            self.wire.publisher.tick(listing, now_ms)
        self.wire.publisher.tick_all(self.exchange.floor.listings.values(), now_ms)
        self.wire.expire_keys(self.exchange.floor.accounts.values())

    def carries(self, route: str, stream: str) -> bool:
        """Whether ``route`` is the one that carries ``stream``."""
        return route_of(stream) == route

    def owner_of(self, channel: str) -> str:
        """Whose user stream it is; "" where nobody's."""
        accounts = self.exchange.floor.accounts.values()
        return next((each.name for each in accounts if each.listen_key == channel), "")

    def drain(self) -> list[Frame]:
        """Stream frames since the last drain, in order."""
        return self.wire.drain()


class SpotMarket:
    """Spot."""

    def __init__(self, instruments: Iterable[Instrument], seed: int, audit: Audit) -> None:
        self.wire = SpotWire()
        self.exchange = SpotExchange(instruments, seed ^ _SPOT_SEED, audit, self.wire)
        self.wire.floor = self.exchange.floor

    def at(self, now_ms: int) -> None:
        """What follows happens at ``now_ms``."""
        self.exchange.floor.now_ms = now_ms

    def market(self, event: MarketEvent, now_ms: int) -> None:
        """The market moved: match, trigger, publish. A pair not listed here is ignored."""
        pair = self.exchange.market(event)
        if pair is None:
            return
        match event:
            case TopOfBook() | DepthChanged():
                self.wire.publisher.quoted(pair, now_ms)
            case Traded():
                self.wire.publisher.trade(pair, event.price, event.qty, event.taker, now_ms)

    def tick(self, now_ms: int) -> None:
        """Time passed: depth frames that are due."""
        for pair in self.exchange.floor.listings.values():
            self.wire.publisher.tick(pair, now_ms)
        self.wire.publisher.tick_all(self.exchange.floor.listings.values(), now_ms)

    def carries(self, route: str, stream: str) -> bool:
        """Whether ``route`` is the one that carries ``stream``."""
        return route == SPOT and spot_streams.known(stream)

    def owner_of(self, channel: str) -> str:
        """Whose user events they are; "" where nobody's."""
        return channel if channel in self.exchange.floor.accounts else ""

    def drain(self) -> list[Frame]:
        """Stream frames since the last drain, in order."""
        return self.wire.drain()

    def open_unknown(self, owners: Iterable[str]) -> None:
        """An empty account for every owner who has none here, for each has one on either market."""
        for owner in owners:
            if owner not in self.exchange.floor.accounts:
                self.exchange.floor.admit(AccountSpec(name=owner, api_key=""))
