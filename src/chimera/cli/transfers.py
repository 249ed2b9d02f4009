"""``chimera transfer``: money between the wallets, by S4's policy and with its memory."""

from decimal import Decimal
from typing import Annotated, Any

import typer

from chimera.cli.codes import Exit, Stop, ended_well
from chimera.cli.options import S4, S4_URL, Json


def transfer(
    route: Annotated[str | None, typer.Argument(help="spot-to-fut or fut-to-spot; none: what was moved.")] = None,
    amount: Annotated[str | None, typer.Argument(help="In the asset's own unit, plain digits.")] = None,
    asset: Annotated[str, typer.Option()] = "USDT",
    reason: Annotated[str, typer.Option(help="It stands in the events.")] = "by hand",
    s4: S4 = S4_URL,
    as_json: Json = False,
) -> None:
    """Move money between the spot and the futures wallet, or show what was moved."""
    with ended_well(as_json=as_json):
        from chimera.cli import orders

        if route is None:
            _tell_all(orders.transfers(s4), as_json)
        else:
            _tell_one(orders.transfer(s4, _named(route), asset.upper(), _digits(amount), reason), as_json)


def _named(route: str) -> str:
    from chimera.trading.errors import Refused
    from chimera.trading.transfer import Route

    name = route.upper().replace("-", "_")
    if name not in Route.__members__:
        accepted = "spot-to-fut, fut-to-spot"
        raise Refused("OUT_OF_RANGE", "no such route", field="ROUTE", value=route, accepted=accepted)
    return name


def _digits(amount: str | None) -> Decimal:
    from chimera.trading.errors import Refused
    from chimera.wire import request_json

    try:
        return request_json.amount(amount or "")
    except ValueError as wrong:
        raise Refused("MALFORMED", str(wrong), field="AMOUNT", value=amount, accepted="plain digits above 0") from wrong


def _tell_all(answer: dict[str, Any], as_json: bool) -> None:
    from chimera.cli.orders import print_json

    if as_json:
        print_json(answer)
        return
    print("transfers are " + ("on" if answer["enabled"] else "off"))
    for row in [answer["present"], *answer["ended"]]:
        if row is not None:
            print(f"  {_told(row)}")


def _tell_one(row: dict[str, Any], as_json: bool) -> None:
    from chimera.cli.orders import print_json

    if as_json:
        print_json(row)
    else:
        print(_told(row))
    if row["status"] in ("ASKED", "IN_DOUBT"):
        raise Stop(Exit.UNKNOWN, "its outcome is not known yet, and it must not be sent again: chimera transfer")
    if row["status"] == "FAILED":
        raise Stop(Exit.REFUSED, f"nothing moved: {row['reason']}")


def _told(row: dict[str, Any]) -> str:
    why = f" ({row['reason']})" if row["reason"] else ""
    return f"{row['transfer_id']} {row['status']}: {row['amount']} {row['asset']} {row['from']} to {row['to']}{why}"
