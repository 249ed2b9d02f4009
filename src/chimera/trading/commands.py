"""What to do about it. The shell carries a command out and turns its outcome into a fact."""

from typing import Final

from chimera.trading.form import Form
from chimera.trading.money import Millis
from chimera.trading.order import NewOrder, Role
from chimera.trading.value import Value
from chimera.trading.venue import OrderRef


class Place(Value):
    """Send this order, perhaps under an id that already lives: then its outcome was not known.

    ``flatten``: it closes all there is, so that sending it twice does no more than sending it once. ``urgent``: it
    closes all there is, and the disk may hold it up for ``URGENT_MS`` only.
    """

    order: NewOrder
    role: Role
    flatten: bool = False
    urgent: bool = False


class PlacePair(Value):
    """Send stop and target as one order list (spot, ``Form.OCO``): both stand, or neither."""

    stop: NewOrder
    target: NewOrder


class Cancel(Value):
    order: OrderRef
    role: Role


class Ask(Value):
    """Query one order by its client id."""

    order: OrderRef


class Survey(Value):
    """Ask for the venue's whole word on the symbol, with trades since ``trades_since_ms``."""

    trades_since_ms: Millis


Command = Place | PlacePair | Cancel | Ask | Survey
NOTHING: tuple[Command, ...] = ()
URGENT_MS: Final = 500  # a commit takes 2 ms; past this the disk is in trouble, and what is held is bare meanwhile


def waits_for_save(command: Command) -> bool:
    """Whether a crash after sending, before saving, could lose money.

    Stops, targets, closes of everything, cancels of entries and questions go out at once: repeating them does no harm.
    What can increase exposure, or removes a stop, waits for the disk; so does a partial close, which a forgetful
    router would make twice. On spot what sells waits, too, since nothing there is reduce-only; see ``hurries``.
    """
    match command:
        case Place(order=order, role=role, flatten=flatten):
            return order.form is Form.ALONE or not (role.protective or flatten)
        case PlacePair():
            return True
        case Cancel(role=role):
            return role is Role.STOP
        case Ask() | Survey():
            return False


def hurries(command: Command) -> bool:
    """Whether it leaves without the disk after ``URGENT_MS``: a bare position is worse than a crash just then."""
    match command:
        case PlacePair():
            return True
        case Place(order=order, urgent=urgent):
            return order.form is Form.ALONE or urgent
        case _:
            return False
