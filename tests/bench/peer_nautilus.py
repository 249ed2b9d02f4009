"""NautilusTrader as a user runs it: a live node with Binance's clients; its strategy enters, sets a stop, and leaves.

Run by the Python of an environment of its own (``peer_environments``), never by ours:
``python peer_nautilus.py HTTP WS SYMBOL QTY STOP ORDERS``. Prints one JSON line: when the strategy called
(``perf_counter_ns``, a clock that all processes share), and what was refused, by how often.

1.221 sends stops where Binance has taken none since December 2025 (-4120, the Algo service). A stop that was refused
three times is not asked for again: each refusal takes it seconds. Nor does it hear of its orders: its user stream is at
the address that has been silent since April 2026. So it asks after what is in flight, here much sooner than by default.
"""

import json
import sys
import threading
import time
from collections import Counter
from decimal import Decimal
from typing import Any

import nautilus_trader
from nautilus_trader.adapters.binance import (
    BINANCE,
    BinanceAccountType,
    BinanceDataClientConfig,
    BinanceExecClientConfig,
    BinanceLiveDataClientFactory,
    BinanceLiveExecClientFactory,
)
from nautilus_trader.config import InstrumentProviderConfig, LiveExecEngineConfig, LoggingConfig, TradingNodeConfig
from nautilus_trader.live.node import TradingNode
from nautilus_trader.model.enums import OrderSide
from nautilus_trader.model.identifiers import InstrumentId
from nautilus_trader.trading.strategy import Strategy

PACE_S = 0.05
ASKS_AFTER_MS = 250  # five seconds by default: a round would take six
QUIET_S = 30.0  # without a new order: no further one comes
REFUSED_MOST = 3
KEY, SECRET = "chimera-sim-key", "chimera-sim-secret"


class InAndOut(Strategy):
    """One round after the other: a market entry, its stop once it has filled, then out."""

    def __init__(self, symbol: str, qty: str, stop: str, rounds: int, done: threading.Event) -> None:
        super().__init__()
        self.called: list[tuple[int, str]] = []
        self.refused: Counter[str] = Counter()
        self._id = InstrumentId.from_str(f"{symbol}-PERP.BINANCE")
        self._qty, self._price = Decimal(qty), Decimal(stop)
        self._left = rounds
        self._done = done
        self._entry: Any = None
        self._stop: Any = None

    def on_start(self) -> None:
        self._instrument = self.cache.instrument(self._id)
        self._soon(self._enter)

    def _soon(self, step: Any) -> None:
        self.clock.set_time_alert_ns(
            f"{step.__name__}-{self.clock.timestamp_ns()}",
            self.clock.timestamp_ns() + int(PACE_S * 1e9),
            lambda _: step(),
        )

    def _enter(self) -> None:
        if not self._left:
            self._done.set()
            return
        self._left -= 1
        self._entry = self._market(OrderSide.BUY)
        self.called.append((time.perf_counter_ns(), "entry"))
        self.submit_order(self._entry)

    def _market(self, side: Any) -> Any:
        qty = self._instrument.make_qty(self._qty)
        return self.order_factory.market(self._id, side, qty, reduce_only=side == OrderSide.SELL)

    def on_order_filled(self, event: Any) -> None:
        if self._entry is None or event.client_order_id != self._entry.client_order_id or not self._entry.is_closed:
            return
        if self.refused.total() >= REFUSED_MOST:
            self._soon(self._leave)
            return
        self._stop = self.order_factory.stop_market(
            self._id,
            OrderSide.SELL,
            self._instrument.make_qty(self._qty),
            trigger_price=self._instrument.make_price(self._price),
            reduce_only=True,
        )
        self.submit_order(self._stop)

    def on_order_accepted(self, event: Any) -> None:
        if self._stop is not None and event.client_order_id == self._stop.client_order_id:
            self._soon(self._leave)

    def on_order_rejected(self, event: Any) -> None:
        self._no(event)

    def on_order_denied(self, event: Any) -> None:
        self._no(event)

    def _no(self, event: Any) -> None:
        kind = "stop" if self._stop is not None and event.client_order_id == self._stop.client_order_id else "order"
        self.refused[f"{kind}: {event.reason}"] += 1
        self._soon(self._leave)

    def _leave(self) -> None:
        if self._stop is not None and self._stop.is_open:
            self.cancel_order(self._stop)
        self._stop = None
        self.submit_order(self._market(OrderSide.SELL))
        self._soon(self._enter)


def main(http: str, ws: str, symbol: str, qty: str, stop: str, orders: str) -> None:
    provider = InstrumentProviderConfig(load_ids=frozenset([InstrumentId.from_str(f"{symbol}-PERP.BINANCE")]))
    common: dict[str, Any] = {
        "api_key": KEY,
        "api_secret": SECRET,
        "account_type": BinanceAccountType.USDT_FUTURES,
        "base_url_http": http,
        "base_url_ws": ws,
        "instrument_provider": provider,
    }
    node = TradingNode(
        TradingNodeConfig(
            trader_id="PEER-001",
            logging=LoggingConfig(log_level="ERROR"),
            exec_engine=LiveExecEngineConfig(
                reconciliation=False, inflight_check_interval_ms=100, inflight_check_threshold_ms=ASKS_AFTER_MS
            ),
            data_clients={BINANCE: BinanceDataClientConfig(**common)},
            exec_clients={BINANCE: BinanceExecClientConfig(**common)},
        )
    )
    done = threading.Event()
    strategy = InAndOut(symbol, qty, stop, int(orders), done)
    node.trader.add_strategy(strategy)
    node.add_data_client_factory(BINANCE, BinanceLiveDataClientFactory)
    node.add_exec_client_factory(BINANCE, BinanceLiveExecClientFactory)
    node.build()
    threading.Thread(target=_stop_when, args=(node, strategy, done), daemon=True).start()
    node.run()
    told = {"version": nautilus_trader.__version__, "called": strategy.called, "refused": dict(strategy.refused)}
    print(json.dumps(told), flush=True)


def _stop_when(node: TradingNode, strategy: InAndOut, done: threading.Event) -> None:
    """Ends the node with its last round, or where its rounds go on no more; it has made what it has made by then."""
    made = -1
    while not done.wait(QUIET_S) and made != len(strategy.called):
        made = len(strategy.called)
    node.get_event_loop().call_soon_threadsafe(node.stop)


if __name__ == "__main__":
    main(*sys.argv[1:])
