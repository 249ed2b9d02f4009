"""Verbs about orders that are worked in slices, and about one that is not sent yet: ``twap``, ``preview``."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import typer

from chimera.cli.codes import Exit, Stop, ended_well
from chimera.cli.options import S4, S4_URL, Json, Leverage, Maker, Qty, ReduceOnly, Side, StopAt, TargetAt

app = typer.Typer(
    no_args_is_help=True, help="Orders worked in slices: list, pause, resume, finish.", rich_markup_mode=None
)

Name = Annotated[str, typer.Argument(metavar="ID", help="Order, client order or intent id.")]


@app.command("list")
def listed(s4: S4 = S4_URL, as_json: Json = False) -> None:
    """What is worked just now in more than one slice, and how far it is."""
    with ended_well(as_json=as_json):
        from chimera.cli.asking import changing_nothing
        from chimera.cli.orders import asked_of_s4, print_json

        async def ask(client: Any) -> list[dict[str, Any]]:
            names = [name for row in await client.positions() for name in row["intents"]]
            rows = [await client.order(name) for name in names]
            return [row for row in rows if row is not None and len(row.get("slices") or ()) > 1]

        with changing_nothing():
            orders = asked_of_s4(s4, ask)
        if as_json:
            print_json({"orders": orders})
        else:
            print("\n".join(line for order in orders for line in _told(order)) or "nothing is worked in slices")


@app.command()
def pause(name: Name, s4: S4 = S4_URL, as_json: Json = False) -> None:
    """Send nothing more of it until it is resumed; what rests leaves the book. What it holds stays protected."""
    _steer(name, "pause", s4, as_json)


@app.command()
def resume(name: Name, s4: S4 = S4_URL, as_json: Json = False) -> None:
    """Go on: waits and gaps go on where they stopped."""
    _steer(name, "resume", s4, as_json)


@app.command()
def finish(name: Name, s4: S4 = S4_URL, as_json: Json = False) -> None:
    """Take all that is left of it now."""
    _steer(name, "finish", s4, as_json)


def preview(
    symbol: str,
    side: Side,
    qty: Qty,
    sl: StopAt = None,
    tp: TargetAt = None,
    maker: Maker = False,
    reduce_only: ReduceOnly = False,
    leverage: Leverage = 20,
    s4: S4 = S4_URL,
    as_json: Json = False,
) -> None:
    """What would come of a futures order: plan and why, cost, protection, limits. Exit code 4 where S4 would refuse."""
    with ended_well(as_json=as_json):
        from chimera.cli.asking import changing_nothing
        from chimera.cli.failures import sentence
        from chimera.cli.orders import asked_of_s4, order_body, print_json
        from chimera.trading.errors import Refused

        body = order_body({
            "symbol": symbol, "side": side, "qty": qty, "sl": sl, "tp": tp, "maker": maker, "max_hold_s": None,
            "reduce_only": reduce_only, "leverage": leverage, "client_order_id": None,
        })  # fmt: skip
        with changing_nothing():
            answer = asked_of_s4(s4, lambda client: client.preview(body))
        if as_json:
            print_json(answer)
        else:
            print("\n".join(_previewed(answer)))
        if answer["would"] != "ACCEPT":
            refusal = answer.get("refusal") or {}
            about = {name: refusal.get(name) for name in ("field", "value", "accepted")}
            refused = Refused(str(refusal.get("code")), str(refusal.get("message")), **about)
            raise Stop(Exit.REFUSED, f"S4 would refuse it: {sentence(refused)}")


def _steer(name: str, ask: Literal["pause", "resume", "finish"], s4: str, as_json: bool) -> None:
    with ended_well(as_json=as_json):
        from chimera.cli.orders import asked_of_s4, print_json

        answer = asked_of_s4(s4, lambda client: client.steer(name, ask))
        if as_json:
            print_json(answer)
        else:
            print("\n".join(_told(answer)))


def _told(order: Mapping[str, Any]) -> Iterator[str]:
    slices = order.get("slices") or ()
    begun = sum(part.get("began_ms") is not None for part in slices)
    sized = f"{order['side']} {order['qty']} {order['symbol']} {order['market']}"
    yield (
        f"{order['client_order_id']}  {sized}  {order['status']}, filled {order['filled_qty']},"
        f" slice {begun} of {len(slices)}"
    )
    if order.get("message") not in (None, order["status"]):
        yield f"  {order['message']}"


def _previewed(answer: Mapping[str, Any]) -> Iterator[str]:
    from chimera.cli.told import figure

    yield f"would {str(answer['would']).lower()}: {answer['side']} {answer['qty']} {answer['symbol']}"
    yield from (f"  {reason}" for reason in (*answer["why"], *answer["notes"]))
    if answer.get("expected"):
        yield "  expected: " + ", ".join(f"{name} {figure(value)}" for name, value in answer["expected"].items())
    if guard := answer.get("protection"):
        at = {name: figure(guard.get(f"{name}_price")) for name in ("stop", "target")}
        yield (
            f"  then the position is {figure(guard.get('qty'))}, its stop {at['stop']} by {guard.get('working_type')},"
            f" its target {at['target']}"
        )
    for limit in answer["limits"]:
        yield f"  {limit['limit']}: {figure(limit['used'])} of {figure(limit['of'])}"
