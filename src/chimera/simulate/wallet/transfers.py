"""Transfers between an owner's spot and futures wallets, and the book of them.

Invariants: what leaves one wallet arrives in the other, once; between, while a transfer is PENDING, it is in neither.
There is no client id and no idempotence: the same request twice is two transfers (binance.md 6). Only USDT has a
futures wallet here.
"""

from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum

from chimera.simulate.door.refusals import Refusal
from chimera.simulate.spot.accounts import whole
from chimera.simulate.spot.exchange import SpotExchange
from chimera.simulate.usdm.accounts import ASSET
from chimera.simulate.usdm.exchange import FuturesExchange
from chimera.simulate.usdm.margin import withdrawable
from chimera.trading.money import ZERO, Millis
from chimera.trading.value import Value

_FIRST_ID = 13_000_000_000


class Route(StrEnum):
    """From which wallet to which; the routes Binance has beside these lead to wallets the twin does not have."""

    MAIN_UMFUTURE = "MAIN_UMFUTURE"
    UMFUTURE_MAIN = "UMFUTURE_MAIN"


class TransferStatus(StrEnum):
    """How far a transfer is. Here none fails once it was taken."""

    PENDING = "PENDING"
    CONFIRMED = "CONFIRMED"


class Transfer(Value, tag=False):
    """One transfer. It arrives at ``due_ms``."""

    tran_id: int
    owner: str
    route: Route
    asset: str
    amount: Decimal
    at_ms: Millis
    due_ms: Millis
    status: TransferStatus = TransferStatus.PENDING


class Transfers:
    """Every transfer of the venue, oldest first.

    ``delays_ms``: how long an owner's are under way; they arrive at once unless it says so. ``named``: futures tell of
    them as ASSET_TRANSFER instead of DEPOSIT or WITHDRAW; which of them Binance says is unverified.
    """

    def __init__(self, usdm: FuturesExchange, spot: SpotExchange) -> None:
        self.book: list[Transfer] = []
        self.tran_id = _FIRST_ID  # the last one given
        self.delays_ms: dict[str, int] = {}
        self.named = False
        self._usdm = usdm
        self._spot = spot

    def send(self, owner: str, route: Route, asset: str, amount: Decimal, now_ms: int) -> Transfer:
        """Take it from one wallet; it arrives in the other now or when it is due. Raises ``Refusal``: nothing moved."""
        amount = whole(amount)
        if amount <= ZERO:
            raise Refusal(-5007)
        if asset != ASSET:
            raise Refusal(-5010)
        if amount > self._free(owner, route):
            raise Refusal(-5013)
        self.tran_id += 1
        sent = Transfer(
            tran_id=self.tran_id,
            owner=owner,
            route=route,
            asset=asset,
            amount=amount,
            at_ms=Millis(now_ms),
            due_ms=Millis(now_ms + self.delays_ms.get(owner, 0)),
        )
        self._move(owner, route is Route.MAIN_UMFUTURE, -amount)
        self.book.append(sent)
        self.tick(now_ms)
        return self.book[-1]

    def _free(self, owner: str, route: Route) -> Decimal:
        """What may leave the wallet it comes from."""
        if route is Route.MAIN_UMFUTURE:
            return self._spot.floor.accounts[owner].free(ASSET)
        return withdrawable(self._usdm.floor, self._usdm.floor.accounts[owner])

    def _move(self, owner: str, on_spot: bool, delta: Decimal) -> None:
        if on_spot:
            self._spot.floor.credit(self._spot.floor.accounts[owner], ASSET, delta)
        else:
            reason = "ASSET_TRANSFER" if self.named else "DEPOSIT" if delta > ZERO else "WITHDRAW"
            self._usdm.cash.transfer(self._usdm.floor.accounts[owner], delta, reason)

    def tick(self, now_ms: int) -> None:
        """Time passed: what is due arrives."""
        for at, sent in enumerate(self.book):
            if sent.status is TransferStatus.PENDING and now_ms >= sent.due_ms:
                self._move(sent.owner, sent.route is Route.UMFUTURE_MAIN, sent.amount)
                self.book[at] = sent.but(status=TransferStatus.CONFIRMED)

    def restore(self, book: Iterable[Transfer], leap: int) -> None:
        """Carry on from what was kept; ``leap`` over ids that may have been given since."""
        self.book.extend(book)
        self.tran_id = leap + max((each.tran_id for each in self.book), default=self.tran_id)

    def of(self, owner: str, route: Route, since_ms: int, until_ms: int) -> list[Transfer]:
        """An owner's transfers of one route in a period, newest first."""
        found = (each for each in self.book if each.owner == owner and each.route is route)
        return [each for each in found if since_ms <= each.at_ms <= until_ms][::-1]
