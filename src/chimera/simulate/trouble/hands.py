"""Carries out in the venue what faults ask for, each act on the market it is about; ends stream connections itself."""

from collections.abc import Callable
from typing import Final

from chimera.simulate.door.messages import ANY, SPOT, SPOT_PRIVATE, Frame
from chimera.simulate.markets import FuturesMarket, SpotMarket
from chimera.simulate.trouble.faults import (
    Act,
    CutStreams,
    DelayTransfers,
    Faults,
    FeeInBase,
    LoseListenKey,
    ReleaseTriggers,
    SetStatus,
)
from chimera.simulate.trouble.match import fits
from chimera.simulate.trouble.on_futures import FuturesHands
from chimera.simulate.trouble.on_spot import SpotHands
from chimera.simulate.venue.audit import Kind
from chimera.simulate.wallet.transfers import Transfers
from chimera.trading.money import Millis

SHUTDOWN: Final = "serverShutdown"


class Hands:
    """One twin's. ``faults`` tells whom to ask, for they may be replaced."""

    def __init__(
        self, futures: FuturesMarket, spot: SpotMarket, transfers: Transfers, faults: Callable[[], Faults]
    ) -> None:
        self._floor = futures.exchange.floor
        self._held = futures.exchange.desk.held
        self._faults = faults
        self._futures = FuturesHands(futures, faults)
        self._spot = SpotHands(spot, faults)
        self._transfers = transfers
        self._cuts: list[Frame] = []

    def move(self, now_ms: Millis) -> None:
        """Do what is due by ``now_ms``."""
        for act in self._faults().due(now_ms):
            self._do(act)
        if self._held:
            self._futures.let_go(now_ms)

    def cuts(self) -> list[Frame]:
        """Frames that end connections, since this was last asked."""
        cuts, self._cuts = self._cuts, []
        return cuts

    def _do(self, act: Act) -> None:
        match act:
            case CutStreams():
                self._cut(act)
            case LoseListenKey():
                self._futures.lose_key(act)
            case SetStatus():
                self._futures.set_status(act)
                self._spot.set_status(act)
            case ReleaseTriggers(fault=fault):
                self._futures.release(fault)
            case FeeInBase():
                self._spot.pay_in_base(act)
            case DelayTransfers():
                self._delay(act)

    def _delay(self, act: DelayTransfers) -> None:
        for owner in self._floor.accounts:
            if fits(act.account, owner):
                self._transfers.delays_ms[owner] = act.by_ms
                if act.by_ms:
                    self._floor.audit.add(Kind.FAULT, self._floor.now_ms, reason="transfer_pending", account=owner)

    def _cut(self, act: CutStreams) -> None:
        """Spot's readers are told before (``serverShutdown``, since 2026-05); futures end without a word."""
        now_ms = self._floor.now_ms
        self._floor.audit.add(Kind.FAULT, now_ms, reason="stream_cut", path=act.route)
        event = b'{"e":"%b","E":%d}' % (SHUTDOWN.encode(), now_ms)
        for route, told in ((SPOT, event), (SPOT_PRIVATE, b'{"event":%b}' % event)):
            if act.told and fits(act.route, route):
                self._cuts.append(Frame(route=route, channel=ANY, event=SHUTDOWN, payload=told))
        self._cuts.append(Frame(route=act.route or ANY, channel=ANY, event="", payload=b"", ends=True))
