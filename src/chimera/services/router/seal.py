"""The key that signs S4's receipts: Ed25519, made at the first start, in a file that only its owner may read."""

import base64
import os
import secrets
from contextlib import suppress
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)


class Ed25519Seal:
    """Signs with one private key; ``key_id`` is the public one, by which anybody can check."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.key_id = base64.b64encode(public).decode()

    def sign(self, body: bytes) -> str:
        return base64.b64encode(self._key.sign(body)).decode()


def seal_at(path: Path) -> Ed25519Seal:
    """The key in ``path``, made there when there is none. Raises ``OSError`` or ``ValueError`` for a file of no use.

    Of several routers that start together one makes it, and all sign by it.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        made = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        new = path.with_name(f"{path.name}.{secrets.token_hex(4)}")  # whole or not at all: half a key stops every start
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(made)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(new, path)
        new.unlink()
    key = load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(f"{path} holds a key of another kind; an Ed25519 private key is needed")
    return Ed25519Seal(key)


def seal_of(seed: bytes) -> Ed25519Seal:
    """A key that is a function of 32 bytes: for a world that must repeat itself."""
    return Ed25519Seal(Ed25519PrivateKey.from_private_bytes(seed))
