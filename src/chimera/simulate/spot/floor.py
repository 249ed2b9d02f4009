"""The spot floor: accounts and balances, pairs, orders and order lists, where news goes."""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, Protocol

from chimera.simulate.door.refusals import Refusal
from chimera.simulate.spot.accounts import SpotAccount, open_account, whole
from chimera.simulate.spot.lists import ListShelf, OrderList
from chimera.simulate.spot.orders import SpotFill, SpotOrder
from chimera.simulate.spot.pair import Pair
from chimera.simulate.spot.words import INSUFFICIENT, rejected
from chimera.simulate.venue.account_spec import AccountSpec
from chimera.simulate.venue.audit import Audit, Kind
from chimera.simulate.venue.floor import Floor, terms_of
from chimera.trading.instrument import Instrument
from chimera.trading.market import Side
from chimera.trading.money import ZERO

MARKET = "SPOT"  # in audit records
BNB = "BNB"


class SpotReports(Protocol):
    """Who turns happenings into stream frames; the exchange does not know their shape."""

    def order(self, order: SpotOrder, execution: str, fill: SpotFill | None = None, cancel_id: str = "") -> None:
        """An order's state changed. ``execution`` is NEW, TRADE (with its fill), CANCELED (with the cancel's id),
        REPLACED (amended), EXPIRED or TRADE_PREVENTION (``order.preventions[-1]`` says what happened)."""
        ...

    def list_status(self, order_list: OrderList) -> None:
        """A list's state changed, as its ``status_type`` and ``order_status`` say."""
        ...

    def balances(self, account: SpotAccount, assets: Iterable[str]) -> None:
        """These balances changed; said once after all that one call or market event caused."""
        ...

    def balance_moved(self, account: SpotAccount, asset: str, delta: Decimal) -> None:
        """A transfer, a deposit or a withdrawal; ``delta`` signed."""
        ...

    def printed(self, pair: Pair, price: Decimal, qty: Decimal, taker: Side) -> None:
        """A public trade."""
        ...


class SpotFloor(Floor[SpotAccount, Pair, SpotOrder]):
    """The shared state of the spot market."""

    def __init__(self, instruments: Iterable[Instrument], seed: int, audit: Audit, reports: SpotReports) -> None:
        super().__init__({each.symbol: Pair(each) for each in instruments}, seed, audit)
        self.reports = reports
        self.lists = ListShelf()
        self.list_id = 0  # the last one given
        self.execution_id = 0
        self.asset_limits: dict[str, Decimal] = {}  # MAX_ASSET
        self.bnb_share = Decimal("0.75")  # what is left to pay with the discount; its meaning is unverified
        self.reports_trigger = True  # a triggered order is reported NEW once more; unverified
        self.on_first_fill: Callable[[str, bool], None] = lambda owner, maker: None  # the door gives counts back
        self.moved: dict[str, Pair] = {}  # pairs whose last price may have moved since the last settle
        self.filled: dict[int, OrderList] = {}  # lists whose working order is filled, to be released
        self.touched: dict[str, dict[str, None]] = {}  # assets by account, to be reported

    def admit(self, spec: AccountSpec) -> SpotAccount:
        """A new account; its name must be new."""
        if spec.name in self.accounts:
            raise Refusal(-1130, "name")
        account = self.accounts[spec.name] = open_account(spec)
        for asset, balance in account.balances.items():
            self.log(Kind.OPEN_ACCOUNT, account=account.name, asset=asset, wallet_after=balance.total)
        return account

    def credit(self, account: SpotAccount, asset: str, delta: Decimal) -> None:
        """A transfer in, or out where ``delta`` is below zero; -2010 where less than that is free."""
        balance, amount = account.balance(asset), whole(delta)
        if balance.free + amount < ZERO:
            raise rejected(INSUFFICIENT)
        balance.free += amount
        account.updated_ms = self.now_ms
        self.log(Kind.TRANSFER, account=account.name, asset=asset, qty=amount, wallet_after=balance.total)
        self.reports.balance_moved(account, asset, amount)
        self.reports.balances(account, (asset,))

    def touch(self, account: SpotAccount, asset: str) -> None:
        """Its balance changed."""
        account.updated_ms = self.now_ms
        self.touched.setdefault(account.name, {})[asset] = None

    def next_list_id(self) -> int:
        """Ascending over all symbols."""
        self.list_id += 1
        return self.list_id

    def next_execution_id(self) -> int:
        """Ascending over all symbols: the ``I`` of a report, an amendment's ``executionId``."""
        self.execution_id += 1
        return self.execution_id

    def bnb_price(self, quote: str) -> Decimal | None:
        """Last price of BNB in ``quote``; ``None`` where it has none."""
        pair = self.listings.get(BNB + quote)
        return None if pair is None else pair.last

    def log(self, kind: Kind, **fields: Any) -> None:
        """Audit a happening on this market."""
        self.audit.add(kind, self.now_ms, market=MARKET, **fields)

    def log_order(self, kind: Kind, order: SpotOrder, **more: Any) -> None:
        """Audit an order with its terms."""
        terms = terms_of(order) | {
            "list_id": None if order.order_list is None else order.order_list.list_id,
            "trigger_price": order.stop_price or None,
        }
        self.log(kind, **terms | more)
