"""Microseconds instead of milliseconds, for who asks (``X-MBX-TIME-UNIT`` on REST, ``timeUnit`` on a connection).

Spot only. The twin counts milliseconds, so the last three digits are zero; -1, "not yet", stays -1.
"""

from typing import Any, Final

from chimera.simulate.door.refusals import Refusal

_ANSWER: Final = frozenset(
    {"serverTime", "time", "updateTime", "transactTime", "transactionTime", "workingTime", "trailingTime", "closeTime"}
    | {"authorizedSince", "connectedSince", "openTime", "T"}
)
_EVENT: Final = frozenset({"E", "T", "O", "W", "D"})
_ALSO: Final = {"outboundAccountPosition": frozenset({"u"}), "kline": frozenset({"t"}), "24hrTicker": frozenset({"C"})}
_KLINE: Final = (0, 6)  # where a candle, which is an array, has its times


def wants_micros(unit: str | None) -> bool:
    """What the caller asked for; -1194 for a unit Binance does not know."""
    if unit is None or unit.upper() == "MILLISECOND":
        return False
    if unit.upper() != "MICROSECOND":
        raise Refusal(-1194)
    return True


def answer_in_micros(body: Any) -> Any:
    """An answer with its times in microseconds."""
    return _scaled(body, _ANSWER)


def event_in_micros(event: Any) -> Any:
    """A stream event, or an array of them, with its times in microseconds."""
    if isinstance(event, list):
        return [event_in_micros(each) for each in event]
    return _scaled(event, _EVENT | _ALSO.get(str(event.get("e")), frozenset()))


def _scaled(body: Any, names: frozenset[str]) -> Any:
    if isinstance(body, list) and body and isinstance(body[0], int):
        return [value * 1000 if place in _KLINE else value for place, value in enumerate(body)]
    if isinstance(body, list):
        return [_scaled(each, names) for each in body]
    if not isinstance(body, dict):
        return body
    return {
        name: value * 1000 if name in names and isinstance(value, int) and value > 0 else _scaled(value, names)
        for name, value in body.items()
    }
