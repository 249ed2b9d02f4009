"""Money between the wallets of one account: asked for by a caller, by an entry that lacks margin, or by the budget.

What may move and what an answer means is decided in ``admit``; here it is saved, carried out and told. Invariants: a
transfer leaves once, after the state that orders it is on disk, and not later than it says; one fact at a time, and
each is on disk before the next is heard; a state that somebody else has written over moves nothing more.
"""

import asyncio
from collections.abc import Callable, Coroutine
from decimal import Decimal
from functools import partial
from typing import Any, Final

import structlog

from chimera.admit.transfer_policy import OFF, Present, TransferPolicy, Wish, lacking, objection
from chimera.admit.transfers import (
    Asked,
    AskHistory,
    Command,
    Declined,
    Fact,
    Published,
    Restarted,
    Send,
    Settled,
    Shown,
    Taken,
    Ticked,
    Unanswered,
    advance,
    due_ms,
)
from chimera.ports.clock import Clock
from chimera.ports.ledger import Rows
from chimera.ports.wallets import Wallets
from chimera.services.router.governing import CODE as RATE_CODE
from chimera.services.router.patience import STORE_AGAIN_S, Looks
from chimera.services.router.relay import Relay
from chimera.trading.errors import ChimeraError, NotSent, OutcomeUnknown, Refused, StoreUnavailable, VenueRejected
from chimera.trading.events import Alert, Severity
from chimera.trading.holding import Holding
from chimera.trading.ids import AccountId, IntentId
from chimera.trading.money import ZERO, Millis, Price, text
from chimera.trading.order import NewOrder
from chimera.trading.transfer import Moved, Route, Stage, Transfer, Transfers, Wallet
from chimera.wire import keys
from chimera.wire.codec import decode, encode, plain
from chimera.wire.transfers import transfer_row, transfer_writes

log = structlog.get_logger()

MOVE_TIMEOUT_MS: Final = 5_000
ANSWER_WAIT_S: Final = 5.0  # a caller's; the transfer goes on without him
TOP_UP_WAIT_S: Final = 3.0  # an entry's: then it is made smaller instead
LOOK_S: Final = 0.25
BUDGET_EVERY_MS: Final = 10_000
HELPED: Final = 1_000  # intents whose one transfer is remembered


class Transferring:
    """Of one account. ``wallets`` None: this environment has none, and nothing is ever asked of it."""

    def __init__(
        self,
        account_id: AccountId,
        policy: TransferPolicy,
        *,
        wallets: Wallets | None,
        rows: Rows,
        relay: Relay,
        clock: Clock,
        venue_now_ms: Callable[[], Millis],
        tell: Callable[[Alert], None],
    ) -> None:
        self.policy = policy
        self.state = Transfers()
        self.loaded = asyncio.Event()
        self.deposed = False  # somebody else writes this account's transfers
        self._account_id = account_id
        self._wallets = wallets
        self._rows = rows
        self._relay = relay
        self._clock = clock
        self._venue_now_ms = venue_now_ms
        self._tell = tell
        self._turn = asyncio.Lock()
        self._moved_on = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()
        self._helped: dict[IntentId, None] = {}
        self._beginning: asyncio.Future[int] | None = None  # it has its turn: it may begin, whoever waits no more
        self._budget_due_ms = 0  # monotonic

    # ── life ──

    @property
    def looks(self) -> Looks:
        """What goes on for ever, by name; nothing where there are no wallets."""
        return {} if self._wallets is None else {"transfers": self.run}

    async def run(self) -> None:
        """For ever: what was under way when we died is looked up, what is due is asked, the budget's wish is met."""
        if self.deposed:
            return
        try:
            if not self.loaded.is_set():
                await self._load()
            await self._hear(Restarted())
            while not self.deposed:
                await self._publish()
                due = due_ms(self.state)
                if due is not None and self._clock.now_ms() >= due:
                    await self._hear(Ticked())
                await self._meet_budget()
                await asyncio.sleep(LOOK_S)
        finally:
            for task in self._tasks:
                task.cancel()

    async def _load(self) -> None:
        """What cannot be read moves nothing: it may hold a transfer whose outcome is open."""
        while True:
            try:
                row = await self._rows.get(keys.TRANSFERS, self._account_id)
                break
            except StoreUnavailable:
                await asyncio.sleep(STORE_AGAIN_S)
        if row is not None:
            self.state = decode(encode(row["transfers"]), Transfers)
        self.loaded.set()

    # ── what is asked for ──

    async def ask(self, route: Route, asset: str, amount: Decimal, why: str) -> dict[str, Any]:
        """A caller's transfer, all or nothing. Raises ``Refused``; ``IN_DOUBT`` in the answer means: look again."""
        wallets = self._usable()
        try:
            free = await wallets.free(route.source, asset)
        except ChimeraError as error:
            held = isinstance(error, NotSent) and error.held  # a question is, by our rate governor alone
            code = RATE_CODE if held else "VENUE_DOWN"
            raise Refused(code, f"the {route.source} wallet cannot be read: {error}") from error
        number = await self._begin(Wish(route=route, asset=asset, amount=amount, free=free, why=why))
        return self._row(await self._outcome(number, ANSWER_WAIT_S))

    async def settle(self, *, happened: bool, by: str) -> dict[str, Any]:
        """Somebody says what became of an ambiguous transfer. Raises ``Refused`` where there is none."""
        self._usable()
        standing = self.state.present
        if standing is None or standing.stage is not Stage.AMBIGUOUS:
            raise Refused("NOT_FOUND", "no transfer is ambiguous")
        await self._hear(Settled(happened=happened, by=by))
        return self._row(self._find(standing.number) or standing)

    async def top_up(self, wallet: Wallet, asset: str, need: Decimal, why: str) -> bool:
        """Whether the venue took a transfer for this need: as much of it as may move, and waited for no longer."""
        wallets = self._wallets
        if wallets is None or not (self.policy.enabled and self.loaded.is_set()) or self.deposed or need <= ZERO:
            return False
        route = Route.into(wallet)
        try:
            free = await wallets.free(route.source, asset)
            number = await self._begin(Wish(route=route, asset=asset, amount=need, free=free, why=why, exact=False))
        except Refused as refused:
            log.info("no_transfer", need=str(need), why=why, code=refused.code, message=refused.message)
            return False
        except ChimeraError as error:
            log.info("wallet_unread", wallet=str(route.source), error=str(error))
            return False
        made = await self._outcome(number, TOP_UP_WAIT_S)
        return made.stage in (Stage.TAKEN, Stage.DONE)

    async def found(self, order: NewOrder, holding: Holding, near: Price | None) -> bool:
        """Margin for an entry that the venue has just refused for the lack of it; once for each intent."""
        known = holding.orders.get(order.ref)
        working = None if known is None else holding.working_of(known)
        wallets = self._wallets
        if wallets is None or not self.policy.enabled or working is None or near is None or order.reduce_only:
            return False
        intent = working.intent
        if intent.intent_id in self._helped:
            return False
        self._helped[intent.intent_id] = None
        while len(self._helped) > HELPED:
            del self._helped[next(iter(self._helped))]
        wallet = Wallet(intent.market)
        asset = self.policy.assets[0]
        try:
            free = await wallets.free(wallet, asset)
        except ChimeraError as error:
            log.info("wallet_unread", wallet=str(wallet), error=str(error))
            return False
        need = lacking(order.qty * near, intent.leverage, free)
        return await self.top_up(wallet, asset, need, f"{intent.intent_id} lacks margin")

    async def _meet_budget(self) -> None:
        """The free margin that the budget promises to S3 (``keep_free``), looked after now and then."""
        wallets, wish = self._wallets, self.policy.keep_free
        now_ms = self._clock.monotonic_ms()
        if wallets is None or not self.policy.enabled or wish <= ZERO or now_ms < self._budget_due_ms:
            return
        self._budget_due_ms = now_ms + BUDGET_EVERY_MS
        asset = self.policy.assets[0]
        try:
            free = await wallets.free(Wallet.FUT, asset)
        except ChimeraError as error:
            log.info("wallet_unread", wallet="FUT", error=str(error))
            return
        if wish - free >= self.policy.least:
            await self.top_up(Wallet.FUT, asset, wish - free, f"risk.budget keeps {text(wish)} free")

    def shown(self) -> dict[str, Any]:
        """What moves, what has moved, and what may."""
        state, policy = self.state, self.policy
        return {
            "enabled": policy.enabled and self._wallets is not None,
            "assets": list(policy.assets),
            "ceiling": text(policy.ceiling),
            "day_ceiling": text(policy.day_ceiling),
            "floor": text(policy.floor),
            "moved_today": [{"asset": asset, "amount": text(amount)} for asset, amount in state.moved.items()],
            "present": None if state.present is None else self._row(state.present),
            "ended": [self._row(each) for each in reversed(state.ended)],
        }

    # ── inside ──

    def _usable(self) -> Wallets:
        if self._wallets is None:
            raise Refused(OFF, "this environment has no wallets to move between")
        if not self.loaded.is_set():
            raise Refused("NOT_READY", "transfers are still being read; try again")
        if self.deposed:
            raise Refused("STORE_DOWN", "another process moves this account's money now")
        return self._wallets

    def _present(self) -> Present:
        return Present(now_ms=self._clock.now_ms(), venue_now_ms=self._venue_now_ms(), policy=self.policy)

    def _row(self, transfer: Transfer) -> dict[str, Any]:
        return transfer_row(self._account_id, transfer)

    def _find(self, number: int) -> Transfer | None:
        known = (*self.state.ended, *((self.state.present,) if self.state.present else ()))
        return next((each for each in known if each.number == number), None)

    async def _begin(self, wish: Wish) -> int:
        """Its number, once it is on disk. Raises ``Refused``, and ``StoreUnavailable`` where it never begins.

        ``OUTCOME_UNKNOWN``: it had its turn, and the disk has not answered.
        """
        begun: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._start(partial(self._begin_in_turn, wish, begun))
        try:
            async with asyncio.timeout(ANSWER_WAIT_S):
                return await asyncio.shield(begun)
        except TimeoutError as late:
            if begun.done():
                return begun.result()  # the loop was late
            if self._beginning is begun:
                told = "the ledger does not answer: the transfer may begin or not; GET /transfers tells"
                raise Refused("OUTCOME_UNKNOWN", told) from late
            begun.cancel()
            raise StoreUnavailable("what began before is not on disk yet: this never begins") from late

    async def _begin_in_turn(self, wish: Wish, begun: "asyncio.Future[int]") -> None:
        try:
            async with self._turn:
                if begun.cancelled():
                    return
                if refused := objection(self.state, wish, self._present()):
                    raise refused
                self._beginning = begun
                await self._fold(Asked(wish=wish))
        except Exception as error:  # whatever it is: whoever asked hears it, and need not wait
            if not begun.done():
                begun.set_exception(error)
                begun.exception()  # read: he may have gone
            if not isinstance(error, Refused):
                raise
        else:
            if not begun.done():
                begun.set_result(self.state.last)

    async def _outcome(self, number: int, patience_s: float) -> Transfer:
        """The transfer once the venue has answered, or as it is when patience runs out."""

        def answered() -> bool:
            found = self._find(number)
            return found is not None and found.stage is not Stage.ASKED

        try:
            async with asyncio.timeout(patience_s), self._moved_on:
                await self._moved_on.wait_for(answered)
        except TimeoutError:
            log.info("transfer_unanswered", number=number)
        found = self._find(number)
        assert found is not None, "what began is remembered"
        return found

    async def _hear(self, fact: Fact) -> None:
        async with self._turn:
            await self._fold(fact)

    async def _fold(self, fact: Fact) -> None:
        """By the holder of ``_turn``."""
        after, commands = advance(self.state, fact, self._present())
        if after is not self.state:
            await self._save(after)
            self.state = after
            async with self._moved_on:
                self._moved_on.notify_all()
        for command in commands:
            self._start(partial(self._carry_out, command))

    async def _save(self, state: Transfers) -> None:
        """Until it is there. A newer one that is not ours deposes us: nothing is sent for what was not saved."""
        document = {"transfers": plain(state), "at_ms": self._clock.now_ms()}
        while not self.deposed:
            try:
                if await self._rows.put_newer(keys.TRANSFERS, self._account_id, document, state.rev):
                    return
                row = await self._rows.get(keys.TRANSFERS, self._account_id)
                if row is not None and row["transfers"] == document["transfers"]:
                    return  # our own save, whose answer was lost
                self._depose()
            except StoreUnavailable as error:
                log.warning("transfers_unsaved", rev=state.rev, error=str(error))
                await asyncio.sleep(STORE_AGAIN_S)
        raise StoreUnavailable("another process moves this account's money now")

    def _depose(self) -> None:
        self.deposed = True
        told = "transfers of this account were written by another process: this one moves nothing more"
        self._tell(Alert(severity=Severity.FATAL, code="TRANSFERS_DEPOSED", text=told))

    def _start(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        task = asyncio.get_running_loop().create_task(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await work()
        except StoreUnavailable as error:
            log.warning("transfer_left", error=str(error))
        except Exception:  # a mistake of ours: what is under way stays so, and the history decides after a restart
            log.exception("transfer_fault")

    async def _carry_out(self, command: Command) -> None:
        match command:
            case Send(transfer=transfer):
                await self._hear(await self._send(transfer))
            case AskHistory(number=number, route=route, since_ms=since_ms):
                asked_ms = self._venue_now_ms()
                rows = await self._history(route, since_ms)
                if rows is not None:
                    await self._hear(Shown(number=number, asked_venue_ms=asked_ms, rows=rows))

    async def _send(self, transfer: Transfer) -> Fact:
        """Once. Whatever is not certain may have happened."""
        number, wallets, sent_ms = transfer.number, self._wallets, self._clock.now_ms()
        if wallets is None or sent_ms > transfer.not_after_ms:
            return Declined(number=number, reason="LATE: saved past its moment")
        try:
            name = await wallets.move(transfer.route, transfer.asset, transfer.amount, timeout_ms=MOVE_TIMEOUT_MS)
            return Taken(number=number, tran_id=name)
        except (VenueRejected, NotSent) as error:
            return Declined(number=number, reason=str(error))
        except OutcomeUnknown as error:
            log.warning("transfer_unanswered", number=number, error=str(error))
        except Exception:  # a fault of ours after the send: it may have happened
            log.exception("transfer_fault", number=number)
        return Unanswered(number=number, dead_after_ms=wallets.dead_after_ms(sent_ms))

    async def _history(self, route: Route, since_ms: Millis) -> tuple[Moved, ...] | None:
        """None: no answer; it is asked again."""
        assert self._wallets is not None  # it was sent by them
        try:
            return tuple(await self._wallets.moved(route, since_ms))
        except ChimeraError as error:
            log.info("transfers_unread", error=str(error))
            return None

    async def _publish(self) -> None:
        """The outbox, in order, until the stores have it."""
        told = 0
        try:
            for event in self.state.outbox:
                for write in transfer_writes(self._account_id, event):
                    await self._relay.put(write)
                told = event.seq
        except StoreUnavailable as error:
            log.warning("transfers_untold", error=str(error))
        if told:
            await self._hear(Published(through=told))
