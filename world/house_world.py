"""A world of both markets: one S4 process with a futures and a spot owner, one twin, one account, one kill -9.

``HouseWorld`` is the world of futures, with S3 and all; ``SpotFace`` is what it has of spot: a market, a feed, callers,
what the user does there, and what its judge reads. Both wallets are drawn scant in some seeds, and S4 may move money
between them under its policy; what a kill or a lost answer does there is judged like the rest (``house_judge``).
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from contextvars import Context
from decimal import Decimal
from typing import Any, Final, NamedTuple, cast

from chimera.adapters.binance.account import open_futures
from chimera.adapters.binance.sign import signer_for
from chimera.adapters.binance.spot.account import open_spot
from chimera.adapters.binance.wallets import BinanceWallets
from chimera.admit.transfer_policy import TransferPolicy
from chimera.services.clock import SteadyClock
from chimera.services.router.common import Common
from chimera.services.router.house import House
from chimera.services.router.owner import Owner
from chimera.services.router.router import Router
from chimera.services.stage.loop import DetLoop
from chimera.services.stage.network import Venue
from chimera.services.stage.proc import Proc
from chimera.services.stage.tape import Tape
from chimera.simulate.venue.account_spec import READY_ACCOUNT, AccountSpec
from chimera.tape.synthetic import Synthetic
from chimera.trading.ids import DEFAULT_ACCOUNT
from chimera.trading.market import Market, MarketEvent
from chimera.trading.money import ZERO
from world.closed import Begun
from world.composed import World
from world.demands import demanded
from world.link import Link
from world.machine import ProcClock
from world.market import MARKET
from world.operator import Operator
from world.others import Others
from world.plan import Deed, Plan
from world.reach import bus_of, ledger_of
from world.spans import Span
from world.spot_others import SpotOthers
from world.spot_world import BNB, FUNDS, OWN, SPOT_INSTRUMENT, SpotSide
from world.workload import Callers, Request, parts, wishes

SCANT: Final = (Decimal(10_000), Decimal(150), Decimal(60))  # USDT of the futures wallet
KEEP: Final = (ZERO, ZERO, Decimal(100))  # what transfers keep up there
POLICY: Final = TransferPolicy(enabled=True, ceiling=Decimal(100), day_ceiling=Decimal(300))
SPOT_FROM: Final = 100  # wishes and demands on spot count from here: an id names one order of the house


class Told(NamedTuple):
    """What concerned spot: entries that left, and when they must not."""

    entries_sent: list[int]
    windows: list[Span]


class SpotFace(SpotSide):
    """Spot in a house; ``start`` begins nothing of S4's."""

    def __init__(self, house: "HouseWorld", others: SpotOthers, market: Iterable[MarketEvent]) -> None:
        super().__init__()
        self._house = house
        self.own = others.own
        self.forgotten = house.forgotten  # one set, of both markets
        self.loop, self.tape, self.plan = house.loop, house.tape, house.plan
        self.twin, self.clock = house.twin, house.clock
        self.venue: Venue = house.venue
        self.link: Link[Request, Any] = house.link
        self.others: Others = others
        self.by_hand = others.moved  # of money
        self.taken: Counter[str] = house.taken
        self.market = market
        self.to_feed: asyncio.Queue[MarketEvent] = asyncio.Queue()
        self.callers = Callers(self.loop, self.link, SPOT_INSTRUMENT, self.mid, self.clock)

    def mid(self) -> Decimal:
        """What its market shows now, quote per base."""
        mid = self.twin.spot.floor.listings[SPOT_INSTRUMENT.symbol].book.mid
        assert mid is not None
        return mid

    def want(self, *, last_s: float, parts_share: float, demand_share: float) -> None:
        """Drawn for its callers, as in a world of spot alone."""
        drawn = wishes(self.tape, self.instrument, last_s=last_s - 5)
        wanted = [wish.but(number=wish.number + SPOT_FROM) for wish in drawn]
        for wish in wanted:
            self.callers.want(wish)
        for part in parts(self.tape, self.instrument, wanted, last_s=last_s, share=parts_share):
            self.callers.part(part)
        demanded(self, wanted, last_s=last_s, share=demand_share, first=SPOT_FROM)

    @property
    def closes(self) -> Sequence[Begun]:
        return self._house.closes_on(Market.SPOT)

    @property
    def operator(self) -> Told:
        return self._house.told(Market.SPOT)


class BothOthers(Others):
    """Whoever does something on the account does it on both markets; money is moved by the spot half."""

    spot: SpotOthers

    def do(self, deed: Deed) -> bool:
        did = super().do(deed)
        return self.spot.do(deed) or did


class HouseWorld(World):
    """Everything of one run of both markets."""

    def __init__(
        self,
        seed: int,
        loop: DetLoop,
        tape: Tape,
        plan: Plan,
        market: Iterable[MarketEvent] | None = None,
        spot_market: Iterable[MarketEvent] | None = None,
    ) -> None:
        self._own, self._fees = tape.pick("own", OWN), tape.pick("fees", tuple(BNB))
        self._balance = tape.pick("futures_wallet", SCANT)
        self.policy = POLICY.but(keep_free=tape.pick("keep_free", KEEP))
        super().__init__(seed, loop, tape, plan, market)
        if tape.u("kill_where") < 0.5:
            self.operator = Operator(loop, tape, self.link, SPOT_INSTRUMENT, self.clock, deaths=lambda: self.s4.deaths)
            self._killed = Market.SPOT
        else:
            self._killed = Market.FUT
        spots = Synthetic(seed, profile=MARKET.but(marks=False)) if spot_market is None else spot_market
        self.spot = SpotFace(self, cast("BothOthers", self.others).spot, spots)
        self.spot.wallet.bnb_discount = self._fees != "in_base"
        self._common: Common | None = None  # of the newest incarnation

    def start(self, *, market_s: float) -> None:
        spot = self.spot
        self.loop.call_later(0.001, spot.price_bnb, context=Context())
        super().start(market_s=market_s)
        events = self._events(market_s, spot.market, spot.to_feed)
        self.loop.outside(self.venue.run_market(events, Market.SPOT), name="spot market")
        self.loop.outside(self._feed(Market.SPOT, spot.to_feed), name="spot feed")

    def closes_on(self, market: Market) -> list[Begun]:
        """What S4 began to close there."""
        return [each for each in self.closes if each.market is market]

    def told(self, market: Market) -> Told:
        """What the operator's kills meant there."""
        operator = self.operator
        windows = operator.windows if market is self._killed else operator.everywhere
        return Told(entries_sent=operator.entries_on[market], windows=windows)

    def _accounts(self) -> tuple[AccountSpec, ...]:
        spot = {"USDT": FUNDS, SPOT_INSTRUMENT.base: self._own, "BNB": BNB[self._fees]}
        return (READY_ACCOUNT.but(spot=spot, balance=self._balance),)

    def _others(self) -> Others:
        both = BothOthers(self.twin, self.clock, self.instrument)
        both.spot = SpotOthers(self.twin, self.clock, SPOT_INSTRUMENT, self._own)
        return both

    def _owners(self) -> Iterable[Owner]:
        if self.router is None or self._common is None:
            return ()
        return [owner for owners in self._common.owners.values() for owner in owners.values()]

    async def _s4(self, proc: Proc) -> None:
        clock = SteadyClock(ProcClock(proc, self.s4_clock))
        futures, spot = self._account(proc, clock, open_futures), self._account(proc, clock, open_spot)
        records = {Market.FUT: futures.records, Market.SPOT: spot.records}
        stores: dict[str, Any] = {"ledger": ledger_of(proc, self.ledger), "bus": bus_of(proc, self.bus)}
        name = f"s4-{proc.incarnation}"
        common = Common(DEFAULT_ACCOUNT, name, records, **stores, clock=clock, seal=self._seal)
        secret = signer_for(READY_ACCOUNT.secret)
        door = self.venue.transport(proc)
        wallets = BinanceWallets(door, READY_ACCOUNT.api_key, secret, clock, futures=futures.records.funds)
        wallets.raw.venue_clock = futures.raw.venue_clock  # as ``main.wallets_of``
        money: dict[str, Any] = {"wallets": wallets, "transfers": self.policy}
        routers: dict[Market, Router] = {
            Market.FUT: self._router(proc, clock, futures, self.instrument, common=common, **money),
            Market.SPOT: self._router(proc, clock, spot, SPOT_INSTRUMENT, common=common),
        }
        house = House(routers, common)
        self.router, self._common = routers[Market.FUT], common
        # Callers ask a house what they ask a router: it has every one of these words.
        self.link.serve(proc, lambda request: request(cast("Router", house)))
        await house.run()
