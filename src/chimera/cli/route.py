"""``chimera route``: what the route table learns from transaction costs, and which revision is in force.

It reads the ledger's file and captures and writes the table's file, which S4 reads again by itself; it asks no service.
"""

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from chimera.cli.codes import ended_well
from chimera.cli.options import Json
from chimera.trading.market import Market

TABLE: Final = Path("/etc/chimera/route.json")
DAYS: Final = 5

Table = Annotated[Path, typer.Option("--table", envvar="S4_ROUTE_TABLE_PATH", help="The file that S4 reads.")]
Redis = Annotated[
    str | None, typer.Option("--redis", envvar="S4_REDIS_ADDRESSES", help="Also put the curves there; else none.")
]
By = Annotated[str, typer.Option("--by", help="Who, for the log.")]

app = typer.Typer(
    help="The route table learned from what routing cost: fit, look, approve, go back.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


@app.command()
def fit(
    ledger: Annotated[Path, typer.Option(envvar="S4_LEDGER_PATH", help="S4's ledger.")] = Path("var/s4.sqlite"),
    market: Annotated[
        str | None, typer.Option(metavar="[spot:|fut:]FILE[,...]", help="Captures of the time, for markouts.")
    ] = None,
    symbol: Annotated[str | None, typer.Option(help="This one alone; default: all of them as one.")] = None,
    of: Annotated[
        Market, typer.Option(help="Whose orders: markets differ in fees.", case_sensitive=False)
    ] = Market.FUT,
    days: Annotated[int, typer.Option(min=1, help="How far back.")] = DAYS,
    maker_bps: Annotated[str, typer.Option(help="Maker fee.")] = "2",
    taker_bps: Annotated[str, typer.Option(help="Taker fee.")] = "5",
    most_ms: Annotated[int, typer.Option(envvar="S4_MAKER_MAX_WAIT_MS", min=0, help="Longest wait.")] = 3_000,
    most_slices: Annotated[int, typer.Option(envvar="S4_TWAP_MAX_SLICES", min=1, help="Most slices of an order.")] = 4,
    urgency: Annotated[float, typer.Option(min=0, help="What a second is worth, bps.")] = 0.0,
    auto: Annotated[
        bool,
        typer.Option("--auto", envvar="CHIMERA_ROUTE_AUTO", help="Put in force what held-out orders confirm."),
    ] = False,
    table: Table = TABLE,
    redis: Redis = None,
    as_json: Json = False,
) -> None:
    """Propose a table from the orders that rested; nothing is in force by it, unless --auto and it is sure."""
    with ended_well(as_json=as_json):
        from chimera.cli import route_told
        from chimera.learn import curves, revisions
        from chimera.learn.first import laid_out
        from chimera.learn.fit import Bounds
        from chimera.learn.fit import fit as fitted
        from chimera.learn.waiting import Rates
        from chimera.services import route_files
        from chimera.trading.money import DAY_MS
        from chimera.trading.venue import FeeRates

        now_ms = _now_ms()
        before = route_files.read(table, now_ms)
        bounds = Bounds(most_ms=most_ms, slices_most=most_slices, urgency_bps_per_s=urgency)
        fees = FeeRates(maker=_rate("--maker-bps", maker_bps), taker=_rate("--taker-bps", taker_bps))
        rates = Rates(maker=float(fees.maker * 10_000), taker=float(fees.taker * 10_000), urgency_per_s=urgency)
        since_ms = now_ms - days * DAY_MS
        trials, learned = learned_from(ledger, market, symbol, of, rates, since_ms=since_ms, until_ms=now_ms)
        begun = laid_out(before.in_force, of, fees, most_ms)
        found = fitted(trials, begun, fees, bounds, market=of, learned=learned)
        spreads = curves.by_spread(trials, rates, bounds)
        curve = curves.curves(spreads, found.table.rev, bounds)
        moves, chosen = (found.sure_moves, found.sure) if auto else (found.moves, found.table)
        log = before
        if moves:
            log = revisions.propose(before, chosen, found.reasons, now_ms, curves=None if auto else curve)
            if auto:
                log = revisions.approve(log, "auto", now_ms)
        route_files.write(table, log, before)
        if auto and moves:
            _publish(redis, log)
        route_told.tell_fit(found, spreads, log, in_force=auto and moves, as_json=as_json)


@app.command()
def show(table: Table = TABLE, as_json: Json = False) -> None:
    """Revisions with who and why, which is in force, and what is proposed."""
    with ended_well(as_json=as_json):
        from chimera.cli import route_told
        from chimera.services import route_files

        route_told.tell_log(route_files.read(table, _now_ms()), as_json=as_json)


@app.command()
def approve(by: By = "by hand", table: Table = TABLE, redis: Redis = None, as_json: Json = False) -> None:
    """Put the proposed table in force, under the next revision."""
    with ended_well(as_json=as_json):
        from chimera.learn.revisions import approve as approved

        _change(table, redis, lambda log, now_ms: approved(log, by, now_ms), as_json=as_json)


@app.command()
def rollback(
    rev: Annotated[int, typer.Argument(help="Whose table is to be in force again.")],
    by: By = "by hand",
    table: Table = TABLE,
    redis: Redis = None,
    as_json: Json = False,
) -> None:
    """Put an older revision's table in force again, under the next revision."""
    with ended_well(as_json=as_json):
        from chimera.learn.revisions import roll_back

        _change(table, redis, lambda log, now_ms: roll_back(log, rev, by, now_ms), as_json=as_json)


def learned_from(
    ledger: Path, market: str | None, symbol: str | None, of: Market, rates: Any, *, since_ms: int, until_ms: int
) -> Any:
    """The waits that the ledger tells of, and what it tells beside them.

    Raises ``Refused``, ``StoreUnavailable``, ``NewerSchema``.
    """
    from chimera.adapters.embedded.looking_on import LookingOn
    from chimera.cli.tca import captures_named
    from chimera.learn.chasing import chases
    from chimera.learn.cutting import cuts
    from chimera.learn.fit import Learned
    from chimera.learn.trials import asked_for, trials
    from chimera.services.route_files import refused
    from chimera.tca.quotes import Quotes
    from chimera.tca.rows import Ledger, Wanted
    from chimera.trading.money import Millis
    from chimera.wire import keys

    if not ledger.is_file():
        raise refused(
            str(ledger),
            "there is no such file",
            "the file of S4's ledger (S4_LEDGER_PATH); of chimera up it is .state/s4.sqlite",
            "--ledger",
        )
    rows = Ledger()
    with LookingOn(ledger) as s4:
        rows.orders(s4.documents(keys.ORDERS))
        rows.fills(s4.documents(keys.FILLS))
    wanted = Wanted(since_ms=Millis(since_ms), until_ms=Millis(until_ms), symbol=symbol and symbol.upper())
    told = rows.told(wanted)
    works = [work for work in told.intents if work.market is of]
    quotes = Quotes()
    asked_for(works, quotes)
    for recorded, events in captures_named(market):
        quotes.hear(recorded, events)
    learned = Learned(chases=chases(works, told.rests, rates), cuts=cuts(works))
    return trials(works, told.rests, quotes), learned


def _change(table: Path, redis: str | None, change: Any, *, as_json: bool) -> None:
    from chimera.cli import route_told
    from chimera.learn.revisions import WrongRevision
    from chimera.services import route_files

    now_ms = _now_ms()
    before = route_files.read(table, now_ms)
    try:
        log = change(before, now_ms)
    except WrongRevision as wrong:
        raise route_files.refused(str(table), str(wrong), "what `chimera route show` tells") from wrong
    route_files.write(table, log, before)
    _publish(redis, log)
    route_told.tell_log(log, as_json=as_json)


def _publish(redis: str | None, log: Any) -> None:
    """The curves of the revision in force, where an address was given."""
    if not redis:
        return
    from chimera.adapters.redis.bus import connect
    from chimera.cli.asking import answer_to
    from chimera.wire.codec import encode
    from chimera.wire.keys import ROUTE_CURVES

    async def put() -> None:
        bus = connect(tuple(each.strip() for each in redis.split(",")))
        try:
            await bus.put(ROUTE_CURVES, encode(log.curves))
        finally:
            await bus.close()

    answer_to(put())


def _rate(field: str, words: str) -> Decimal:
    from chimera.cli.replay_routes import rate_named

    return rate_named(field, words)


def _now_ms() -> Any:
    from chimera.services.clock import SystemClock

    return SystemClock().now_ms()
