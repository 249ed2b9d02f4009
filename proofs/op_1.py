"""OP-1: a night rehearsed. What the alerts told, and what S4 said of itself, is held against what happened.

Nothing untold: each scheduled trouble is told by the codes it must be told by. Nothing false: whatever is worse than
INFO stands inside a trouble that may tell it. Each with its beginning and its end: what lasts names since when, is told
once until its end, and ends after the trouble did. The story in order. And two ways of looking agree: at every look
what S4 says keeps entries back is exactly what the alerts say stands.
"""

import secrets
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple

from proofs.measured import Measured
from proofs.night import CLOCKS_S, HOURS, LOOK_S, Look, Night, Told, Trouble, play

BAR: Final = (
    "a night of 8 h on a fixed and a fresh seed, seven troubles: each told with its beginning and its end, nothing"
    " untold, nothing false, S4's own word the same at every look, no invariant broken"
)
FIXED: Final = 20_261_122
EDGE_S: Final = 1.0  # an alert and a look this near to each other may be either way round
ROUTINE: Final = frozenset({"MAKER_TIMEOUT", "MAKER_FILL_RATIO_LOW"})  # of how orders are worked, on the best of nights
NOTICES: Final = frozenset({"ORDERS_FAILING", "MAKER_FILL_RATIO_LOW"})  # they last and keep nothing back
ENDS: Final = {"BREAKER_OPEN": ("BREAKER_HALF_OPEN", "BREAKER_CLOSED"), "KILLED": ("ARMED",)}
OVER: Final = {"BREAKER_OPEN": ("BREAKER_CLOSED",)}  # what says that the trouble is over; half open it only asks
SHOWN_AS: Final = {"KILLED": "KILL_SWITCH"}


class Stretch(NamedTuple):
    """What lasted, as the alerts told it; ``over_s`` None: they never told its end."""

    code: str
    since_s: float
    over_s: float | None


def prove(hours: float = HOURS, seeds: Sequence[int] = ()) -> Measured:
    """``seeds``: the fixed one and a fresh one, unless others are named."""
    nights = {seed: play(seed, hours) for seed in seeds or (FIXED, secrets.randbits(32))}
    wrong = {str(seed): faults(night) for seed, night in nights.items()}
    first = next(iter(nights.values()))
    measured = {
        "nights": len(nights), "hours": sum(night.hours for night in nights.values()),
        "intents": sum(night.intents for night in nights.values()),
        "fills": sum(night.fills for night in nights.values()),
        "alerts": sum(len(night.told) for night in nights.values()),
        "looks": sum(len(night.looks) for night in nights.values()),
        "story": story(first), "wrong": {seed: found[:20] for seed, found in wrong.items() if found},
    }  # fmt: skip
    return Measured(measured, BAR, passed=not any(wrong.values()), seed=list(nights)[-1])


def faults(night: Night) -> list[str]:
    """Everything in which what was told is not what happened."""
    stretches = list(stretched(night.told))
    return [
        *(f"{each.invariant} at {each.at_us / 1e6:.1f} s: {each.text}" for each in night.violations),
        *(line for trouble in night.troubles for line in _untold(trouble, night.told, stretches)),
        *_false(night),
        *_disordered(night.told),
        *(f"{each.code} since {each.since_s:.1f} s has no end" for each in stretches if _endless(each)),
        *(line for look in night.looks for line in _disagreed(look, stretches, night.troubles)),
    ]


def _endless(each: Stretch) -> bool:
    """Its end was never told. How the last makers did may stand when the night is over: nobody makes any more."""
    return each.over_s is None and each.code not in ROUTINE


def stretched(told: Sequence[Told]) -> Iterator[Stretch]:
    """What lasted, each with the first of its ends after it. A second beginning takes none of the first's."""
    for number, each in enumerate(told):
        if not each.lasts:
            continue
        ends = ENDS.get(each.code, (f"{each.code}_OVER",))
        over_s = None
        for later in told[number + 1 :]:
            if later.code == each.code and later.lasts:
                break
            if later.code in ends:
                over_s = later.at_s
                break
        yield Stretch(each.code, each.since_s, over_s)


def story(night: Night) -> list[str]:
    """What the alerts told of each trouble, a line each."""
    lines = []
    for trouble in night.troubles:
        told = [each for each in night.told if trouble.covers(each.at_s) and each.code not in ROUTINE]
        words = ", ".join(f"{each.code} {_clock(each.at_s)}" for each in told)
        lines.append(f"{_clock(trouble.at_s)} to {_clock(trouble.at_s + trouble.for_s)} {trouble.name}: {words}")
    return lines


def _over_s(stretch: Stretch, told: Sequence[Told]) -> float:
    """When it was told that what had caused it is over; 0.0: never."""
    words = OVER.get(stretch.code)
    if words is None:
        return stretch.over_s or 0.0
    return next((each.at_s for each in told if each.at_s > stretch.since_s and each.code in words), 0.0)


def _untold(trouble: Trouble, told: Sequence[Told], stretches: Sequence[Stretch]) -> Iterator[str]:
    ended_s = trouble.at_s + trouble.for_s
    for code in trouble.tells:
        lasting = [each for each in stretches if each.code == code and trouble.covers(each.since_s)]
        if not any(each.code == code and trouble.covers(each.at_s) for each in told):
            yield f"{trouble.name}: nobody told {code}"
        elif lasting and _over_s(lasting[-1], told) < ended_s - EDGE_S:
            yield f"{trouble.name}: {code} was told to be over before it was"


def _false(night: Night) -> Iterator[str]:
    for each in night.told:
        if each.severity == "INFO" or each.code in ROUTINE:
            continue
        here = [trouble for trouble in night.troubles if trouble.covers(each.at_s)]
        if not any(each.code in (*trouble.tells, *trouble.may) for trouble in here):
            names = ", ".join(trouble.name for trouble in here) or "nothing"
            yield f"{each.code} at {each.at_s:.1f} s is false ({names} happened): {each.text[:120]}"
        elif not any(trouble.at_s - CLOCKS_S <= each.since_s <= each.at_s + CLOCKS_S for trouble in here):
            yield f"{each.code} at {each.at_s:.1f} s says since {each.since_s:.1f} s"


def _disordered(told: Sequence[Told]) -> Iterator[str]:
    for before, after in pairwise(told):
        if after.at_s < before.at_s - CLOCKS_S:
            yield f"{after.code} of {after.at_s:.1f} s was told after {before.code} of {before.at_s:.1f} s"


def _disagreed(look: Look, stretches: Sequence[Stretch], troubles: Sequence[Trouble]) -> Iterator[str]:
    """S4's word at this moment against what the alerts say stands then."""
    if look.levels is None:
        if not any(trouble.silent and trouble.covers(look.at_s) for trouble in troubles):
            yield f"S4 did not answer at {look.at_s:.1f} s"
        return
    kept = [each for each in stretches if each.code not in NOTICES]
    shown = dict(look.levels)
    for each in kept:
        name, over_s = SHOWN_AS.get(each.code, each.code), each.over_s or float("inf")
        if each.since_s + EDGE_S < look.at_s < over_s - EDGE_S and name not in shown:
            yield f"{name} stands at {look.at_s:.1f} s by the alerts, and S4 does not say so"
    for name, since_s in shown.items():
        standing = [
            each for each in kept
            if SHOWN_AS.get(each.code, each.code) == name
            and each.since_s - EDGE_S <= look.at_s <= (each.over_s or float("inf")) + EDGE_S
        ]  # fmt: skip
        if not standing:
            yield f"S4 says {name} at {look.at_s:.1f} s, and no alert told it"
        elif since_s is not None and all(abs(each.since_s - since_s) > EDGE_S for each in standing):
            yield f"S4 says {name} since {since_s:.1f} s, the alerts since {standing[-1].since_s:.1f} s"


def _clock(at_s: float) -> str:
    return f"{int(at_s // 3600):02}:{int(at_s // 60 % 60):02}:{int(at_s % 60):02}"


def moments(night: Night) -> dict[str, dict[str, Any]]:
    """What S4 answered in the middle of each trouble, by its name: for pages of the night."""
    return {
        trouble.name: dict(look.answers)
        for trouble in night.troubles
        for look in night.looks
        if look.answers and 0 <= look.at_s - trouble.at_s - trouble.for_s / 2 < LOOK_S
    }
