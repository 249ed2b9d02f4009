"""Flags of a bundle: what it may not open at all, whatever its rules say. A closed list; a name left out is true.

They are asked of an entry that everything else has allowed, so a decision under a flag keeps its whole explanation.
"""

from collections.abc import Mapping
from typing import Any, Final

from chimera.decide.rules.finding import Lint
from chimera.trading.decision import Code, Open, Skip, Verdict
from chimera.trading.market import Market, Side
from chimera.trading.value import Value

NOBODY: Final = "bundle"  # the rule id of a finding that is of no rule


class Flags(Value, tag=False):
    """``entries``: any at all; ``long`` and ``short`` by side, ``fut`` and ``spot`` by market."""

    entries: bool = True
    long: bool = True
    short: bool = True
    fut: bool = True
    spot: bool = True


NAMES: Final = Flags.__struct_fields__


def read_flags(given: Any, lint: Lint) -> Flags:
    """``None`` is no flags; a name or a value that is none of these is a finding."""
    document = {} if given is None else lint.only(given, "$.flags", NAMES)
    if not isinstance(document, Mapping):
        return Flags()
    for name, value in document.items():
        if name in NAMES and not isinstance(value, bool):
            lint.say(f"$.flags.{name}", f"needs true or false, has {value!r}")
    return Flags(**{name: value for name, value in document.items() if name in NAMES and isinstance(value, bool)})


def under(flags: Flags, decision: Open | Skip) -> Open | Skip:
    """The same decision, or a skip that names each flag against it."""
    if isinstance(decision, Skip):
        return decision
    side = "long" if decision.side is Side.BUY else "short"
    market = "fut" if decision.market is Market.FUT else "spot"
    off = tuple(
        Verdict(code=Code.FLAG_OFF, passed=False, name=name, text=f"the bundle's flag {name} is false")
        for name in ("entries", side, market)
        if not getattr(flags, name)
    )
    if not off:
        return decision
    return Skip(
        symbol=decision.symbol,
        market=decision.market,
        config_rev=decision.config_rev,
        reasons=off,
        rules_fired=decision.rules_fired,
        trace=decision.trace,
    )
