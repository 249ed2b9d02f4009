"""What takes the place of a safeguard that is taken away: each is handed the original and gives what lacks it.

Nothing here is product code; ``safeguards`` says in a sentence what each removes and where it goes.
"""

from typing import Any, Final

from chimera.adapters.binance.signed import READ_RECV_WINDOW_MS
from chimera.admit.tenure import Held, Tenure
from chimera.execute.hear import settle
from chimera.trading.commands import NOTHING, Command, Place
from chimera.trading.execution import Exit
from chimera.trading.facts import Gapped, PlaceNotSent, PlaceUnanswered, Ticked
from chimera.trading.fill import Fill
from chimera.trading.holding import Holding
from chimera.trading.market import Side
from chimera.trading.money import ZERO, Millis
from chimera.trading.order import Order, Role, Status, Trigger
from chimera.trading.scene import Scene

NEVER_MS: Final = 10**15

# ── what is known, and when it counts as known ──


def save_before_send(_: Any) -> Any:
    return lambda command: False


def dedupe_trades(take_fill: Any) -> Any:
    def take(holding: Holding, fill: Fill, scene: Scene, **more: Any) -> Holding:
        blind = holding.but(seen_trades={}, trades_confirmed_ms=Millis(0))
        taken: Holding = take_fill(blind, fill, scene, **more)
        return taken.but(seen_trades=holding.seen_trades, trades_confirmed_ms=holding.trades_confirmed_ms)

    return take


def trade_history(absorb: Any) -> Any:
    return lambda holding, snapshot, scene: absorb(holding, snapshot.but(trades=()), scene)


def overlap(absorb: Any) -> Any:
    def absorb_and_trust(holding: Holding, snapshot: Any, scene: Scene) -> Holding:
        newest = max(holding.seen_trades.values(), default=Millis(0))
        fresh = tuple(fill for fill in snapshot.trades if fill.at_ms > newest)
        absorbed: Holding = absorb(holding, snapshot.but(trades=fresh), scene)
        return absorbed

    return absorb_and_trust


def gap_survey(absorb: Any) -> Any:
    def deaf(holding: Holding, fact: Any, scene: Scene) -> Holding:
        absorbed: Holding = absorb(holding, Ticked() if isinstance(fact, Gapped) else fact, scene)
        return absorbed

    return deaf


def periodic_survey(_: Any) -> Any:
    return lambda holding, scene: Millis(NEVER_MS)


def strikes(absorb: Any) -> Any:
    def believe(holding: Holding, snapshot: Any, scene: Scene) -> Holding:
        hasty = scene.but(policy=scene.policy.but(strikes=1, strikes_to_shrink=1))
        absorbed: Holding = absorb(holding, snapshot, hasty)
        return absorbed

    return believe


def adoption(_: Any) -> Any:
    return lambda holding, word, scene: holding


# ── what is in doubt ──


def ask_before_resend(place: Any) -> Any:
    async def blind(sender: Any, command: Place, *rest: Any) -> Any:
        fact = await place(sender, command, *rest)
        if isinstance(fact, PlaceUnanswered) and not command.order.reduce_only:
            return PlaceNotSent(ref=fact.ref, reason="taken for refused")
        return fact

    return blind


def recover_pending(_: Any) -> Any:
    def forget(order: Order, scene: Scene) -> Order:
        return order.after(Trigger.NOT_SENT) if order.status is Status.PENDING_NEW else order

    return forget


def wait_out_window(_: Any) -> Any:
    def hasty(holding: Holding, order: Order, asked_server_ms: Millis, scene: Scene) -> Order:
        missing = order.after(Trigger.MISSING)
        dead = missing.status is Status.IN_DOUBT
        found: Order = settle(missing.after(Trigger.PROVEN_DEAD), order, scene) if dead else missing
        return found

    return hasty


def ask_after_restart(restart: Any) -> Any:
    def hasty(order: Order, scene: Scene) -> Order:
        after: Order = restart(order, scene)
        return after.but(created_ms=scene.now_ms) if after.resendable else after

    return hasty


def duplicate_is_enough(_: Any) -> Any:
    def taken_for_wanted(order: Order, scene: Scene) -> Order:
        return order.after(Trigger.ACKED) if order.status in (Status.PENDING_NEW, Status.IN_DOUBT) else order

    return taken_for_wanted


def doubt_counts(_: Any) -> Any:
    def open_qty(holding: Holding, side: Side) -> Any:
        sure = (Status.NEW, Status.PARTIALLY_FILLED)
        return sum(
            (
                order.leaves_qty - order.owed_qty
                for order in holding.orders.values()
                if order.request.side is side and not order.request.reduce_only and order.status in sure
            ),
            ZERO,
        )

    return open_qty


# ── protection ──


def protect_fills(_: Any) -> Any:
    return lambda holding, wanted, scene: (holding, ())


def same_stop_id(_: Any) -> Any:
    """An unanswered stop is given up for another of a new id."""

    def another(holding: Holding, order: Order, scene: Scene) -> tuple[Holding, tuple[Command, ...]]:
        if scene.now_ms < order.created_ms + 250:
            return holding, NOTHING
        holding, ref = holding.next_child(order.role)
        request = order.request.but(ref=ref)
        fresh = Order(request=request, role=order.role, intent_id=None, created_ms=scene.now_ms, episode=order.episode)
        lost = order.but(status=Status.REJECTED, ended_ms=scene.now_ms)
        return holding.with_order(lost).with_order(fresh), (Place(order=request, role=order.role),)

    return another


def new_stop_first(keep_one: Any) -> Any:
    """The stop that stands goes first, and its successor is placed when it is gone."""

    def old_first(holding: Holding, role: Role, wanted: Any, price: Any, scene: Scene) -> Any:
        from chimera.protect import stops  # noqa: PLC0415  # its parts, whatever has been replaced in it by now

        standing = [order for order in holding.in_role(role) if order.status in (Status.NEW, Status.PENDING_CANCEL)]
        if standing and not any(_serves(order, wanted, price) for order in standing):
            return stops._dismiss(holding, tuple(standing), scene)
        return keep_one(holding, role, wanted, price, scene)

    return old_first


def _serves(order: Order, wanted: Any, price: Any) -> bool:
    request = order.request
    return order.leaves_qty >= wanted.qty and request.side is wanted.side and request.trigger_price == price


def stop_until_flat(protect: Any) -> Any:
    """A close takes the stop away before it begins."""

    def bare(holding: Holding, wanted: Any, scene: Scene) -> Any:
        from chimera.protect import stops  # noqa: PLC0415  # its parts as they are by now

        if holding.exit is not None:
            return stops._dismiss(holding, holding.in_role(Role.STOP, Role.TARGET), scene)
        return protect(holding, wanted, scene)

    return bare


def last_look(_: Any) -> Any:
    """The cancel of a stop leaves as it was ordered, however long ago that was."""
    return lambda role, holding: False


def dismissal(_: Any) -> Any:
    return lambda holding, orders, scene: (holding, NOTHING)


def orphan_makers(_: Any) -> Any:
    return lambda holding, scene: (holding, NOTHING)


def patience(lose: Any) -> Any:
    """A stop that fires is waited for, for ever; a refused one still closes the position."""

    def wait(holding: Holding, scene: Scene) -> Holding:
        after: Holding = lose(holding, scene)
        stuck = isinstance(after.exit, Exit) and holding.exit is None and after.exit.reason == "STOP_STUCK"
        return holding if stuck else after

    return wait


def refused_stops(_: Any) -> Any:
    """A refused stop is tried no more, and nothing else is done about it."""

    def give_up(holding: Holding, order: Order, no: Any, scene: Scene) -> Holding:
        never = Millis(NEVER_MS)
        return holding.but(stop_retry_at_ms=never) if order.role is Role.STOP else holding.but(target_retry_at_ms=never)

    return give_up


# ── exits ──


def reduce_only_exits(order_params: Any) -> Any:
    def plain(order: Any) -> dict[str, str]:
        return {name: value for name, value in order_params(order).items() if name != "reduceOnly"}

    return plain


def target_first(_: Any) -> Any:
    return lambda holding, wanted, scene: False


# ── the last hop ──


def limits_at_last_hop(_: Any) -> Any:
    return lambda book, order, exposure, now_ms: None


def no_others(_: Any) -> Any:
    return lambda exposing, beside=None: ZERO


def double_children(send: Any) -> Any:
    return lambda holding, working, left, filled, scene: send(holding, working, left * 2, filled, scene)


def parent_cap(_: Any) -> Any:
    return lambda working, holding: None


def no_kill(_: Any) -> Any:
    return lambda *args: None


def forgets(_: Any) -> Any:
    async def load(controls: Any) -> None:
        controls.loaded.set()

    return load


def no_breaker(_: Any) -> Any:
    return lambda breaking: None


# ── several routers ──


def no_lease_look(_: Any) -> Any:
    return lambda account, endpoint: account.recv_window_ms if endpoint.order else READ_RECV_WINDOW_MS


def endless_lease(advance: Any) -> Any:
    def held_on(state: Tenure, fact: Any, now_ms: Millis) -> Any:
        after, commands = advance(state, fact, now_ms)
        return (after.but(until_ms=Millis(NEVER_MS)) if isinstance(after, Held) else after), commands

    return held_on


# ── who may, and what has been said ──


def unfenced(save: Any) -> Any:
    """Whoever saves is taken for the newest; the revision is still compared."""

    async def saved(ledger: Any, holding: Holding, *, rev: int, fence: int) -> int:
        seat = ledger._seats.get(holding.key)
        kept: int = await save(ledger, holding, rev=rev, fence=fence if seat is None else seat.fence)
        return kept

    return saved


def unfenced_blind(save: Any) -> Any:
    """Nor is the revision: the last to write wins."""

    async def saved(ledger: Any, holding: Holding, *, rev: int, fence: int) -> int:
        seat = ledger._seats.get(holding.key)
        at = (rev, fence) if seat is None else (seat.rev, seat.fence)
        await save(ledger, holding, rev=at[0], fence=at[1])
        return rev + 1

    return saved


def claims(_: Any) -> Any:
    async def claim(intake: Any, intent: Any, body_hash: str) -> bool:
        return True

    return claim


def lives(_: Any) -> Any:
    return lambda intake, intent_id: False


def sent_once(_: Any) -> Any:
    return lambda sender, ref: None


def tell_after_save(tell_listeners: Any) -> Any:
    """Events are told as soon as they are made."""

    def tell(owner: Any, fresh: Any) -> None:
        tell_listeners(owner, fresh)
        owner._saved_seq = owner.holding.event_seq
        owner._relaying.want()

    return tell
