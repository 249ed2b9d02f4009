"""Money that moves without a trade: funding, transfers, insurance, margin between cross and isolated.

Invariant: whatever changes a wallet here leaves one income row and one audit record of the same amount, so deposits and
income always sum to the wallet. Margin moved to an isolated position stays in the wallet; it is only set aside.
"""

from decimal import Decimal
from enum import StrEnum
from typing import Any

from chimera.simulate.usdm.accounts import ASSET, Account, Position, money
from chimera.simulate.usdm.floor import FuturesFloor
from chimera.simulate.usdm.margin import mark_of
from chimera.simulate.venue.audit import Kind
from chimera.trading.money import ZERO


class Income(StrEnum):
    """Every type Binance names; the twin writes the first five."""

    TRANSFER = "TRANSFER"
    REALIZED_PNL = "REALIZED_PNL"
    FUNDING_FEE = "FUNDING_FEE"
    COMMISSION = "COMMISSION"
    INSURANCE_CLEAR = "INSURANCE_CLEAR"
    WELCOME_BONUS = "WELCOME_BONUS"
    REFERRAL_KICKBACK = "REFERRAL_KICKBACK"
    COMMISSION_REBATE = "COMMISSION_REBATE"
    API_REBATE = "API_REBATE"
    CONTEST_REWARD = "CONTEST_REWARD"
    CROSS_COLLATERAL_TRANSFER = "CROSS_COLLATERAL_TRANSFER"
    OPTIONS_PREMIUM_FEE = "OPTIONS_PREMIUM_FEE"
    OPTIONS_SETTLE_PROFIT = "OPTIONS_SETTLE_PROFIT"
    INTERNAL_TRANSFER = "INTERNAL_TRANSFER"
    AUTO_EXCHANGE = "AUTO_EXCHANGE"
    DELIVERED_SETTELMENT = "DELIVERED_SETTELMENT"  # sic
    COIN_SWAP_DEPOSIT = "COIN_SWAP_DEPOSIT"
    COIN_SWAP_WITHDRAW = "COIN_SWAP_WITHDRAW"
    POSITION_LIMIT_INCREASE_FEE = "POSITION_LIMIT_INCREASE_FEE"
    STRATEGY_UMFUTURES_TRANSFER = "STRATEGY_UMFUTURES_TRANSFER"
    FEE_RETURN = "FEE_RETURN"
    BFUSD_REWARD = "BFUSD_REWARD"
    SPECIAL_FUNDING_FEE = "SPECIAL_FUNDING_FEE"


_KINDS = {
    Income.TRANSFER: Kind.TRANSFER,
    Income.FUNDING_FEE: Kind.FUNDING,
    Income.INSURANCE_CLEAR: Kind.INSURANCE,
}


class CashDesk:
    """Books cash."""

    def __init__(self, floor: FuturesFloor) -> None:
        self.floor = floor

    def transfer(self, account: Account, amount: Decimal, reason: str) -> int:
        """USDT comes in (above zero) or leaves; the transaction's number. ``reason``: of the ACCOUNT_UPDATE."""
        return self._book(account, Income.TRANSFER, money(amount), reason)

    def fund(self, account: Account, held: Position, amount: Decimal, at_ms: int) -> None:
        """A position pays (below zero) or receives funding; an isolated one out of its own margin while that lasts."""
        if held.isolated:
            held.set_aside = max(ZERO, held.set_aside + amount)
        self._book(account, Income.FUNDING_FEE, amount, "FUNDING_FEE", held, at_ms)

    def insure(self, account: Account, held: Position, amount: Decimal) -> None:
        """The insurance fund pays for a loss beyond the margin, or takes its fee (below zero)."""
        self._book(account, Income.INSURANCE_CLEAR, amount, "INSURANCE_CLEAR", held)

    def _book(
        self,
        account: Account,
        kind: Income,
        amount: Decimal,
        reason: str,
        held: Position | None = None,
        at_ms: int | None = None,
    ) -> int:
        floor = self.floor
        number = floor.next_tran_id()
        symbol = "" if held is None else held.symbol
        account.wallet += amount
        account.income.append(
            {
                "symbol": symbol,
                "incomeType": str(kind),
                "income": f"{amount:.8f}",
                "asset": ASSET,
                "time": floor.now_ms if at_ms is None else at_ms,
                "info": str(kind),
                "tranId": number,
                "tradeId": "",
            }
        )
        more: dict[str, Any] = {} if held is None else {"position_side": held.label, "position_after": held.qty}
        floor.audit.add(
            _KINDS[kind],
            floor.now_ms,
            account=account.name,
            symbol=symbol,
            qty=amount,
            asset=ASSET,
            wallet_after=account.wallet,
            **more,
        )
        positions = [(held, mark_of(floor, held))] if held is not None and held.isolated else []
        floor.reports.account(account, reason, positions, amount, symbol if kind is Income.FUNDING_FEE else "")
        return number

    def set_aside(self, account: Account, held: Position, amount: Decimal) -> None:
        """Move cross margin to an isolated position, or (below zero) back."""
        floor = self.floor
        held.set_aside += amount
        account.margin_moves.append(
            {
                "symbol": held.symbol,
                "type": 1 if amount > ZERO else 2,
                "deltaType": "USER_ADJUST",
                "amount": f"{abs(amount):.8f}",
                "asset": ASSET,
                "time": floor.now_ms,
                "positionSide": str(held.side),
            }
        )
        floor.audit.add(
            Kind.SETTING,
            floor.now_ms,
            account=account.name,
            symbol=held.symbol,
            position_side=held.label,
            qty=amount,
            asset=ASSET,
            reason="positionMargin",
        )
        floor.reports.account(account, "MARGIN_TRANSFER", [(held, mark_of(floor, held))], ZERO)
