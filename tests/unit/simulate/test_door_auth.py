"""Who may call: signatures of three kinds, the window of time, keys and what they may do."""

import json
from base64 import b64encode
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from chimera.simulate.door.auth import Claim, Security, authenticate, is_signed, payload, signature
from chimera.simulate.door.face import TRADING
from chimera.simulate.door.keyring import Key, KeyKind, Keyring, Permission
from chimera.simulate.door.messages import WireRequest
from chimera.simulate.door.params import Params
from chimera.simulate.door.refusals import Refusal
from chimera.simulate.spot import endpoints as spot
from chimera.simulate.usdm.endpoints import ENDPOINTS as USDM_ENDPOINTS
from chimera.simulate.venue.account_spec import READY_ACCOUNT, AccountSpec
from chimera.simulate.wallet.endpoints import ENDPOINTS as WALLET

NOW = 1_763_635_200_000
SPOT_SECRET = b"NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
FUTURES_SECRET = b"2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9"
LIMIT = "&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559"
FULL_WIDTH = "%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96"
FUTURES = (
    "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC&recvWindow=5000&timestamp=1591702613943"
)
VECTORS = [
    (SPOT_SECRET, "symbol=LTCBTC" + LIMIT, "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"),
    (SPOT_SECRET, f"symbol={FULL_WIDTH}{LIMIT}", "e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3"),
    (FUTURES_SECRET, FUTURES, "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9"),
]
ED25519 = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)


# A public key of 1024 bits; nobody keeps its private half.
SHORT_RSA = """-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCcpQ3LLwn/YaF5Mktw/SOKxIN7
0a3UpK8+N2d8P7KpCffXqhK6D3Bxfq3fwfWDC/jJkK3G2h40IkRlb23x3qpq5RxZ
7bwf3JdKgP3k2uLS9rDy/6bjlpOQ5uaAxUylOUK46Z1S66/lZj2KpIPVoelwTiMB
HuqvJU6SfuLbfRhfSQIDAQAB
-----END PUBLIC KEY-----
"""


def pem(private) -> str:
    return private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def signed_by_ed25519(text: str) -> str:
    return b64encode(ED25519.sign(text.encode())).decode()


def signed_by_rsa(text: str) -> str:
    return b64encode(RSA.sign(text.encode(), padding.PKCS1v15(), SHA256())).decode()


@pytest.mark.parametrize(("secret", "text", "expected"), VECTORS)
def test_binance_s_own_examples(secret, text, expected):
    assert signature(secret, text) == expected
    key = Key(api_key="k" * 8, owner="a", kind=KeyKind.HMAC, secret=secret)
    assert is_signed(key, text, expected.upper())
    assert not is_signed(key, text + "0", expected)


@pytest.mark.parametrize(("secret", "text", "expected"), VECTORS)
def test_query_and_body_are_joined_without_a_sign(secret, text, expected):
    half = text.index("&timeInForce")
    request = WireRequest(
        method="POST", path="/", query=text[:half], body=f"{text[half:]}&signature={expected}".lstrip()
    )
    assert signature(secret, payload(request)) == expected


class TestKinds:
    @pytest.fixture(params=[(ED25519, signed_by_ed25519, KeyKind.ED25519), (RSA, signed_by_rsa, KeyKind.RSA)])
    def asymmetric(self, request, new_desk):
        private, sign, kind = request.param
        spec = AccountSpec(name="asym", api_key="asymmetric-key", public_key=pem(private))
        assert spec.key().kind is kind
        return new_desk(account=spec), sign

    def test_a_signed_call(self, asymmetric):
        desk, sign = asymmetric
        query = urlencode({"timestamp": desk.now})
        for given, status in ((quote(sign(query), safe=""), 200), (quote(sign(query + "1"), safe=""), 400)):
            assert desk.raw("GET", "/fapi/v3/balance", f"{query}&signature={given}")[0] == status

    def test_base64_is_to_be_percent_encoded_and_its_case_counts(self, asymmetric):
        desk, sign = asymmetric
        for tick in range(40):
            query = urlencode({"timestamp": desk.now - tick})
            if "+" in sign(query):
                break
        for given in (sign(query), quote(sign(query).swapcase(), safe=""), "%C3%A4", "AAAA"):
            assert desk.raw("GET", "/fapi/v3/balance", f"{query}&signature={given}")[1]["code"] == -1022

    @pytest.mark.parametrize(
        "public",
        ["no key", pem(ec.generate_private_key(ec.SECP256R1())), SHORT_RSA],
    )
    def test_a_public_key_of_no_use_is_refused_at_once(self, public, desk):
        spec = AccountSpec(name="b", api_key="another-key", public_key=public)
        with pytest.raises(Refusal, match="PEM text of an Ed25519"):
            desk.twin.admit(spec)

    @pytest.mark.parametrize("given", [{}, {"secret": "s", "public_key": "p"}])
    def test_one_way_of_signing_is_given(self, given):
        with pytest.raises(Refusal, match="either a secret or a public_key"):
            AccountSpec(name="b", api_key="another-key", **given).key()


def allowed(query: str, *, permission=Permission.READ, fine: bool = False, key: Key | None = None) -> Key | None:
    ring = Keyring()
    ring.add(key if key is not None else READY_ACCOUNT.key())
    signed = f"{query}&signature={signature(b'chimera-sim-secret', query)}"
    params = Params(WireRequest(method="GET", path="/", query=signed))
    claim = Claim(api_key="chimera-sim-key", payload=query)
    return authenticate(claim, params, Security.SIGNED, permission, ring, NOW, fine=fine)


def code(query: str, **more) -> tuple[int, str]:
    with pytest.raises(Refusal) as caught:
        allowed(query, **more)
    return caught.value.code, caught.value.msg


class TestTime:
    @pytest.mark.parametrize("query", [f"timestamp={NOW - 5_000}", f"timestamp={NOW + 999}"])
    def test_the_edges_of_the_window(self, query):
        assert allowed(query) is not None

    @pytest.mark.parametrize(
        ("query", "says"),
        [
            (f"timestamp={NOW - 5_001}", "Timestamp for this request is outside of the recvWindow."),
            (f"timestamp={NOW - 11}&recvWindow=10", "Timestamp for this request is outside of the recvWindow."),
            (f"timestamp={NOW + 1_000}", "Timestamp for this request was 1000ms ahead of the server's time."),
        ],
    )
    def test_both_texts(self, query, says):
        assert code(query) == (-1021, says)

    def test_the_widest_window(self):
        assert allowed(f"timestamp={NOW - 60_000}&recvWindow=60000") is not None
        assert code(f"timestamp={NOW}&recvWindow=60001")[0] == -1130
        assert code(f"timestamp={NOW}&recvWindow=60001", fine=True)[0] == -1131

    def test_only_spot_reads_microseconds_and_decimals(self):
        micros = (NOW - 5) * 1_000
        assert allowed(f"timestamp={micros}&recvWindow=5.000", fine=True) is not None
        assert code(f"timestamp={micros - 1}&recvWindow=5.000", fine=True)[0] == -1021
        assert code(f"timestamp={NOW}&recvWindow=5.0001", fine=True)[0] == -1102
        assert code(f"timestamp={NOW}&recvWindow=5.5")[0] == -1100
        assert code(f"timestamp={micros}")[0] == -1021


TABLES = [(USDM_ENDPOINTS, Permission.FUTURES), (spot.ENDPOINTS, Permission.SPOT), (WALLET, Permission.TRANSFER)]


class TestPermissions:
    @pytest.mark.parametrize(("table", "trades"), TABLES)
    def test_what_changes_something_needs_more_than_reading(self, table, trades):
        signed = {name: found for name, found in table.items() if found.security is Security.SIGNED}
        assert signed
        for (method, path), found in signed.items():
            wanted = {Permission.READ} if method == "GET" else {trades}
            assert {found.permission} <= wanted | {Permission.TRANSFER}, (method, path)

    @pytest.mark.parametrize("permission", [*sorted(TRADING), Permission.READ])
    def test_what_a_key_may_not_do(self, permission):
        key = READY_ACCOUNT.but(permissions=frozenset(Permission) - {permission}).key()
        assert code(f"timestamp={NOW}", permission=permission, key=key)[0] == -2015

    def test_a_transfer_has_a_word_of_its_own(self):
        key = READY_ACCOUNT.but(permissions=frozenset({Permission.READ})).key()
        assert code(f"timestamp={NOW}", permission=Permission.TRANSFER, key=key)[0] == -1002

    def test_a_key_that_may_only_read(self, new_desk):
        reader = READY_ACCOUNT.but(permissions=frozenset({Permission.READ}))
        desk = new_desk(account=reader)
        desk.ok("GET", "v3/balance")
        for method, path, params in (
            ("POST", "v1/order", desk.market_terms("BUY", "0.001")),
            ("POST", "v1/algoOrder", desk.stop_terms("SELL", "60000", quantity="0.001")),
            ("DELETE", "v1/allOpenOrders", {"symbol": "BTCUSDT"}),
            ("POST", "v1/leverage", {"symbol": "BTCUSDT", "leverage": 3}),
        ):
            status, body = desk.call(method, path, **params)
            assert (status, body["code"]) == (401, -2015), path

    def test_a_revoked_key_is_nobody_s(self, desk):
        desk.ok("GET", "v3/balance")
        assert desk.twin.keyring.revoke(desk.account.api_key)
        assert not desk.twin.keyring.revoke(desk.account.api_key)
        assert desk.call("GET", "v3/balance")[1]["code"] == -2015


def test_two_owners_do_not_share_a_key(desk):
    with pytest.raises(Refusal):
        desk.twin.admit(AccountSpec(name="other", api_key=desk.account.api_key, secret="s"))
    assert list(desk.twin.usdm.floor.accounts) == ["main"]


def test_the_matching_engine_judges_the_time_again(desk):
    """A request that was in time at the gate and is not any more behind it (-5028), and one that has time left."""
    terms = desk.market_terms("BUY", "0.001") | {"recvWindow": 1_000, "timestamp": desk.now - 900}
    query = urlencode(terms)
    query += "&signature=" + signature(desk.account.secret.encode(), query)
    request = WireRequest(
        method="POST", path="/fapi/v1/order", query=query, headers={"X-MBX-APIKEY": desk.account.api_key}
    )
    late = desk.twin.doors.futures.answer(request, desk.now, late_ms=101)
    assert (late.status, late.json()["code"]) == (400, -5028)
    assert desk.ok("GET", "v3/positionRisk") == []
    assert desk.twin.doors.futures.answer(request, desk.now, late_ms=100).status == 200


def control(desk, method: str, path: str, body: object = "") -> tuple[int, Any]:
    text = json.dumps(body) if body else ""
    where, _, query = path.partition("?")
    answer = desk.twin.handle(WireRequest(method=method, path=where, query=query, body=text), desk.now)
    return answer.status, answer.json()


def test_keys_are_given_and_taken_by_the_control_api(desk):
    reader = {"name": "main", "api_key": "reader-key", "public_key": pem(ED25519), "permissions": ["read"]}
    before = desk.twin.changes
    assert control(desk, "POST", "/sim/keys", reader) == (200, {"name": "main", "api_key": "reader-key"})
    assert desk.twin.changes != before, "it is worth keeping"
    query = urlencode({"timestamp": desk.now})
    query += "&signature=" + quote(signed_by_ed25519(query), safe="")
    assert desk.raw("GET", "/fapi/v3/balance", query, key="reader-key")[0] == 200
    assert control(desk, "POST", "/sim/keys", reader)[0] == 400, "it is there already"
    assert control(desk, "POST", "/sim/keys", reader | {"name": "nobody", "api_key": "other-key"})[0] == 400

    assert control(desk, "DELETE", "/sim/keys?api_key=reader-key")[0] == 200
    assert control(desk, "DELETE", "/sim/keys?api_key=reader-key")[0] == 400
    assert desk.raw("GET", "/fapi/v3/balance", query, key="reader-key")[1]["code"] == -2015
    desk.ok("GET", "v3/balance")
