"""Safeguards that can be taken away, to prove that the world would notice (reliability 3.10).

Product code knows nothing of this: for the length of a run, named attributes of product modules are replaced by ones
that lack the safeguard, and put back afterwards. A safeguard whose removal no seed notices is either not needed or
not tested; both are worth knowing.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from world import removals
from world.plan import (
    CUTS,
    FAIR,
    LATE_SENDS,
    OVERLOAD,
    REFUSED,
    SLOW_DISK,
    SLOW_ENTRIES,
    STUCK,
    TIGHT_STOPS,
    ZEROS,
)
from world.seams import place_of, replaced


class Seam(NamedTuple):
    """``attribute`` of ``place`` (a module, or a class in one) becomes ``without(original)``."""

    place: str  # "package.module" or "package.module:Class"
    attribute: str
    without: Callable[[Any], Any]


class Safeguard(NamedTuple):
    """What is removed, in one sentence, and where; ``scenario`` is the class of runs in which it matters most.

    ``heirs``: it matters where several routers share an account; ``house``: where an account has two markets.
    """

    sentence: str
    seams: tuple[Seam, ...]
    scenario: str | None = None
    heirs: bool = False
    house: bool = False


class Redundant(NamedTuple):
    """A safeguard whose removal alone nothing notices, and what covers for it."""

    safeguard: Safeguard
    covered_by: str


_ADVANCE: Final = "chimera.execute.advance"
_STOPS: Final = "chimera.protect.stops"
_INTAKE: Final = "chimera.services.router.intake:Intake"
_LEDGER: Final = "chimera.adapters.memory.ledger:MemoryLedger"
_SENDER: Final = "chimera.services.router.sender:Sender"
_LAST_LOOK: Final = Seam("chimera.admit.last_hop", "bares", removals.last_look)
_SLIP: Final = Seam("chimera.execute.entry", "_send", removals.double_children)
SAFEGUARDS: Final[dict[str, Safeguard]] = {
    "save_before_send": Safeguard(
        "An entry leaves before the state that ordered it is on disk.",
        (Seam("chimera.services.router.owner", "waits_for_save", removals.save_before_send),),
        SLOW_DISK,
    ),
    "dedupe_trades": Safeguard(
        "A trade told twice is counted twice.",
        (Seam(_ADVANCE, "take_fill", removals.dedupe_trades),),
    ),
    "trade_history": Safeguard(
        "Trades that the stream missed are not pulled from the venue's history.",
        (Seam(_ADVANCE, "_absorb_survey", removals.trade_history),),
    ),
    "overlap": Safeguard(
        "The newest trade heard of is taken for a mark below which nothing is missing.",
        (Seam(_ADVANCE, "_absorb_survey", removals.overlap),),
    ),
    "strikes": Safeguard(
        "One survey that shows another position is believed.",
        (Seam(_ADVANCE, "_absorb_survey", removals.strikes),),
        ZEROS,
    ),
    "adoption": Safeguard(
        "An open order of ours that this state does not know is left alone.",
        (Seam(_ADVANCE, "adopt", removals.adoption),),
        SLOW_DISK,
    ),
    "ask_before_resend": Safeguard(
        "An entry without an answer is taken for refused, and sent again.",
        (Seam(_SENDER, "_place", removals.ask_before_resend),),
    ),
    "recover_pending": Safeguard(
        "After a restart, what was on its way is taken for never sent.",
        (Seam(_ADVANCE, "restarted", removals.recover_pending),),
        TIGHT_STOPS,
    ),
    "wait_out_window": Safeguard(
        "An order that a query does not know is dead at once, though it may still arrive.",
        (Seam(_ADVANCE, "not_found", removals.wait_out_window),),
        SLOW_ENTRIES,
    ),
    "ask_after_restart": Safeguard(
        "After a restart a stop in doubt is sent again before the venue was asked whether it lived.",
        (Seam(_ADVANCE, "restarted", removals.ask_after_restart),),
        TIGHT_STOPS,
    ),
    "doubt_counts": Safeguard(
        "Entries in doubt are left out of what the limits count.",
        (Seam("chimera.trading.holding:Holding", "open_qty", removals.doubt_counts),),
    ),
    "protect_fills": Safeguard(
        "Fills get no stop and no target.",
        (Seam(_STOPS, "protect", removals.protect_fills),),
    ),
    "new_stop_first": Safeguard(
        "The old stop is cancelled before its successor lives.",
        (Seam(_STOPS, "_keep_one", removals.new_stop_first), _LAST_LOOK),
        FAIR,
    ),
    "stop_until_flat": Safeguard(
        "A close takes the stop away before the position is flat.",
        (Seam(_STOPS, "protect", removals.stop_until_flat), _LAST_LOOK),
        FAIR,
    ),
    "dismissal": Safeguard(
        "Stops and targets that are needed no more are left standing.",
        (Seam(_STOPS, "_dismiss", removals.dismissal),),
    ),
    "patience": Safeguard(
        "A stop that fires and does not fill is waited for, for ever.",
        (Seam(_STOPS, "_lose_patience", removals.patience),),
        STUCK,
    ),
    "refused_stops": Safeguard(
        "A refused stop is neither tried again nor closed for.",
        (Seam(_STOPS, "refused", removals.refused_stops),),
        REFUSED,
    ),
    "reduce_only_exits": Safeguard(
        "Exits are sent as orders that may add exposure.",
        (Seam("chimera.adapters.binance.futures", "order_params", removals.reduce_only_exits),),
    ),
    "limits_at_last_hop": Safeguard(
        "No limit is checked or reserved as an entry leaves.",
        (Seam("chimera.admit.limits:LimitBook", "reserve", removals.limits_at_last_hop),),
    ),
    "gross_limit": Safeguard(
        "What the account's other positions come to is not counted as an entry leaves.",
        (Seam("chimera.services.router.exposing:Exposing", "gross", removals.no_others),),
        house=True,
    ),
    "parent_cap": Safeguard(
        "Children are planned twice too large, and the last hop does not hold them to their intent.",
        (_SLIP, Seam("chimera.admit.last_hop", "beyond_parent", removals.parent_cap)),
    ),
    "kill_switch": Safeguard(
        "A kill is answered, and nothing asks whether there is one.",
        (Seam("chimera.trading.standstill:Standstill", "over", removals.no_kill),),
    ),
    "keep_kills": Safeguard(
        "After a restart nobody remembers what was killed.",
        (Seam("chimera.services.router.controls:Controls", "load", removals.forgets),),
        SLOW_DISK,
    ),
    "breaker": Safeguard(
        "Entries leave however often the venue has just failed.",
        (Seam("chimera.services.router.breaking:Breaking", "objection", removals.no_breaker),),
        OVERLOAD,
    ),
    "lease_at_send": Safeguard(
        "A change leaves without a look at what is left of the lease, and its receive window is not cut to it.",
        (Seam("chimera.adapters.binance.signed:SignedAccount", "_window_ms", removals.no_lease_look),),
        LATE_SENDS,
        heirs=True,
    ),
    "lease_ends": Safeguard(
        "Who has a lease goes by what the ledger said last, and not by the time that has passed since.",
        (Seam("chimera.admit.tenure", "advance", removals.endless_lease),),
        heirs=True,
    ),
}
# Mistakes that a safeguard of the table is there for: with one of them made and all safeguards in place nothing breaks.
SLIPS: Final[dict[str, Safeguard]] = {
    "double_children": Safeguard("Children are planned twice too large.", (_SLIP,)),
}
# Alone their removal goes unnoticed in the worlds tried so far: what covers for each is told.
REDUNDANT: Final[dict[str, Redundant]] = {
    "gap_survey": Redundant(
        Safeguard(
            "After a gap in the user stream nobody asks what happened meanwhile.",
            (Seam(_ADVANCE, "absorb", removals.gap_survey),),
            CUTS,
        ),
        "What fell into the gap comes with the next answer, question or survey, before anything is bare for long.",
    ),
    "periodic_survey": Redundant(
        Safeguard(
            "The venue is asked for its whole word on occasion only, never because time has passed.",
            (Seam(_ADVANCE, "next_survey_ms", removals.periodic_survey),),
        ),
        "Answers, the stream and the surveys after a gap or a close bring the same; a silent stream is reconnected.",
    ),
    "read_quantity": Redundant(
        Safeguard(
            "A duplicate id is taken for proof that the stop stands as it is wanted.",
            (Seam(_ADVANCE, "in_doubt", removals.duplicate_is_enough),),
            SLOW_DISK,
        ),
        "The survey after a restart reads it, and an id is given to another stop only after a crash.",
    ),
    "same_stop_id": Redundant(
        Safeguard(
            "A stop without an answer is sent again under another id.",
            (Seam(_STOPS, "_resend", removals.same_stop_id),),
        ),
        "Whatever stands in excess is dismissed once it is known (`dismissal`).",
    ),
    "orphan_makers": Redundant(
        Safeguard(
            "A maker whose intent is over, or unknown, is left to rest.",
            (Seam("chimera.execute.entry", "_dismiss_orphans", removals.orphan_makers),),
        ),
        "An entry waits for the disk, so no maker comes to rest that nobody knows.",
    ),
    "target_first": Redundant(
        Safeguard(
            "An exit does not wait for the target to be gone.",
            (Seam("chimera.execute.closing", "_in_the_way", removals.target_first),),
        ),
        "Exits are reduce-only: a target and an exit that both fill close no more than there is.",
    ),
    "fencing": Redundant(
        Safeguard(
            "A stale writer may save.",
            (Seam(_LEDGER, "save", removals.unfenced),),
            SLOW_DISK,
        ),
        "A save names the revision that it replaces, so a stale one fails on that; see `fencing+rev`.",
    ),
    "claims": Redundant(
        Safeguard(
            "An intent is taken up without its ids being claimed.",
            (Seam(_INTAKE, "claim", removals.claims),),
            SLOW_DISK,
        ),
        "The holding, the answers of the last hour and the last hop know an intent, too; see `claims+lives+sent_once`.",
    ),
    "sent_once": Redundant(
        Safeguard(
            "The last hop does not remember which entries have left.",
            (Seam(_SENDER, "_remember", removals.sent_once),),
        ),
        "An entry's number is in the holding before it leaves; see `claims+lives+sent_once`.",
    ),
    "tell_after_save": Redundant(
        Safeguard(
            "What happened is told before it is on disk.",
            (Seam("chimera.services.router.owner:Owner", "_tell_listeners", removals.tell_after_save),),
            SLOW_DISK,
        ),
        "Every write of the relay is safe to repeat, and a trade that was told and forgotten is pulled again.",
    ),
}
# Safeguards of which one covers another: alone their removal goes unnoticed, and together it does not.
PAIRS: Final[dict[str, Safeguard]] = {
    "fencing+rev": Safeguard(
        "A stale writer may save, and no revision is compared: the last to write wins.",
        (Seam(_LEDGER, "save", removals.unfenced_blind),),
        SLOW_DISK,
    ),
    "claims+lives+sent_once": Safeguard(
        "Nothing remembers an intent but the holding that works it.",
        (
            Seam(_INTAKE, "claim", removals.claims),
            Seam(_INTAKE, "lives", removals.lives),
            Seam(_SENDER, "_remember", removals.sent_once),
        ),
        SLOW_DISK,
    ),
    "target_first+reduce_only_exits": Safeguard(
        "An exit neither waits for the target to be gone nor says that it only reduces.",
        (
            Seam("chimera.execute.closing", "_in_the_way", removals.target_first),
            Seam("chimera.adapters.binance.futures", "order_params", removals.reduce_only_exits),
        ),
    ),
}


@contextmanager
def switched_off(name: str | None) -> Iterator[None]:
    """Run without this safeguard; ``None`` leaves all in place. Raises ``KeyError`` for a name not known.

    A slip is made, and a pair taken away, in the same way.
    """
    seams = () if name is None else every()[name].seams
    with replaced(*((place_of(seam.place), seam.attribute, seam.without) for seam in seams)):
        yield


def every() -> dict[str, Safeguard]:
    """All that can be taken away or done wrong, by name."""
    return SAFEGUARDS | SLIPS | PAIRS | {name: each.safeguard for name, each in REDUNDANT.items()}
