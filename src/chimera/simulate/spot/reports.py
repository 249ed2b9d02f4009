"""Spot happenings become frames: user events for whoever subscribed to the account, prints for the public streams.

User events go out on ``SPOT_PRIVATE`` with the account's name as channel; who hears them is the WebSocket API's. Every
report takes an execution id, heard or not, so that a listener changes nothing.
"""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from chimera.simulate.door.messages import SPOT_PRIVATE, Frame
from chimera.simulate.spot import events, payloads
from chimera.simulate.spot.accounts import SpotAccount
from chimera.simulate.spot.floor import SpotFloor
from chimera.simulate.spot.lists import OrderList
from chimera.simulate.spot.orders import SpotFill, SpotOrder
from chimera.simulate.spot.pair import Pair
from chimera.simulate.spot.streams import SpotPublisher
from chimera.trading.market import Side

_encode = msgspec.json.Encoder().encode


class SpotWire:
    """The way out. ``floor`` is set once the exchange that reports here exists."""

    floor: SpotFloor

    def __init__(self) -> None:
        self.publisher = SpotPublisher()
        self._frames: list[Frame] = []

    def order(self, order: SpotOrder, execution: str, fill: SpotFill | None = None, cancel_id: str = "") -> None:
        now = self.floor.now_ms
        if fill is not None:
            order.account.trades.append(payloads.trade(order, fill, now))
        amended = execution == "REPLACED"
        execution_id = order.amendments[-1].execution_id if amended else self.floor.next_execution_id()
        self._send(order.account, events.execution_report(order, execution, fill, cancel_id, execution_id, now))

    def list_status(self, order_list: OrderList) -> None:
        self._send(order_list.account, events.list_status(order_list, self.floor.now_ms))

    def balances(self, account: SpotAccount, assets: Iterable[str]) -> None:
        self._send(account, events.account_position(account, assets, self.floor.now_ms))

    def balance_moved(self, account: SpotAccount, asset: str, delta: Decimal) -> None:
        self._send(account, events.balance_update(asset, delta, self.floor.now_ms))

    def printed(self, pair: Pair, price: Decimal, qty: Decimal, taker: Side) -> None:
        self.publisher.trade(pair, price, qty, taker, self.floor.now_ms)

    def _send(self, account: SpotAccount, event: payloads.Payload) -> None:
        frame = Frame(route=SPOT_PRIVATE, channel=account.name, event=event["e"], payload=_encode(event))
        self._frames.append(frame)

    def drain(self) -> list[Frame]:
        """Frames since the last drain: the public ones, then the users'."""
        frames = self.publisher.drain() + self._frames
        self._frames = []
        return frames
