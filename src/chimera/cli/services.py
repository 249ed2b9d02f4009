"""Verbs that are a process: read what it needs, run it until told to stop."""

import asyncio
import json
import os
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chimera.cli.codes import Exit, Stop
from chimera.cli.words import listed
from chimera.services import logs, serving

if TYPE_CHECKING:
    from chimera.adapters.binance.hosts import Hosts
    from chimera.services.access.door import Door


def feed(
    symbols: str,
    env: str,
    url: str | None,
    streams: str | None,
    redis: str,
    redis_dir: Path,
    *,
    spot_symbols: str,
    spot_url: str | None,
    spot_streams: str | None,
    port: int | None,
) -> None:
    from chimera.adapters.binance.hosts import hosts_named
    from chimera.services.feed.main import Spot, serve
    from chimera.services.feed.settings import served

    logs.to_stderr("feed")
    hosts = hosts_named(env, rest=url, streams=streams or _as_socket(url))
    spot: Spot | None = None
    if spot_symbols:
        spot = Spot(hosts=_of_spot(env, spot_url, spot_streams), symbols=tuple(listed(spot_symbols)))

    async def main() -> None:
        stop, first = serving.told_to_stop(), asyncio.Event()
        telling = asyncio.create_task(_say_first(first))
        try:
            await serve(
                hosts,
                listed(symbols),
                listed(redis),
                stop=stop,
                embedded_dir=redis_dir,
                settings=served(env),
                ready=first,
                spot=spot,
                port=port,
            )
        finally:
            telling.cancel()

    serving.run(main)


async def _say_first(first: asyncio.Event) -> None:
    await first.wait()
    serving.say_ready("feed")


def _of_spot(env: str, url: str | None, streams: str | None) -> "Hosts":
    """Spot's public streams."""
    from chimera.adapters.binance.hosts import SPOT_STREAMS, hosts_named
    from chimera.trading.market import Market

    public = streams or _as_socket(url) or SPOT_STREAMS.get(env)
    return hosts_named(env, rest=url, streams=public, market=Market.SPOT)


def _as_socket(url: str | None) -> str | None:
    """The streams of a machine of ours are on the port of its REST face."""
    return None if url is None else "ws" + url.removeprefix("http")


def strategy(venue: str | None) -> None:
    from chimera.services.strategy.main import serve
    from chimera.services.strategy.settings import read_settings

    logs.to_stderr("s3-strategy")
    settings = read_settings(os.environ)
    _run(lambda stop: serve(settings, stop=stop, venue_url=venue, ready=_ready("s3")))


def router() -> None:
    from chimera.services.router.main import serve
    from chimera.services.router.settings import load

    logs.to_stderr("s4-router")
    settings = load(os.environ)
    _run(lambda stop: serve(settings, stop=stop, ready=_ready("s4")))


def alerts() -> None:
    from chimera.services.alerts.main import serve
    from chimera.services.alerts.settings import read_settings

    logs.to_stderr("alerts")
    settings = read_settings(os.environ)
    _run(lambda stop: serve(settings, stop=stop, ready=_ready("alerts")))


def console(
    door: "Door",
    port: int,
    s3: str,
    s4: str,
    redis: str,
    redis_dir: Path,
    hosts: str,
    *,
    sim_url: str,
    ledger: Path | None,
    signals: Path | None,
    captures: str,
    alerts_url: str,
    docs_url: str,
) -> None:
    from chimera.services.console.main import Addresses, Files, serve

    logs.to_stderr("console")
    at = Addresses(s3=s3, s4=s4, sim=sim_url, alerts=alerts_url, docs=docs_url)
    files = Files(ledger=ledger, signals=signals, captures=captures)
    _run(
        lambda stop: serve(
            at, files, door=door, port=port, redis_addresses=listed(redis), embedded_dir=redis_dir, hosts=listed(hosts),
            stop=stop, ready=_ready("console"),
        )
    )  # fmt: skip


def record(
    symbols: str,
    out: Path,
    seconds: int | None,
    env: str,
    url: str | None,
    streams: str | None,
    *,
    spot_symbols: str = "",
    spot_url: str | None = None,
    spot_streams: str | None = None,
    as_json: bool,
) -> None:
    from chimera.adapters.binance.hosts import hosts_named
    from chimera.services.feed.record import Written, record_each
    from chimera.trading.market import Market

    logs.to_stderr("record")
    hosts = hosts_named(env, rest=url, streams=streams or _as_socket(url))
    wanted = [Written(hosts=hosts, symbols=tuple(listed(symbols)), market=Market.FUT)]
    if spot_symbols:
        of_spot = _of_spot(env, spot_url, spot_streams)
        wanted.append(Written(hosts=of_spot, symbols=tuple(listed(spot_symbols)), market=Market.SPOT))

    async def main() -> None:
        stop = serving.told_to_stop()
        recording = asyncio.create_task(record_each(wanted, out, None if seconds is None else seconds * 1000))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({recording, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not recording.done():
                await serving.end(recording)
                print(f"stopped; the captures are in {out}")
                return
            done = recording.result()
        finally:
            stopping.cancel()
        about = {
            "files": [str(path) for path in done.files], "frames": done.frames, "events": done.events,
            "gaps": done.gaps, "faults": done.faults,
        }  # fmt: skip
        names = ", ".join(str(path) for path in done.files)
        print(
            json.dumps(about) if as_json else f"{done.frames} frames, {done.events} events, {done.gaps} gaps: {names}"
        )
        if done.unheard:
            raise Stop(Exit.UNREACHABLE, "; ".join(done.unheard))

    serving.run(main)


def _ready(service: str) -> serving.Ready:
    return lambda address: serving.say_ready(service, address=address)


def _run(work: Any) -> None:
    async def main() -> None:
        job: Coroutine[Any, Any, None] = work(serving.told_to_stop())
        await job

    serving.run(main)
