"""Letting one entry try while the breaker is open. To trip it by hand is what the kill switch is for."""

from typing import Final

from chimera.services.console.acts import Act, Desk, Effect, Field, Given, Step
from chimera.services.console.health import pictures
from chimera.services.console.same import Same
from chimera.services.console.screen import Params
from chimera.trading.market import Market


async def _effect(desk: Desk, params: Params) -> Effect | None:
    health = await desk.others.router.health()
    found = next((each for each in pictures(health) if each.market == params["market"]), None)
    if found is None or found.breaker.state != "OPEN":
        return None
    return Effect(
        about=found.market,
        title=f"Let one entry try on {found.market}?",
        lead=f"The breaker is open: {found.breaker.why}. On the {desk.seen.mode} account S4 will:",
        steps=(
            Step("let the next entry through at once, and keep all others back until it has ended"),
            Step("take entries again if it goes well; else wait twice as long as before"),
        ),
        button="Let one entry try",
        leave="Wait",
        note="Stops, exits and cancels never waited.",
        word=found.market,
        rests_on=(found.breaker.state,),
        fields=(Field("reason", "How you know that the venue works"),),
        same=(
            Same(method="POST", path="/breaker/retry", body=f'{{"market":"{found.market}","by":"me","reason":"…"}}'),
        ),
        basis=Market(found.market),
    )


async def _do(desk: Desk, effect: Effect, given: Given) -> str:
    reason = given.fields.get("reason", "").strip() or "by the console"
    told = await desk.others.router.retry_breaker(effect.basis, by=given.by, reason=reason)
    return f"the breaker is {str(told['state']).lower().replace('_', ' ')}"


RETRY: Final = Act(name="retry-breaker", asks=("market",), effect=_effect, do=_do)
