"""The house that is fuzzed, seen by its caller: what exists in it, and the way back to flat and armed.

Everything by S4's and S3's own HTTP, one request after the other; the venue is asked for marks alone.
"""

import itertools
import time
from collections import Counter, deque
from collections.abc import Callable
from decimal import ROUND_DOWN, ROUND_UP, Decimal
from typing import Any, Final

import requests

D = Decimal
SYMBOLS: Final = ("BTCUSDT", "ETHUSDT")
STEPS: Final = {
    "BTCUSDT": (D("0.1"), D("0.001")),
    "ETHUSDT": (D("0.01"), D("0.001")),
}  # tick, step: coarse enough for both
WORTH: Final = D(60)  # USDT, above every smallest notional
PATIENCE_S: Final = 20.0  # of one question
HOME_S: Final = 90.0  # of a way home: limits of the venue are counted by the minute
DELIVERY_S: Final = 3.0  # one try of S3's to deliver
LATER: Final = ("RATE_GOVERNOR", "LOOP_LAG")  # the caller hurries, or others use this machine: 503 with Retry-After
POLL_S: Final = 0.02
ROOM: Final = 0.45  # of each limit: entries wait from 0.6 on, which is a 503 to whoever hurries
KEPT: Final = 40  # of each kind of name: enough to hit, few enough to hit again

Document = dict[str, Any]


class Restless(RuntimeError):
    """The house did not come back to flat and armed in time."""


class House:
    """Names that exist, and the way home."""

    def __init__(self, s4: str, s3: str, venue: str) -> None:
        self.s4, self.s3, self.venue = s4, s3, venue
        self.session = requests.Session()
        self.orders: deque[str] = deque(maxlen=KEPT)
        self.bundles: deque[str] = deque(("demo-1", "active"), maxlen=KEPT)
        self.revs: deque[int] = deque((1,), maxlen=KEPT)
        self.signals: deque[str] = deque(maxlen=KEPT)
        self.later: Counter[str] = Counter()  # asked again, by why
        self.marks: dict[str, Decimal] = {}
        self._numbers = itertools.count(1)
        self._looked_s = 0.0

    # ── words for requests ──

    def fresh(self) -> int:
        return next(self._numbers)

    def mark(self, symbol: str) -> Decimal:
        """Not older than a second."""
        if time.monotonic() - self._looked_s > 1:
            state = self.session.get(f"{self.venue}/sim/state", timeout=10).json(parse_float=D)
            self.marks = {name: D(str(price)) for name, price in state["marks"].items() if price}
            self._looked_s = time.monotonic()
        return self.marks[symbol]

    def unit(self, symbol: str) -> Decimal:
        step = STEPS[symbol][1]
        return (WORTH / self.mark(symbol) / step).to_integral_value(ROUND_UP) * step

    def away(self, symbol: str, share: str) -> str:
        """A price on the tick, so far above the mark (below it, where ``share`` is)."""
        tick = STEPS[symbol][0]
        return format((self.mark(symbol) * (1 + D(share)) / tick).to_integral_value(ROUND_DOWN) * tick, "f")

    # ── what is done for a request to meet ──

    def begin_order(self, symbol: str) -> str:
        """An order that works for a minute, in a market that stands still until we are home; its name.

        An order that follows the touch would else be moved by S4 itself while a request is refused.
        """
        name = f"prep-{self.fresh()}"
        policy = {"type": "MakerThenTaker", "maker_wait_ms": 60_000}
        self._submit(name, {"symbol": symbol, "side": "BUY", "qty": str(2 * self.unit(symbol)), "exec_policy": policy})
        self._until("at work", lambda: any(leg["order_id"] for leg in self._legs(name)))
        self._stop_market(stopped=True)
        return name

    def begin_position(self, symbol: str) -> str:
        """A position with a stop; the name of its order."""
        name = f"prep-{self.fresh()}"
        body = {"symbol": symbol, "side": "BUY", "qty": str(2 * self.unit(symbol)), "exec_policy": {"type": "MARKET"}}
        self._submit(name, {**body, "sl": {"price": self.away(symbol, "-0.03")}})
        self._until("covered", lambda: any(row["qty"] and row["coverage"] == 1 for row in self._board()))
        return name

    def end_trial(self) -> None:
        """No candidate stands in the way of another."""
        self.post(f"{self.s3}/config/trial/end", {"who": "proof", "why": "another is to begin"})

    def begin_kill(self) -> str:
        """Everything killed; the word that arms it."""
        self.post(f"{self.s4}/kill", {"by": "proof", "reason": "to be armed"})
        kills = self.get(f"{self.s4}/killed")["kills"]
        return str(next(kill["confirm"] for kill in kills if kill["scope"] == "GLOBAL"))

    def delivered(self, name: str) -> str:
        """The same name, once S4 has the intent that S3 made; it may also have refused it, which S3 alone is told."""
        deadline = time.monotonic() + DELIVERY_S
        while time.monotonic() < deadline:
            if self.session.get(f"{self.s4}/orders/{name}", timeout=PATIENCE_S).status_code == 200:
                break
            time.sleep(POLL_S)
        return name

    # ── home ──

    def come_home(self, names: list[str]) -> frozenset[str]:
        """Armed, nothing at work or held, no stop left behind, nothing between the wallets; these orders' children."""
        self._stop_market(stopped=False)
        self._arm()
        for name in names:
            self._end(name)
        self._until("flat", self._flatten)
        self._until("transfers", lambda: self.get(f"{self.s4}/transfers")["present"] is None)
        self._until("open", self._calm)
        return frozenset(str(leg["client_order_id"]) for name in names for leg in self._legs(name))

    def get(self, url: str) -> Any:
        return self.session.get(url, timeout=PATIENCE_S).json()

    def post(self, url: str, body: Document) -> requests.Response:
        return self.session.post(url, json=body, timeout=PATIENCE_S)

    def ask_again(self, ask: Callable[[], requests.Response]) -> requests.Response:
        """The answer; asked again where entries waited for the venue's limits or for this machine, and nothing else."""
        while True:
            answer = ask()
            code = str(answer.json().get("code")) if answer.status_code == 503 else ""
            if code not in LATER:
                return answer
            self.later[code] += 1
            self._until("open", self._calm)

    def _submit(self, name: str, body: Document) -> None:
        about = {"intent_id": name, "client_order_id": name, "market": "FUT"}
        answer = self.ask_again(
            lambda: self.session.post(
                f"{self.s4}/orders", json={**about, **body}, headers={"Prefer": "respond-async"}, timeout=PATIENCE_S
            )
        )
        if answer.status_code not in (200, 202):
            raise Restless(f"a good order was answered {answer.status_code}: {answer.text[:300]}")
        self.orders.append(name)

    def _stop_market(self, *, stopped: bool) -> None:
        answer = self.post(f"{self.venue}/sim/market", {"stopped": stopped})
        if answer.status_code != 200:
            raise Restless(f"the market does not listen: {answer.status_code} {answer.text[:300]}")

    def _arm(self) -> None:
        for kill in self.get(f"{self.s4}/killed")["kills"]:
            place = {"scope": kill["scope"], "name": kill["name"], "confirm": kill["confirm"]}
            self.post(f"{self.s4}/arm", {**place, "by": "proof", "reason": "home"})

    def _end(self, name: str) -> None:
        """Until it is over, or known not to be there (what S3 decided and S4 refused)."""
        url = f"{self.s4}/orders/{name}"
        self._until(f"order {name}", lambda: self.session.get(url, timeout=PATIENCE_S).status_code in (200, 404))
        self.post(f"{self.s4}/cancel", {"client_order_id": name})

    def _flatten(self) -> bool:
        left = [
            row for row in self._board() if any(row[name] for name in ("qty", "intents", "stop", "target", "guards"))
        ]
        for row in left:
            if not row["qty"] and not row["intents"]:
                continue
            for intent in row["intents"] if not row["qty"] else ():
                self.post(f"{self.s4}/cancel", {"order_id": intent})
            self.post(f"{self.s4}/positions/{row['symbol']}/close", {"market": row["market"]})
        return not left

    def _board(self) -> list[Document]:
        rows: list[Document] = self.get(f"{self.s4}/positions")["positions"]
        return rows

    def _calm(self) -> bool:
        """Ready, nothing keeps entries back, and the venue's limits leave room for more."""
        told = self.get(f"{self.s4}/health")
        uses = [use for market in told["markets"].values() for use in market["rates"]]
        return self._ready() and not told["barriers"] and all(use["used"] < ROOM * use["limit"] for use in uses)

    def _ready(self) -> bool:
        return bool(self.session.get(f"{self.s4}/ready", timeout=PATIENCE_S).status_code == 200)

    def _legs(self, name: str) -> list[Document]:
        return list(self.get(f"{self.s4}/orders/{name}").get("children", ()))

    def _until(self, what: str, good: Callable[[], bool]) -> None:
        deadline = time.monotonic() + HOME_S
        while not good():
            if time.monotonic() > deadline:
                held = [row for row in self._board() if row["qty"] or row["intents"]]
                raise Restless(f"not {what} in {HOME_S} s: {held}, {self.get(f'{self.s4}/health')['barriers']}"[:900])
            time.sleep(POLL_S)
