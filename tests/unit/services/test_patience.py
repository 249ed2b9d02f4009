"""Asking at boot until there is an answer: at what pace."""

import pytest

from chimera.services.router.patience import BOOT_LONGEST_PAUSE_S, BOOT_PAUSE_S, until_answered
from chimera.services.stage.loop import DetLoop
from chimera.trading.errors import ChimeraError, NotSent, OutcomeUnknown, VenueRejected
from chimera.trading.money import Millis


@pytest.mark.req("S4-RETRY-1")
@pytest.mark.parametrize(
    ("error", "pause_s"),
    [
        (OutcomeUnknown("lost"), BOOT_PAUSE_S),
        (NotSent("refused"), BOOT_PAUSE_S),
        (NotSent("held back", Millis(1), held=True), BOOT_PAUSE_S),
        (NotSent("held back", Millis(1_200), held=True), 1.2),
        (NotSent("banned", Millis(259_200_000), held=True), BOOT_LONGEST_PAUSE_S),
    ],
)
def test_it_asks_again_when_it_is_worth_it(error: ChimeraError, pause_s: float) -> None:
    loop = DetLoop(1)
    asked_s: list[float] = []

    async def question() -> str:
        asked_s.append(loop.time())
        if len(asked_s) < 4:
            raise error
        return "answer"

    assert loop.run_until_complete(until_answered(question)) == "answer"
    assert asked_s == pytest.approx([number * pause_s for number in range(4)])


def test_a_refusal_does_not_change_by_asking() -> None:
    async def question() -> str:
        raise VenueRejected(-2015, "no such key")

    with pytest.raises(VenueRejected):
        DetLoop(1).run_until_complete(until_answered(question))
