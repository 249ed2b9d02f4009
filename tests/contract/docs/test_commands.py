"""No page tells a command, an option or a path that does not exist: each is read by the parser that would read it."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import typer.main

from chimera.cli.codes import Exit
from chimera.cli.main import app
from chimera.simulate.trouble.catalogue import CATALOGUE

ROOT: Final = Path(__file__).resolve().parents[3]
PAGES: Final = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
BLOCK: Final = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
IN_TEXT: Final = re.compile(r"`(?:\.venv/bin/)?chimera ([^`]+)`")
A_CALL: Final = re.compile(r"^(?:\$ )?(?:\.venv/bin/)?chimera(?= )(.*)$", re.MULTILINE)
CURL: Final = re.compile(r"curl [^\n]*?http://127\.0\.0\.1:(8083|8084)(/[^\s'\"?]*)")
SERVICES: Final = {"8083": "s3-strategy-engine", "8084": "s4-order-router"}
A_FILE: Final = re.compile(r"(?<![\w/])[\w-]+\.(?:json|jsonl|toml|gz)\b")
UNDRAWN: Final = {"/metrics"}  # Prometheus' text, in no description

tree: Final[Any] = typer.main.get_command(app)


def parse(words: list[str]) -> None:
    """Read as a shell would hand it over, doing nothing. Raises what the parser says of a wrong one."""
    context = tree.make_context("chimera", list(words))
    command, rest = tree, [*context._protected_args, *context.args]
    while hasattr(command, "resolve_command") and rest:
        name, command, rest = command.resolve_command(context, rest)
        context = command.make_context(name, rest, parent=context)
        rest = [*getattr(context, "_protected_args", ()), *context.args]


def in_blocks(page: Path) -> Iterator[str]:
    """What stands beside a command, two spaces away, is its explanation."""
    for _, block in BLOCK.findall(page.read_text(encoding="utf-8")):
        for told in A_CALL.findall(block):
            yield re.split(r"\s{2,}|\s# ", told.strip())[0]


def test_every_fault_that_a_page_arms_exists() -> None:
    words = [shlex.split(told) for page in PAGES for told in in_blocks(page)]
    armed = {told[2] for told in words if told[:2] == ["faults", "arm"]}

    assert armed
    assert armed <= CATALOGUE.keys()


def named(told: str) -> tuple[Any, list[str]]:
    """The verb of a mention in a sentence, and the options that it names; what stands for something is passed over."""
    command, words = tree, re.split(r"[\s\[\]|]+", told)
    while hasattr(command, "commands") and words and words[0] and not words[0].startswith("-"):
        command = command.commands[words.pop(0)]
    return command, [word for word in words if word.startswith("--")]


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_every_command_of_a_block_is_read_by_the_real_parser(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the files that pages name are there
    for told in in_blocks(page):
        for name in A_FILE.findall(told):
            (tmp_path / name).touch()
        parse(shlex.split(told))


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_every_verb_and_option_in_a_sentence_exists(page: Path) -> None:
    for told in IN_TEXT.findall(page.read_text(encoding="utf-8")):
        command, options = named(told)
        known = {name for parameter in command.params for name in parameter.opts} | {"--help"}
        assert set(options) <= known, told


def test_every_address_that_a_page_calls_is_served() -> None:
    drawn = json.loads((ROOT / "openapi.json").read_text(encoding="utf-8"))
    served = {
        port: [re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path) + "$") for path in drawn[service]["paths"]]
        for port, service in SERVICES.items()
    }
    called = {call for page in PAGES for call in CURL.findall(page.read_text(encoding="utf-8"))}

    assert len(called) > 5
    assert [
        call for call in called if call[1] not in UNDRAWN and not any(p.match(call[1]) for p in served[call[0]])
    ] == []


@pytest.mark.parametrize(
    "wrong", ["shwo", "kill --reasons x", "order BTCUSDT BUY", "bundle rollback", "arm a b", "faults"]
)
def test_a_command_that_is_none_is_found_out(wrong: str) -> None:
    with pytest.raises(Exception, match=r".") as told:  # typer hands out no name for its errors
        parse(shlex.split(wrong))

    assert getattr(told.value, "exit_code", None) == Exit.USAGE
