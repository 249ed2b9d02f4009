"""Verbs that ask S3 or S4 over HTTP, by the same client that S3 itself uses, and print the answer."""

import os
import secrets
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Any

from chimera.cli.asking import asked_of, changing_nothing
from chimera.cli.codes import Exit, Stop
from chimera.cli.told import doubt_told, figure, kill_told, order_told, position_told
from chimera.cli.words import side_named
from chimera.client import RouterClient, StrategyClient
from chimera.trading.errors import OutcomeUnknown, Refused
from chimera.trading.market import Market
from chimera.trading.standstill import Scope
from chimera.trading.transfer import Route
from chimera.wire import request_json
from chimera.wire.answers import encode_answer
from chimera.wire.codec import plain
from chimera.wire.failures import no_such_order

_TRANSFER_MS = 20_000
_SPARE_S = 5  # beyond what S4 was asked to wait


def decide(
    s3_url: str,
    symbol: str,
    side: str | None,
    dry_run: bool,
    as_json: bool,
    *,
    context: Mapping[str, Decimal] | None = None,
) -> None:
    hint = None if side is None else side_named(side)
    answer = plain(
        asked_of(
            StrategyClient(s3_url),
            lambda client: client.decide(symbol.upper(), side_hint=hint, dry_run=dry_run, context=context or None),
        )
    )
    if as_json:
        print_json(answer)
        return
    print(f"{answer['decision']} {answer['symbol']}: {answer['reason']}")
    for row in answer.get("overridden", ()):
        print(f"  supposing {row['name']} {row['given']} (seen: {figure(row['seen'] or 'nothing')})")
    intent = answer.get("intent")
    if intent:
        stop, target = intent.get("sl") or {}, intent.get("tp") or {}
        wanted = f"{target.get('target', '')} {target.get('value', target.get('price', 'none'))}".strip()
        print(f"  {intent['side']} {intent['qty']}, stop {stop.get('price', 'none')}, target {wanted}")
        sent = "dry run: not sent" if dry_run else "to S4, which has the last word"
        print(f"  order {intent['client_order_id']} ({sent})")
    if answer.get("signal_id"):
        print(f"  more: chimera why {answer['signal_id']}")


def order(s4_url: str, asked: Mapping[str, Any], wait_s: int, as_json: bool) -> None:
    body = order_body(asked)

    patience_ms = (wait_s + _SPARE_S) * 1000
    answer = asked_of_s4(s4_url, lambda client: client.submit(body, wait_s=wait_s), timeout_ms=patience_ms)
    if as_json:
        print_json(answer)
    else:
        at = f" at {answer['avg_price']}" if answer.get("avg_price") else ""
        told = f": {answer['message']}" if answer.get("message") not in (None, answer["status"]) else ""
        print(f"{answer['client_order_id']} {answer['status']}, filled {answer['filled_qty']}{at}{told}")
        for note in answer.get("notes") or ():
            print(f"  {note}")
    if answer["result"] != "OK":
        code, message = str(answer.get("code") or answer["status"]), str(answer.get("message") or "not executed")
        accepted = f"; accepted: {answer['accepted']}" if answer.get("accepted") else ""
        raise Stop(Exit.REFUSED, f"{code}: {message.removeprefix(f'{code}: ')}{accepted}")
    if answer.get("in_doubt"):
        raise Stop(Exit.UNKNOWN, f"its outcome is in doubt: chimera show {answer['client_order_id']}")


def order_body(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The flat shape of ``POST /orders``."""
    name = asked["client_order_id"] or f"cli-{secrets.token_hex(8)}"
    body: dict[str, Any] = {
        "market": "FUT",
        "intent_id": name,
        "client_order_id": name,
        "symbol": str(asked["symbol"]).upper(),
        "side": side_named(asked["side"]).value,
        "qty": asked["qty"],
        "leverage": asked["leverage"],
        "reduce_only": asked["reduce_only"],
        "exec_policy": {"type": "MakerThenTaker" if asked["maker"] else "MARKET"},
    }
    if asked["sl"] is not None:
        body["sl"] = {"type": "STOP_MARKET", "price": asked["sl"]}
    if asked["tp"] is not None:
        body["tp"] = {"type": "TAKE_PROFIT_MARKET", "price": asked["tp"]}
    if asked["max_hold_s"] is not None:
        body["max_hold_s"] = asked["max_hold_s"]
    return body


def cancel(s4_url: str, order_id: str, flatten: bool, as_json: bool) -> None:
    answer = asked_of_s4(s4_url, lambda client: client.cancel(order_id=order_id, escalate=flatten))
    if as_json:
        print_json(answer)
    else:
        print(f"{answer.get('order_id')} {answer.get('status')}: {answer.get('message')}")


def close(s4_url: str, symbol: str, qty: str | None, market: Market, close_id: str | None, as_json: bool) -> None:
    amount: Decimal | None = None
    name = close_id or f"cli-{secrets.token_hex(8)}"
    if qty is not None:
        try:
            amount = request_json.amount(qty)
        except ValueError as wrong:
            raise Refused("QTY", str(wrong), field="--qty", value=qty, accepted="plain digits above 0") from wrong

    try:
        answer = asked_of_s4(s4_url, lambda client: client.close(symbol.upper(), amount, market=market, close_id=name))
    except OutcomeUnknown as error:
        raise Stop(Exit.UNKNOWN, f"outcome unknown; ask the same again with --id {name}: {error}") from error
    if as_json:
        print_json(answer)
    else:
        doubt = f"; not on disk yet, ask again with --id {name}" if answer.get("in_doubt") else ""
        print(f"{answer.get('symbol')} held {answer.get('position_qty')}: {answer.get('message')}{doubt}")


def kill(s4_url: str, place: str, reason: str, flatten: bool, as_json: bool) -> bool:
    """Whether the venue shows that it is done."""
    scope, name = place_named(place)
    receipt = asked_of_s4(
        s4_url, lambda client: client.kill(by=me(), reason=reason, scope=scope, name=name, flatten=flatten)
    )
    if as_json:
        print_json(receipt)
        return bool(receipt["verified"])
    print(f"killed: {receipt['scope']} {receipt['name']}".rstrip() + "; exits and protection go on")
    for line in receipt["remains"]:
        print(f"  {line}")
    if not receipt["durable"]:
        print("  not on disk yet: it is being saved, and would not outlive a crash of S4 before that")
    again = "NOT verified; it holds all the same. To look again: the same chimera kill"
    print("verified by the venue" if receipt["verified"] else again)
    return bool(receipt["verified"])


def arm(s4_url: str, place: str, reason: str, confirm: str | None, as_json: bool) -> None:
    scope, name = place_named(place)
    answer = asked_of_s4(
        s4_url, lambda client: client.arm(by=me(), reason=reason, scope=scope, name=name, confirm=confirm)
    )
    if as_json:
        print_json(answer)
    elif confirm is None:
        print(f"nothing is changed. To take entries again: chimera arm {place} --confirm {answer['confirm']}".rstrip())
    else:
        print(f"armed: {answer['scope']} {answer['name']}".rstrip() + "; entries are taken again")


def place_named(place: str) -> tuple[Scope, str]:
    """``GLOBAL``, or ``symbol:BTCUSDT``, ``market:FUT``, ``strategy:s3``; a symbol and a market in capitals or not."""
    word, _, name = place.partition(":")
    try:
        scope = Scope(word.upper())
    except ValueError:
        accepted = "global, market:NAME, symbol:NAME or strategy:NAME"
        raise Refused("SCOPE", f"{place} is no scope", field="SCOPE", value=place, accepted=accepted) from None
    return scope, name if scope is Scope.STRATEGY else name.upper()


def me() -> str:
    """Who stands in the receipt."""
    return os.environ.get("USER") or os.environ.get("LOGNAME") or "cli"


def show(s4_url: str, order_id: str | None, as_json: bool) -> None:
    with changing_nothing():
        answer = asked_of_s4(s4_url, _standing if order_id is None else lambda client: client.order(order_id))
    if answer is None:
        raise no_such_order(str(order_id), message="S4 has no such order")
    if as_json:
        print_json(answer)
    elif order_id is None:
        print("\n".join(map(position_told, answer["positions"])) or "no positions")
        for kill in answer["kills"]:
            print(kill_told(kill))
    else:
        print("\n".join(order_told(answer)))


async def _standing(client: RouterClient) -> dict[str, Any]:
    """What is held, and what is killed."""
    return {"positions": await client.positions(), "kills": (await client.killed())["kills"]}


def doubts(s4_url: str, as_json: bool) -> None:
    with changing_nothing():
        answer = asked_of_s4(s4_url, lambda client: client.doubts())
    if as_json:
        print_json({"doubts": answer})
    else:
        print("\n".join(map(doubt_told, answer)) or "nothing is in doubt")


def survey(s4_url: str, symbol: str, market: Market, as_json: bool) -> bool:
    """Whether the venue was heard in time."""
    answer = asked_of_s4(s4_url, lambda client: client.survey(symbol.upper(), market=market))
    if as_json:
        print_json(answer)
    else:
        heard = "the venue was heard" if answer["heard"] else "the venue did not answer in time; this is as it was"
        row = answer["position"]
        print(f"{answer['symbol']} held {row['qty']}, covered {row['covered_qty']}: {heard}")
    return bool(answer["heard"])


def transfers(s4_url: str) -> dict[str, Any]:
    answer: dict[str, Any] = asked_of_s4(s4_url, lambda client: client.transfers())
    return answer


def transfer(s4_url: str, route: str, asset: str, amount: Decimal, reason: str) -> dict[str, Any]:
    answer: dict[str, Any] = asked_of_s4(
        s4_url,
        lambda client: client.transfer(Route(route), asset, amount, by=me(), reason=reason),
        timeout_ms=_TRANSFER_MS,
    )
    return answer


def asked_of_s4(s4_url: str, ask: Callable[[RouterClient], Awaitable[Any]], *, timeout_ms: int | None = None) -> Any:
    """One question or deed; the answer as rows of plain digits."""

    return plain(asked_of(RouterClient(s4_url, timeout_ms=timeout_ms), ask))


def print_json(answer: Any) -> None:
    """As S3 and S4 answer: amounts are numbers."""
    print(encode_answer(answer).decode())
