"""A busy hour at the twin from a seed, as one hash over all it said: answers, stream frames, audit, what it keeps.

    python tests/support/same_bytes.py SEED STEPS

Two runs of one seed must print the same line in any process, whatever the hash seed of its Python.
"""

import sys
from decimal import Decimal
from hashlib import sha256
from itertools import islice
from random import Random
from urllib.parse import urlencode

import msgspec

from chimera.services.simulator.market import open_synthetic
from chimera.simulate.door.auth import signature
from chimera.simulate.door.messages import Frame, WireRequest
from chimera.simulate.trouble.scenario import Fault, Scenario
from chimera.simulate.twin import Twin
from chimera.simulate.venue.account_spec import READY_ACCOUNT, AccountSpec
from chimera.trading.money import Millis
from chimera.wire import codec

START_MS = 1_767_225_600_000
STREAMS = ("bookTicker", "depth@100ms", "aggTrade", "markPrice@1s")
OWNERS = (
    READY_ACCOUNT.but(balance=Decimal(100_000)),
    AccountSpec(name="other", api_key="o", secret="o", spot={"USDT": Decimal(9_000), "BTC": Decimal(1)}),
)


class Hour:
    """One twin, two owners, chance by seed."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.now = START_MS
        self.market = open_synthetic(["BTCUSDT", "ETHUSDT"], seed=seed)
        self.twin = Twin(
            self.market.instruments, spot=self.market.spot, seed=seed, now_ms=self.now, accounts=OWNERS, limits=False
        )
        self.twin.begin(
            Scenario(
                seed=seed,
                faults=(Fault(name="latency", id="slow", params=LATENCY, chance=Decimal("0.2")),),
            )
        )
        for stream in STREAMS:
            for route in ("public", "market", "spot"):
                self.twin.subscribe(route, f"btcusdt@{stream}")
        self.said = sha256()
        self.answers = self.frames = 0

    def run(self, steps: int) -> str:
        for owner in OWNERS:
            self.ask(owner, "POST", "/fapi/v1/listenKey", {})
        for market, event in islice(self.market.events, steps):
            self.now = event.at_us // 1_000
            self.twin.market(event, Millis(self.now), market)
            if self.rng.random() < 0.3:
                self.act()
            self.twin.tick(Millis(self.now))
            self.hear()
        for record in self.twin.audit:
            self.said.update(codec.encode(record))
        self.said.update(codec.encode(self.twin.keep()))
        return f"{self.said.hexdigest()} {self.answers} answers {self.frames} frames {len(self.twin.audit)} records"

    def act(self) -> None:
        """An order, a stop, a cancel or a question, by either owner on either market."""
        rng, owner = self.rng, self.rng.choice(OWNERS)
        base, symbol = rng.choice(("/fapi/v1", "/api/v3")), rng.choice(("BTCUSDT", "ETHUSDT"))
        middle = {"BTCUSDT": 65_800, "ETHUSDT": 3_500}[symbol]
        side, price = rng.choice(("BUY", "SELL")), middle + rng.randrange(-40, 40)
        terms = {"symbol": symbol, "side": side, "quantity": rng.choice(("0.01", "0.02", "0.1"))}
        match rng.randrange(6):
            case 0 | 1:
                more = {"type": "LIMIT", "timeInForce": rng.choice(("GTC", "IOC", "FOK")), "price": price}
                self.ask(owner, "POST", f"{base}/order", terms | more)
            case 2 | 3:
                self.ask(owner, "POST", f"{base}/order", terms | {"type": "MARKET"})
            case 4 if base == "/fapi/v1":
                stop = {"algoType": "CONDITIONAL", "type": "STOP_MARKET", "triggerPrice": price}
                self.ask(owner, "POST", "/fapi/v1/algoOrder", terms | stop)
            case 4:
                self.ask(owner, "POST", "/api/v3/order", terms | {"type": "STOP_LOSS", "stopPrice": price})
            case _:
                self.ask(owner, rng.choice(("GET", "DELETE")), f"{base}/openOrders", {"symbol": symbol})

    def ask(self, owner: AccountSpec, method: str, path: str, terms: dict[str, object]) -> None:
        query = urlencode(terms | {"timestamp": self.now})
        query += "&signature=" + signature(owner.secret.encode(), query)
        request = WireRequest(method=method, path=path, query=query, headers={"X-MBX-APIKEY": owner.api_key})
        answer = self.twin.handle(request, Millis(self.now))
        self.said.update(msgspec.msgpack.encode([answer.status, answer.headers, answer.delay_ms]) + answer.body)
        self.answers += 1

    def hear(self) -> None:
        for frame in self.twin.drain():
            self.said.update(_flat(frame))
            self.frames += 1


LATENCY = {"ms": 40, "spread": "lognormal"}


def _flat(frame: Frame) -> bytes:
    return msgspec.msgpack.encode([frame.route, frame.channel, frame.event, frame.delay_ms]) + frame.payload


def digest(seed: int, steps: int) -> str:
    return Hour(seed).run(steps)


if __name__ == "__main__":
    print(digest(int(sys.argv[1]), int(sys.argv[2])))
