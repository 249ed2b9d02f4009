"""Asking the venue about a symbol now: it re-arms what is missing, and settles what is not known."""

from typing import Final

from chimera.services.console.acts import Act, Desk, Effect, Given, Step
from chimera.services.console.same import Same
from chimera.services.console.screen import Params
from chimera.trading.errors import NotSent
from chimera.trading.market import Market


async def _effect(desk: Desk, params: Params) -> Effect | None:
    row = next((row for row in desk.seen.positions if row.name == params["position"]), None)
    if row is None:
        return None
    symbol, market = row.symbol, "" if row.market == Market.FUT else row.market
    flag = f" --market {market.lower()}" if market else ""
    return Effect(
        about=params["position"],
        title=f"Ask the venue about {params['position']} now?",
        lead="S4 will ask for everything of this symbol, and act on the answer as it always does:",
        steps=(
            Step("read its open orders, its position and its trades"),
            Step("settle what is in doubt by what it finds"),
            Step("send a stop or a target that is missing, end one that is too many"),
        ),
        button="Ask the venue",
        leave="Not now",
        note="It costs request weight and nothing else. S4 does the same by itself every few seconds.",
        grave=False,
        same=(
            Same(
                method="POST",
                path=f"/positions/{symbol}/survey",
                body=f'{{"market":"{market}"}}' if market else "",
                cli=f"chimera survey {symbol}{flag}",
            ),
        ),
        basis=(symbol, Market(row.market)),
    )


async def _do(desk: Desk, effect: Effect, _: Given) -> str:
    symbol, market = effect.basis
    told = await desk.others.router.survey(symbol, market=market)
    if not told.get("heard"):
        raise NotSent("the venue did not answer in time; S4 goes on asking by itself")
    row = told.get("position") or {}
    share = f"{row['coverage']:.0%}" if row.get("qty") else "flat"
    return f"the venue was heard; {'covered ' if row.get('qty') else ''}{share}"


SURVEY: Final = Act(name="survey", asks=("position",), effect=_effect, do=_do)
