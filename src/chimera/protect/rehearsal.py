"""The book of forms, and the order that asks for one without doing anything.

``FormBook`` is what is known of each form in which a stop can stand: taken, refused, or nothing; by whom and since
when. Its forms are those not known to be refused, so no position is denied a stop for want of an answer. A question is
an order in a symbol that is flat and quiet: it could only reduce what is not there. The shell sends and withdraws it
(``services/router/probing.py``).
"""

from typing import Final

from chimera.protect.verdicts import Verdict, takes_form, verdict
from chimera.trading.errors import VenueRejected
from chimera.trading.events import Alert, Severity
from chimera.trading.form import FORMS, Form
from chimera.trading.holding import Holding
from chimera.trading.ids import PositionKey, derived_id, probe_id
from chimera.trading.instrument import Instrument
from chimera.trading.intent import WorkingType
from chimera.trading.market import Side
from chimera.trading.money import ZERO, Millis, Price, Qty
from chimera.trading.order import NewOrder, OrderType
from chimera.trading.value import Value

FAR: Final = 5  # one part in so many of the way from the venue's price bound to the mark
_TAKEN: Final = (Severity.INFO, "PROTECTIVE_FORM_TAKEN")
_REFUSED: Final = (Severity.WARN, "PROTECTIVE_FORM_REFUSED")


class Known(Value):
    """Whether a form is taken, by whom we know and since when (UTC); ``works`` None: nobody could say."""

    form: Form
    works: bool | None = None
    why: str = "not asked yet"
    at_ms: Millis = Millis(0)


class FormBook(Value):
    """What is known of each form, the first choice first."""

    known: tuple[Known, ...] = tuple(Known(form=form) for form in FORMS)

    @property
    def forms(self) -> tuple[Form, ...]:
        """What is not known to be refused: for ``Scene.forms``."""
        return tuple(each.form for each in self.known if each.works is not False)

    @property
    def sure(self) -> bool:
        """Whether the first choice is known to be taken."""
        return self.known[0].works is True

    @property
    def none_left(self) -> str | None:
        """Why no stop can stand at all; None: one may."""
        return None if self.forms else "; ".join(f"{each.form}: {each.why}" for each in self.known)

    def works(self, form: Form) -> bool | None:
        return next(each.works for each in self.known if each.form is form)

    def learned(self, form: Form, works: bool | None, why: str, now_ms: Millis) -> "FormBook":
        new = Known(form=form, works=works, why=why, at_ms=now_ms)
        return self.but(known=tuple(new if each.form is form else each for each in self.known))

    def answered(self, form: Form, no: VenueRejected, now_ms: Millis) -> "FormBook":
        """An order that only asked was refused."""
        return self.learned(form, takes_form(no.refusal), str(no), now_ms)

    def took(self, order: NewOrder, now_ms: Millis) -> "FormBook":
        """A real order was accepted: a stop or target teaches as much as a question."""
        if not order.type.conditional or self.works(order.form) is True:
            return self
        return self.learned(order.form, True, f"{order.ref} was taken", now_ms)

    def refused(self, order: NewOrder, no: VenueRejected, now_ms: Millis) -> "FormBook":
        """A real order was refused; a stop for its form means that no other symbol need try it first."""
        if order.type is not OrderType.STOP_MARKET or verdict(no.refusal) is not Verdict.FORM:
            return self
        return self.learned(order.form, False, str(no), now_ms)

    def news(self, before: "FormBook") -> Alert | None:
        """What somebody should hear: the first choice is refused, or taken again."""
        first, was = self.known[0], before.known[0].works
        if first.works is was or not (first.works is False or was is False):
            return None
        severity, code = _TAKEN if first.works else _REFUSED
        rest = ", ".join(self.forms) or "none"
        return Alert(severity=severity, code=code, text=f"stop as {first.form}: {first.why}; left: {rest}")


def quiet(holding: Holding, rules: Instrument) -> bool:
    """Nothing held, nothing working and no order of its own, in a symbol that trades: an order could do nothing."""
    busy = holding.exposure or holding.entering or holding.exit is not None or holding.strikes
    return rules.trading and not busy and all(order.status.final for order in holding.orders.values())


def question(key: PositionKey, form: Form, mark: Price, rules: Instrument, *, now_ms: Millis, number: int) -> NewOrder:
    """The smallest stop, almost as far below the market as the venue takes one (``FAR``).

    ``number`` of ours tells apart what is asked in one millisecond. A crash leaves an id of our own pattern behind,
    which the next survey adopts and cancels.
    """
    return NewOrder(
        ref=probe_id(derived_id("cx", f"probe:{key}:{now_ms}:{number}")),
        symbol=rules.symbol,
        side=Side.SELL,
        type=OrderType.STOP_MARKET,
        qty=Qty(ZERO) if form is Form.WHOLE else Qty(max(rules.min_qty, rules.step)),
        trigger_price=_far_below(mark, rules),
        working_type=WorkingType.MARK_PRICE,
        reduce_only=True,
        form=form,
    )


def _far_below(mark: Price, rules: Instrument) -> Price:
    bound = mark * rules.price_down
    return rules.price_at_or_above(max(bound + (mark - bound) / FAR, rules.min_price))
