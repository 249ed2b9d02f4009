"""Domain values: immutable, keyword-only, equal by content, told apart by their tag."""

import importlib
import inspect
import pkgutil
import typing
from decimal import Decimal

import msgspec
import pytest

from chimera import admit, decide, execute, protect, reconcile, route, simulate, tape, trading, wire
from chimera.services.strategy import facts as board
from chimera.trading import facts
from chimera.trading.holding import Holding
from chimera.trading.market import Touch
from chimera.trading.money import Millis, Price, Qty
from chimera.trading.value import Value
from chimera.wire.codec import decode, encode
from support.desk import BTC, KEY, an_intent


def a_touch() -> Touch:
    return Touch(
        bid=Price(Decimal(1)),
        bid_qty=Qty(Decimal(2)),
        ask=Price(Decimal(3)),
        ask_qty=Qty(Decimal(4)),
        at_ms=Millis(5),
    )


@pytest.mark.parametrize("value", [a_touch(), BTC, KEY, an_intent(), Holding(key=KEY)])
def test_no_field_can_be_set(value: msgspec.Struct) -> None:
    for name in value.__struct_fields__:
        with pytest.raises(AttributeError):
            setattr(value, name, None)


def test_fields_are_never_given_by_position() -> None:
    with pytest.raises(TypeError):
        Touch(Decimal(1), Decimal(2), Decimal(3), Decimal(4), 5)  # type: ignore[misc]  # that is the point


def test_but_changes_a_copy() -> None:
    touch = a_touch()
    changed = touch.but(bid=Price(Decimal("1.5")))

    assert (touch.bid, changed.bid, changed.ask) == (1, Decimal("1.5"), 3)
    assert touch == a_touch() != changed
    assert hash(touch) == hash(a_touch())


def test_mutable_defaults_are_not_shared() -> None:
    one, two = Holding(key=KEY), Holding(key=KEY)

    assert one.orders is not two.orders


def test_every_fact_has_a_tag_of_its_own() -> None:
    kinds = typing.get_args(facts.Fact)
    tags = {kind.__struct_config__.tag for kind in kinds}

    assert tags == {kind.__name__ for kind in kinds}
    defined = {kind for _, kind in inspect.getmembers(facts, inspect.isclass) if kind.__module__ == facts.__name__}
    assert defined == set(kinds)


def test_a_union_reads_back_as_the_fact_it_was() -> None:
    for fact in (facts.Ticked(), facts.Gapped(), facts.CloseAsked(reason="by hand", qty=Qty(Decimal("0.01")))):
        assert decode(encode(fact), facts.Fact) == fact  # type: ignore[arg-type]  # a union is a type to msgspec


LAYERS = (admit, decide, execute, protect, reconcile, route, simulate, tape, trading, wire)


def every_value() -> typing.Iterator[type[msgspec.Struct]]:
    """Each class that is a value in the layers that are made of them, and in whatever else is imported."""
    for layer in LAYERS:
        for module in pkgutil.walk_packages(layer.__path__, f"{layer.__name__}."):
            importlib.import_module(module.name)
    left = list(msgspec.Struct.__subclasses__())
    while left:
        kind = left.pop()
        left += kind.__subclasses__()
        if issubclass(kind, Value) and kind.__module__ != Value.__module__:
            yield kind


def test_every_value_is_frozen_and_keyword_only_and_made_by_the_fast_call() -> None:
    """Also one below another; by the flag of its metaclass that CPython asks for (``Py_TPFLAGS_HAVE_VECTORCALL``)."""
    kinds = list(every_value())
    assert len(kinds) > 200
    assert board._NamedTick in kinds
    for kind in kinds:
        assert kind.__struct_config__.frozen, kind
        given = inspect.signature(kind).parameters.values()
        assert all(each.kind is inspect.Parameter.KEYWORD_ONLY for each in given), kind
        assert type(kind).__flags__ & 1 << 11, kind


def test_whatever_is_a_value_is_known_as_one() -> None:
    assert isinstance(a_touch(), Value)
    assert issubclass(Touch, Value)
    assert not isinstance(1, Value)
