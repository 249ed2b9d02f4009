"""``chimera``: every verb of the command line. Non-interactive; ``--json`` wherever a verb prints data.

Nothing heavy is imported until a verb runs, so ``--help`` answers at once. The verbs' work stands beside this module:
``services`` starts processes, ``orders`` talks to them, ``up`` is the whole house, ``doctor`` looks.
"""

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from chimera.cli import (
    alerts,
    backup,
    bundle,
    conform,
    consoling,
    explaining,
    faults,
    levels,
    ordering,
    replay_order,
    replay_routes,
    report,
    route,
    settings_told,
    standing,
    stores,
    token,
    trail,
    transfers,
    who,
    working,
)
from chimera.cli.codes import MEANING, ended_well
from chimera.cli.options import ALERTS_URL, S3, S3_URL, S4, S4_URL, Alerts, Json

_CODES = "Exit codes: " + "; ".join(f"{code.value} {meaning}" for code, meaning in MEANING.items()) + "."

app = typer.Typer(
    name="chimera",
    help="Between a trading strategy and an exchange: decides, routes, protects, and says why.",
    epilog=_CODES,
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,  # its import costs half a second
    pretty_exceptions_enable=False,
)
app.add_typer(faults.app, name="faults")
app.add_typer(report.app, name="report")
app.add_typer(route.app, name="route")
app.add_typer(bundle.app, name="bundle")
app.add_typer(token.app, name="token")
app.add_typer(trail.app, name="audit")
app.add_typer(alerts.app, name="alerts")
app.callback()(who.before)
app.command()(conform.conform)
app.command()(levels.sli)
app.command()(transfers.transfer)
app.command()(stores.init)
app.command()(backup.backup)
app.command()(backup.restore)
app.command()(replay_routes.replay_routes)
app.command()(replay_order.replay_order)
app.command()(standing.guards)
app.command()(standing.breaker)
app.command()(standing.reconcile)
app.command()(working.preview)
app.add_typer(working.app, name="twap")
app.add_typer(settings_told.app, name="config")


# ── the whole house ──


@app.command()
def up(
    market: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="A capture to replay; default: a synthetic market.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the synthetic market and of the venue.")] = 1,
    symbol: Annotated[str, typer.Option(help="What is traded (a capture names its own).")] = "BTCUSDT",
    speed: Annotated[
        str, typer.Option(help="1: real processes in wall time. Another factor, or max: one process in virtual time.")
    ] = "1",
    headless: Annotated[
        bool,
        typer.Option("--headless", help="One JSON line for each event on stdout; so, too, where that is no terminal."),
    ] = False,
    exit_after: Annotated[int | None, typer.Option(min=1, help="End after so many closed positions, exit 0.")] = None,
    audit: Annotated[Path | None, typer.Option(dir_okay=False, help="The venue's audit, JSON lines.")] = None,
    state: Annotated[Path, typer.Option(file_okay=False, help="Where positions live between starts.")] = Path(".state"),
    max_hold: Annotated[int, typer.Option(min=1, help="Seconds until a position is closed.")] = 60,
    side: Annotated[str, typer.Option(help="BUY, SELL, both (in turn) or rules (they say).")] = "both",
    every: Annotated[int, typer.Option(min=1, help="Seconds between decisions while flat.")] = 3,
    sim_port: Annotated[int, typer.Option(envvar="CHIMERA_SIM_PORT", help="0: any free one.")] = 9020,
    s3_port: Annotated[int, typer.Option(envvar="CHIMERA_S3_PORT")] = 8083,
    s4_port: Annotated[int, typer.Option(envvar="CHIMERA_S4_PORT")] = 8084,
    console_port: Annotated[int, typer.Option(envvar="CHIMERA_CONSOLE_PORT")] = 8080,
    alerts_port: Annotated[int, typer.Option(envvar="ALERTS_PORT", help="Of who keeps and sends the alerts.")] = 8090,
    console: Annotated[bool, typer.Option(help="Serve the console's page.")] = True,
    routers: Annotated[
        int, typer.Option(min=1, max=9, help="S4 processes over one ledger: one acts, the others stand by.")
    ] = 1,
    record: Annotated[
        Path | None, typer.Option(file_okay=False, help="Write the market there; orders can be replayed on it.")
    ] = None,
) -> None:
    """Start everything, keep deciding, and show what happens. Ctrl-C stops all; a second start carries on."""
    with ended_well():
        from chimera.cli.up.options import Ports, UpOptions
        from chimera.cli.up.play import play
        from chimera.cli.words import sides_named, speed_named

        options = UpOptions(
            market=market,
            seed=seed,
            symbol=symbol.upper(),
            speed=speed_named(speed),
            headless=headless,
            exit_after=exit_after,
            audit=audit,
            state=state,
            max_hold_s=max_hold,
            sides=sides_named(side),
            every_s=every,
            ports=Ports(simulator=sim_port, s3=s3_port, s4=s4_port, console=console_port, alerts=alerts_port),
            console=console,
            routers=routers,
            record=record,
        )
        raise typer.Exit(play(options))


# ── one service each ──


@app.command()
def sim(
    port: Annotated[int, typer.Option(envvar="CHIMERA_SIM_PORT", help="0: any free one.")] = 9020,
    spot_port: Annotated[
        int | None, typer.Option(envvar="CHIMERA_SIM_SPOT_PORT", help="Spot's WebSockets; the next after --port.")
    ] = None,
    host: Annotated[str, typer.Option()] = "127.0.0.1",
    market: Annotated[
        str | None,
        typer.Option(metavar="[spot:|fut:]FILE[,...]", help="Captures side by side; else the name tells the market."),
    ] = None,
    symbols: Annotated[
        str | None, typer.Option("--symbols", "--symbol", help="Of the synthetic market, with commas. [BTCUSDT]")
    ] = None,
    markets: Annotated[str, typer.Option(help="Synthetic on: both, fut or spot.")] = "both",
    seed: Annotated[int | None, typer.Option(help="Of the synthetic market and the venue's tokens. [1]")] = None,
    speed: Annotated[str | None, typer.Option(help="Market seconds per second, or max. [1]")] = None,
    scenario: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Faults to begin with (docs/faults.md).")
    ] = None,
    accounts: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="JSON list of accounts beside the ready one.")
    ] = None,
    limits: Annotated[bool, typer.Option(help="Refuse who calls more than Binance allows.")] = True,
    countdown_takes_algos: Annotated[
        bool, typer.Option("--countdown-takes-algos", help="The dead man's switch ends waiting stops, too.")
    ] = False,
    queue_share: Annotated[
        str, typer.Option(help="Of what is displayed, what your resting orders wait for: 1 to 0.")
    ] = "1",
    audit: Annotated[Path | None, typer.Option(dir_okay=False, help="Audit as JSON lines.")] = None,
    state: Annotated[Path | None, typer.Option(dir_okay=False, help="Accounts and orders between starts.")] = None,
) -> None:
    """The simulated exchange alone, for any client of Binance; prints how to point yours at it."""
    with ended_well():
        from chimera.cli.sim import SimOptions, simulate

        simulate(
            SimOptions(
                host=host, port=port, spot_port=spot_port, market=market, symbols=symbols, markets=markets, seed=seed,
                speed=speed, scenario=scenario, accounts=accounts, limits=limits,
                countdown_takes_algos=countdown_takes_algos, queue_share=queue_share, audit=audit, state=state,
            )
        )  # fmt: skip


@app.command()
def feed(
    symbols: Annotated[str, typer.Option(envvar="FEED_SYMBOLS", help="With commas.")] = "BTCUSDT",
    env: Annotated[str, typer.Option(envvar="FEED_ENV", help="sim, demo or live.")] = "sim",
    url: Annotated[
        str | None, typer.Option(envvar="FEED_URL", help="REST base URL, where it is not the preset.")
    ] = None,
    streams: Annotated[str | None, typer.Option(envvar="FEED_WS_URL", help="Streams' base URL, likewise.")] = None,
    redis: Annotated[str, typer.Option(envvar="FEED_REDIS_ADDRESSES", help="Empty: the embedded one.")] = "",
    redis_dir: Annotated[Path, typer.Option(help="Of the embedded one.")] = Path("var/redis"),
    spot_symbols: Annotated[str, typer.Option(envvar="FEED_SPOT_SYMBOLS", help="Of spot; empty: futures alone.")] = "",
    spot_url: Annotated[str | None, typer.Option(envvar="FEED_SPOT_URL", help="Spot's REST base URL.")] = None,
    spot_streams: Annotated[
        str | None, typer.Option(envvar="FEED_SPOT_WS_URL", help="Spot's streams' base URL.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(envvar="FEED_PORT", help="Of /health and /metrics on loopback; default: no face.")
    ] = None,
) -> None:
    """Public market streams to the board."""
    with ended_well():
        from chimera.cli import services

        services.feed(
            symbols, env, url, streams, redis, redis_dir,
            spot_symbols=spot_symbols, spot_url=spot_url, spot_streams=spot_streams, port=port,
        )  # fmt: skip


@app.command(cls=settings_told.Explained)
def s3(
    venue: Annotated[
        str | None, typer.Option(envvar="S3_VENUE_URL", help="Where new symbols' rules are read at start.")
    ] = None,
) -> None:
    """The strategy engine; its settings are the S3_ variables."""
    with ended_well():
        from chimera.cli import services

        services.strategy(venue)


@app.command(cls=settings_told.Explained)
def s4() -> None:
    """The order router; its settings are the S4_ variables."""
    with ended_well():
        from chimera.cli import services

        services.router()


app.command()(consoling.console)


# ── asking the services ──
app.command()(explaining.decide)
app.command()(explaining.why)
app.command()(explaining.decisions)
app.command()(explaining.replay)
app.command()(ordering.order)
app.command()(ordering.cancel)
app.command()(ordering.close)
app.command()(ordering.kill)
app.command()(ordering.arm)
app.command()(ordering.show)
app.command()(ordering.doubts)
app.command()(ordering.survey)


@app.command()
def record(
    symbols: Annotated[str, typer.Argument(help="With commas.")] = "BTCUSDT",
    out: Annotated[Path, typer.Option(file_okay=False, help="Directory of the captures.")] = Path("captures"),
    seconds: Annotated[int | None, typer.Option(min=1, help="How long; default: until stopped.")] = None,
    env: Annotated[str, typer.Option(help="sim, demo or live.")] = "sim",
    url: Annotated[str | None, typer.Option(help="REST base URL, where it is not the preset.")] = None,
    streams: Annotated[str | None, typer.Option(help="Streams' base URL, likewise.")] = None,
    spot_symbols: Annotated[str, typer.Option(help="Of spot; empty: futures alone.")] = "",
    spot_url: Annotated[str | None, typer.Option(help="Spot's REST base URL.")] = None,
    spot_streams: Annotated[str | None, typer.Option(help="Spot's streams' base URL.")] = None,
    as_json: Json = False,
) -> None:
    """Write live streams to captures that replay, a file for each market."""
    with ended_well():
        from chimera.cli import services

        services.record(
            symbols, out, seconds, env, url, streams,
            spot_symbols=spot_symbols, spot_url=spot_url, spot_streams=spot_streams, as_json=as_json,
        )  # fmt: skip


@app.command()
def doctor(
    state: Annotated[Path, typer.Option(file_okay=False)] = Path(".state"),
    sim: faults.Sim = faults.SIM_URL,
    s3: S3 = S3_URL,
    s4: S4 = S4_URL,
    feed: levels.Feed = None,
    alerts_url: Alerts = ALERTS_URL,
    services: Annotated[
        bool, typer.Option("--services", help="Only what they say: they run on other machines than this.")
    ] = False,
    as_json: Json = False,
) -> None:
    """What this machine has, how the account and the services are, what is not protected, and what to do."""
    with ended_well():
        from chimera.cli import doctor as looks

        asked = {"s3": s3, "s4": s4, "feed": feed or "", "alerts": alerts_url}
        looks.examine(None if services else state, sim, asked, as_json)


@app.command()
def version(as_json: Json = False) -> None:
    """Of Chimera and its Python."""
    import json
    import platform
    from importlib.metadata import version as installed

    from chimera.services.build import build

    about = {"chimera": installed("chimera"), "build": build(), "python": platform.python_version()}
    print(json.dumps(about) if as_json else f"chimera {about['build']} on Python {about['python']}")


def main() -> None:
    """The entry point. Everything is closed by then, so the interpreter's own tidying (a quarter of a second for each
    of five processes, out of the three that Ctrl-C has) is left out.
    """
    try:
        app()
    except SystemExit as end:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, AttributeError):  # nobody is there to read it any more, or it was closed
                stream.flush()
        os._exit(end.code if isinstance(end.code, int) else int(end.code is not None))


if __name__ == "__main__":
    main()
