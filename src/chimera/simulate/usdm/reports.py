"""Happenings become frames: user events to the account's listenKey, trade prints to the public streams.

Also the life of listenKeys: one per account, 60 minutes from the last POST or PUT, one ``listenKeyExpired`` at the end.
Of the events of one fill, TRADE_LITE goes first, then ACCOUNT_UPDATE, then ORDER_TRADE_UPDATE.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from chimera.simulate.door.messages import PRIVATE, Frame
from chimera.simulate.usdm import payloads
from chimera.simulate.usdm.accounts import Account, Position
from chimera.simulate.usdm.algos import Algo
from chimera.simulate.usdm.floor import Fill
from chimera.simulate.usdm.orders import FuturesOrder
from chimera.simulate.usdm.perpetual import Perpetual
from chimera.simulate.usdm.streams import FuturesPublisher
from chimera.trading.market import Side

LISTEN_KEY_MS = 60 * 60_000
_encode = msgspec.json.Encoder().encode


class FuturesWire:
    """The way out. ``now_ms`` is set by the entry points, as the floor's is."""

    def __init__(self) -> None:
        self.publisher = FuturesPublisher()
        self.now_ms = 0
        self._frames: list[Frame] = []

    def order(self, order: FuturesOrder, execution: str, fill: Fill | None = None) -> None:
        account, now = order.account, self.now_ms
        if fill is not None:
            self._book_trade(order, fill)
        if account.listen_key is None:
            return
        if fill is not None:
            self._send(account, payloads.trade_lite(order, fill, now))
            held, mark = account.position(order.listing.symbol, order.position_side), order.listing.mark
            moved = [(held, fill.price if mark is None else mark)]
            self._send(account, payloads.account_update(account, "ORDER", moved, "0", now))
        self._send(account, payloads.order_update(order, execution, fill, now))

    def _book_trade(self, order: FuturesOrder, fill: Fill) -> None:
        account, now = order.account, self.now_ms
        account.trades.append(payloads.user_trade(order, fill, now))
        if fill.realized:
            account.income.append(payloads.income("REALIZED_PNL", fill.realized, order, fill, now))
        if fill.fee:
            account.income.append(payloads.income("COMMISSION", -fill.fee, order, fill, now))

    def algo(self, algo: Algo) -> None:
        if algo.account.listen_key is not None:
            self._send(algo.account, payloads.algo_update(algo, self.now_ms))

    def printed(self, listing: Perpetual, price: Decimal, qty: Decimal, taker: Side) -> None:
        self.publisher.trade(listing, price, qty, taker, self.now_ms)

    def account(
        self,
        account: Account,
        reason: str,
        positions: Sequence[tuple[Position, Decimal]],
        change: Decimal,
        symbol: str = "",
    ) -> None:
        """Money moved without a trade; ``symbol`` stands in the event of a funding settlement (since 2026-08)."""
        if account.listen_key is None:
            return
        event = payloads.account_update(account, reason, positions, payloads.cash(change), self.now_ms)
        if symbol:
            event["a"]["S"] = symbol
        if not positions:
            del event["a"]["P"]
        self._send(account, event)

    def margin_call(self, account: Account, positions: Sequence[tuple[Position, Decimal, Decimal]]) -> None:
        if account.listen_key is not None:
            self._send(account, payloads.margin_call(account, positions, self.now_ms))

    def config(self, account: Account, symbol: str) -> None:
        """The leverage of a symbol changed."""
        if account.listen_key is not None:
            self._send(account, payloads.leverage_update(account.on(symbol), self.now_ms))

    def expire_keys(self, accounts: Iterable[Account]) -> None:
        """End listenKeys whose hour is over."""
        for account in accounts:
            if account.listen_key is not None and self.now_ms >= account.listen_until_ms:
                self.end_key(account)

    def end_key(self, account: Account, *, told: bool = True) -> None:
        """The account's listenKey is valid no more; ``told`` with its event."""
        if told and account.listen_key is not None:
            event = {"e": "listenKeyExpired", "E": self.now_ms, "listenKey": account.listen_key}
            self._send(account, event)
        account.listen_key = None

    def _send(self, account: Account, event: dict[str, Any]) -> None:
        key = account.listen_key or ""
        self._frames.append(Frame(route=PRIVATE, channel=key, event=event["e"], payload=_encode(event)))

    def drain(self) -> list[Frame]:
        """Frames since the last drain: the public ones, then the user's."""
        frames = self.publisher.drain() + self._frames
        self._frames = []
        return frames
