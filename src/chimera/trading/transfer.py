"""Money moved between two wallets of one owner: the wish, how far it is, the venue's word on it, what is told of it.

The venue gives a transfer no name of ours, so the same request twice is two transfers.
"""

from decimal import Decimal
from enum import StrEnum

from chimera.trading.events import Alert
from chimera.trading.money import Millis
from chimera.trading.value import Value


class Wallet(StrEnum):
    SPOT = "SPOT"
    FUT = "FUT"


class Route(StrEnum):
    """From which wallet to which."""

    SPOT_TO_FUT = "SPOT_TO_FUT"
    FUT_TO_SPOT = "FUT_TO_SPOT"

    @property
    def source(self) -> Wallet:
        return Wallet.SPOT if self is Route.SPOT_TO_FUT else Wallet.FUT

    @property
    def target(self) -> Wallet:
        return Wallet.FUT if self is Route.SPOT_TO_FUT else Wallet.SPOT

    @classmethod
    def into(cls, wallet: Wallet) -> "Route":
        """The route that fills this wallet."""
        return cls.SPOT_TO_FUT if wallet is Wallet.FUT else cls.FUT_TO_SPOT


class Landing(StrEnum):
    """The venue's words for how far a transfer is."""

    PENDING = "PENDING"  # in neither wallet
    CONFIRMED = "CONFIRMED"
    FAILED = "FAILED"


class Moved(Value):
    """One row of the venue's history; ``at_ms`` by its clock."""

    tran_id: str
    route: Route
    asset: str
    amount: Decimal
    at_ms: Millis
    landing: Landing


class Stage(StrEnum):
    ASKED = "ASKED"  # on disk, on its way
    IN_DOUBT = "IN_DOUBT"  # it may have happened: the history decides, and nothing else moves meanwhile
    TAKEN = "TAKEN"  # the venue has named it
    AMBIGUOUS = "AMBIGUOUS"  # the history shows more than one that could be it: somebody has to say
    DONE = "DONE"
    FAILED = "FAILED"  # nothing moved, or it came back

    @property
    def final(self) -> bool:
        return self in (Stage.DONE, Stage.FAILED)


class Transfer(Value):
    """``amount`` in the asset's own unit; ``why`` is who asked and for what."""

    number: int  # of this account, counting up
    route: Route
    asset: str
    amount: Decimal
    why: str
    asked_ms: Millis
    asked_venue_ms: Millis  # the same moment by the venue's clock
    not_after_ms: Millis  # it does not leave us later than this
    stage: Stage = Stage.ASKED
    tran_id: str | None = None
    dead_after_ms: Millis | None = None  # in doubt: venue clock past which the request can no longer be accepted
    ask_at_ms: Millis | None = None
    asks: int = 0
    absent: int = 0  # histories in a row, asked late enough, that do not show it
    reason: str = ""  # why it ended as it did
    ended_ms: Millis | None = None


class TransferRequest(Value):
    """A transfer is on disk and about to be sent."""

    transfer: Transfer


class TransferResponse(Value):
    """Its stage changed."""

    transfer: Transfer


class TransferEvent(Value):
    """``seq`` counts up per account and makes the event's id."""

    seq: int
    at_ms: Millis
    body: TransferRequest | TransferResponse | Alert


class Transfers(Value):
    """All that must be remembered of an account's transfers; ``rev`` counts every change."""

    rev: int = 0
    last: int = 0  # number of the newest transfer
    present: Transfer | None = None  # the one that is not over
    ended: tuple[Transfer, ...] = ()  # newest last
    day: int = 0  # UTC day number of ``moved``
    moved: dict[str, Decimal] = {}  # by asset
    event_seq: int = 0
    outbox: tuple[TransferEvent, ...] = ()
