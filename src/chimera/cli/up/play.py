"""``chimera up`` from its options to its exit code: by wall clock with real processes, or on the virtual-time stage."""

import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any, Final

from chimera.cli.codes import Exit
from chimera.cli.up.options import UpOptions
from chimera.cli.up.session import End, Event, Look, SessionPlan, Tell
from chimera.services.audit_summary import Tally, compare, report
from chimera.trading.errors import Refused

FILLS_MAX: Final = 1_000_000


def play(options: UpOptions) -> Exit:
    """Runs until enough is closed, the market ends, or somebody stops it; raises ``Refused``."""
    if options.routers > 1 and options.speed != 1.0:
        told = "several routers are processes of their own, in wall time"
        raise Refused("ROUTERS", told, field="--routers", value=options.routers, accepted="1; or --speed 1")
    if options.record is not None and options.speed != 1.0:
        told = "a market is recorded in wall time"
        raise Refused("RECORD", told, field="--record", value=str(options.record), accepted="left out; or --speed 1")
    with ExitStack() as stack:
        tell, look = _shown(options, stack)
        if options.speed == 1.0:
            from chimera.cli.up.by_clock import by_clock

            return by_clock(options, tell, look)
        from chimera.cli.up.on_stage import on_stage

        return on_stage(options, tell, look)


def _shown(options: UpOptions, stack: ExitStack) -> tuple[Tell, Look | None]:
    if options.headless or not sys.stdout.isatty():
        return headless, None
    from chimera.cli.up.screen import Screen

    screen = stack.enter_context(Screen())
    return screen.tell, screen.look


def headless(event: Event) -> None:
    """One JSON line."""
    print(json.dumps(event, default=str), flush=True)


def plan_of(options: UpOptions, symbol: str) -> SessionPlan:
    """The session that these options ask for."""
    return SessionPlan(symbols=(symbol,), every_s=options.every_s, sides=options.sides, exit_after=options.exit_after)


def exit_of(end: End | None, options: UpOptions) -> Exit:
    """None: somebody stopped it, which is no failure."""
    return Exit.MARKET_ENDED if end is End.MARKET_ENDED and options.exit_after is not None else Exit.OK


def sum_up(tally: Tally, fills: Sequence[Mapping[str, Any]], since_ms: int, tell: Tell) -> None:
    """The violations, if any, and the last line."""
    summary = tally.summary()
    for violation in summary.violations:
        tell({"event": "violation", "text": violation})
    tell(report(summary, compare(tally.fills, fills, since_ms)))
