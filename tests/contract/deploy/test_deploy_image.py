"""The image: what its file says, and the program that is in it beside the package."""

import importlib.util
import json
import re
import threading
import tomllib
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import ModuleType
from typing import Any

from deployed import DEPLOY, ROOT

FILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
KNOWN = {"ARG", "FROM", "ENV", "RUN", "WORKDIR", "COPY", "USER", "STOPSIGNAL", "ENTRYPOINT", "CMD"}


def instructions() -> list[tuple[str, str]]:
    lines = [line for line in FILE.replace("\\\n", " ").splitlines() if line.strip() and not line.startswith("#")]
    return [(word, " ".join(rest.split())) for word, _, rest in (line.partition(" ") for line in lines)]


def of(word: str) -> list[str]:
    return [rest for name, rest in instructions() if name == word]


def last_stage() -> list[tuple[str, str]]:
    told = instructions()
    return told[max(place for place, (word, _) in enumerate(told) if word == "FROM") :]


def test_the_python_of_the_image_is_one_that_we_run_on_and_has_its_minor_version() -> None:
    (named,) = (rest.removeprefix("PYTHON=") for rest in of("ARG"))
    minor = re.fullmatch(r"(3\.\d+)-slim-\w+", named)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert {word for word, _ in instructions()} <= KNOWN
    assert [rest.partition(" ")[0] for rest in of("FROM")] == ["python:${PYTHON}"] * 2
    assert minor is not None
    assert project["requires-python"] == f">={minor[1]}"


def test_nothing_is_installed_that_the_lock_does_not_name() -> None:
    commands = [json.loads(rest) for rest in of("RUN")]  # each without a shell
    (sync,) = (command for command in commands if command[:2] == ["uv", "sync"])
    (pip,) = (command for command in commands if command[0] == "pip")
    (uv,) = re.findall(r"^UV_VERSION := (.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert {"--locked", "--no-dev", "--no-editable"} <= set(sync)
    assert sync[sync.index("--extra") + 1] in project["optional-dependencies"]
    assert pip[-1] == f"uv=={uv}"


def test_it_runs_as_nobody_in_particular_with_its_assertions_on() -> None:
    last = dict(last_stage())

    assert last["USER"] == "10001:10001"
    assert json.loads(last["ENTRYPOINT"]) == ["chimera"]
    assert last["STOPSIGNAL"] == "SIGTERM"
    assert not any("PYTHONOPTIMIZE" in rest for word, rest in instructions() if word == "ENV")


def test_what_is_copied_is_let_into_the_build_and_nothing_else_is() -> None:
    lines = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    let = {line.removeprefix("!") for line in lines if line.startswith("!")}
    copied = {source for rest in of("COPY") if "--from" not in rest for source in rest.split()[:-1]}

    assert next(line for line in lines if line and not line.startswith("#")) == "*"
    assert copied == let
    assert all((ROOT / source).exists() for source in copied)


# ── what is beside the package ──


def beside(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DEPLOY / "image" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Answers(BaseHTTPRequestHandler):
    """200 for /health, 503 for everything else."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health" else 503)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


def test_a_health_check_passes_where_the_answer_is_200_and_nowhere_else() -> None:
    answers = beside("answers").answers
    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}"
        try:
            assert answers(f"{address}/health")
            assert not answers(f"{address}/ready")
        finally:
            server.shutdown()
            thread.join()
    assert not answers(f"{address}/health"), "nobody listens any more"
