"""A body that does not fit: which field, what it held, and what it may hold."""

from collections.abc import Mapping

import pytest

from chimera.trading.errors import Refused
from chimera.wire.bundles import ActivateBody
from chimera.wire.decisions import BatchRequest
from chimera.wire.failures import error_body
from chimera.wire.shape import B, fit

WHO = {"bundle_id": "a", "why": "y"}


@pytest.mark.parametrize(
    ("model", "document", "message", "value", "accepted"),
    [
        (ActivateBody, WHO, "who is missing", None, "who does it; it stands in the history"),
        (ActivateBody, WHO | {"who": ""}, "who: must have at least 1 character", "", "at least 1 character"),
        (ActivateBody, WHO | {"who": ["ann", "bob"]}, "who: must be a string", "a list of 2", "a string"),
        (ActivateBody, WHO | {"who": {"a": 1}}, "who: must be a string", "a JSON object", "a string"),
        (BatchRequest, {"symbols": []}, "symbols: must have at least 1 item", "a list of 0", "at least 1 item"),
        (BatchRequest, {"symbols": "BTCUSDT"}, "symbols: must be a list", "BTCUSDT", "a list"),
    ],
)
def test_a_misfit_is_told_in_our_words(
    model: type[B], document: Mapping[str, object], message: str, value: object, accepted: str
) -> None:
    with pytest.raises(Refused) as refused:
        fit(document, model)

    told = error_body(refused.value)
    assert (told["message"], told["value"], told["accepted"]) == (message, value, accepted)
