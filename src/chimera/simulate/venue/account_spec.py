"""How an owner begins: one name, one key, a futures wallet and spot balances. And the one that every twin has ready.

Deliberately unaware of either market: each opens its own account from the same ``AccountSpec``.
"""

from decimal import Decimal

from chimera.simulate import ready_key
from chimera.simulate.door.keyring import USUAL, Key, KeyKind, Permission
from chimera.simulate.door.public_keys import kind_of
from chimera.simulate.door.refusals import Refusal
from chimera.trading.value import Value


class AccountSpec(Value):
    """How an owner begins, on both markets.

    Signs with ``secret`` (HMAC) or, if that is empty, with the private half of ``public_key`` (PEM: Ed25519 or RSA).
    ``balance``: futures wallet, USDT. ``spot``: free balance by asset. Rates are fractions of what is traded.
    """

    name: str
    api_key: str
    secret: str = ""
    public_key: str = ""
    balance: Decimal = Decimal(10_000)
    spot: dict[str, Decimal] = {}
    maker_rate: Decimal = Decimal("0.0002")
    taker_rate: Decimal = Decimal("0.0005")
    spot_maker_rate: Decimal = Decimal("0.001")
    spot_taker_rate: Decimal = Decimal("0.001")
    permissions: frozenset[Permission] = USUAL

    def key(self) -> Key:
        """The key it comes with; -1130 where neither or both ways of signing are given, or one that cannot be used."""
        if bool(self.secret) == bool(self.public_key):
            raise Refusal(-1130, text="An account has either a secret or a public_key.")
        kind = KeyKind.HMAC if self.secret else kind_of(self.public_key)
        signs_with = (self.secret or self.public_key).encode()
        return Key(api_key=self.api_key, owner=self.name, kind=kind, secret=signs_with, permissions=self.permissions)


READY_ACCOUNT = AccountSpec(
    name="main",
    api_key=ready_key.API_KEY,
    secret=ready_key.SECRET,
    spot={"USDT": Decimal(10_000), "BTC": Decimal("0.1"), "BNB": Decimal(0)},
)
