"""A refusal's field is the one that the caller wrote."""

import pytest

from chimera.trading.errors import Refused
from chimera.wire.naming import by_caller, called

PRICE, VALUE = {"tp": {"price": 1}}, {"tp": {"target": "price", "value": 1}}


@pytest.mark.req("S4-VAL-1")
@pytest.mark.parametrize(
    ("field", "document", "name"),
    [
        ("tp.value", PRICE, "tp.price"),
        ("tp.value", VALUE, "tp.value"),
        ("tp.value", {"intent": PRICE}, "intent.tp.price"),
        ("sl.price", {"intent": {"sl": {"price": 1}}}, "intent.sl.price"),
        ("qty", {"size": 1}, "size"),
        ("qty", {"qty": 1}, "qty"),
        ("qty", {"qty": 1, "size": 1}, "qty"),
        ("S4_SYMBOLS", {"intent": PRICE}, "S4_SYMBOLS"),
        ("tp.value", {"tp": 1}, "tp.value"),
    ],
)
def test_the_field_is_the_callers(field: str, document: dict[str, object], name: str) -> None:
    assert called(field, document) == name
    with pytest.raises(Refused) as no, by_caller(document):
        raise Refused("WRONG_SIDE_TARGET", "off", field=field)
    assert no.value.field == name


def test_a_refusal_of_no_field_stays_so() -> None:
    with pytest.raises(Refused) as no, by_caller(PRICE):
        raise Refused("NO_MARKET_DATA", "none")
    assert no.value.field is None
