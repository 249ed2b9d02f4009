"""One armed fault at work: which of the happenings it is aimed at it strikes.

Invariant: whether the n-th happening of a kind is struck depends on the seed, the fault's id, the kind and n alone.
"""

from collections import Counter
from typing import Any

from chimera.simulate.trouble.chance import Spread, draw, happens, wait_ms
from chimera.simulate.trouble.entry import Entry
from chimera.simulate.trouble.scenario import Fault
from chimera.trading.money import Millis


class Armed:
    """``since_ms`` is when its clock began; ``seen`` counts what it was aimed at, ``struck`` what it struck.

    The rest is what single faults remember: ``begun``, ``over`` and ``next_ms`` of standing ones, ``until_ms`` by
    whatever key.
    """

    def __init__(self, fault: Fault, seed: int, since_ms: Millis) -> None:
        self.fault = fault
        self.entry: Entry = fault.entry
        self.since_ms = since_ms
        self.seen = 0
        self.struck = 0
        self.begun = False
        self.over = False
        self.next_ms: Millis | None = None
        self.until_ms: dict[str, int] = {}
        self._seed = seed
        self._kinds: Counter[str] = Counter()

    @property
    def id(self) -> str:
        return self.fault.id

    @property
    def params(self) -> dict[str, Any]:
        return self.fault.params

    @property
    def from_ms(self) -> int:
        """When its time begins."""
        return self.since_ms + self.fault.when.from_ms

    @property
    def to_ms(self) -> int | None:
        """When its time is over; ``None``: never."""
        to_ms = self.fault.when.to_ms
        return None if to_ms is None else self.since_ms + to_ms

    @property
    def spent(self) -> bool:
        """Whether it has struck as often as it may."""
        return self.fault.count is not None and self.struck >= self.fault.count

    def covers(self, now_ms: int) -> bool:
        """Whether its time is now."""
        to_ms = self.to_ms
        return self.from_ms <= now_ms and (to_ms is None or now_ms < to_ms)

    def strikes(self, kind: str, now_ms: int) -> bool:
        """Whether this happening, which is one it is aimed at, is struck. Only asking counts; ``hit`` confirms."""
        if not self.covers(now_ms):
            return False
        self.seen += 1
        if self.seen % self.fault.every:
            return False
        number = self._kinds[kind]
        self._kinds[kind] += 1
        return self.lucky(kind, number) and not self.spent

    def lucky(self, *key: object) -> bool:
        """Whether chance would have it."""
        return happens(self.fault.chance, self.drawn(*key))

    def hit(self) -> None:
        """It struck."""
        self.struck += 1

    def drawn(self, *key: object) -> float:
        """A draw of its own."""
        return draw(self._seed, self.id, *key)

    def executed(self) -> bool:
        """Whether the request in hand was executed, by its ``executed`` share."""
        return happens(self.params["executed"], self.drawn("executed", self.struck))

    def wait(self) -> Millis:
        """A wait of its spread."""
        told, number = self.params, self.struck
        one, two = self.drawn("wait", number), self.drawn("wait too", number)
        return wait_ms(Spread(told["spread"]), told["ms"], told["least_ms"], told["most_ms"], told["sigma"], one, two)

    def picture(self, now_ms: int) -> dict[str, Any]:
        """For people: the fault, since when, and what it did."""
        fault = self.fault
        aimed = {name: getattr(fault.match, name) for name in self.entry.on.aims if getattr(fault.match, name)}
        return {
            "id": self.id,
            "name": fault.name,
            "params": fault.params,
            "match": aimed,
            "when": {"from_ms": fault.when.from_ms, "to_ms": fault.when.to_ms},
            "count": fault.count,
            "every": fault.every,
            "chance": fault.chance,
            "since_ms": self.since_ms,
            "active": self.covers(now_ms) and not self.spent,
            "seen": self.seen,
            "struck": self.struck,
        }
