"""From the venue's word to entries of the cash ledger: a trade of ours, a movement of the account's money, dust.

On futures the same money is told twice: by the trade, and by the venue's list of movements. Neither is dropped and none
counts double: a trade books its result and fee against ``trades``, the movement books ``trades`` against the wallet. So
the wallet moves exactly as the venue's list says, whatever came first, twice or never; and what stands in ``trades``
once all has had time to come is what the two tell differently. Spot has no such list: a trade moves the wallet itself.

Nothing here knows a store, or what the wallet really holds (``reconcile.balances`` compares).
"""

from collections.abc import Sequence
from decimal import Decimal, localcontext
from typing import Final

from chimera.trading.booking import Booking, Effect
from chimera.trading.cash import PRECISION, Account, Entry, Kind, Posting, shared
from chimera.trading.events import DustLeft, FillRecorded
from chimera.trading.ids import AccountId, Symbol
from chimera.trading.market import Market
from chimera.trading.money import ZERO, Millis
from chimera.trading.position import ADOPTED
from chimera.trading.venue import Income

OF_TRADES: Final = {"REALIZED_PNL": Account.REALIZED, "COMMISSION": Account.FEES}  # where no trade is named
ACCOUNT_OF: Final[dict[str, Account]] = {
    "FUNDING_FEE": Account.FUNDING,
    "SPECIAL_FUNDING_FEE": Account.FUNDING,
    "TRANSFER": Account.TRANSFERS,
    "INTERNAL_TRANSFER": Account.TRANSFERS,
    "STRATEGY_UMFUTURES_TRANSFER": Account.TRANSFERS,
    "CROSS_COLLATERAL_TRANSFER": Account.TRANSFERS,
    "INSURANCE_CLEAR": Account.LIQUIDATION,
    "COMMISSION_REBATE": Account.FEES,
    "API_REBATE": Account.FEES,
    "REFERRAL_KICKBACK": Account.FEES,
    "FEE_RETURN": Account.FEES,
    "AUTO_EXCHANGE": Account.EXCHANGE,
    **OF_TRADES,
}


def of_fill(account_id: AccountId, told: FillRecorded) -> Entry:
    """A trade that we counted. One that was counted before trades told of lots belongs to the strategy of its order."""
    with localcontext(prec=PRECISION):
        return _of_fill(account_id, told)


def _of_fill(account_id: AccountId, told: FillRecorded) -> Entry:
    fill = told.fill
    booking = told.booking or _unbooked(told)
    fees = _fees(told, booking.effects)
    parts = _on_futures(told, booking) if fill.market is Market.FUT else _on_spot(told, booking)
    return Entry(
        id=f"{account_id}:{fill.market}:trade:{fill.symbol}:{fill.trade_id}",
        kind=Kind.FILL,
        account_id=account_id,
        market=fill.market,
        at_ms=fill.at_ms,
        postings=tuple(part for part in (*parts, *fees) if part.amount),
        symbol=fill.symbol,
        position=booking.position,
        of=str(fill.side),
        venue_id=fill.trade_id,
        held=booking.held,
    )


def _unbooked(told: FillRecorded) -> Booking:
    fill = told.fill
    effect = Effect(
        intent_id=told.intent_id or ADOPTED,
        strategy_id=told.strategy_id,
        qty=fill.qty * fill.side.sign,
        realized=fill.realized_pnl,
    )
    return Booking(position="", base="", quote=fill.fee_asset, effects=(effect,))


def _on_futures(told: FillRecorded, booking: Booking) -> list[Posting]:
    fill, asset = told.fill, booking.quote
    by_lot = sum((effect.realized for effect in booking.effects), ZERO)
    return [
        Posting(account=Account.TRADES, asset=asset, amount=Decimal(fill.realized_pnl)),
        Posting(account=Account.TRADES, asset=fill.fee_asset, amount=-fill.fee),
        *_realized(booking),
        Posting(account=Account.AVERAGING, asset=asset, amount=by_lot - fill.realized_pnl),
    ]


def _on_spot(told: FillRecorded, booking: Booking) -> list[Posting]:
    fill, sign = told.fill, told.fill.side.sign
    base, paid = fill.qty * sign, -fill.price * fill.qty * sign
    by_lot = sum((effect.realized for effect in booking.effects), ZERO)
    return [
        Posting(account=Account.WALLET, asset=booking.base, amount=base),
        Posting(account=Account.EXCHANGE, asset=booking.base, amount=-base),
        Posting(account=Account.WALLET, asset=booking.quote, amount=paid),
        Posting(account=Account.EXCHANGE, asset=booking.quote, amount=by_lot - paid),
        *_realized(booking),
        Posting(account=Account.WALLET, asset=fill.fee_asset, amount=-fill.fee),
    ]


def _realized(booking: Booking) -> list[Posting]:
    return [
        Posting(
            account=Account.REALIZED,
            asset=booking.quote,
            amount=-effect.realized,
            strategy_id=effect.strategy_id,
            intent_id=effect.intent_id,
        )
        for effect in booking.effects
    ]


def _fees(told: FillRecorded, effects: Sequence[Effect]) -> list[Posting]:
    """By lot, in the share of the quantity that it opened or closed."""
    fill = told.fill
    parts = shared(fill.fee, [abs(effect.qty) for effect in effects])
    return [
        Posting(
            account=Account.FEES,
            asset=fill.fee_asset,
            amount=part,
            strategy_id=effect.strategy_id,
            intent_id=effect.intent_id,
        )
        for part, effect in zip(parts, effects, strict=True)
    ]


def of_income(account_id: AccountId, market: Market, row: Income) -> Entry:
    """A movement of the wallet, in the venue's words. One of an unknown type is external (``unknown`` says so)."""
    against = Account.TRADES if row.trade_id is not None and row.kind in OF_TRADES else ACCOUNT_OF.get(row.kind)
    moved = (
        Posting(account=Account.WALLET, asset=row.asset, amount=row.amount),
        Posting(account=against or Account.EXTERNAL, asset=row.asset, amount=-row.amount),
    )
    return Entry(
        id=f"{account_id}:{market}:income:{row.id}",
        kind=Kind.INCOME,
        account_id=account_id,
        market=market,
        at_ms=row.at_ms,
        postings=moved if row.amount else (),
        symbol=row.symbol,
        of=row.kind,
        venue_id=row.trade_id or row.id.removeprefix(f"{row.kind}:"),
    )


def unknown(row: Income) -> bool:
    """Whether nobody here knows what such a movement means."""
    return row.kind not in ACCOUNT_OF


def of_dust(account_id: AccountId, market: Market, symbol: Symbol, dust: DustLeft, at_ms: Millis) -> Entry:
    """Spot: what is too little to be sold leaves the books of trading at its cost (quote asset), as a loss.

    The wallet goes on holding it, and nobody counts it as a position any more.
    """
    postings = (
        Posting(account=Account.DUST, asset=dust.base, amount=-dust.qty),
        Posting(account=Account.EXCHANGE, asset=dust.base, amount=dust.qty),
        Posting(account=Account.DUST, asset=dust.quote, amount=dust.cost),
        Posting(account=Account.EXCHANGE, asset=dust.quote, amount=-dust.cost),
    )
    return Entry(
        id=f"{account_id}:{market}:dust:{symbol}:{at_ms}",
        kind=Kind.DUST,
        account_id=account_id,
        market=market,
        at_ms=at_ms,
        postings=tuple(posting for posting in postings if posting.amount),
        symbol=symbol,
        position=dust.position,
    )
