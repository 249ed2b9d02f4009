"""What a request costs before it is judged: the ledger and the feed are asked, and for a new one only the venue."""

from typing import Any, cast
from unittest.mock import AsyncMock, MagicMock

import pytest
from desk import BTC, an_intent

from chimera.services.router.accepting import Accepting
from chimera.trading.errors import Refused
from support.grounds import a_ground

pytestmark = pytest.mark.req("S4-IDEM-1")


class View:
    """A market whose feed shows ``feed``; counts who was asked."""

    def __init__(self, feed: bool) -> None:
        self.feed = feed
        self.asked: list[str] = []

    async def glance(self, _: object) -> bool:
        self.asked.append("feed")
        return self.feed

    async def ask(self, _: object) -> None:
        self.asked.append("venue")


def accepting(view: View, known: dict[str, Any] | None, *, traded: bool = True) -> Accepting:
    intake = MagicMock(known=AsyncMock(return_value=known), await_end=AsyncMock(), lives=lambda _: False)
    ground = a_ground(owners={an_intent().key: MagicMock()} if traded else {})
    ground.instruments[BTC.symbol] = BTC
    return Accepting(
        ground, intake, MagicMock(), cast("Any", view), *(MagicMock() for _ in range(5)),
        routing=MagicMock(), stop_optional=True, asked=lambda: False,
    )  # fmt: skip


async def test_a_request_that_is_repeated_costs_no_weight_at_the_venue() -> None:
    view = View(feed=False)
    await accepting(view, {"intent_id": "i1"}).take(an_intent(), "h", 0)
    assert view.asked == ["feed"]


@pytest.mark.parametrize(("feed", "asked"), [(True, ["feed"]), (False, ["feed", "venue"])])
async def test_for_a_new_one_the_venue_is_asked_where_the_feed_shows_nothing(
    feed: bool, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    view = View(feed=feed)
    taking = accepting(view, None)
    monkeypatch.setattr(taking, "_owner_for", lambda _: MagicMock())
    monkeypatch.setattr("chimera.services.router.accepting.tidied", lambda intent, *_: (intent, ()))
    monkeypatch.setattr(taking, "_object", MagicMock(side_effect=Refused("NO", "enough seen")))
    with pytest.raises(Refused, match="enough seen"):
        await taking.take(an_intent(), "h", 0)
    assert view.asked == asked


async def test_of_what_is_not_traded_here_nobody_is_asked() -> None:
    view = View(feed=False)
    with pytest.raises(Refused):
        await accepting(view, None, traded=False).take(an_intent(), "h", 0)
    assert view.asked == []
