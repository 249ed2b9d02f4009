"""API keys: whose each one is, how it signs, what it may do.

Invariants: a key belongs to one owner, who has an account of that name on each market; a revoked key is not known any
more. Deliberately unaware of accounts: what an owner holds is each market's.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Final

from chimera.simulate.door.refusals import Refusal
from chimera.trading.value import Value


class Permission(StrEnum):
    """What a key may do. Reading is of all that belongs to the owner."""

    READ = "read"
    FUTURES = "futures"  # place, change and cancel futures orders and settings
    SPOT = "spot"  # the same on the spot market
    TRANSFER = "transfer"  # "Permits Universal Transfer"
    WITHDRAW = "withdraw"


USUAL: Final = frozenset({Permission.READ, Permission.FUTURES, Permission.SPOT, Permission.TRANSFER})


class KeyKind(StrEnum):
    """How a key signs."""

    HMAC = "hmac"
    ED25519 = "ed25519"
    RSA = "rsa"


class Key(Value):
    """One API key. ``secret``: the shared secret of an HMAC key, else the public key as PEM."""

    api_key: str
    owner: str
    kind: KeyKind
    secret: bytes
    permissions: frozenset[Permission] = USUAL


class Keyring:
    """Every key that is valid now."""

    def __init__(self) -> None:
        self._keys: dict[str, Key] = {}

    def __iter__(self) -> Iterator[Key]:
        return iter(self._keys.values())

    def add(self, key: Key) -> None:
        """A new key; -1130 if there is one of that name."""
        if key.api_key in self._keys:
            raise Refusal(-1130, "api_key")
        self._keys[key.api_key] = key

    def get(self, api_key: str) -> Key | None:
        """The key, if it is valid."""
        return self._keys.get(api_key)

    def owner_of(self, api_key: str) -> str:
        """Whose it is; "" where nobody's."""
        found = self._keys.get(api_key)
        return "" if found is None else found.owner

    def revoke(self, api_key: str) -> bool:
        """The key is valid no longer; whether it was."""
        return self._keys.pop(api_key, None) is not None
