"""An ``exec_policy`` body as an execution policy, and the one refusal of what this version does not trade yet.

``maker_wait_ms`` and ``post_only_wait_ms``, ``type`` and ``order_type`` are pairs of names for one thing: equal values
are one value, different ones are refused. ``MARKET`` in slices is maker→taker with a wait of zero.
"""

from decimal import Decimal
from typing import Final

from chimera.trading.errors import Refused
from chimera.trading.intent import ExecPolicy, MakerThenTaker, MarketNow, OrderList, StopAlone
from chimera.trading.market import Market
from chimera.trading.money import Quote, text
from chimera.wire import bodies

ENABLED: Final = (
    "kind ENTRY, EXIT or PROTECT, exec_policy MakerThenTaker (maker_wait_ms, twap), MARKET, OCO on SPOT, or "
    "STOP_MARKET with reduce_only true, position_side BOTH, account_id main, sl and tp on entries"
)
_MAKER: Final = "MakerThenTaker"
_MARKET: Final = "MARKET"
_OCO: Final = "OCO"
_STOP: Final = "STOP_MARKET"
_OF_LIST: Final = ("tp_price", "tp_px", "sl_price", "sl_px")
_LATER: Final = ("LIMIT", "TAKE_PROFIT_MARKET", "TWAP")


def not_enabled(field: str, value: str) -> Refused:
    """Understood, and not done in this version."""
    return Refused(
        "NOT_ENABLED", f"{field} {value} is not enabled in this version", field=field, value=value, accepted=ENABLED
    )


def policy(body: bodies.ExecPolicyBody | None, market: Market) -> ExecPolicy:
    """What was asked; without any policy, maker→taker as the route table says."""
    if body is None:
        return MakerThenTaker()
    kind = _kind(body)
    wait_ms = _wait_ms(body)
    if kind == _STOP:
        for name, value in (("maker_wait_ms", wait_ms), ("twap", body.twap), ("time_in_force", body.time_in_force)):
            if value is not None:
                raise _contradiction(name, str(value), "nothing: a stop on its own waits for its price")
        return StopAlone()
    if kind == _OCO:
        return _order_list(body, wait_ms, market)
    if kind == _MAKER:
        if body.time_in_force is not None:
            raise _contradiction("time_in_force", body.time_in_force, "nothing: it goes with MARKET")
        return _sliced(wait_ms, body.twap)
    if body.time_in_force not in (None, "IOC"):
        raise _contradiction("time_in_force", body.time_in_force, "IOC")
    if wait_ms:
        raise _contradiction("maker_wait_ms", wait_ms, "0, or type MakerThenTaker")
    return MarketNow() if body.twap is None else _sliced(0, body.twap)


def _order_list(body: bodies.ExecPolicyBody, wait_ms: int | None, market: Market) -> OrderList:
    if market is not Market.SPOT:
        raise _contradiction("type", _OCO, "MakerThenTaker or MARKET on futures, with sl and tp beside exec_policy")
    if body.time_in_force is not None:
        raise _contradiction("time_in_force", body.time_in_force, "nothing: an OCO is entered at market")
    if wait_ms or body.twap is not None:
        name = "maker_wait_ms" if wait_ms else "twap"
        raise _contradiction(name, str(getattr(body, name)), "nothing: an OCO is entered at market")
    return OrderList()


def list_prices(body: bodies.ExecPolicyBody) -> tuple[tuple[str, Decimal], tuple[str, Decimal]]:
    """Stop and target of an OCO, each with the name it was given under; raises ``Refused`` where one is missing."""
    found = []
    for price, alias, missing in (("sl_price", "sl_px", "STOP_PRICE_MISSING"), ("tp_price", "tp_px", "MISSING_FIELD")):
        first, second = getattr(body, price), getattr(body, alias)
        if first is not None and second is not None and first != second:
            raise _contradiction(alias, second, f"{first}, as in {price}")
        if first is None and second is None:
            field = f"exec_policy.{price}"
            raise Refused(missing, f"an OCO needs {field}", field=field, accepted="a price on the tick, above 0")
        found.append((f"exec_policy.{price if first is not None else alias}", second if first is None else first))
    return found[0], found[1]


def _sliced(wait_ms: int | None, twap: bodies.Twap | None) -> MakerThenTaker:
    if twap is None:
        return MakerThenTaker(wait_ms=wait_ms)
    size = twap.slice_usdt
    if size is not None and size <= 0:
        raise _contradiction("twap.slice_usdt", text(size), "a notional above 0")
    if size is not None and twap.slices is not None:
        raise _contradiction("twap.slice_usdt", text(size), "left out where twap.slices is given")
    return MakerThenTaker(
        wait_ms=wait_ms,
        slices=twap.slices,
        gap_ms=twap.gap_ms,
        slice_usdt=None if size is None else Quote(size),
        shape=twap.curve,
    )


def _kind(body: bodies.ExecPolicyBody) -> str:
    """The one word of ``type`` and ``order_type``; what is not traded is refused."""
    if body.type is not None and body.order_type is not None and body.type != body.order_type:
        raise _contradiction("order_type", body.order_type, f"{body.type}, as in type")
    name = "type" if body.type is not None else "order_type"
    kind = body.type or body.order_type
    if kind == _STOP and body.stop_price is None:
        raise Refused(
            "STOP_PRICE_MISSING",
            "a stop has no price",
            field="exec_policy.stop_price",
            accepted="a price on the tick, above 0",
        )
    if kind == _STOP:
        _no_strays(body, _OF_LIST)
        return _STOP
    if kind in _LATER:
        raise not_enabled(f"exec_policy.{name}", kind)
    if kind not in (None, _MAKER, _MARKET, _OCO):
        raise _contradiction(name, kind, f"{_MAKER}, {_MARKET}, {_OCO}, {_STOP}")
    _no_strays(body, (*(() if kind == _OCO else _OF_LIST), "stop_price", "working_type"))
    return kind or _MAKER


def _no_strays(body: bodies.ExecPolicyBody, names: tuple[str, ...]) -> None:
    for stray in names:
        given = getattr(body, stray)
        if given is not None:
            raise not_enabled(f"exec_policy.{stray}", str(given))


def _wait_ms(body: bodies.ExecPolicyBody) -> int | None:
    wait_ms, alias = body.maker_wait_ms, body.post_only_wait_ms
    if wait_ms is not None and alias is not None and wait_ms != alias:
        raise _contradiction("post_only_wait_ms", alias, f"{wait_ms}, as in maker_wait_ms")
    return alias if wait_ms is None else wait_ms


def _contradiction(name: str, value: object, accepted: str) -> Refused:
    field = f"exec_policy.{name}"
    return Refused("MALFORMED", f"{field} must be {accepted}", field=field, value=value, accepted=accepted)
