"""A stderr that is full, gone or held up costs the lines that it did not take, and nothing else."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from chimera.services import logs, outlet
from chimera.services.outlet import NOBODY_READS, Outlet

pytestmark = [pytest.mark.req("I30"), pytest.mark.fault("G19")]

Pipe = tuple[int, int]


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """Who reads, who writes."""
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def lines(pipe: Pipe) -> list[str]:
    """What has come, as much as a pipe holds."""
    return os.read(pipe[0], 1 << 20).decode().splitlines()


def fill(pipe: Pipe) -> None:
    """Until nothing more goes in, not even a line's beginning."""
    os.set_blocking(pipe[1], False)
    for size in (4096, 1):
        while True:
            try:
                os.write(pipe[1], b"\n" * size)
            except BlockingIOError:
                break
    os.set_blocking(pipe[1], True)


def test_what_is_written_is_there_at_once(pipe: Pipe) -> None:
    out = Outlet(pipe[1], "s4")
    out.write("one\n")
    assert lines(pipe) == ["one"]
    out.write("x" * 20_000 + "\n")
    assert lines(pipe) == ["x" * 20_000]


def test_a_full_disk_raises_nothing() -> None:
    with open("/dev/full", "wb", buffering=0) as full:
        out = Outlet(full.fileno(), "s4")
        assert [out.write("line\n") for _ in range(3)] == [5, 5, 5]


def test_a_reader_that_has_gone_raises_nothing() -> None:
    reads, writes = os.pipe()
    os.close(reads)
    Outlet(writes, "s4").write("line\n")
    os.close(writes)


def test_a_terminal_that_is_stopped_holds_nobody_up_and_is_told_what_it_missed(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-S, or a pager that waits: a plain write would have stood still for as long as that."""
    monkeypatch.setattr(outlet, "WAITS_MS", 1)
    out = Outlet(pipe[1], "s4")
    fill(pipe)
    for number in range(3):
        out.write(f"missed {number}\n")
    lines(pipe)
    out.write("heard\n")
    lost, heard = lines(pipe)
    assert {name: json.loads(lost)[name] for name in ("event", "lines", "why", "service", "level")} == {
        "event": "log_lost", "lines": 3, "why": NOBODY_READS, "service": "s4", "level": "error",
    }  # fmt: skip
    out.write("and the next\n")
    assert (heard, lines(pipe)) == ("heard", ["and the next"])


def test_a_line_that_was_torn_spoils_no_other(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    real, room = os.write, [3]

    def short(descriptor: int, data: bytes) -> int:
        if not room[0]:
            raise OSError(28, "No space left on device")
        done, room[0] = real(descriptor, data[: room[0]]), 0
        return done

    out = Outlet(pipe[1], "s4")
    monkeypatch.setattr(os, "write", short)
    out.write("torn\n")
    monkeypatch.setattr(os, "write", real)
    out.write("whole\n")
    torn, lost, whole = lines(pipe)
    assert (torn, json.loads(lost)["why"], whole) == ("tor", "No space left on device", "whole")


def test_whoever_logs_trades_on_over_a_full_disk() -> None:
    """Of the program, not of a class: ours, a library's, and what is said at the end leave its exit code alone."""
    told = (
        "import logging, structlog; from chimera.services import logs, outlet; logs.to_stderr('s4');"
        "structlog.get_logger().warning('ours'); logging.getLogger('x').error('theirs');"
        "outlet.say('the end'); outlet.say('the end', aloud=True); raise SystemExit(8)"
    )
    with open("/dev/full", "wb") as full:
        run = subprocess.run([sys.executable, "-c", told], stdout=full, stderr=full, check=False)
    assert run.returncode == 8


def test_a_process_without_a_stderr_logs_into_no_other_file(tmp_path: Path) -> None:
    """Descriptor 2 is the next file's that is opened, which might be a ledger."""
    path = tmp_path / "other"
    told = (
        f"import os; held = os.open({str(path)!r}, os.O_RDWR | os.O_CREAT);"
        "import structlog; from chimera.services import logs; logs.to_stderr('s4');"
        "structlog.get_logger().warning('ours'); raise SystemExit(0 if held == 2 else 1)"
    )
    run = subprocess.run(["sh", "-c", '"$@" 2>&-', "sh", sys.executable, "-c", told], check=False)
    assert (run.returncode, path.read_bytes()) == (0, b"")


def test_lines_of_ours_and_of_libraries_go_the_same_way(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    root, before = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    try:
        with os.fdopen(os.dup(pipe[1]), "w") as stderr:
            monkeypatch.setattr(sys, "stderr", stderr)
            logs.to_stderr("s4")
            structlog.get_logger("x").warning("ours")
            logging.getLogger("x").error("theirs")
            assert [json.loads(line)["event"] for line in lines(pipe)] == ["ours", "theirs"]
    finally:
        structlog.configure(**before)
        root.handlers[:], root.level = handlers, level
