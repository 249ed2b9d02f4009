"""Verbs about orders, positions and kills: declared here, done by ``orders``, which ``--help`` need not import."""

from typing import Annotated, Any

import typer

from chimera.cli.codes import Exit, ended_well
from chimera.cli.options import S4, S4_URL, Json, Leverage, Maker, Qty, ReduceOnly, Side, StopAt, TargetAt
from chimera.trading.market import Market

OfMarket = Annotated[Market, typer.Option("--market", help="A symbol may be traded on both.", case_sensitive=False)]


def order(
    symbol: str,
    side: Side,
    qty: Qty,
    sl: StopAt = None,
    tp: TargetAt = None,
    maker: Maker = False,
    max_hold: Annotated[int | None, typer.Option(min=1, help="Seconds until it is closed.")] = None,
    reduce_only: ReduceOnly = False,
    leverage: Leverage = 20,
    client_order_id: Annotated[
        str | None, typer.Option("--id", help="Yours; the same id again is the same order.")
    ] = None,
    wait: Annotated[int, typer.Option(min=0, max=60, help="Seconds to wait for the end.")] = 10,
    s4: S4 = S4_URL,
    as_json: Json = False,
) -> None:
    """Send one futures order to S4, protected unless it only reduces."""
    with ended_well(as_json=as_json):
        from chimera.cli import orders

        body: dict[str, Any] = {
            "symbol": symbol, "side": side, "qty": qty, "sl": sl, "tp": tp, "maker": maker, "max_hold_s": max_hold,
            "reduce_only": reduce_only, "leverage": leverage, "client_order_id": client_order_id,
        }  # fmt: skip
        orders.order(s4, body, wait, as_json)


def cancel(
    order_id: Annotated[str, typer.Argument(metavar="ID", help="Order id or client order id.")],
    flatten: Annotated[bool, typer.Option("--flatten", help="Also close at market what it holds.")] = False,
    s4: S4 = S4_URL,
    as_json: Json = False,
) -> None:
    """Stop working an order; what it holds stays protected."""
    with ended_well(as_json=as_json):
        from chimera.cli import orders

        orders.cancel(s4, order_id, flatten, as_json)


def close(
    symbol: str,
    qty: Annotated[str | None, typer.Option(help="A part of it, base asset.")] = None,
    market: OfMarket = Market.FUT,
    close_id: Annotated[
        str | None, typer.Option("--id", help="By one id nothing is closed twice; default: new.")
    ] = None,
    s4: S4 = S4_URL,
    as_json: Json = False,
) -> None:
    """Close a position: reduce-only, its target first, its stop last."""
    with ended_well(as_json=as_json):
        from chimera.cli import orders

        orders.close(s4, symbol, qty, market, close_id, as_json)


def kill(
    place: Annotated[
        str, typer.Argument(metavar="[SCOPE]", help="global, market:FUT, symbol:BTCUSDT or strategy:s3.")
    ] = "global",
    reason: Annotated[str, typer.Option(help="It stands in the receipt.")] = "by hand",
    flatten: Annotated[bool, typer.Option("--flatten", help="Also close what is held.")] = False,
    s4: S4 = S4_URL,
    as_json: Json = False,
) -> None:
    """Forbid entries and cancel those that work, until armed again; exits and protection go on."""
    with ended_well(as_json=as_json):
        from chimera.cli import orders

        if not orders.kill(s4, place, reason, flatten, as_json):
            raise typer.Exit(1)


def arm(
    place: Annotated[str, typer.Argument(metavar="[SCOPE]", help="As it was killed.")] = "global",
    reason: Annotated[str, typer.Option(help="It stands in the receipt.")] = "by hand",
    confirm: Annotated[str | None, typer.Option(help="The word that the first call named.")] = None,
    s4: S4 = S4_URL,
    as_json: Json = False,
) -> None:
    """Take entries again, in two steps."""
    with ended_well(as_json=as_json):
        from chimera.cli import orders

        orders.arm(s4, place, reason, confirm, as_json)


def show(
    order_id: Annotated[str | None, typer.Argument(metavar="[ORDER]", help="One order; default: positions.")] = None,
    s4: S4 = S4_URL,
    as_json: Json = False,
) -> None:
    """Every position with its stop and target, or one order with its timeline."""
    with ended_well(as_json=as_json):
        from chimera.cli import orders

        orders.show(s4, order_id, as_json)


def doubts(s4: S4 = S4_URL, as_json: Json = False) -> None:
    """Orders whose outcome, cancel or trades S4 does not know yet, and what would settle each."""
    with ended_well(as_json=as_json):
        from chimera.cli import orders

        orders.doubts(s4, as_json)


def survey(symbol: str, market: OfMarket = Market.FUT, s4: S4 = S4_URL, as_json: Json = False) -> None:
    """Ask the venue now about a symbol's orders, position and trades; S4 acts on what it says, as always."""
    with ended_well(as_json=as_json):
        from chimera.cli import orders

        if not orders.survey(s4, symbol, market, as_json):
            raise typer.Exit(Exit.UNREACHABLE)
