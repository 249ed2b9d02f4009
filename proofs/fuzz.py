"""schemathesis against a service that runs: so many examples of each operation, one after the other, each judged.

Generated as the schema allows or as it does not; half of them carry real values (``fuzz_values``), and a few bodies are
such as no schema makes. Judged: below 500, a status and a body that the schema shows. What was answered 2xx
and may trade becomes a ``Deed``: the house is brought home before the next request. An entry that waits for the venue's
limits, or for a machine that others use, is asked again and counted, as a caller would.
"""

import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.failures import FailureGroup

from proofs.fuzz_house import SYMBOLS, House, Restless
from proofs.fuzz_values import Deep
from proofs.leaks import Deed

load_all_checks()
CHECKED: Final[Any] = [
    CHECKS.get_one(name)
    for name in (
        "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
        "response_schema_conformance",
    )
]  # fmt: skip
MAY_TRADE: Final = frozenset({
    "submit_order", "replace_order", "pause_order", "resume_order", "finish_order", "cancel_order", "close_position",
    "kill", "arm", "transfer", "settle_transfer", "decide", "decide_batch",
})  # fmt: skip
OF_ORDERS: Final = ("replace_order", "pause_order", "resume_order", "finish_order", "cancel_order")
PREPARED: Final = 0.08  # share of examples that find an order at work, a position, a kill
ODD: Final = 0.03
BODIES: Final = (
    b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"qty":1e999}', b'{"qty":NaN,"symbol":"\\ud800"}', b'{"a":1,"a":2}',
    b"[" * 2_000, b'{"a":' * 2_000, b'{"symbol":' + b"9" * 5_000 + b"}", b'"' + b"x" * 70_000 + b'"',
)  # fmt: skip
_HEADERS: Final[tuple[dict[str, str], ...]] = (
    {}, {}, {}, {"Prefer": "respond-async"}, {"Prefer": "wait=1"}, {"Prefer": "wait=x, respond-async"},
    {"Idempotency-Key": "key-1"}, {"Idempotency-Key": "*" * 300}, {"Content-Type": "text/plain"}, {"X-Odd": "\xe9"},
)  # fmt: skip
PATIENCE_S: Final = 30.0


class Fuzz:
    """One service's operations. ``tally`` counts answers by operation and status; ``found``: what must not be."""

    def __init__(self, house: House, url: str) -> None:
        self.tally: dict[str, Counter[int]] = {}
        self.seconds: dict[str, float] = {}
        self.found: dict[str, str] = {}  # what is wrong: the first request that showed it
        self.restless = ""
        self.codes: Counter[str] = Counter()  # of refusals
        self.deeds: list[Deed] = []
        self.stirred: list[tuple[int, int, str]] = []  # refused while an order of ours worked: from, until, what
        self.house, self._url, self._deep = house, url, Deep(house)

    def run(self, examples: int, number: int, only: Sequence[str] = ()) -> None:
        """Every operation that the service publishes, or those of ``only``."""
        schema: Any = schemathesis.openapi.from_url(f"{self._url}/openapi.json")
        for result in schema.get_all_operations():
            operation = result.ok()
            name = str(operation.definition.raw["operationId"])
            if not only or name in only:
                began = time.monotonic()
                self._operation(operation, name, examples, number)
                took = time.monotonic() - began
                self.seconds[name] = round(self.seconds.get(name, 0) + took, 1)
                _say(f"{number} {name}: {took:.0f} s, {dict(sorted(self.tally[name].items()))}")

    def _operation(self, operation: Any, name: str, examples: int, number: int) -> None:
        counted = self.tally.setdefault(name, Counter())
        kinds = [operation.as_strategy(generation_mode=GenerationMode.POSITIVE)]
        if operation.body or operation.query:
            kinds.append(operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))

        draws = random.Random(f"{number} {name}")  # noqa: S311 - ours: what hypothesis draws, it repeats on purpose

        def example(case: Any, _: int) -> None:
            if self.restless:  # nothing that follows would say anything
                return
            try:
                counted[self._one(name, case, draws)] += 1
            except Restless as away:
                self.restless = f"{name}: {away}"
                self.found["the house"] = self.restless
                _say(f"RESTLESS {self.restless}")

        wanted = settings(
            max_examples=examples, deadline=None, database=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        seed(number)(wanted(given(st.one_of(kinds), st.integers())(example)))()

    def _one(self, name: str, case: Any, draw: random.Random) -> int:
        """The status it was answered."""
        from_us = _now_us()
        symbol = draw.choice(SYMBOLS)
        names, word = self._prepare(name, symbol, draw)
        if draw.random() < 0.5 or names:
            self._deep.into(name, case, draw.getrandbits(48), word=word, symbol=symbol if names else "")
            if names and case.path_parameters and "name" in case.path_parameters:
                case.path_parameters["name"] = names[0]
        kwargs = case.as_transport_kwargs(base_url=self._url)
        kwargs["headers"] = {**dict(kwargs.get("headers") or {}), **draw.choice(_HEADERS)}
        if case.method != "GET" and draw.random() < ODD:
            kwargs = {key: value for key, value in kwargs.items() if key not in ("json", "data", "files")}
            kwargs["data"] = draw.choice(BODIES)
        sent_us = _now_us()
        answer = self.house.ask_again(lambda: self.house.session.request(**kwargs, timeout=PATIENCE_S))
        self._check(name, case, answer, kwargs)
        good = answer.status_code < 300
        if not good:
            self.codes[_code(answer)] += 1
        if good:
            names += self._learn(name, answer)
        elif names:
            self.stirred.append((sent_us, _now_us(), f"{name} {answer.status_code}"))
        if names or word or (good and name in MAY_TRADE):
            refs = self.house.come_home(names)
            self.deeds.append(Deed(from_us, _now_us(), f"{name} {answer.status_code}", refs))
        return int(answer.status_code)

    def _prepare(self, name: str, symbol: str, draw: random.Random) -> tuple[list[str], str]:
        """Names of what was begun for this case, and the word that arms."""
        if draw.random() >= PREPARED:
            return [], ""
        if name in OF_ORDERS:
            return [self.house.begin_order(symbol)], ""
        if name == "close_position":
            return [self.house.begin_position(symbol)], ""
        if name == "begin_trial":
            self.house.end_trial()
        return ([], self.house.begin_kill()) if name == "arm" else ([], "")

    def _learn(self, name: str, answer: Any) -> list[str]:
        """What it named, for later requests; the orders it began."""
        row = answer.json() if "json" in answer.headers.get("content-type", "") else {}
        match name:
            case "submit_order":
                self.house.orders.append(row["client_order_id"])
                return [row["client_order_id"]]
            case "create_bundle":
                self.house.bundles.append(row["bundle"]["bundle_id"])
            case "activate" | "rollback" | "begin_trial" | "end_trial":
                self.house.revs.append(row["revision"]["rev"])
            case "decide" | "decide_batch":
                rows = row.get("results", [row])
                self.house.signals.extend(each["signal_id"] for each in rows if each.get("signal_id"))
                return [
                    self.house.delivered(each["intent"]["client_order_id"])
                    for each in rows
                    if each.get("intent") and not each["dry_run"]
                ]
        return []

    def _check(self, name: str, case: Any, answer: Any, sent: dict[str, Any]) -> None:
        try:
            case.validate_response(answer, checks=CHECKED)
        except FailureGroup as group:
            for failure in group.exceptions:
                what = f"{name} {answer.status_code} {_code(answer)}: {type(failure).__name__}"
                words = {key: sent[key] for key in ("method", "url", "params", "json", "data") if sent.get(key)}
                if what not in self.found:
                    self.found[what] = f"{words!r:.700} -> {answer.text:.500}; {failure!s:.300}"
                    _say(f"FOUND {what}: {self.found[what]}")


def _code(answer: Any) -> str:
    """By which a refusal is known."""
    return str(answer.json().get("code")) if "json" in answer.headers.get("content-type", "") else ""


def _say(line: str) -> None:
    """Onto stderr at once: a proof of more than an hour tells what it has found before it ends."""
    print(line, file=sys.stderr, flush=True)


def _now_us() -> int:
    """UTC, to the millisecond before, as the venue's audit has it."""
    return time.time_ns() // 1_000_000 * 1_000
