"""What both official Binance SDK clients share: calling it, reading its models, hearing what it logs about us.

The SDK is synchronous (requests), so each call runs in a thread while the venue answers in the loop. It validates every
answer against Binance's own generated models and only logs where one does not fit: those lines are our complaints book.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from binance_common.configuration import (
    ConfigurationRestAPI,
    ConfigurationWebSocketAPI,
    ConfigurationWebSocketStreams,
)
from binance_common.errors import Error
from keys import ClientKey
from told import Refused
from venue import Venue

_COMPLAINTS = ("did not match the declared types", "Failed to parse", "Unknown user data event", "Error in callback")


class Complaints(logging.Handler):
    """Log lines that say: your answer is not what Binance's schema promises."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        line = record.getMessage()
        if any(each in line for each in _COMPLAINTS):
            self.lines.append(line)


@asynccontextmanager
async def complaining() -> AsyncIterator[list[str]]:
    """Collect what the SDK logs, from all its modules."""
    book = Complaints()
    logging.getLogger().addHandler(book)
    try:
        yield book.lines
    finally:
        logging.getLogger().removeHandler(book)


def rest_configuration(venue: Venue, key: ClientKey) -> ConfigurationRestAPI:
    """The SDK's REST configuration with another base URL."""
    return ConfigurationRestAPI(base_path=venue.rest, **_credentials(key))


def ws_configuration(venue: Venue, path: str, key: ClientKey) -> ConfigurationWebSocketAPI:
    """The same for the WebSocket API at ``path``."""
    return ConfigurationWebSocketAPI(stream_url=venue.ws + path, **_credentials(key))


def _credentials(key: ClientKey) -> dict[str, str]:
    signs_with = {"private_key": key.private_key} if key.private_key else {"api_secret": key.secret}
    return {"api_key": key.api_key, **signs_with}


def stream_configuration(venue: Venue) -> ConfigurationWebSocketStreams:
    """The same for streams."""
    return ConfigurationWebSocketStreams(stream_url=venue.ws)


async def ask(call: Callable[..., Any], *words: Any, **named: Any) -> Any:
    """One REST call as the SDK's user makes it; its model as Binance's own field names. Raises ``Refused``."""
    try:
        answer = await asyncio.to_thread(call, *words, **named)
        return plain(answer.data())
    except Error as error:
        code = getattr(error, "status_code", None)
        if not isinstance(code, int) or code >= 0:
            raise
        raise Refused(code, str(error)) from error


def event(model: Any) -> tuple[str, Any]:
    """A user data event as the SDK's own class name for it, and its fields by wire name."""
    return type(model.actual_instance).__name__, plain(model)


def plain(model: Any) -> Any:
    """A model, or a list of them, as a dictionary by wire name."""
    if isinstance(model, list):
        return [plain(each) for each in model]
    if getattr(model, "actual_instance", None) is not None:
        return plain(model.actual_instance)
    return model.to_dict() if hasattr(model, "to_dict") else model


async def ask_ws(call: Callable[..., Any], **named: Any) -> Any:
    """One WebSocket API call; the ``result`` by wire names. Raises ``Refused``."""
    answer = await call(**named)
    data = plain(answer.data())
    error = data.get("error")
    if error is not None:
        if isinstance(error, Mapping) and "code" in error:
            raise Refused(error["code"], str(error))
        raise AssertionError(f"the WebSocket API failed: {error}")
    return data["result"]
