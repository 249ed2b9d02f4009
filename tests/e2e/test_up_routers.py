"""``chimera up --routers 3`` as its user has it: who acts is shown; a death, a freeze and a restart are survived."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from support.running_house import FREE_PORTS, Up, ask, until, up

pytestmark = pytest.mark.slow


def standing(event: dict[str, Any], word: str) -> dict[str, int]:
    """By name, the pids of those that are so."""
    return {row["name"]: row["pid"] for row in event["routers"] if row["is"] == word}


def settled(house: Up, *not_of: int) -> dict[str, Any]:
    """The newest look, once one acts and two stand by, and none of them is of these pids."""

    def newest() -> list[dict[str, Any]]:
        house.read()
        return house.named("routers")[-1:]

    def good(told: list[dict[str, Any]]) -> bool:
        rows = [row for event in told for row in event["routers"]]
        words = sorted(row["is"] for row in rows)
        return words == ["acts", "stands by", "stands by"] and not {row["pid"] for row in rows} & set(not_of)

    return until(newest, good)[0]


@pytest.mark.req("S4-ROUTE-6", "I19", "S4-REC-1")
@pytest.mark.fault("A4", "A14")
def test_one_of_three_acts_and_whoever_ends_is_succeeded(tmp_path: Path) -> None:
    """Killed with -9 while it holds a position; then one hangs, and is killed for it; then one is restarted."""
    words = ("--routers", "3", "--max-hold", "600", "--side", "BUY", "--state", str(tmp_path / "state"))
    with up(*words, *FREE_PORTS) as house:
        s4 = house.wait_for("ready")["s4"]
        house.wait_for("executed")
        first = settled(house)
        ((killed, pid),) = standing(first, "acts").items()
        os.kill(pid, signal.SIGKILL)
        house.wait_for("take_over", acted=killed)  # by whoever comes first; it is started again at once
        second = settled(house, pid)
        shown = json.loads(ask("show", "--s4", s4, "--json").stdout)["positions"][0]

        ((hanging, hangs),) = standing(second, "acts").items()
        os.kill(hangs, signal.SIGSTOP)
        third = settled(house, hangs)
        ((acting, acts),) = standing(third, "acts").items()
        os.kill(acts, signal.SIGTERM)
        settled(house, acts)
        told_over = house.named("take_over")
        closed = ask("close", "BTCUSDT", "--s4", s4)
        house.stop()

    assert [event["acted"] for event in told_over] == [killed, hanging, acting]
    assert hanging != acting, "what hangs is not started again before another acts"
    assert told_over[-1]["acts"] != acting, "a lease that was given back is another's at once"
    assert shown["covered_qty"] == shown["qty"] > 0
    assert closed.returncode == 0, closed.stderr
    assert s4.count(",") == 2
    told = house.events[-1]
    assert (told["event"], told["violations"], told["qty_diff"], told["fee_diff"]) == ("summary", 0, "0", "0")


@pytest.mark.parametrize("words", [("--routers", "2"), ("--record", "captures")])
def test_several_routers_and_a_recorder_are_processes_and_no_stage(words: tuple[str, str], tmp_path: Path) -> None:
    done = ask("up", "--headless", *words, "--speed", "max", "--state", str(tmp_path))

    assert done.returncode == 4
    assert words[0] in done.stderr
