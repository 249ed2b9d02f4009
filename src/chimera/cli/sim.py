"""``chimera sim``: the simulated exchange alone, for Chimera's services and for anybody's bot."""

import asyncio
import json
import math
import sys
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final

from chimera.cli.told import left_out
from chimera.cli.words import listed, speed_named
from chimera.services import logs, serving
from chimera.services.simulator import accounts_file, scenario_file
from chimera.services.simulator.main import serve
from chimera.services.simulator.market import OpenedMarket, files_named, open_captures, open_synthetic
from chimera.services.simulator.pointing import pointed_at
from chimera.services.simulator.settings import SimulatorSettings
from chimera.simulate.trouble.scenario import Scenario
from chimera.simulate.venue.account_spec import READY_ACCOUNT
from chimera.trading.errors import Refused
from chimera.trading.market import Market
from chimera.trading.value import Value

SYMBOLS: Final = "BTCUSDT"
SEED: Final = 1
SPEED: Final = "1"
_MARKETS: Final = {
    "both": (Market.FUT, Market.SPOT),
    "fut": (Market.FUT,),
    "spot": (Market.SPOT,),
}


class SimOptions(Value):
    """What the command line said; ``None`` where it said nothing and a scenario or the default decides."""

    host: str = "127.0.0.1"
    port: int = 9020
    spot_port: int | None = None
    market: str | None = None
    symbols: str | None = None
    markets: str = "both"
    seed: int | None = None
    speed: str | None = None
    scenario: Path | None = None
    accounts: Path | None = None
    limits: bool = True
    countdown_takes_algos: bool = False
    queue_share: str = "1"
    audit: Path | None = None
    state: Path | None = None


def simulate(options: SimOptions) -> None:
    """Until told to stop."""
    logs.to_stderr("simulator")
    scenario = scenario_file.load(options.scenario) if options.scenario is not None else None
    opened = market_of(options, scenario)
    told = scenario.market if scenario is not None else None
    speed = speed_named(options.speed or (told.speed if told else None) or SPEED)
    settings = SimulatorSettings(
        host=options.host,
        port=options.port,
        spot_port=options.spot_port,
        seed=_seed(options, scenario),
        speed=math.inf if speed is None else speed,
        accounts=(READY_ACCOUNT,) if options.accounts is None else accounts_file.load(options.accounts),
        limits=options.limits,
        countdown_takes_algos=options.countdown_takes_algos,
        queue_share=share_named(options.queue_share),
        audit_file=options.audit,
        state_file=options.state,
    )

    async def main() -> None:
        stop, ended = serving.told_to_stop(), asyncio.Event()
        telling = asyncio.create_task(_say_ended(ended))
        try:
            await serve(settings, opened, stop=stop, ready=_ready, market_ended=ended, scenario=scenario)
        finally:
            telling.cancel()

    serving.run(main)


def market_of(options: SimOptions, scenario: Scenario | None) -> OpenedMarket:
    """The market of the command line, else of the scenario, else the synthetic one. Raises ``Refused``."""
    told = scenario.market if scenario is not None else None
    captures = options.market or (told.capture if told and not options.symbols else None)
    if captures:
        return open_captures(files_named(captures, left_out), left_out)
    if options.markets not in _MARKETS:
        raise Refused(
            "MARKETS", "no such market", field="--markets", value=options.markets, accepted=", ".join(_MARKETS)
        )
    symbols = listed((options.symbols or (told.symbol if told else None) or SYMBOLS).upper())
    return open_synthetic(symbols, seed=_seed(options, scenario), markets=_MARKETS[options.markets])


def share_named(word: str) -> Decimal:
    """A share between 0 and 1. Raises ``Refused``."""
    try:
        share = Decimal(word)
    except InvalidOperation:
        share = Decimal(-1)
    if not 0 <= share <= 1:
        raise Refused("SHARE", "no such share", field="--queue-share", value=word, accepted="0 to 1")
    return share


def _seed(options: SimOptions, scenario: Scenario | None) -> int:
    told = scenario.market.seed if scenario is not None else None
    return next(seed for seed in (options.seed, told, SEED) if seed is not None)


def _ready(address: str, spot: str) -> None:
    """A person is told how to get in; whoever started us reads a line of JSON."""
    if sys.stdout.isatty():
        print(pointed_at(address, spot), flush=True)
    else:
        serving.say_ready("simulator", address=address, spot=spot)


async def _say_ended(ended: asyncio.Event) -> None:
    await ended.wait()
    print(json.dumps({"event": "market_ended"}), flush=True)
