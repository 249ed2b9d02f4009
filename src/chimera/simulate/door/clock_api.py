"""The calls that every market answers alike: whether it is there, and what time it has."""

from chimera.simulate.door.call import Call


def ping(_call: Call) -> dict[str, int]:
    """GET ping."""
    return {}


def time(call: Call) -> dict[str, int]:
    """GET time: the clock requests are judged by."""
    return {"serverTime": call.now_ms}
