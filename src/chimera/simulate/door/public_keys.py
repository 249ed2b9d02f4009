"""Public keys of the asymmetric kinds: which one a PEM text holds, and whether a signature is of its private half.

Pure computation. Sources: Binance api_key_types (Ed25519; RSA of 2048 to 4096 bits with PKCS#1 v1.5 and SHA-256).
"""

from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from chimera.simulate.door.keyring import KeyKind
from chimera.simulate.door.refusals import Refusal

_LEAST_BITS: Final = 2048
_MOST_BITS: Final = 4096
_REFUSAL: Final = (
    f"A public_key is a PEM text of an Ed25519 key, or of an RSA key of {_LEAST_BITS} to {_MOST_BITS} bits."
)


def kind_of(pem: str) -> KeyKind:
    """Which kind this is; -1130 for a text that is none, or for another kind."""
    return KeyKind.ED25519 if isinstance(_loaded(pem.encode()), Ed25519PublicKey) else KeyKind.RSA


def signed_by(pem: bytes, payload: bytes, signature: bytes) -> bool:
    """Whether ``signature`` over ``payload`` was made with the private half."""
    key = _loaded(pem)
    try:
        if isinstance(key, Ed25519PublicKey):
            key.verify(signature, payload)
        else:
            key.verify(signature, payload, PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True


@lru_cache(maxsize=256)
def _loaded(pem: bytes) -> Ed25519PublicKey | RSAPublicKey:
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Refusal(-1130, text=_REFUSAL) from error
    if isinstance(key, Ed25519PublicKey):
        return key
    if isinstance(key, RSAPublicKey) and _LEAST_BITS <= key.key_size <= _MOST_BITS:
        return key
    raise Refusal(-1130, text=_REFUSAL)
