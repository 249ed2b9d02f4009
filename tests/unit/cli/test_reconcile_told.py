"""``chimera reconcile``: whether the books and the venue agree, as S4 has heard it."""

import json
from typing import Any

import pytest

from chimera.cli.codes import Exit
from chimera.cli.standing import reconcile
from chimera.client import RouterClient

NOWHERE = "http://127.0.0.1:1"
STRAY = {"code": "ORPHAN_ORDER", "about": "BTCUSDT s3-btc-i1-s1"}


def answering(monkeypatch: pytest.MonkeyPatch, health: dict[str, Any]) -> None:
    async def positions(client: RouterClient) -> dict[str, Any]:
        return {"positions": [], "external": []}

    async def doubts(client: RouterClient) -> list[dict[str, Any]]:
        return []

    async def told(client: RouterClient) -> dict[str, Any]:
        return health

    monkeypatch.setattr(RouterClient, "shown_positions", positions)
    monkeypatch.setattr(RouterClient, "doubts", doubts)
    monkeypatch.setattr(RouterClient, "health", told)


@pytest.mark.parametrize("health", [{}, {"differences": []}, {"markets": {"FUT": {"differences": []}, "SPOT": {}}}])
def test_books_that_agree_are_said_to(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], health: dict[str, Any]
) -> None:
    answering(monkeypatch, health)
    reconcile(NOWHERE, False)
    assert capsys.readouterr().out == "positions and orders agree with the venue, as far as S4 has heard\n"


@pytest.mark.req("S4-REC-2")
def test_what_the_last_look_at_the_account_found_is_shown_and_is_no_success(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answering(monkeypatch, {"markets": {"FUT": {"differences": [STRAY]}, "SPOT": {"differences": []}}})
    with pytest.raises(SystemExit) as end:
        reconcile(NOWHERE, False)
    assert end.value.code == Exit.FAILED
    assert capsys.readouterr().out == "FUT ORPHAN_ORDER BTCUSDT s3-btc-i1-s1\n"
    with pytest.raises(SystemExit):
        reconcile(NOWHERE, True)
    assert json.loads(capsys.readouterr().out)["differences"] == [{"market": "FUT", **STRAY}]
