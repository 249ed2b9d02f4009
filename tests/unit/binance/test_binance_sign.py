"""Signing against the vectors of Binance's own documents."""

import base64
from urllib.parse import unquote

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from chimera.adapters.binance.sign import HmacSigner, encoded, signed, signer_for
from chimera.trading.errors import Refused

SPOT_SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
FUTURES_SECRET = "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9"
SPOT = {
    "symbol": "LTCBTC",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "1",
    "price": "0.1",
    "recvWindow": "5000",
    "timestamp": "1499827319559",
}
FUTURES = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "quantity": "1",
    "price": "9000",
    "timeInForce": "GTC",
    "recvWindow": "5000",
    "timestamp": "1591702613943",
}
WIDE = SPOT | {"symbol": "１２３４５６"}  # noqa: RUF001  # the documented non-ASCII symbol


@pytest.mark.parametrize(
    ("secret", "params", "signature"),
    [
        (SPOT_SECRET, SPOT, "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"),
        (SPOT_SECRET, WIDE, "e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3"),
        (FUTURES_SECRET, FUTURES, "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9"),
    ],
)
def test_the_documented_vectors(secret: str, params: dict[str, str], signature: str) -> None:
    query = signed(params, signer_for(secret))

    assert query == f"{encoded(params)}&signature={signature}"


def test_values_are_encoded_before_they_are_signed() -> None:
    assert encoded({"a": "x y/é~"}) == "a=x%20y%2F%C3%A9~"


def test_ed25519_signs_the_same_bytes_in_base64() -> None:
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    query = signed(FUTURES, signer_for(pem))

    payload, _, signature = query.rpartition("&signature=")
    assert "+" not in signature
    assert "/" not in signature
    key.public_key().verify(base64.b64decode(unquote(signature)), payload.encode())


def test_a_broken_pem_is_refused_without_showing_it() -> None:
    with pytest.raises(Refused) as refused:
        signer_for("-----BEGIN PRIVATE KEY-----\nsecretsecret\n-----END PRIVATE KEY-----")

    assert "secretsecret" not in str(refused.value)
    assert "hush" not in repr(HmacSigner("hush"))
