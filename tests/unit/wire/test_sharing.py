"""What a ledger keeps is read with each symbol as often as it is written there; made one, it is the same holding."""

from collections.abc import Iterator
from decimal import Decimal

import msgspec
import pytest
from desk import a_long

from chimera.trading.holding import Holding
from chimera.wire.codec import seal, unseal
from chimera.wire.sharing import shared

pytestmark = pytest.mark.req("FC-2")


def leaves(part: object) -> Iterator[object]:
    """Of what was read: a default is there once for all."""
    if isinstance(part, msgspec.Struct):
        for field in msgspec.structs.fields(part):
            if (value := getattr(part, field.name)) is not field.default:
                yield from leaves(value)
    elif isinstance(part, dict):
        for key, inner in part.items():
            yield from (*leaves(key), *leaves(inner))
    elif isinstance(part, tuple):
        for inner in part:
            yield from leaves(inner)
    elif type(part) in (Decimal, str):
        yield part


def test_it_is_the_same_to_the_digit_and_holds_nothing_twice() -> None:
    document = seal(a_long().holding)
    read = unseal(document, Holding)
    one = shared(read)

    assert seal(one) == document
    assert one == read
    kept = {id(leaf): (type(leaf), str(leaf)) for leaf in leaves(one)}
    assert len(set(kept.values())) == len(kept)
    assert len({id(leaf) for leaf in leaves(read)}) > 2 * len(kept)


def test_what_is_equal_but_written_otherwise_stays_as_it_is() -> None:
    both = shared((Decimal("1.0"), Decimal("1.00"), 1, True, "1", 1.0))
    assert [str(each) for each in both] == ["1.0", "1.00", "1", "True", "1", "1.0"]
