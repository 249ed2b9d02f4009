"""schemathesis against the faces that publish no schema: the console, the feed, the simulator's control.

Each has a schema made here from its endpoints, which says where names, questions and bodies go and nothing of what they
may be. Half of the bodies are near to what is meant, a few are such as no schema makes. Judged: nothing is answered
5xx, and nothing takes longer than ``PATIENCE_S``.
"""

import random
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from proofs.fuzz import BODIES

PATIENCE_S: Final = 20.0
ANYTHING: Final[dict[str, Any]] = {"type": ["object", "array", "string", "number", "boolean", "null"]}
ASKED: Final = ("symbol", "newest", "since", "q", "cursor", "market", "api_key", "id")  # in a query, by some face
NEAR: Final[tuple[dict[str, Any], ...]] = (
    {"confirm": "BTCUSDT", "effect": "x"}, {"token": "chm_nobody"}, {"name": "fz", "api_key": "k", "secret": "s"},
    {"faults": [{"name": "refused", "count": 1}]}, {"name": "nothing"}, {"speed": 0}, {"do": "stop"}, {"do": "go"},
    {"account": "main", "symbol": "BTCUSDT", "share": "0.5"}, {"symbol": "BTCUSDT", "push_bps": "10"},
)  # fmt: skip


class Face:
    """One service. ``rows``: method and path of each endpoint; ``headers``: of who asks."""

    def __init__(self, url: str, rows: Iterable[tuple[str, str]], headers: Mapping[str, str]) -> None:
        self.tally: dict[str, Counter[int]] = {}
        self.found: dict[str, str] = {}
        self.heard: list[str] = []
        self._url, self._rows, self._headers = url, tuple(rows), dict(headers)
        self._session = requests.Session()

    def run(self, examples: int, number: int) -> None:
        schema: Any = schemathesis.openapi.from_dict(document(self._rows))
        for result in schema.get_all_operations():
            operation = result.ok()
            self._operation(operation, str(operation.definition.raw["operationId"]), examples, number)

    def _operation(self, operation: Any, name: str, examples: int, number: int) -> None:
        counted = self.tally.setdefault(name, Counter())
        draws = random.Random(f"{number} {name}")  # noqa: S311 - ours: what hypothesis draws, it repeats on purpose

        def example(case: Any) -> None:
            counted[self._one(name, case, draws)] += 1

        wanted = settings(
            max_examples=examples, deadline=None, database=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        seed(number)(wanted(given(st.one_of(operation.as_strategy()))(example)))()

    def _one(self, name: str, case: Any, draw: random.Random) -> int:
        kwargs = case.as_transport_kwargs(base_url=self._url)
        kwargs["headers"] = {**dict(kwargs.get("headers") or {}), **self._headers}
        if case.method != "GET":
            kind = draw.random()
            if kind < 0.5:
                kwargs["json"] = draw.choice(NEAR)
            elif kind < 0.6:
                kwargs = {key: value for key, value in kwargs.items() if key not in ("json", "data")}
                kwargs["data"] = draw.choice(BODIES)
        answer = self._session.request(**kwargs, timeout=PATIENCE_S, stream=True, allow_redirects=False)
        with answer:
            streams = "event-stream" in answer.headers.get("content-type", "")
            text = "" if streams else answer.text
        self.heard.append(f"{answer.status_code} {dict(answer.headers)} {text[:2_000]}")
        if answer.status_code >= 500:
            said = {key: kwargs[key] for key in ("method", "url", "params", "json", "data") if kwargs.get(key)}
            self.found.setdefault(f"{name} {answer.status_code}", f"{said!r:.500} -> {text[:300]}")
        return int(answer.status_code)


def document(rows: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """An OpenAPI document that knows the places and nothing else."""
    paths: dict[str, dict[str, Any]] = {}
    for method, path in rows:
        plain = path.replace(":path", "")
        names = [part.partition("}")[0] for part in plain.split("{")[1:]]
        given: list[dict[str, Any]] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
        ]
        given += [{"name": name, "in": "query", "required": False, "schema": {"type": "string"}} for name in ASKED]
        operation: dict[str, Any] = {
            "operationId": f"{method} {path}", "parameters": given, "responses": {"default": {"description": "any"}},
        }  # fmt: skip
        if method != "GET":
            operation["requestBody"] = {"content": {"application/json": {"schema": ANYTHING}}}
        paths.setdefault(plain, {})[method.lower()] = operation
    return {"openapi": "3.1.0", "info": {"title": "a face", "version": "1"}, "paths": paths}
