"""A capture's events, and in words whatever of it they are not: nothing of a file is passed over in silence.

The first bad line, a step back of its clock, a hole and another market's form are told as they are met, the rest at the
end, in numbers. It decides nothing: what is told is used, or not, as ``chimera.tape`` says.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from chimera.adapters.binance import capture_file
from chimera.tape.capture import Capture
from chimera.trading.market import Market, MarketEvent

HOLE_US: Final = 60_000_000  # told: a market that is replayed stands still as long
STEP_US: Final = 1_000_000  # told; less is the jitter of whoever recorded
_WORDS: Final = {Market.FUT: "fut", Market.SPOT: "spot"}
_PASSED: Final = {
    "told twice": "trades told twice",
    "one-sided or crossed": "touches one-sided or crossed",
    "other stream": "messages of other streams than bookTicker, depth, trade, aggTrade and markPrice",
}

Tell = Callable[[str], None]


class NoEvent(Exception):
    """Nothing of a file is a market event; its text says what there is instead."""


def events(path: Path, market: Market, tell: Tell) -> Iterator[MarketEvent]:
    """What the capture at ``path`` shows. Raises ``OSError`` where it is damaged, ``NoEvent`` at its end."""
    capture, watch, any_event = Capture(lenient=True), _Watch(market, lambda text: tell(f"{path.name}: {text}")), False
    for event in capture.events(capture_file.lines(path, watch.cut_off)):
        any_event = True
        watch.look(capture, event.at_us)
        yield event
    if not any_event:
        raise NoEvent(_instead(capture))
    watch.look(capture, None)
    watch.end(capture)


class _Watch:
    """What was told so far."""

    def __init__(self, market: Market, tell: Tell) -> None:
        self._market = market
        self._tell = tell
        self._last_us: int | None = None
        self._told: set[str] = set()

    def cut_off(self) -> None:
        self._tell("it is cut off: its end is not there")

    def look(self, capture: Capture, at_us: int | None) -> None:
        """An event at ``at_us`` was read, or ``None``: the last one had been."""
        reader = capture.reader
        if capture.first_refused is not None:
            self._once("line", f"{capture.first_refused}; such lines are passed over and counted")
        if reader.step_us >= STEP_US:
            back = f"a receive time is {reader.step_us / 1e6:.0f} s before one above it"
            self._once("step", f"line {capture.lines}: {back}; such lines count as received with what is above them")
        if reader.market not in (None, self._market):
            form = "has no pu, as spot's" if reader.market is Market.SPOT else "has pu, as USD-M's"
            ours, other = _WORDS[self._market], _WORDS[_other(self._market)]
            self._once("market", f"it is read as {ours}, but its depth {form}; {other}:FILE reads it as {other}")
        if at_us is not None:
            if self._last_us is not None and at_us - self._last_us >= HOLE_US:
                silent = (at_us - self._last_us) / 1e6
                self._tell(f"line {capture.lines}: a hole of {silent:.0f} s before it; the market stands still as long")
            self._last_us = at_us

    def end(self, capture: Capture) -> None:
        reader = capture.reader
        if capture.refused:
            self._tell(f"lines passed over: {capture.refused} of {capture.lines}")
        if reader.step_us >= STEP_US:
            self._tell(f"receive times before one above them: {reader.stepped_back}")
        if reader.gap_count:
            self._tell(f"gaps in the depth: {reader.gap_count}; at each the book behind the touch was begun anew")
        for reason, words in _PASSED.items():
            if count := reader.passed_over[reason]:
                self._tell(f"{words}, passed over: {count}")

    def _once(self, what: str, text: str) -> None:
        if what not in self._told:
            self._told.add(what)
            self._tell(text)


def _other(market: Market) -> Market:
    return Market.FUT if market is Market.SPOT else Market.SPOT


def _instead(capture: Capture) -> str:
    if not capture.lines:
        return "it is empty"
    if capture.first_refused is not None:
        return f"of {capture.lines} lines {capture.refused} are of no use, the first is {capture.first_refused}"
    passed = ", ".join(f"{count} {reason}" for reason, count in capture.reader.passed_over.most_common())
    depth = "a touch comes from bookTicker, or from depth with its REST snapshot"
    return f"in {capture.lines} lines no touch was shown ({passed or 'depth without a snapshot'}): {depth}"
