"""Deeds and deaths that more than one story is made of (``incident_stage``)."""

from collections.abc import Callable
from typing import Any

from chimera.services.router.router import Router
from chimera.services.stage.trip import is_entry
from chimera.simulate.door.messages import WireRequest, WireResponse
from chimera.trading.errors import Refused
from chimera.trading.market import Market
from support.incident_stage import SYMBOL, Deed, Stage


def dying_with_its_entry(stage: Stage) -> None:
    """Killed as its first entry reaches the venue: what it filled has no stop yet."""
    world, execute = stage.world, stage.world.venue.execute

    def heard(request: WireRequest) -> WireResponse:
        answer = execute(request)
        if is_entry(request) and not world.s4.deaths:
            world.s4.kill()
        return answer

    world.venue.execute = heard  # type: ignore[method-assign]  # the story listens at the venue's door


def asking(name: str, request: Callable[[Router], Any]) -> Deed:
    """S4 is asked, and may say no."""

    async def deed(stage: Stage) -> None:
        async def ask(router: Router) -> Any:
            try:
                return await request(router)
            except Refused as error:
                return error.code

        await stage.ask_s4(name, ask)

    return deed


async def close(router: Router) -> Any:
    return await router.close(Market.FUT, SYMBOL, None, "TEST")


async def killed(router: Router) -> Any:
    return router.killed()
