"""One transfer between the wallets, from the wish to the venue's last word on it.

Invariants: one transfer at a time; a transfer is on disk before it is sent and is sent once; its amount counts against
the day from that moment until the venue's word proves that nothing moved; one whose outcome is unknown is decided by
the venue's history alone, asked after the last moment at which it could still be accepted, and while it is undecided
nothing else moves. Two rows that could be it are not guessed between. What may move at all is ``transfer_policy``'s.
"""

from collections.abc import Iterable
from typing import Final

from chimera.admit.transfer_policy import Present, Wish, amount_of, objection, turned
from chimera.trading.events import Alert, Severity
from chimera.trading.money import ZERO, Millis, text
from chimera.trading.transfer import (
    Landing,
    Moved,
    Route,
    Stage,
    Transfer,
    TransferEvent,
    TransferRequest,
    TransferResponse,
    Transfers,
)
from chimera.trading.value import Value

SEND_WITHIN_MS: Final = 2_000
ASK_MS: Final = 1_000  # doubled each time
LONGEST_ASK_MS: Final = 30_000
CLOCKS_MS: Final = 5_000  # how far the history's time stamp may lie before our own idea of the venue's clock
LAG_MS: Final = 5_000  # a history may show a transfer so late
ABSENCES: Final = 3  # histories that must agree that there was none
OVERDUE_MS: Final = 60_000  # then somebody hears that it has not arrived
REMEMBERED: Final = 50


# ── facts ──


class Asked(Value):
    """Somebody wishes it. What the policy objects to is not begun: ask ``objection`` first."""

    wish: Wish


class Taken(Value):
    number: int
    tran_id: str


class Declined(Value):
    """Nothing moved, by the venue's word or because it never left us."""

    number: int
    reason: str


class Unanswered(Value):
    """It may have happened. ``dead_after_ms`` (venue clock): past it the request can no longer be accepted."""

    number: int
    dead_after_ms: Millis


class Shown(Value):
    """The history of its route from before it was asked for; the question began at ``asked_venue_ms``."""

    number: int
    asked_venue_ms: Millis
    rows: tuple[Moved, ...]


class Settled(Value):
    """Somebody has looked, and says whether an ambiguous transfer happened."""

    happened: bool
    by: str


class Restarted(Value):
    """We have just loaded this and know of no request in flight."""


class Ticked(Value):
    """Time passed."""


class Published(Value):
    through: int


Fact = Asked | Taken | Declined | Unanswered | Shown | Settled | Restarted | Ticked | Published


# ── commands ──


class Send(Value):
    """Once, and only after the state that orders it is on disk."""

    transfer: Transfer


class AskHistory(Value):
    """``since_ms`` by the venue's clock."""

    number: int
    route: Route
    since_ms: Millis


Command = Send | AskHistory
NOTHING: Final[tuple[Command, ...]] = ()


def advance(state: Transfers, fact: Fact, present: Present) -> tuple[Transfers, tuple[Command, ...]]:
    """The next state and what to do about it; ``rev`` grows with every change."""
    heard, commands = _hear(turned(state, present), fact, present)
    heard, asking = _ask(heard, present)
    if heard == state:
        return state, commands + asking
    return heard.but(rev=state.rev + 1), commands + asking


def due_ms(state: Transfers) -> Millis | None:
    """When time alone gives it something to do."""
    return None if state.present is None else state.present.ask_at_ms


def _hear(state: Transfers, fact: Fact, present: Present) -> tuple[Transfers, tuple[Command, ...]]:
    match fact:
        case Asked(wish=wish):
            return _begin(state, wish, present)
        case Published(through=through):
            return state.but(outbox=tuple(event for event in state.outbox if event.seq > through)), NOTHING
        case Restarted():
            return _restarted(state, present), NOTHING
        case Settled(happened=happened, by=by):
            standing = state.present
            if standing is None or standing.stage is not Stage.AMBIGUOUS:
                return state, NOTHING
            reason = f"{'it happened' if happened else 'nothing moved'}, says {by}"
            return _end(state, standing, Stage.DONE if happened else Stage.FAILED, reason, present), NOTHING
        case Ticked():
            return state, NOTHING
        case Taken(number=number) | Declined(number=number) | Unanswered(number=number) | Shown(number=number):
            standing = state.present
            if standing is None or standing.number != number:
                return state, NOTHING
            return _answered(state, standing, fact, present), NOTHING


def _begin(state: Transfers, wish: Wish, present: Present) -> tuple[Transfers, tuple[Command, ...]]:
    if objection(state, wish, present) is not None:
        return state, NOTHING
    begun = Transfer(
        number=state.last + 1,
        route=wish.route,
        asset=wish.asset,
        amount=amount_of(state, wish, present),
        why=wish.why,
        asked_ms=present.now_ms,
        asked_venue_ms=present.venue_now_ms,
        not_after_ms=Millis(present.now_ms + SEND_WITHIN_MS),
    )
    moved = {**state.moved, wish.asset: state.moved.get(wish.asset, ZERO) + begun.amount}
    state = state.but(last=begun.number, present=begun, moved=moved)
    return _tell(state, TransferRequest(transfer=begun), present), (Send(transfer=begun),)


def _restarted(state: Transfers, present: Present) -> Transfers:
    """What was being sent when we died left by ``not_after_ms`` if at all, and was accepted within its window then."""
    standing = state.present
    if standing is None:
        return state
    if standing.stage is Stage.ASKED:
        left_by = standing.asked_venue_ms + SEND_WITHIN_MS
        return _doubt(state, standing, Millis(left_by + present.policy.doubt_margin_ms), present)
    return _put(state, standing.but(ask_at_ms=None if standing.stage is Stage.AMBIGUOUS else present.now_ms))


def _answered(
    state: Transfers, standing: Transfer, fact: Taken | Declined | Unanswered | Shown, present: Present
) -> Transfers:
    match fact:
        case Taken(tran_id=tran_id):
            return _taken(state, standing, tran_id, present) if standing.stage is Stage.ASKED else state
        case Declined(reason=reason):
            return _end(state, standing, Stage.FAILED, reason, present) if standing.stage is Stage.ASKED else state
        case Unanswered(dead_after_ms=dead_after):
            return _doubt(state, standing, dead_after, present) if standing.stage is Stage.ASKED else state
        case Shown() if standing.stage is Stage.TAKEN:
            return _followed(state, standing, fact.rows, present)
        case Shown() if standing.stage is Stage.IN_DOUBT:
            return _resolved(state, standing, fact, present)
        case Shown():
            return state


def _taken(state: Transfers, standing: Transfer, tran_id: str, present: Present) -> Transfers:
    taken = standing.but(stage=Stage.TAKEN, tran_id=tran_id, ask_at_ms=present.now_ms, asks=0, dead_after_ms=None)
    return _tell(_put(state, taken), TransferResponse(transfer=taken), present)


def _doubt(state: Transfers, standing: Transfer, dead_after_ms: Millis, present: Present) -> Transfers:
    """Not worth asking before it can no longer be accepted: until then no history decides anything."""
    wait = max(dead_after_ms + LAG_MS - present.venue_now_ms, 0)
    doubted = standing.but(
        stage=Stage.IN_DOUBT, dead_after_ms=dead_after_ms, ask_at_ms=Millis(present.now_ms + wait + 1), asks=0, absent=0
    )
    return _tell(_put(state, doubted), TransferResponse(transfer=doubted), present)


def _followed(state: Transfers, standing: Transfer, rows: Iterable[Moved], present: Present) -> Transfers:
    """The venue's word on the one it has named."""
    row = next((row for row in rows if row.tran_id == standing.tran_id), None)
    if row is None or row.landing is Landing.PENDING:
        return state
    if row.landing is Landing.FAILED:
        return _end(state, standing, Stage.FAILED, "the venue says FAILED", present)
    return _end(state, standing, Stage.DONE, "", present)


def _resolved(state: Transfers, standing: Transfer, shown: Shown, present: Present) -> Transfers:
    """Which row is it? None of an earlier transfer of ours; none that was asked about too early proves anything."""
    dead_after = standing.dead_after_ms
    assert dead_after is not None  # in doubt always has one
    if shown.asked_venue_ms <= dead_after + LAG_MS:
        return state
    ours = {each.tran_id for each in state.ended}
    like = [
        row
        for row in shown.rows
        if (row.route, row.asset, row.amount) == (standing.route, standing.asset, standing.amount)
        and standing.asked_venue_ms - CLOCKS_MS <= row.at_ms <= dead_after + CLOCKS_MS
        and row.tran_id not in ours
    ]
    if len(like) > 1:
        return _ambiguous(state, standing, like, present)
    if like:
        taken = _taken(state, standing, like[0].tran_id, present)
        return taken if taken.present is None else _followed(taken, taken.present, like, present)
    if standing.absent + 1 < ABSENCES:
        return _put(state, standing.but(absent=standing.absent + 1))
    return _end(state, standing, Stage.FAILED, "the venue's history shows none: it never happened", present)


def _ambiguous(state: Transfers, standing: Transfer, like: Iterable[Moved], present: Present) -> Transfers:
    names = ", ".join(row.tran_id for row in like)
    stuck = standing.but(stage=Stage.AMBIGUOUS, ask_at_ms=None, reason=f"could be any of {names}")
    told = (
        f"transfer {stuck.number} ({text(stuck.amount)} {stuck.asset} {stuck.route}) {stuck.reason}: nothing more moves"
        " until somebody settles it (POST /transfers/settle)"
    )
    state = _tell(_put(state, stuck), TransferResponse(transfer=stuck), present)
    return _tell(state, Alert(severity=Severity.FATAL, code="TRANSFER_AMBIGUOUS", text=told), present)


def _end(state: Transfers, standing: Transfer, stage: Stage, reason: str, present: Present) -> Transfers:
    ended = standing.but(stage=stage, reason=reason, ended_ms=present.now_ms, ask_at_ms=None)
    moved = state.moved
    if stage is Stage.FAILED:
        moved = {**moved, ended.asset: max(moved.get(ended.asset, ZERO) - ended.amount, ZERO)}
    state = state.but(present=None, ended=(*state.ended, ended)[-REMEMBERED:], moved=moved)
    return _tell(state, TransferResponse(transfer=ended), present)


def _ask(state: Transfers, present: Present) -> tuple[Transfers, tuple[Command, ...]]:
    """The next question is due before the last is answered: an answer that is lost costs a pause and no more."""
    standing = state.present
    if standing is None or standing.ask_at_ms is None or present.now_ms < standing.ask_at_ms:
        return state, NOTHING
    pause = min(ASK_MS * 2 ** min(standing.asks, 8), LONGEST_ASK_MS)
    asked = standing.but(asks=standing.asks + 1, ask_at_ms=Millis(present.now_ms + pause))
    state = _put(state, asked)
    late_ms = present.now_ms - standing.asked_ms
    if late_ms >= OVERDUE_MS and not standing.reason:
        told = f"transfer {asked.number}: {asked.stage} after {late_ms // 1000} s"
        state = _put(state, asked.but(reason="OVERDUE"))
        state = _tell(state, Alert(severity=Severity.ERROR, code="TRANSFER_OVERDUE", text=told), present)
    since = Millis(standing.asked_venue_ms - CLOCKS_MS)
    return state, (AskHistory(number=asked.number, route=asked.route, since_ms=since),)


def _put(state: Transfers, standing: Transfer) -> Transfers:
    return state.but(present=standing)


def _tell(state: Transfers, body: TransferRequest | TransferResponse | Alert, present: Present) -> Transfers:
    event = TransferEvent(seq=state.event_seq + 1, at_ms=present.now_ms, body=body)
    return state.but(event_seq=event.seq, outbox=(*state.outbox, event))
