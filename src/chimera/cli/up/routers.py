"""The S4 routers of ``chimera up``: one, or several over one ledger of which one acts; and who that is, as it changes.

What each is, is read off its own ``GET /health``, as anybody would; nothing here decides who acts. One that hangs while
another acts is killed, to be started again: stopped within a commit it would keep the ledger from the one that acts.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

from chimera.cli.up.processes import Child
from chimera.cli.up.session import Tell
from chimera.client.http import ServiceHttp, Unreached, read_plain
from chimera.trading.errors import ChimeraError

LOOK_S: Final = 0.1
ANSWER_MS: Final = 500  # one that is frozen takes the connection and never answers
HANGS_MS: Final = 10_000

MakeChild = Callable[[str, Sequence[str], Mapping[str, str]], Child]


class Standing(StrEnum):
    """What a router is to its account, in the words of the screen."""

    ACTS = "acts"
    STANDS_BY = "stands by"
    SILENT = "does not answer"
    DOWN = "is down"


class Routers:
    """``addresses``: one for each. ``common``: the settings that all of them share."""

    def __init__(self, addresses: Sequence[str], common: Mapping[str, str], make: MakeChild) -> None:
        self.addresses = tuple(addresses)
        self.children: list[Child] = []
        for number, address in enumerate(addresses, 1):
            own = {**common, "PORT": address.rpartition(":")[2]}
            if len(addresses) == 1:
                self.children.append(make("s4", ["s4"], own))
                continue
            name = f"router-{number}"
            own |= {"S4_LEASES": "on", "S4_OWNER_NAME": name, "S4_URL": address}
            self.children.append(make(name, ["s4"], own))

    @property
    def one_address(self) -> str:
        """What callers are given: all of them, with commas."""
        return ",".join(self.addresses)

    @property
    def first(self) -> Child:
        """It lays the ledger out; the others start when it has."""
        return self.children[0]

    @property
    def heirs(self) -> list[Child]:
        return self.children[1:]

    async def watch(self, tell: Tell, now_ms: Callable[[], int]) -> None:
        """Tells who acts, whenever it changes; until cancelled."""
        https = [ServiceHttp(address, timeout_ms=ANSWER_MS) for address in self.addresses]
        news = News(tuple(child.name for child in self.children))
        try:
            while True:
                standings = await asyncio.gather(*map(_standing, https))
                pids, at_ms = [child.pid for child in self.children], round(time.monotonic() * 1000)
                for event in news.seen(standings, pids, at_ms):
                    tell({"at_ms": now_ms(), **event})
                for child in self.children:
                    if news.hangs(child.name, at_ms):
                        child.kill()
                await asyncio.sleep(LOOK_S)
        finally:
            for http in https:
                await http.close()


class News:
    """What is told of looks at the routers of these names: each change, and each take-over."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names
        self._before: tuple[object, ...] = ()
        self._acted: tuple[str, int | None] = "", None  # who did so last, and as which process
        self._acted_ms = 0  # and when that was seen last
        self._silent_ms: dict[str, int] = {}  # since when, of those that do not answer while another acts

    def seen(self, standings: Sequence[Standing], pids: Sequence[int | None], now_ms: int) -> list[dict[str, Any]]:
        """The events of one look, oldest first. ``now_ms``: of a clock that never steps."""
        events: list[dict[str, Any]] = []
        looks = list(zip(self._names, standings, pids, strict=True))
        acting, pid = next(((name, pid) for name, at, pid in looks if at is Standing.ACTS), ("", None))
        (acted, acted_pid), after_ms = self._acted, now_ms - self._acted_ms
        if acting and acted and (acting, pid) != (acted, acted_pid):
            last = f"{acted}{' of before its restart' if acted == acting else ''}"
            text = f"{acting} acts for the account; {last} was last seen acting {after_ms / 1000:.1f} s before"
            events.append({"event": "take_over", "acts": acting, "acted": acted, "after_ms": after_ms, "text": text})
        if acting:
            self._acted, self._acted_ms = (acting, pid), now_ms
        for name, at, _ in looks:
            if at is Standing.SILENT and acting:
                self._silent_ms.setdefault(name, now_ms)
            else:
                self._silent_ms.pop(name, None)
        told = (*standings, *pids)
        if told != self._before:
            self._before = told
            rows = [{"name": name, "is": standing.value, "pid": pid} for name, standing, pid in looks]
            events.append({"event": "routers", "acts": acting or None, "routers": rows})
        return events

    def hangs(self, name: str, now_ms: int) -> bool:
        """Whether it has not answered for long, while another acted."""
        return now_ms - self._silent_ms.get(name, now_ms) >= HANGS_MS


async def _standing(http: ServiceHttp) -> Standing:
    try:
        told = read_plain(await http.get("/health"))
    except Unreached:
        return Standing.DOWN
    except ChimeraError:
        return Standing.SILENT
    return Standing.STANDS_BY if told.get("status") == "standby" else Standing.ACTS
