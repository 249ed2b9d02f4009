"""Which addresses S4's settings may name for the venue."""

from typing import Annotated

from pydantic import AfterValidator
from yarl import URL

from chimera.adapters.binance.hosts import SIM, environment_of


def _venue_url(given: str | None) -> str | None:
    """Keys and orders go to this machine or to the venue, never elsewhere, whatever the environment says."""
    if given is None:
        return None
    environment = environment_of(given)
    schemes = ("http", "https", "ws", "wss") if environment == SIM.name else ("https", "wss")
    if environment is None or URL(given).scheme not in schemes:
        raise ValueError("must be a URL of this machine, or an encrypted one of Binance's")
    return given


VenueUrl = Annotated[str | None, AfterValidator(_venue_url)]
