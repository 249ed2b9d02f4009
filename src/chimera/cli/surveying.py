"""``chimera survey``: have S4 ask the venue about a symbol now."""

from typing import Annotated, Any

import typer

from chimera.cli.codes import Exit, ended_well
from chimera.cli.options import S4, S4_URL, Json
from chimera.trading.market import Market


def survey(
    symbol: str,
    market: Annotated[Market, typer.Option(help="A symbol may be traded on both.", case_sensitive=False)] = Market.FUT,
    s4: S4 = S4_URL,
    as_json: Json = False,
) -> None:
    """Ask the venue now about a symbol's orders, position and trades; S4 acts on what it says, as always."""
    with ended_well(as_json=as_json):
        from chimera.cli.asking import answer_to
        from chimera.cli.orders import print_json
        from chimera.client import RouterClient
        from chimera.wire.codec import plain

        async def ask() -> dict[str, Any]:
            async with RouterClient(s4) as client:
                answer: dict[str, Any] = plain(await client.survey(symbol.upper(), market=market))
                return answer

        answer = answer_to(ask())
        if as_json:
            print_json(answer)
        else:
            heard = "the venue was heard" if answer["heard"] else "the venue did not answer in time; this is as it was"
            row = answer["position"]
            print(f"{answer['symbol']} held {row['qty']}, covered {row['covered_qty']}: {heard}")
        if not answer["heard"]:
            raise typer.Exit(Exit.UNREACHABLE)
