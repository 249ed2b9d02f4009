"""``chimera conform``: the verb, without what it takes to run it (``rehearsal``)."""

from pathlib import Path
from typing import Annotated

import typer

from chimera.cli.codes import ended_well
from chimera.cli.options import Json


def conform(
    env: Annotated[str, typer.Option(help="sim or demo; never production.")] = "sim",
    base: Annotated[
        str | None,
        typer.Option(help="A simulator's address, or the futures REST host of demo. Default: one of its own."),
    ] = None,
    symbol: Annotated[str, typer.Option(help="Must be flat; it is again at the end.")] = "BTCUSDT",
    out: Annotated[Path | None, typer.Option(dir_okay=False, help="The rows as JSON, keys struck out.")] = None,
    as_json: Json = False,
) -> None:
    """Ask a venue what the documents say it answers, and the open questions; on demo with your keys, against the twin.

    Keys of demo: BINANCE_DEMO_FUT_KEY and BINANCE_DEMO_FUT_SECRET, or ..._KEY_FILE and ..._SECRET_FILE; likewise
    BINANCE_DEMO_SPOT_....
    """
    with ended_well(as_json=as_json):
        from chimera.cli.rehearsal import conform as rehearsed

        rehearsed(env, base, symbol.upper(), out, as_json)
