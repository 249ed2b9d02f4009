"""What comes before every verb: who asks, where the services want to know."""

from pathlib import Path
from typing import Annotated

import typer

from chimera.cli.codes import ended_well


def before(
    token_file: Annotated[
        Path | None,
        typer.Option(envvar="CHIMERA_TOKEN_PATH", dir_okay=False, help="Your API token, in a file of yours alone."),
    ] = None,
    ca_file: Annotated[
        Path | None, typer.Option(envvar="CHIMERA_CA_PATH", dir_okay=False, help="CA of the services' certificates.")
    ] = None,
) -> None:
    """What every verb has in common: who you are, where services ask for it."""
    if token_file is not None or ca_file is not None:
        with ended_well():
            from chimera.client.credentials import OF_PROGRAM, credentials
            from chimera.services.logs import keep_secret

            mine = credentials(token_file, ca_file)
            if mine is not None:
                keep_secret(mine.secret)
                OF_PROGRAM.set(mine)
