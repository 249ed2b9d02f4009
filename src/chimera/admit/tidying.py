"""What we change in a request before judging it, and say so: never what the caller could have meant otherwise."""

from chimera.admit.netting import netted
from chimera.trading.holding import Holding
from chimera.trading.instrument import Instrument
from chimera.trading.intent import Intent, IntentKind
from chimera.trading.money import Qty, text
from chimera.trading.scene import Policy


def tidied(intent: Intent, rules: Instrument, policy: Policy, holding: Holding) -> tuple[Intent, tuple[str, ...]]:
    """The intent with its quantity rounded down to a step, and notes for the answer."""
    if intent.kind is IntentKind.PROTECT:
        return _stop_alone(intent, holding)
    notes = []
    qty = rules.floor_to_step(intent.qty)
    if qty != intent.qty and qty > 0:
        notes.append(f"qty {text(intent.qty)} rounded down to {text(qty)}, a multiple of {text(rules.step)}")
        intent = intent.but(qty=qty)
    if intent.stop is not None and intent.stop.price is None and not intent.reduce_only:
        notes.append(f"no stop was given: the default stop, {text(policy.default_stop_bps)} bps from the entry, is set")
    if nets := netted(intent, holding, policy):
        opens = f"{text(Qty(intent.qty - nets))} opens" if intent.qty > nets else "nothing opens"
        notes.append(f"{text(nets)} of it reduces the open position first, reduce-only; then {opens}")
    elif holding.position.lots and not intent.reduce_only:
        notes.append("it joins an open position: one stop serves all of it, the tightest of its lots' stops")
    return intent, tuple(notes)


def _stop_alone(intent: Intent, holding: Holding) -> tuple[Intent, tuple[str, ...]]:
    """It is for all of the position, whatever quantity was named."""
    held = Qty(abs(holding.exposure))
    note = f"it is for all of the position, {text(held)}" if intent.qty not in (0, held) else ""
    return intent.but(qty=held), (note,) if note else ()
