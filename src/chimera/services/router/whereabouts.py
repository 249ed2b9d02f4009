"""Which owner holds which intent, by intent id and by client id, without a look into every open intent.

Kept by comparison: before each answer the owners' intents are compared with those of the last time by identity. That
costs one look at each owner however much it holds; only what is another is read, and nothing need be told of a change.
"""

from collections.abc import Mapping
from itertools import zip_longest
from operator import is_
from typing import Final, NamedTuple

from chimera.services.router.owner import Owner
from chimera.trading.execution import Working
from chimera.trading.ids import IntentId, PositionKey

Intents = dict[IntentId, Working]

NOBODY: Final[Intents] = {}


class Place(NamedTuple):
    """Of an intent: which owner has it, by its number among them, and under which id."""

    number: int
    intent_id: IntentId


class Whereabouts:
    """Of the intents of one router. An intent never changes its names, and no two share one (``Intake.claim``)."""

    def __init__(self, owners: Mapping[PositionKey, Owner]) -> None:
        self._owners = owners
        self._seen: list[Intents] = []  # of each owner, in their order
        self._by_id: dict[str, Place] = {}
        self._by_root: dict[str, Place] = {}

    def of(self, name: str) -> tuple[Owner | None, IntentId | None]:
        """The owner that holds this intent now, by intent or client id."""
        owners = list(self._owners.values())
        self._compare([owner.holding.intents for owner in owners])
        place = self._by_id.get(name) or self._by_root.get(name)
        return (None, None) if place is None else (owners[place.number], place.intent_id)

    def _compare(self, now: list[Intents]) -> None:
        if len(now) == len(self._seen) and all(map(is_, now, self._seen)):
            return
        others = [
            (number, was, intents)
            for number, (was, intents) in enumerate(zip_longest(self._seen, now, fillvalue=NOBODY))
            if was is not intents
        ]
        for _, was, intents in others:  # first all that went: it may have gone to another owner
            for intent_id in was.keys() - intents.keys():
                self._by_id.pop(intent_id, None)
                self._by_root.pop(was[intent_id].root, None)
        for number, was, intents in others:
            for intent_id in intents.keys() - was.keys():
                place = Place(number, intent_id)
                self._by_id[intent_id] = self._by_root[intents[intent_id].root] = place
        self._seen = now
