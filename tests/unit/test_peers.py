"""The benchmark's peers: what they could not do is left out by name, and nothing else is."""

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bench"))

from bench_peers import _told, driven
from peer_environments import Engine, Unavailable, python_of

pytestmark = pytest.mark.req("FC-5")
CALLED = [(0, "entry"), (10_000_000, "entry")]


def accepted(kind: str, *at_ms: int) -> list[dict[str, Any]]:
    return [{"kind": "accept", "type": kind, "ns": each * 1_000_000} for each in at_ms]


def test_what_the_venue_refused_is_not_measured_and_the_rest_is() -> None:
    stamps = accepted("MARKET", 2, 5, 12)
    assert _told(CALLED, stamps, {"stop: -4120"}) == {"order_p50_ms": 2.0, "order_p99_ms": 2.0}


def test_what_is_missing_and_was_not_refused_is_a_fault() -> None:
    with pytest.raises(AssertionError):
        _told(CALLED, accepted("MARKET", 2, 12) + accepted("STOP_MARKET", 4), {"stop: refused once"})
    with pytest.raises(AssertionError):
        _told(CALLED, accepted("MARKET", 2) + accepted("STOP_MARKET", 4, 14))


def test_a_release_that_cannot_be_had_is_told_and_leaves_nothing_half_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    engine = Engine("peer_none.py", "chimera-no-such-engine==0")
    for _ in range(2):
        with pytest.raises(Unavailable, match="chimera-no-such-engine"):
            python_of(engine, tmp_path)


def test_a_driver_that_fails_is_told_by_its_last_words(tmp_path: Path) -> None:
    driver = tmp_path / "driver.py"
    driver.write_text("import sys; print('a log line'); sys.exit('no such venue')", encoding="utf-8")
    with pytest.raises(Unavailable, match="no such venue"):
        driven(Engine(str(driver), ""), Path(sys.executable), "http://127.0.0.1:1", 1)


def test_what_a_driver_tells_is_its_last_line_and_our_settings_are_not_its(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("S4_FUT_URL", "http://ours")
    driver = tmp_path / "driver.py"
    told = "{'version': '1', 'called': [], 'refused': {}, 'args': sys.argv[1:3], 'ours': 'S4_FUT_URL' in os.environ}"
    driver.write_text(f"import json, os, sys; print('a log'); print(json.dumps({told}))", encoding="utf-8")
    found = driven(Engine(str(driver), ""), Path(sys.executable), "http://127.0.0.1:1", 1)
    assert (found["args"], found["ours"]) == (["http://127.0.0.1:1", "ws://127.0.0.1:1"], False)
