"""A signed request proves who sent it, once, within half a minute; each way it can be wrong has a code of its own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chimera.trading.errors import Refused
from chimera.trading.money import Millis
from chimera.wire.signed import WINDOW_MS, Nonces, Signature, read_signature, sign, signing_key, verify

NOW = Millis(1_800_000_000_000)
KEY = signing_key("chm_one")
ASKED = ("POST", "/orders?x=1", b'{"qty":"1"}')
NONCE = "0" * 31 + "1"


def signed(now_ms: int = NOW, nonce: str = NONCE, key: bytes = KEY) -> Signature:
    return sign(key, "s3", *ASKED, now_ms=Millis(now_ms), nonce=nonce)


def code(
    signature: Signature,
    *,
    asked: tuple[str, str, bytes] = ASKED,
    now_ms: int = NOW,
    nonces: Nonces | None = None,
    key: bytes = KEY,
) -> str:
    try:
        verify(signature, key, *asked, nonces=nonces or Nonces(Millis(0)), now_ms=Millis(now_ms))
    except Refused as refused:
        return refused.code
    return "OK"


def test_it_reads_what_it_wrote_and_is_good_once() -> None:
    nonces = Nonces(Millis(0))
    signature = read_signature(signed().header())

    assert signature == signed()
    assert code(signature, nonces=nonces) == "OK"
    assert code(signature, nonces=nonces) == "SIGNATURE_REPLAYED"
    assert code(signed(nonce="f" * 32), nonces=nonces) == "OK"


@pytest.mark.parametrize(
    "asked",
    [
        ("PUT", *ASKED[1:]),
        ("POST", "/orders", ASKED[2]),
        ("POST", "/orders?x=2", ASKED[2]),
        ("POST", "/kill?x=1", ASKED[2]),
        (*ASKED[:2], b'{"qty":"2"}'),
        (*ASKED[:2], b""),
    ],
)
def test_a_request_that_was_changed_is_not_the_one_that_was_signed(asked: tuple[str, str, bytes]) -> None:
    assert code(signed(), asked=asked) == "SIGNATURE_WRONG"


@given(st.integers(0, 8 * 32 - 1))
def test_no_bit_of_the_signature_may_be_another(bit: int) -> None:
    whole = signed()
    forged = f"{int(whole.sig, 16) ^ (1 << bit):064x}"

    assert code(whole.but(sig=forged)) == "SIGNATURE_WRONG"


def test_another_key_name_moment_or_nonce_is_a_forgery_and_uses_no_nonce_up() -> None:
    nonces, whole = Nonces(Millis(0)), signed()
    for forged in (
        signed(key=signing_key("chm_two")),
        whole.but(name="s4"),
        whole.but(ts=Millis(NOW + 1)),
        whole.but(nonce="f" * 32),
    ):
        assert code(forged, nonces=nonces) == "SIGNATURE_WRONG"

    assert code(whole, nonces=nonces) == "OK"


@pytest.mark.parametrize(
    ("ts", "wanted"),
    [
        (NOW - WINDOW_MS, "OK"),
        (NOW - WINDOW_MS - 1, "SIGNATURE_EXPIRED"),
        (NOW + WINDOW_MS, "OK"),
        (NOW + WINDOW_MS + 1, "SIGNATURE_EARLY"),
        (0, "SIGNATURE_EXPIRED"),
    ],
)
def test_the_window_is_bounded_both_ways(ts: int, wanted: str) -> None:
    assert code(signed(ts)) == wanted


def test_what_was_signed_before_this_process_began_is_refused() -> None:
    """Its nonce may have been used: nobody remembers."""
    assert code(signed(NOW - 1), nonces=Nonces(NOW)) == "SIGNATURE_EXPIRED"
    assert code(signed(NOW), nonces=Nonces(NOW)) == "OK"


@given(st.lists(st.tuples(st.integers(0, 40_000), st.integers(-WINDOW_MS, WINDOW_MS)), min_size=2, max_size=20))
def test_nothing_is_taken_twice_however_late_it_comes_again(steps: list[tuple[int, int]]) -> None:
    """By any two clocks: whatever was taken is refused for ever."""
    nonces, now, taken = Nonces(Millis(0)), int(NOW), []
    for number, (passing, skew) in enumerate(steps):
        now += passing
        signature = signed(now + skew, nonce=f"{number:032x}")
        assert code(signature, nonces=nonces, now_ms=now) == "OK"
        taken.append(signature)
        assert "OK" not in {code(each, nonces=nonces, now_ms=now) for each in taken}


def test_nonces_are_bounded_by_refusing_and_not_by_forgetting() -> None:
    nonces = Nonces(Millis(0), most=2)
    assert [code(signed(nonce=f"{n:032x}"), nonces=nonces) for n in range(3)] == ["OK", "OK", "TOO_MANY_REQUESTS"]

    protecting = signed(nonce="b" * 32)
    nonces.take(protecting, NOW, protects=True)
    with pytest.raises(Refused):
        nonces.take(protecting, NOW)

    later = NOW + 2 * WINDOW_MS + 1
    assert code(signed(later, nonce="a" * 32), nonces=nonces, now_ms=later) == "OK"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Chimera-HMAC",
        signed().header() + ",x=1",
        signed().header().replace("ts=1", "ts=-1"),
        signed().header().replace("ts=1", "ts=\u0661"),
        signed().header().upper(),
        signed().header().replace("nonce=0", "nonce=g"),
        signed().header() + "\n",
    ],
)
def test_what_is_not_in_its_form_is_told_so(header: str) -> None:
    with pytest.raises(Refused) as told:
        read_signature(header)

    assert told.value.code == "SIGNATURE_MALFORMED"


def test_the_signing_key_is_not_the_token_and_not_its_digest() -> None:
    assert KEY not in (b"chm_one", signing_key("chm_onf"))
    assert len(KEY) == 32
