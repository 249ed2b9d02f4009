"""Where the stop and the target stand.

With E the entry, q the quantity, f the taker fee rate, and s = +1 for a long, -1 for a short:

    loss at a stop d away   = q d + q E f + q (E - s d) f      <= max_loss
    so                 d_cap = (max_loss / q - 2 E f) / (1 - s f)
    profit at a target T    = s q (T - E) - q E f - q T f      >= wanted
    so                     T = (E (s + f) + wanted / q) / (s - f)

``d_cap`` is (max_loss - fees at the stop) / q with the fees written out: they depend on the stop themselves. Both legs
are charged as taker. The stop rounds toward the entry, the target away from it, so both bounds hold after rounding.
Slippage past the stop is excluded, for it has no bound before the fact, and reported: what each basis point costs.

On spot the venue takes the fee of a buy from what is bought, unless the account pays with another coin. Then less is
sold, at the stop for less loss than above, at the target for less profit: q (1 - f)^2 T - q E >= wanted. The target
there is the one of this second form, so that the profit is reached however the fee is paid.
"""

from decimal import Decimal
from typing import Final

from chimera.trading.decision import Code, Levels, Sizing, Verdict
from chimera.trading.instrument import Instrument
from chimera.trading.market import Market, Side, Touch
from chimera.trading.members import BUY, SELL, SPOT
from chimera.trading.money import BPS, ONE, TWO, ZERO, Quote, text, told
from chimera.trading.value import Value

SIGNS: Final = {BUY: ONE, SELL: -ONE}
OUT: Final = {BUY: SELL, SELL: BUY}


class LevelPolicy(Value):
    """``max_loss_usdt`` counts both fees; ``roe`` is net profit over margin; the SPOT distances are of the entry."""

    max_loss_usdt: Decimal
    atr_mult: Decimal
    roe: Decimal
    spot_stop_bps: Decimal
    spot_target_bps: Decimal


def stop_distance(
    market: Market, policy: LevelPolicy, price: Decimal, atr: Decimal | None, sl_mult: Decimal
) -> Decimal:
    """Before the cap: ATR_mult x ATR on FUT, the fixed distance on SPOT, which needs no ``atr``."""
    if market is SPOT:
        return price * policy.spot_stop_bps / BPS * sl_mult
    if atr is None:
        raise AssertionError("a decision on FUT came to its stop without an ATR")
    return policy.atr_mult * atr * sl_mult


def profit_wanted(market: Market, policy: LevelPolicy, sizing: Sizing, tp_mult: Decimal) -> Decimal:
    """Net of both fees, quote asset: ROE x margin on FUT, the fixed distance's worth on SPOT."""
    if market is SPOT:
        return sizing.notional_usdt * policy.spot_target_bps / BPS * tp_mult
    return policy.roe * sizing.margin_usdt * tp_mult


class _Fees(Value):
    """Of one unit, both taken in quote asset."""

    rate: Decimal
    sign: Decimal

    def target(self, entry: Decimal, wanted: Decimal) -> Decimal:
        """Where ``wanted`` is left of a unit after both fees; not rounded."""
        return (entry * (self.sign + self.rate) + wanted) / (self.sign - self.rate)

    def at_target(self, entry: Decimal, target: Decimal) -> Decimal:
        return self.rate * (entry + target)


class _SpotFees(Value):
    """Of one unit bought, the first taken from it."""

    rate: Decimal

    def target(self, entry: Decimal, wanted: Decimal) -> Decimal:
        return (entry + wanted) / (1 - self.rate) ** 2

    def at_target(self, entry: Decimal, target: Decimal) -> Decimal:
        return target * (1 - (1 - self.rate) ** 2)


def levels(
    instrument: Instrument,
    policy: LevelPolicy,
    sizing: Sizing,
    side: Side,
    touch: Touch,
    *,
    taker_fee: Decimal,
    d_wanted: Decimal,
    wanted: Decimal,
) -> Levels | Verdict:
    """Both prices, or why there are none: the loss cannot be held, or the venue would trigger the stop at once or take
    no such price.
    """
    entry, qty, out, sign = sizing.price, sizing.qty, OUT[side], SIGNS[side]
    kept = ONE - sign * taker_fee
    d_cap = (policy.max_loss_usdt / qty - TWO * entry * taker_fee) / kept
    if d_cap <= ZERO:
        return _no_room(policy, entry * qty * taker_fee * 2)
    stop = instrument.stop_toward_entry(entry - sign * min(d_wanted, d_cap), out)
    stands_off = stop < touch.bid if side is BUY else stop > touch.ask
    if not stands_off:
        return _inside_spread(side, stop, touch)
    if not (stop > ZERO and instrument.min_price <= stop <= instrument.max_price):
        return _no_price(instrument, stop)
    fees = _SpotFees(rate=taker_fee) if instrument.market is SPOT else _Fees(rate=taker_fee, sign=sign)
    target = instrument.target_away(fees.target(entry, wanted / qty), out)
    if target <= ZERO or not instrument.min_price <= target <= instrument.max_price:
        words = f"target {text(target)} is outside {text(instrument.min_price)}..{text(instrument.max_price)}"
        return Verdict(code=Code.TARGET_UNREACHABLE, passed=False, name="target_price", value=target, text=words)
    fees_at_stop = qty * taker_fee * (entry + stop)
    fees_at_target = qty * fees.at_target(entry, target)
    return Levels(
        entry_price=entry,
        stop_price=stop,
        target_price=target,
        d_wanted=d_wanted,
        d_cap=d_cap,
        fees_at_stop=Quote(fees_at_stop),
        loss_at_stop=Quote(abs(entry - stop) * qty + fees_at_stop),
        slippage_per_bp=Quote(qty * stop / BPS * kept),
        fees_at_target=Quote(fees_at_target),
        profit_at_target=Quote(abs(target - entry) * qty - fees_at_target),
        profit_wanted=Quote(wanted),
    )


def _no_room(policy: LevelPolicy, fees: Decimal) -> Verdict:
    limit = policy.max_loss_usdt
    return Verdict(
        code=Code.MAX_LOSS,
        passed=False,
        name="fees_at_stop_usdt",
        value=fees,
        op="<",
        limit=limit,
        margin=limit - fees,
        text=f"fees at the stop {told(fees)} leave nothing of max_loss_usdt {told(limit)}",
    )


def _no_price(instrument: Instrument, stop: Decimal) -> Verdict:
    """As far from the entry as no price is: an ATR of nonsense, or next to no size. By its code, no stop to place."""
    low, high = instrument.min_price, instrument.max_price
    is_low = stop <= ZERO or stop < low
    return Verdict(
        code=Code.STOP_INSIDE_SPREAD,
        passed=False,
        name="stop_price",
        value=stop,
        op=">=" if is_low else "<=",
        limit=low if is_low else high,
        margin=stop - low if is_low else high - stop,
        text=f"stop {text(stop)} is outside {text(low)}..{text(high)}, the venue takes none there",
    )


def _inside_spread(side: Side, stop: Decimal, touch: Touch) -> Verdict:
    near = touch.bid if side is BUY else touch.ask
    op = "<" if side is BUY else ">"
    return Verdict(
        code=Code.STOP_INSIDE_SPREAD,
        passed=False,
        name="stop_price",
        value=stop,
        op=op,
        limit=near,
        margin=(near - stop) * side.sign,
        text=f"stop {text(stop)} is not {op} {text(near)}, it would trigger at once",
    )
