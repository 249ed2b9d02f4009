"""``chimera sli`` over services that answer, that are broken, and that are away."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from typer.testing import CliRunner

from chimera.cli.codes import Exit
from chimera.cli.main import app
from chimera.services.exposition import Sample, Spread, page
from chimera.services.objectives import ENOUGH, OBJECTIVES, with_levels
from chimera.services.service import Service

pytestmark = pytest.mark.req("DEL-4")
NOBODY = "http://127.0.0.1:9"


class Served(BaseHTTPRequestHandler):
    """One page, whoever asks."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.server.told if self.path == "/metrics" else b"")  # type: ignore[attr-defined]  # set below

    def log_message(self, *_: object) -> None:
        """Nothing."""


class Told(HTTPServer):
    told = b""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@pytest.fixture
def s4() -> Iterator[Told]:
    with Told(("127.0.0.1", 0), Served) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def a_page(latency_ms: float) -> bytes:
    spread = Spread("router_submit_latency_ms")
    for _ in range(ENOUGH):
        spread.took(latency_ms)
    samples = [
        Sample("router_submit_latency_ms_recent", ("FUT", "0.95"), latency_ms),
        Sample("exchange_up", ("FUT",), 1),
    ]
    samples.append(Sample("router_submit_latency_ms", ("FUT",), spread))
    return page(Service.S4, with_levels(Service.S4, samples))


def test_levels_are_told_as_measured_and_promised(s4: Told) -> None:
    s4.told = a_page(42)
    done = CliRunner().invoke(app, ["sli", "--s3", NOBODY, "--s4", s4.url])

    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert sum(each.service is Service.S4 for each in OBJECTIVES) == len(lines) - 1
    assert " ".join(lines[0].partition(":")[0].split()) == "ok submit_latency 42 ms, at most 500 ms"
    assert any(line.startswith("-      unprotected     nothing measured") for line in lines)
    assert lines[-1].startswith("?      s3 does not answer: ")


def test_one_that_is_broken_ends_with_1_and_names_it(s4: Told) -> None:
    s4.told = a_page(900)
    done = CliRunner().invoke(app, ["sli", "--s3", NOBODY, "--s4", s4.url, "--json"])

    assert done.exit_code == Exit.FAILED
    told = json.loads(done.stdout.splitlines()[0])
    broken = [row for row in told["levels"] if row["met"] is False]
    assert [(row["sli"], row["value"], row["code"]) for row in broken] == [
        ("submit_latency", 900, "SLI_SUBMIT_LATENCY")
    ]
    assert set(told["away"]) == {"s3"}


def test_nobody_there_is_said_as_such() -> None:
    done = CliRunner().invoke(app, ["sli", "--s3", NOBODY, "--s4", NOBODY])
    assert done.exit_code == Exit.UNREACHABLE
