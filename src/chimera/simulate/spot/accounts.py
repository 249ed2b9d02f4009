"""Spot accounts: what of each asset is free and what is locked behind orders, commission rates, trades.

Invariants: neither part of a balance is ever below zero; what is locked is exactly what the account's holds say. Every
amount is in whole 1e-8 of its asset. Keys and limits of the owner are the door's.
"""

from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal
from typing import TYPE_CHECKING

from chimera.simulate.venue.account_spec import AccountSpec
from chimera.simulate.venue.past import Past
from chimera.trading.money import ZERO

if TYPE_CHECKING:
    from chimera.simulate.spot.orders import SpotOrder

UNIT = Decimal("0.00000001")
RATE = Decimal("0.001")


def whole(amount: Decimal) -> Decimal:
    """Down to 1e-8 of an asset. That commission is cut, not rounded, is unverified."""
    return amount.quantize(UNIT, rounding=ROUND_DOWN)


@dataclass(slots=True)
class Balance:
    """One asset of one account."""

    free: Decimal = ZERO
    locked: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        return self.free + self.locked


@dataclass(slots=True, eq=False)
class Hold:
    """What is locked behind one order, or once behind both legs of an OCO, of which only one can trade."""

    asset: str
    amount: Decimal = ZERO
    orders: list["SpotOrder"] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class SpotAccount:
    """Balances and trades of one owner. Rates are fractions of what is received."""

    name: str
    balances: dict[str, Balance] = field(default_factory=dict)
    maker_rate: Decimal = RATE
    taker_rate: Decimal = RATE
    bnb_discount: bool = False  # commission is paid in BNB while there is enough
    trades: Past = field(default_factory=Past)  # rows of myTrades
    updated_ms: int = 0

    def balance(self, asset: str) -> Balance:
        """The asset's balance, zero if it was never touched."""
        found = self.balances.get(asset)
        if found is None:
            found = self.balances[asset] = Balance()
        return found

    def free(self, asset: str) -> Decimal:
        """What new orders may use."""
        found = self.balances.get(asset)
        return ZERO if found is None else found.free


def open_account(spec: AccountSpec) -> SpotAccount:
    """A funded account as ``spec`` says."""
    return SpotAccount(
        name=spec.name,
        balances={asset: Balance(whole(amount)) for asset, amount in spec.spot.items()},
        maker_rate=spec.spot_maker_rate,
        taker_rate=spec.spot_taker_rate,
    )
