"""What can go wrong, by the two questions that matter: can it have happened, and can trying again help?"""

from chimera.trading.money import Millis
from chimera.trading.refusal import Refusal


class ChimeraError(Exception):
    """Every error of ours."""


class VenueRejected(ChimeraError):
    """It said no; nothing happened. ``code`` is the venue's (Binance: negative), ``refusal`` what it means, if read.

    ``of_rules``: the symbol's rules, read anew, may explain it.
    """

    def __init__(self, code: int, message: str, refusal: Refusal | None = None, *, of_rules: bool = False) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.refusal = refusal
        self.of_rules = of_rules


class NotSent(ChimeraError):
    """The venue never took it; the same request may be sent again after ``retry_after_ms``.

    ``held``: we kept it back ourselves (the rate governor, a ban that lasts), which is no failure of the venue.
    ``code``: the word of a service of ours that could not take it now; empty where nobody said one.
    """

    def __init__(
        self, reason: str, retry_after_ms: Millis | None = None, *, held: bool = False, code: str = ""
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after_ms = retry_after_ms
        self.held = held
        self.code = code


class OutcomeUnknown(ChimeraError):
    """It may have happened: ask by client id before anything else."""


class StoreUnavailable(ChimeraError):
    """Our own memory is away: start nothing new, keep protecting."""


class RecordsGone(ChimeraError):
    """``count`` records went by a stream's length before ``group`` was done with them; it goes on behind them."""

    def __init__(self, stream: str, group: str, count: int) -> None:
        super().__init__(f"{count} records of {stream} were trimmed away before {group!r} was done with them")
        self.stream = stream
        self.group = group
        self.count = count


class StaleWriter(ChimeraError):
    """The document moved on under a newer revision or fence: we no longer own it."""


class NewerSchema(ChimeraError):
    """A document written by a newer version of Chimera: refused, never half understood."""


class IllegalTransition(ChimeraError):
    """A status and a trigger that the order table does not join: reconcile the order, do not patch it."""

    def __init__(self, status: str, trigger: str) -> None:
        super().__init__(f"{trigger} is not legal in {status}")
        self.status = status
        self.trigger = trigger


class Refused(ChimeraError):
    """We say no to a caller: a stable ``code``, the field, what it held, and what would be accepted."""

    def __init__(
        self, code: str, message: str, *, field: str | None = None, value: object = None, accepted: str | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field
        self.value = value
        self.accepted = accepted
