"""Freqtrade's order path: its bot, live on Binance futures, enters, sets its stop on the exchange, and leaves.

Run by the Python of an environment of its own (``peer_environments``), never by ours:
``python peer_freqtrade.py HTTP WS SYMBOL QTY STOP ORDERS``. Prints one JSON line: when the strategy called
(``perf_counter_ns``, a clock that all processes share), and what was refused, by how often.

The bot looks once in five seconds, and finds the fill and sets the stop at the look after the entry; here that look
follows at once. Of its strategy only the signal is left out: it is the call.
"""

import json
import logging
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import freqtrade
from freqtrade.configuration import Configuration
from freqtrade.enums import ExitCheckTuple, ExitType, RunMode
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.persistence import Trade

PACE_S = 0.05
AWAY = 0.97  # its stop is a share of the entry's price
VERSIONS = (("", "v1"), ("V2", "v2"), ("V3", "v3"))
KEY, SECRET = "chimera-sim-key", "chimera-sim-secret"
STRATEGY = f"""
from freqtrade.strategy import IStrategy

class InAndOut(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "5m"
    stoploss = {AWAY} - 1
    minimal_roi = {{"0": 100}}
    order_types = {{"entry": "market", "exit": "market", "stoploss": "market", "stoploss_on_exchange": True,
                    "stoploss_price_type": "mark"}}

    def populate_indicators(self, dataframe, metadata): return dataframe
    def populate_entry_trend(self, dataframe, metadata): return dataframe
    def populate_exit_trend(self, dataframe, metadata): return dataframe
"""


def main(http: str, symbol: str, qty: str, orders: str) -> None:
    logging.disable(logging.WARNING)
    pair = f"{symbol.removesuffix('USDT')}/USDT:USDT"
    called: list[tuple[int, str]] = []
    refused: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="chimera-freqtrade-") as folder:
        bot = _bot(Path(folder), http, pair)
        for _ in range(int(orders)):
            price = bot.exchange.get_rate(pair, side="entry", is_short=False, refresh=True)
            called.append((time.perf_counter_ns(), "entry"))
            if not bot.execute_entry(pair, float(qty) * price * 1.01):
                refused["order: the bot did not enter"] += 1
                continue
            bot.manage_open_orders()
            bot.exit_positions(Trade.get_open_trades())
            trade = Trade.get_open_trades()[0]
            if not trade.open_sl_orders:
                refused["stop: the bot has none"] += 1
            time.sleep(PACE_S)
            bot.execute_trade_exit(trade, price, ExitCheckTuple(exit_type=ExitType.FORCE_EXIT))
            bot.manage_open_orders()
        bot.cleanup()
    print(json.dumps({"version": freqtrade.__version__, "called": called, "refused": dict(refused)}), flush=True)


def _bot(folder: Path, http: str, pair: str) -> FreqtradeBot:
    (folder / "strategy.py").write_text(STRATEGY, encoding="utf-8")
    config = folder / "config.json"
    config.write_text(json.dumps(_config(folder, http, pair)), encoding="utf-8")
    asked = {
        "config": [str(config)],
        "user_data_dir": str(folder),
        "strategy": "InAndOut",
        "strategy_path": str(folder),
    }
    return FreqtradeBot(Configuration(asked, RunMode.LIVE).get_config())


def _config(folder: Path, http: str, pair: str) -> dict[str, Any]:
    faces = {f"fapi{face}{name}": f"{http}/fapi/{path}" for face in ("Public", "Private") for name, path in VERSIONS}
    client = {
        "urls": {"api": faces},
        "enableRateLimit": False,
        "options": {"fetchCurrencies": False, "fetchMargins": False, "fetchMarkets": {"types": ["linear"]}},
    }
    look = {"price_side": "other", "use_order_book": True, "order_book_top": 1}
    return {
        "dry_run": False,
        "trading_mode": "futures",
        "margin_mode": "isolated",
        "stake_currency": "USDT",
        "stake_amount": 150,
        "max_open_trades": 3,
        "db_url": f"sqlite:///{folder}/trades.sqlite",
        "initial_state": "running",
        "entry_pricing": look,
        "exit_pricing": look,
        "exchange": {
            "name": "binance",
            "key": KEY,
            "secret": SECRET,
            "ccxt_config": client,
            "pair_whitelist": [pair],
        },
        "pairlists": [{"method": "StaticPairList"}],
    }


if __name__ == "__main__":
    main(sys.argv[1], *sys.argv[3:5], sys.argv[6])
