"""``chimera replay-order``: what one order came to, and what it would have come to in other ways on its market.

It reads S4's ledger beside its owner, and captures; it asks no service and places nothing. The same files and ways
print the same bytes. What an order was is read by ``tca``, what it would have been is worked by ``backtest``.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from chimera.cli.codes import ended_well
from chimera.cli.options import Json
from chimera.cli.replay_routes import rate_named, refused, table_named, ways_named
from chimera.cli.tca import S4_FILE, S4_LEDGER, there

_UNRECORDED: Final = "no recording was named: --market takes captures of chimera record, or their folder"
_DONE: Final = "an ENTRY or EXIT that is over, by its client_order_id or intent_id"


def replay_order(
    order: Annotated[str, typer.Argument(metavar="ORDER", help="Its client order id, or its intent's id.")],
    ledger: Annotated[Path, typer.Option(envvar="S4_LEDGER_PATH", help="S4's ledger.")] = S4_LEDGER,
    market: Annotated[
        str | None, typer.Option(metavar="[spot:|fut:]FILE[,...]", help="Captures of the time, or their folder.")
    ] = None,
    way: Annotated[
        list[str] | None, typer.Option(help="As replay-routes has them: market, table, fees:MS, maker:MS, twap:...")
    ] = None,
    table: Annotated[Path | None, typer.Option(help="A route table file; default: the built-in one.")] = None,
    maker_bps: Annotated[
        str | None, typer.Option(help="Maker fee; default: what the ledger knows, else VIP 0.")
    ] = None,
    taker_bps: Annotated[str | None, typer.Option(help="Taker fee; likewise.")] = None,
    steps: Annotated[bool, typer.Option("--steps", help="Also step by step.")] = False,
    as_json: Json = False,
) -> None:
    """Trade an order that is over again, on its recorded market: cost in bps, above 0 a cost. Places nothing."""
    with ended_well(as_json=as_json):
        from chimera.backtest import ways as known
        from chimera.cli.replay_told import order_lines
        from chimera.wire.codec import encode, plain

        given = tuple(
            None if words is None else rate_named(field, words)
            for field, words in (("--maker-bps", maker_bps), ("--taker-bps", taker_bps))
        )
        tried = ways_named(way or known.USUAL, table_named(table), (known.BASE, known.STRICT))
        told = replayed(order, there(ledger, "--ledger", S4_FILE), market, tried, given)
        if as_json:
            print(encode(plain(told)).decode())
        else:
            print("\n".join(order_lines(plain(told), steps=steps)))


def replayed(
    name: str, ledger: Path, market: str | None, ways: Sequence[Any], given: Sequence[Decimal | None]
) -> dict[str, Any]:
    """The document. Raises ``Refused`` naming what is of no use, ``StoreUnavailable`` or ``NewerSchema``."""
    from chimera.backtest import again

    row, worked, rates = _of_ledger(ledger, name)
    fees = rates.but(
        maker=rates.maker if given[0] is None else given[0], taker=rates.taker if given[1] is None else given[1]
    )
    asked = again.Asked(
        intent_id=worked.intent_id, side=worked.side, qty=worked.qty, at_us=worked.accepted_ms * 1_000,
        reduces=bool(row.get("reduce_only")),
    )  # fmt: skip
    told: list[str] = []
    found, about, missing = _on_recording(asked, worked, market, ways, fees, left_out=told.append)
    mid = worked.arrival_mid if found is None or found.touch is None else found.touch.mid
    return {
        "schema_version": 1,
        "order": {
            "client_order_id": worked.client_order_id, "intent_id": worked.intent_id, "symbol": worked.symbol,
            "market": worked.market, "side": worked.side, "qty": worked.qty, "status": worked.status,
            "accepted_ms": worked.accepted_ms, "why": row.get("why") or [],
        },
        "mid": mid, "mid_at_send": worked.arrival_mid,
        "maker_bps": fees.maker * 10_000, "taker_bps": fees.taker * 10_000,
        "was": None if mid is None or not worked.fills else _was(row, worked, mid),
        "at_once": None if mid is None else _at_once(row, worked, fees, mid),
        "recording": about, "missing": missing, "left_out": told, "complete": found is not None and found.complete,
        "ways": [] if found is None else list(found.trials),
    }  # fmt: skip


def _of_ledger(path: Path, name: str) -> tuple[dict[str, Any], Any, Any]:
    """Its row, the same as analysis reads it, and the fee rates of its account. Raises ``Refused``."""
    from chimera.adapters.embedded.looking_on import LookingOn
    from chimera.tca.rows import Ledger, Wanted
    from chimera.trading.money import Millis
    from chimera.wire import keys
    from chimera.wire.paging import FOREVER

    with LookingOn(path) as ledger:
        row = next((row for row in ledger.documents(keys.ORDERS) if _is(row, name)), None)
        if row is None:
            raise refused("ORDER", name, _DONE, "the ledger has no such order")
        rows = Ledger()
        rows.orders([row])
        rows.fills(each for each in ledger.documents(keys.FILLS) if each.get("intent_id") == row["intent_id"])
        rates = _rates(row, ledger.documents(keys.FEE_RATES))
    told = rows.told(Wanted(since_ms=Millis(0), until_ms=FOREVER))
    if not told.intents:
        raise refused("ORDER", name, _DONE, f"it cannot be replayed: {', '.join(told.left_out)}")
    return row, told.intents[0], rates


def _is(row: Mapping[str, Any], name: str) -> bool:
    return row.get("kind") == "PARENT" and name in (row.get("client_order_id"), row.get("intent_id"))


def _rates(row: Mapping[str, Any], kept: Iterator[Mapping[str, Any]]) -> Any:
    import msgspec

    from chimera.services.router.fee_book import SPOTS_USUAL_FEES, USUAL_FEES
    from chimera.trading.venue import FeeRates

    place = [row[field] for field in ("account_id", "market", "symbol")]
    own = next(
        (each for each in kept if [each.get(field) for field in ("account_id", "market", "symbol")] == place), None
    )
    if own is not None:
        return msgspec.convert(own["rates"], FeeRates)
    return USUAL_FEES if row["market"] == "FUT" else SPOTS_USUAL_FEES


def _on_recording(
    asked: Any, worked: Any, market: str | None, ways: Sequence[Any], fees: Any, *, left_out: Callable[[str], None]
) -> tuple[Any, dict[str, Any] | None, str | None]:
    """What came of it there, on which recording; or why not: of those that began before it the last one counts.

    ``left_out`` hears of the captures of a folder that could not be read.
    """
    from chimera.backtest.again import again
    from chimera.services.simulator.market import begun_us, files_named, open_captures, spared

    if market is None:
        return None, None, _UNRECORDED
    files = (file for file in files_named(market, left_out) if file.market is worked.market)
    begun = [(at_us, file) for file in files if (at_us := begun_us(file.path)) <= asked.at_us]
    named = (file for _, file in sorted(begun, key=lambda each: -each[0]))
    for file, opened in spared(named, lambda file: open_captures([file], left_out), left_out):
        if worked.symbol not in opened.symbols:
            continue
        listed = (*opened.instruments, *opened.spot)
        instrument = next(each for each in listed if (each.symbol, each.market) == (worked.symbol, file.market))
        found = again(asked, ways, instrument, fees, (event for _, event in opened.events))
        if found.touch is not None:
            return found, {"capture": file.path.name, "tick": instrument.tick}, None
        return None, None, f"{file.path.name} does not cover the moment when it was accepted"
    return None, None, f"no recording of {worked.symbol} {worked.market} began before it was accepted"


def _was(row: Mapping[str, Any], worked: Any, mid: Any) -> dict[str, Any]:
    """What really came of it. Its cost is of what filled."""
    from chimera.backtest.again import cost, share

    paid = _fees_paid(worked)
    made = sum((fill.qty for fill in worked.fills if fill.maker), Decimal(0))
    return {
        "cost": cost(worked.side, ((fill.price, fill.qty) for fill in worked.fills), paid, mid),
        "filled_qty": worked.filled,
        "maker_share": share(made, worked.filled),
        "took_ms": None if worked.done_ms is None else worked.done_ms - worked.accepted_ms,
        "orders": len(row.get("children") or ()),
    }


def _fees_paid(worked: Any) -> Decimal | None:
    """In quote asset; None where some were paid in an asset that neither is it nor was traded for it."""
    paid = Decimal(0)
    for fill in worked.fills:
        if fill.fee_asset == worked.quote:
            paid += fill.fee
        elif fill.fee_asset == worked.symbol.removesuffix(worked.quote):
            paid += fill.fee * fill.price
        elif fill.fee:
            return None
    return paid


def _at_once(row: Mapping[str, Any], worked: Any, fees: Any, mid: Any) -> Any:
    """Of the levels that the ledger kept at its first sending; None where they are not known or hold too little."""
    from chimera.backtest.again import at_once
    from chimera.trading.market import Side
    from chimera.trading.money import Price, Qty

    children = row.get("children") or [{}]
    book = children[0].get("book_top3")
    if book is None:
        return None
    levels = book["asks" if worked.side is Side.BUY else "bids"]
    met = ((Price(Decimal(level["price"])), Qty(Decimal(level["qty"]))) for level in levels)
    return at_once(worked.side, worked.qty, met, fees.taker, mid)
