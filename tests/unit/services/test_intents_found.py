"""An intent is found by either name in whoever holds it now; what is gone, or new, is seen at once."""

from types import SimpleNamespace
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from chimera.adapters.memory.ledger import MemoryLedger
from chimera.services.router.intake import Intake
from chimera.services.router.whereabouts import Whereabouts
from chimera.trading.ids import AccountId, IntentId
from support.desk import KEY, Desk, an_intent
from support.standing import CLOCK, StubOwner


def test_it_is_found_by_both_names_as_holdings_change() -> None:
    first, second = Desk(), Desk()
    second.holding = second.holding.but(key=KEY.but(account=AccountId("other")))
    owners = {desk.holding.key: StubOwner(desk.holding) for desk in (first, second)}
    intake = Intake(cast("Any", owners), MemoryLedger(), CLOCK)
    assert intake.find_working("i1") == (None, None)
    for desk, name in ((first, "i1"), (second, "i2")):
        desk.submit(an_intent(name), wait_ms=1_000)
        owners[desk.holding.key].holding = desk.holding
        for each in (name, f"s3-btc-{name}"):
            assert intake.find_working(each) == (owners[desk.holding.key], IntentId(name))
    owners[second.holding.key].holding = second.holding.but(intents={})
    assert intake.find_working("i2") == (None, None)
    owners[first.holding.key] = heir = StubOwner(first.holding)
    assert intake.find_working("s3-btc-i1") == (heir, IntentId("i1"))


@given(
    st.lists(
        st.dictionaries(st.integers(0, 9), st.integers(0, 3), max_size=8).map(lambda who: tuple(sorted(who.items()))),
        max_size=12,
    )
)
def test_it_answers_as_a_look_into_every_holding_would(moments: list[tuple[tuple[int, int], ...]]) -> None:
    """``moments``: one after another, who of four positions holds which of ten intents; positions come and go."""
    owners: dict[Any, Any] = {}
    found = Whereabouts(owners)
    for moment in moments:
        for position in range(4):
            mine = [number for number, where in moment if where == position]
            if not mine:
                owners.pop(position, None)
                continue
            kept = owners.get(position)
            intents = {f"i{number}": SimpleNamespace(root=f"r{number}") for number in mine}
            if kept is not None and kept.holding.intents.keys() == intents.keys():
                continue  # it is the same object still
            owners[position] = SimpleNamespace(holding=SimpleNamespace(intents=intents))
        held = dict(moment)
        for number in range(10):
            expected = (owners[held[number]], f"i{number}") if number in held else (None, None)
            assert found.of(f"i{number}") == found.of(f"r{number}") == expected
