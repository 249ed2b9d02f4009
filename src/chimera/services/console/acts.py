"""Acting from the page, in two steps: the exact effect first, then exactly that, and a report item by item.

An ``Effect`` is made from the others' answers of that moment. Its ``token`` names what it rests on, so that a
confirmation of an effect that is no longer true is not carried out. Doing is S4's or S3's: here it is asked for once
(each act has an id, and asking twice changes nothing more), and watched until it has come to its end.
"""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

import structlog

from chimera.services.console.others import Others
from chimera.services.console.same import Same
from chimera.services.console.screen import Params
from chimera.services.console.seen import Seen
from chimera.trading.errors import ChimeraError, NotSent, Refused
from chimera.trading.money import Millis

SHOWN_MS: Final = 60_000  # after its end
GIVEN_UP_MS: Final = 600_000  # a refusal or an unknown answer

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Step:
    """One thing that will happen; ``ref`` is the id of what it happens to."""

    text: str
    ref: str = ""


@dataclass(frozen=True)
class Field:
    """Something to be filled in beside the confirmation. ``choices``: value and words; without them free text."""

    name: str
    label: str
    choices: tuple[tuple[str, str], ...] = ()
    value: str = ""
    required: bool = True


@dataclass(frozen=True)
class Effect:
    """What an act would do now. ``word`` is typed to confirm it; empty where a press is enough.

    ``rests_on``: what must still be so when it is confirmed. ``basis``: what the act keeps for itself.
    """

    about: str
    title: str
    lead: str
    steps: tuple[Step, ...]
    button: str
    leave: str = "Leave it"
    note: str = ""
    word: str = ""
    rests_on: tuple[str, ...] = ()
    fields: tuple[Field, ...] = ()
    same: tuple[Same, ...] = ()
    grave: bool = True  # a red button
    basis: Any = None

    @property
    def token(self) -> str:
        named = "|".join((self.about, *self.rests_on))
        return hashlib.sha256(named.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Given:
    """What came with the confirmation: an id for this act, who asks, and what was filled in."""

    deed_id: str
    by: str
    fields: Mapping[str, str] = field(default_factory=dict)


class Answer(StrEnum):
    """What was said to it."""

    TAKEN = "TAKEN"
    REFUSED = "REFUSED"
    UNKNOWN = "UNKNOWN"  # no answer: it may have been taken


@dataclass(frozen=True)
class Item:
    """One line of a report; ``done`` None: it went wrong."""

    text: str
    done: bool | None = False


@dataclass(frozen=True)
class Deed:
    """One act that was asked for here, and how far it has come. ``receipt``: a signed word of S4, as it was given."""

    deed_id: str
    act: "Act"
    effect: Effect
    asked_ms: Millis
    answer: Answer
    words: str
    items: tuple[Item, ...] = ()
    outcome: str = ""
    receipt: Mapping[str, Any] | None = None
    ended_ms: Millis | None = None

    def over(self, now_ms: int) -> bool:
        """Whether it need not be shown any longer."""
        if self.ended_ms is not None:
            return now_ms - self.ended_ms > SHOWN_MS
        return self.answer is not Answer.TAKEN and now_ms - self.asked_ms > GIVEN_UP_MS


@dataclass(frozen=True)
class Desk:
    """Where acts are carried out: the others, and what was seen of them."""

    others: Others
    seen: Seen


def _as_it_is(deed: Deed, _: Seen, now_ms: int) -> Deed:
    """For what is done once it is taken."""
    return deed if deed.answer is not Answer.TAKEN else replace(deed, ended_ms=deed.ended_ms or Millis(now_ms))


@dataclass(frozen=True)
class Act:
    """``asks``: its parameters. ``effect`` None: there is nothing to do. ``do`` answers in words.

    ``follow`` carries a deed on to what was seen last; ``ask`` asks for more of one that has not ended. Both may be
    called as often as one likes.
    """

    name: str
    asks: tuple[str, ...]
    effect: Callable[[Desk, Params], Awaitable[Effect | None]]
    do: Callable[[Desk, Effect, Given], Awaitable[str]]
    follow: Callable[[Deed, Seen, int], Deed] = _as_it_is
    ask: Callable[[Desk, Deed], Awaitable[Deed]] | None = None


async def carry_out(act: Act, desk: Desk, effect: Effect, given: Given) -> Deed:
    """Ask for it; what was said, also when nothing was."""
    try:
        answer, words = Answer.TAKEN, await act.do(desk, effect, given)
    except Refused as no:
        answer, words = Answer.REFUSED, f"{no.code}: {no.message}"
    except NotSent as no:
        answer, words = Answer.REFUSED, f"not sent: {no.reason}"
    except ChimeraError as unknown:
        answer, words = Answer.UNKNOWN, str(unknown)
    now_ms = desk.others.clock.now_ms()
    deed = Deed(given.deed_id, act, effect, now_ms, answer, words)
    log.info("asked", act=act.name, about=effect.about, by=given.by, answer=answer.value, words=words)
    deed = act.follow(deed, desk.seen, now_ms)
    desk.seen.take_deed(given.deed_id, deed)
    return deed
