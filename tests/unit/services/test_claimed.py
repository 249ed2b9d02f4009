"""A Redis that is another account's is left alone: no call of ours reaches it but the question whether it is there."""

import asyncio
import inspect
from typing import Any

import pytest

from chimera.ports.streams import Bus
from chimera.services.claimed import ClaimedBus, NotClaimed

CALLS = sorted(name for name in dir(Bus) if inspect.iscoroutinefunction(getattr(Bus, name)))
THROUGH = {"ping", "close"}


class Heard:
    """A bus that takes note of what it is asked."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        async def call(*given: Any, **named: Any) -> None:
            self.calls.append((name, given, named))

        return call


def asked(name: str) -> tuple[tuple[str, ...], dict[str, str]]:
    """Something for each parameter of a call."""
    parameters = list(inspect.signature(getattr(Bus, name)).parameters.values())[1:]
    given = tuple(each.name for each in parameters if each.kind is not each.KEYWORD_ONLY)
    return given, {each.name: f"its {each.name}" for each in parameters if each.kind is each.KEYWORD_ONLY}


@pytest.mark.req("S3-PER-2")
@pytest.mark.parametrize("name", CALLS)
async def test_each_call_is_made_only_while_the_database_is_ours(name: str) -> None:
    heard: Any = Heard()
    bus: Any = ClaimedBus(heard, patience_s=0)
    given, named = asked(name)
    for why in ("nobody knows yet", "another's", None):
        if why != "nobody knows yet":
            bus.level(why)
        heard.calls.clear()
        if why is None or name in THROUGH:
            await getattr(bus, name)(*given, **named)
            assert heard.calls == [(name, given, named)]
        else:
            with pytest.raises(NotClaimed, match=why):
                await getattr(bus, name)(*given, **named)
            assert heard.calls == []


async def test_at_a_start_a_call_waits_a_moment_for_whose_it_is() -> None:
    heard: Any = Heard()
    bus = ClaimedBus(heard)
    asked = asyncio.create_task(bus.put("key", b"1"))
    await asyncio.sleep(0)
    assert heard.calls == []
    bus.level(None)
    await asked
    assert [name for name, *_ in heard.calls] == ["put"]
