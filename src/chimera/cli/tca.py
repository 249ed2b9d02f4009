"""``chimera report tca``: the rows of S4's ledger, S3's decisions and captures, as a report of what trading cost.

It reads files and asks no service, so the same files give the same report. S4 may be running.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from chimera.cli.codes import ended_well
from chimera.cli.options import Json

S4_LEDGER: Final = Path("var/s4.sqlite")
S3_LEDGER: Final = Path("var/s3.sqlite")
S4_FILE: Final = "the file of S4's ledger (S4_LEDGER_PATH); of chimera up it is .state/s4.sqlite"
_PRICE: Final = "PAIR=PRICE, a fee's asset in quote asset, above 0: BNBUSDT=612.5"


def tca(
    ledger: Annotated[Path, typer.Option(envvar="S4_LEDGER_PATH", help="S4's ledger.")] = S4_LEDGER,
    signals: Annotated[
        Path | None,
        typer.Option(envvar="S3_LEDGER_PATH", help=f"S3's, for mids of decisions; default {S3_LEDGER} if there."),
    ] = None,
    market: Annotated[
        str | None,
        typer.Option(
            metavar="[spot:|fut:]FILE[,...]", help="Captures of the time: markouts, mids at ends, fee assets."
        ),
    ] = None,
    price: Annotated[
        list[str] | None, typer.Option(metavar="PAIR=PRICE", help="Of a fee's asset: BNBUSDT=612.5; may be repeated.")
    ] = None,
    since: Annotated[str | None, typer.Option("--from", help="Accepted from this UTC date or ms on.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="Accepted before this UTC date or ms.")] = None,
    symbol: Annotated[str | None, typer.Option(help="This one alone.")] = None,
    strategy: Annotated[str | None, typer.Option(help="Intents of this strategy alone.")] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write one page with plots there.")] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, a line for each intent.")] = False,
    as_json: Json = False,
) -> None:
    """What intents cost against the market: delay, spread, impact, fees, what never filled; markouts; maker fills."""
    with ended_well(as_json=as_json):
        from chimera.cli import tca_page, tca_told
        from chimera.wire.codec import encode

        if as_csv and as_json:
            raise _refused("--csv", "with --json", "--csv or --json", "one form at a time is printed")
        told = analysed(ledger, signals, market, price or [], _wanted(since, until, symbol, strategy))
        if html is not None:
            _write(html, tca_page.page(told))
        if as_json:
            print(encode(told).decode())
        elif as_csv:
            print(tca_told.csv_lines(told), end="")
        else:
            print("\n".join(tca_told.lines(told)))


def analysed(ledger: Path, signals: Path | None, market: str | None, prices: list[str], wanted: Any) -> dict[str, Any]:
    """The report. Raises ``Refused`` naming the option, ``StoreUnavailable`` or ``NewerSchema``."""
    from chimera.adapters.embedded.looking_on import LookingOn
    from chimera.tca.report import report
    from chimera.tca.rows import Ledger
    from chimera.wire import keys

    priced = _prices(prices)
    captures = captures_named(market)
    rows = Ledger()
    decided = signals if signals is not None or not S3_LEDGER.is_file() else S3_LEDGER
    with LookingOn(there(ledger, "--ledger", S4_FILE)) as s4:
        rows.orders(s4.documents(keys.ORDERS))
        rows.fills(s4.documents(keys.FILLS))
    if decided is not None:
        with LookingOn(there(decided, "--signals", "the file of S3's ledger (S3_LEDGER_PATH)")) as s3:
            rows.signals(s3.documents(keys.SIGNALS))
    return report(rows.told(wanted), captures, priced)


def _wanted(since: str | None, until: str | None, symbol: str | None, strategy: str | None) -> Any:
    from chimera.tca.rows import Wanted
    from chimera.trading.money import Millis
    from chimera.wire.paging import FOREVER, moment_asked

    query = {name: value for name, value in {"from": since, "to": until}.items() if value is not None}
    since_ms, until_ms = moment_asked(query, "from", Millis(0)), moment_asked(query, "to", FOREVER)
    if since_ms >= until_ms:
        raise _refused("to", until or "", f"later than from, {since}", "the span is empty")
    return Wanted(
        since_ms=since_ms, until_ms=until_ms, symbol=None if symbol is None else symbol.upper(), strategy=strategy
    )


def _prices(words: list[str]) -> Mapping[str, Decimal]:
    from chimera.trading.money import sound

    prices: dict[str, Decimal] = {}
    for word in words:
        pair, _, number = word.partition("=")
        try:
            price = Decimal(number)
        except InvalidOperation as wrong:
            raise _refused("--price", word, _PRICE, "no such price") from wrong
        if not pair.isalnum() or not sound(price) or price <= 0:
            raise _refused("--price", word, _PRICE, "no such price")
        prices[pair.upper()] = price
    return prices


def captures_named(words: str | None) -> Iterator[tuple[Any, Any]]:
    """Each capture's market and events; the names are checked at once, the files read as they are asked for."""
    from chimera.cli.told import left_out
    from chimera.services.simulator.market import events_of, files_named

    files = files_named(words, left_out) if words else ()
    return ((file.market, events_of(file, left_out)) for file in files)


def there(path: Path, field: str, accepted: str) -> Path:
    """Raises ``Refused`` where no file is."""
    if not path.is_file():
        from chimera.trading.errors import Refused

        raise Refused("NO_FILE", "there is no such file", field=field, value=str(path), accepted=accepted)
    return path


def _write(path: Path, page: str) -> None:
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise _refused("--html", str(path), "a file that can be written", error.strerror or str(error)) from error


def _refused(field: str, value: str, accepted: str, message: str) -> Exception:
    from chimera.trading.errors import Refused

    return Refused("TCA", message, field=field, value=value, accepted=accepted)
