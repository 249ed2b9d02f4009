"""``chimera console``: the operator's page, and who may see it."""

from pathlib import Path
from typing import Annotated

import typer

from chimera.cli.codes import ended_well
from chimera.cli.options import ALERTS_URL, S3, S3_URL, S4, S4_URL, Alerts


def console(
    port: Annotated[int, typer.Option(envvar="CHIMERA_CONSOLE_PORT")] = 8080,
    host: Annotated[
        str, typer.Option(envvar="CHIMERA_CONSOLE_HOST", help="Not loopback: tokens are needed.")
    ] = "127.0.0.1",
    hosts: Annotated[
        str, typer.Option(envvar="CHIMERA_CONSOLE_HOSTS", help="Names it is reached under, with commas.")
    ] = "",
    tokens: Annotated[
        Path | None, typer.Option(envvar="CHIMERA_TOKENS_PATH", dir_okay=False, help="File of `chimera token`.")
    ] = None,
    tls_cert: Annotated[
        Path | None, typer.Option(envvar="CHIMERA_TLS_CERT_PATH", dir_okay=False, help="PEM; set: HTTPS.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(envvar="CHIMERA_TLS_KEY_PATH", dir_okay=False, help="PEM.")] = None,
    s3: S3 = S3_URL,
    s4: S4 = S4_URL,
    alerts: Alerts = ALERTS_URL,
    sim: Annotated[str, typer.Option(help="A simulated exchange on this machine, to be run from the page.")] = "",
    ledger: Annotated[
        Path | None, typer.Option(dir_okay=False, help="S4's, for what trading cost and would have.")
    ] = None,
    signals: Annotated[Path | None, typer.Option(dir_okay=False, help="S3's, for mids of decisions.")] = None,
    captures: Annotated[
        str,
        typer.Option(
            metavar="[spot:|fut:]FILE[,...]",
            help="Of `chimera record`, for markouts and replays; a folder: for replays alone.",
        ),
    ] = "",
    docs: Annotated[
        str, typer.Option(envvar="CHIMERA_DOCS_URL", help="Of the pages as a site, for links to the runbook.")
    ] = "",
    redis: Annotated[str, typer.Option(envvar="CHIMERA_REDIS_ADDRESSES", help="Empty: the embedded one.")] = "",
    redis_dir: Annotated[Path, typer.Option(help="Of the embedded one.")] = Path("var/redis"),
) -> None:
    """The operator's page."""
    with ended_well():
        from chimera.cli import services
        from chimera.services.access.door import Door

        door = Door(host=host, tokens=tokens, tls_cert=tls_cert, tls_key=tls_key)
        services.console(
            door, port, s3, s4, redis, redis_dir, hosts,
            sim_url=sim, ledger=ledger, signals=signals, captures=captures,
            alerts_url=alerts, docs_url=docs,
        )  # fmt: skip
