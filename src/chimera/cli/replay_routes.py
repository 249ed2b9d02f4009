"""``chimera replay-routes``: what many intents would have cost on recorded markets, traded in several ways.

It reads captures and asks no service. The same captures, ways and seed print the same bytes.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from chimera.cli.codes import ended_well
from chimera.cli.options import Json

INTENTS: Final = 500
SECONDS: Final = 30
_BPS: Final = "basis points of notional from -10 to 100, as 2 or 1.8"


def replay_routes(
    market: Annotated[str, typer.Argument(metavar="[spot:|fut:]FILE[,...]", help="Captures, each replayed alone.")],
    intents: Annotated[int, typer.Option(min=2, help="For each way, half of them BUY.")] = INTENTS,
    seed: Annotated[int, typer.Option(help="Of arrivals, sizes and resampling.")] = 1,
    way: Annotated[
        list[str] | None, typer.Option(help="market, table, fees:MS, maker:MS, twap:equal|sqrt:N:GAP_MS[:WAIT_MS].")
    ] = None,
    table: Annotated[Path | None, typer.Option(help="A route table file; default: the built-in one.")] = None,
    maker_bps: Annotated[str | None, typer.Option(help="Maker fee; default VIP 0: futures 2, spot 10.")] = None,
    taker_bps: Annotated[str | None, typer.Option(help="Taker fee; default VIP 0: futures 5, spot 10.")] = None,
    block_s: Annotated[int, typer.Option(min=1, help="Length of the bootstrap's blocks.")] = SECONDS,
    vary: Annotated[bool, typer.Option(help="Also under other queues and latencies.")] = True,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, a line for each way.")] = False,
    as_json: Json = False,
) -> None:
    """Backtest routing on captures: cost in bps against the arrival's mid, saving against market orders, how sure."""
    with ended_well(as_json=as_json):
        from chimera.backtest import ways as known
        from chimera.cli import replay_told
        from chimera.cli.told import left_out
        from chimera.services.simulator.market import files_named, spared
        from chimera.wire.codec import encode

        if as_csv and as_json:
            raise refused("--csv", "with --json", "--csv or --json")
        fees = (
            None if maker_bps is None else rate_named("--maker-bps", maker_bps),
            None if taker_bps is None else rate_named("--taker-bps", taker_bps),
        )
        assumed = known.VARIED if vary else (known.BASE,)
        names = way or list(known.USUAL)
        curves = table_named(table)

        def of(file: Any) -> dict[str, Any]:
            return replayed(
                file, names, assumed, curves, fees, intents=intents, seed=seed, block_s=block_s, tell=left_out
            )

        reports = [report for _, report in spared(files_named(market, left_out), of, left_out)]
        if as_json:
            print(encode({"captures": reports}).decode())
        elif as_csv:
            print(replay_told.csv_lines(reports), end="")
        else:
            print("\n".join(replay_told.lines(reports)))


def replayed(
    file: Any, names: Sequence[str], assumed: Sequence[Any], table: Any, fees: tuple[Decimal | None, Decimal | None],
    *, intents: int, seed: int, block_s: int, tell: Callable[[str], None],
) -> dict[str, Any]:  # fmt: skip
    """One capture's report; what of it is not used is told to ``tell``. Raises ``Refused`` naming the option."""
    from chimera.backtest import ways as known
    from chimera.backtest.bootstrap import Blocks
    from chimera.backtest.replay import Replay
    from chimera.backtest.report import document, measured
    from chimera.backtest.trials import draws
    from chimera.services.router.fee_book import SPOTS_USUAL_FEES, USUAL_FEES
    from chimera.services.simulator.market import open_captures
    from chimera.trading.market import Market

    usual = USUAL_FEES if file.market is Market.FUT else SPOTS_USUAL_FEES
    rates = usual.but(
        maker=usual.maker if fees[0] is None else fees[0], taker=usual.taker if fees[1] is None else fees[1]
    )
    ways = ways_named(names, table, assumed)
    opened = open_captures([file], tell)
    instrument = next(
        each
        for each in (*opened.instruments, *opened.spot)
        if each.symbol == opened.symbol and each.market is file.market
    )
    from_us, until_us = span_us(file.path)
    last_us = until_us - known.longest_ms(ways) * 1_000
    if last_us <= from_us:
        raise refused("FILE", str(file.path), f"a capture longer than {known.longest_ms(ways) // 1_000} s")
    replay = Replay(ways, instrument, rates)
    replay.run((event for _, event in opened.events), draws(seed, intents // 2, from_us, last_us))
    about = {
        "capture": file.path.name, "market": file.market, "symbol": opened.symbol, "from_us": from_us,
        "until_us": until_us, "seed": seed, "block_s": block_s, "maker_bps": rates.maker * 10_000,
        "taker_bps": rates.taker * 10_000, "tick": instrument.tick, "route_table_rev": table.rev,
    }  # fmt: skip
    if not replay.outcomes:
        raise refused("FILE", str(file.path), "a capture with a touch before its last minute")
    blocks = Blocks(replay.times, block_us=block_s * 1_000_000, seed=seed)
    return document(measured(replay.outcomes, ways, rates, blocks), about)


def span_us(path: Path) -> tuple[int, int]:
    """Receive times of a capture's first and last line, us."""
    from chimera.adapters.binance.capture_file import lines
    from chimera.tape.capture import split_line
    from chimera.tape.reader import FrameRefused

    first = last = 0
    try:
        for line in lines(path):
            try:
                last, _ = split_line(line.strip())
            except FrameRefused:
                continue
            first = first or last
    except OSError as error:
        raise refused("FILE", str(path), "captures of chimera record") from error
    return first, last


def ways_named(names: Sequence[str], table: Any, assumed: Sequence[Any]) -> Any:
    """Raises ``Refused``."""
    from chimera.backtest import ways as known

    try:
        return known.tried(names, table, assumed)
    except known.WrongWay as wrong:
        raise refused("--way", str(wrong), known.ACCEPTED) from wrong


def table_named(path: Path | None) -> Any:
    """The built-in one where none is named. Raises ``Refused``."""
    from chimera.wire.route_table import DEFAULT, read_route_table

    if path is None:
        return DEFAULT
    try:
        return read_route_table(path.read_bytes())
    except OSError as error:
        raise refused("--table", str(path), "a route table file that can be read") from error


def rate_named(field: str, words: str) -> Decimal:
    """Bps as a fraction. Raises ``Refused``."""
    try:
        bps = Decimal(words)
    except InvalidOperation as wrong:
        raise refused(field, words, _BPS) from wrong
    if not bps.is_finite() or not -10 <= bps <= 100:
        raise refused(field, words, _BPS)
    return bps / 10_000


def refused(field: str, value: str, accepted: str, message: str = "it is of no use") -> Exception:
    from chimera.trading.errors import Refused

    return Refused("REPLAY", message, field=field, value=value, accepted=accepted)
