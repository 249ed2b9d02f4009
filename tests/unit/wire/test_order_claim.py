"""The record of an order's id: one form, whoever writes it, and read by nobody as more than it says."""

import pytest

from chimera.wire.codec import encode
from chimera.wire.order_claim import Claim, claim, shows_taken


@pytest.mark.req("S3-IDEM-1")
@pytest.mark.parametrize(("state", "taken"), [(Claim.RESERVED, False), (Claim.IN_PROGRESS, True), (Claim.DONE, True)])
def test_an_order_is_taken_once_s4_has_moved_its_record_on(state: Claim, taken: bool) -> None:
    record = claim(state, "h", intent_id="i1")
    assert (record["state"], record["intent_id"]) == (state.value, "i1")
    assert shows_taken(encode(record), "h") is taken
    assert not shows_taken(encode(record), "of another body")


@pytest.mark.req("S3-IDEM-1")
@pytest.mark.parametrize("document", [None, b"", b"{}", b"[]", b"no json", b"7", b'{"state":"DONE"}', b"\xff"])
def test_what_is_no_record_says_nothing(document: bytes | None) -> None:
    assert not shows_taken(document, "h")
