"""The market that reaches a stop or a target while its cancel is under way, or is being tried in vain.

Chance alone hardly ever does that: it takes milliseconds of some forty seconds. Invariants: nothing else is touched
than the mark price, which the market's next event puts right; only what waits by the mark can be reached so.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

from chimera.services.stage.network import Venue
from chimera.simulate.door.messages import WireRequest
from chimera.simulate.venue.account_spec import READY_ACCOUNT
from chimera.trading.intent import WorkingType
from chimera.trading.market import Marked
from chimera.trading.money import Millis, Price

CROSSED: Final = "cancel_crossed"  # its name on the tape
MOST: Final[Mapping[str, float]] = {CROSSED: 0.30}
UNSENT_SHARE: Final = 0.5  # of the crossed cancels: they do not get through to the venue
UNSENT_US: Final = (5_000, 60_000)  # until that is known; about as long as the news of the crossing needs
_PATH: Final = "/fapi/v1/algoOrder"


def in_vain_us(venue: Venue, request: WireRequest) -> int | None:
    """Asked as ``request`` leaves: here the market may come to what it would cancel; then for how long it is tried in
    vain. None: it gets through."""
    mark = _mark_of(venue, request)
    if mark is None or not venue.fires(CROSSED, f"{request.method} {request.path}"):
        return None
    venue.moved(mark)
    tape = venue.tape
    in_vain = tape.u("crossed_unsent?") < UNSENT_SHARE
    wait_us = tape.whole("crossed_unsent_us", *UNSENT_US)
    return wait_us if in_vain else None


def _mark_of(venue: Venue, request: WireRequest) -> Marked | None:
    if request.method != "DELETE" or request.path != _PATH:
        return None
    floor = venue.twin.usdm.floor
    asked = dict(parse_qsl(f"{request.query}&{request.body}"))
    algo = floor.algos.find(floor.accounts[READY_ACCOUNT.name], None, asked.get("clientAlgoId"))
    if algo is None or not algo.waits or algo.working is not WorkingType.MARK_PRICE:
        return None
    listing = algo.listing
    if listing.index is None:
        return None
    return Marked(
        symbol=listing.symbol,
        at_us=venue.now_ms * 1000,
        mark=Price(algo.trigger_price),
        index=Price(listing.index),
        funding_rate=listing.funding_rate,
        next_funding_ms=Millis(listing.next_funding_ms),
    )
