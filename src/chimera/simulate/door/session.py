"""One WebSocket API connection: who is logged on, and whose user events it hears.

Invariants: a subscription's id is never given twice on one connection; one owner is heard at most once on it.
"""

from dataclasses import dataclass, field
from typing import Final

import msgspec

from chimera.simulate.door.keyring import Key
from chimera.simulate.door.messages import Frame
from chimera.simulate.door.refusals import Refusal

SUBSCRIPTIONS_MAX: Final = 1_000
SUBSCRIPTION_IDS: Final = 65_535  # over a connection's life
_encode = msgspec.json.Encoder().encode


@dataclass(slots=True, frozen=True)
class Subscription:
    """Whose events; ``by_logon``: made for the key that was logged on, so it ends with the logon."""

    owner: str
    by_logon: bool


@dataclass(slots=True, eq=False)
class Session:
    """A connection's state. ``unit``: the time unit it asked for, ``shows_limits``: rateLimits in its answers."""

    ip: str
    connected_ms: int
    shows_limits: bool = True
    unit: str | None = None
    key: Key | None = None
    authorized_ms: int | None = None
    subscriptions: dict[int, Subscription] = field(default_factory=dict)
    given: int = 0  # subscription ids so far
    ended: list[int] = field(default_factory=list)  # subscriptions whose end is still to be told

    def log_on(self, key: Key, now_ms: int) -> None:
        """The connection's own key from now on; another one's subscription ends."""
        if self.key is not None and self.key.owner != key.owner:
            self.log_out()
        self.key, self.authorized_ms = key, now_ms

    def log_out(self) -> None:
        """No key any more; what was subscribed by it ends."""
        self.key = self.authorized_ms = None
        for number, subscription in tuple(self.subscriptions.items()):
            if subscription.by_logon:
                self._end(number)

    def subscribe(self, owner: str, *, by_logon: bool) -> int:
        """Hear the owner's events; the subscription's id. -2035 if they are heard already, -2042 if ids are used up."""
        if self.hears(owner):
            raise Refusal(-2035)
        if self.given >= SUBSCRIPTION_IDS or len(self.subscriptions) >= SUBSCRIPTIONS_MAX:
            raise Refusal(-2042)
        number, self.given = self.given, self.given + 1
        self.subscriptions[number] = Subscription(owner, by_logon)
        return number

    def unsubscribe(self, number: int | None) -> None:
        """End one subscription, or all; -2036 if there is no such one."""
        if number is not None and number not in self.subscriptions:
            raise Refusal(-2036)
        for each in tuple(self.subscriptions) if number is None else (number,):
            self._end(each)

    def _end(self, number: int) -> None:
        del self.subscriptions[number]
        self.ended.append(number)

    def endings(self, now_ms: int) -> list[bytes]:
        """What tells of the subscriptions that ended since this was last asked."""
        event = {"e": "eventStreamTerminated", "E": now_ms}
        told = [_encode({"subscriptionId": number, "event": event}) for number in self.ended]
        self.ended.clear()
        return told

    def hears(self, owner: str) -> bool:
        """Whether the owner's events come on this connection."""
        return any(each.owner == owner for each in self.subscriptions.values())

    def wrapped(self, frame: Frame) -> list[bytes]:
        """The owner's event as this connection hears it; nothing if it does not."""
        return [
            b'{"subscriptionId":%d,"event":%b}' % (number, frame.payload)
            for number, subscription in self.subscriptions.items()
            if subscription.owner == frame.channel
        ]
