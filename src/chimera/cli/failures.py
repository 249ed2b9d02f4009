"""Errors of ours as exit codes: one table."""

from typing import Any

from chimera.cli.codes import Exit, Stop
from chimera.client.credentials import CredentialsFault
from chimera.services.access.door import DoorFault
from chimera.services.access.tokens import TokensFault
from chimera.services.serving import PortInUse
from chimera.services.setting_kinds import SettingsFault
from chimera.trading.errors import (
    ChimeraError,
    NewerSchema,
    NotSent,
    OutcomeUnknown,
    Refused,
    StaleWriter,
    StoreUnavailable,
)
from chimera.wire.failures import STANDBY

VALUE_SHOWN = 80  # characters of what a refused field held

_CODES: tuple[tuple[type[BaseException], Exit], ...] = (
    (StaleWriter, Exit.DEPOSED),
    (SettingsFault, Exit.CANNOT_START),
    (PortInUse, Exit.CANNOT_START),
    (DoorFault, Exit.CANNOT_START),
    (TokensFault, Exit.CANNOT_START),
    (CredentialsFault, Exit.CANNOT_START),
    (StoreUnavailable, Exit.CANNOT_START),
    (NewerSchema, Exit.CANNOT_START),
    (Refused, Exit.REFUSED),
    (NotSent, Exit.UNREACHABLE),
    (OutcomeUnknown, Exit.UNKNOWN),
    (ChimeraError, Exit.FAILED),
)
_UNANSWERED: tuple[tuple[type[BaseException], str], ...] = (
    (NotSent, "NOT_REACHED"),
    (OutcomeUnknown, "OUTCOME_UNKNOWN"),
)


def stop_for(error: BaseException) -> Stop | None:
    """How to end for it; None for what is not ours to explain. Of a group the first that we know."""
    if isinstance(error, Stop):
        return error
    if isinstance(error, BaseExceptionGroup):
        return next((stop for stop in map(stop_for, error.exceptions) if stop is not None), None)
    for kind, code in _CODES:
        if isinstance(error, kind):
            return Stop(code, sentence(error), _answer(error))
    return None


def sentence(error: BaseException) -> str:
    """What went wrong, of what, and what would be right or is to be done."""
    if isinstance(error, Refused):
        accepted = f"; accepted: {error.accepted}" if error.accepted else ""
        value = "" if error.value is None else f" = {str(error.value)[:VALUE_SHOWN]}"
        field = f" ({error.field}{value})" if error.field else ""
        told = error.message.removeprefix(f"{error.code}: ")
        return f"{error.code}: {told}{field}{accepted}"
    if isinstance(error, StaleWriter):
        return f"another instance took over: {error}"
    if isinstance(error, NotSent):
        to_do = (
            "Name every router, with commas: --s4 or CHIMERA_S4_URL"
            if str(error).startswith(STANDBY)
            else "`chimera doctor` tells what answers"
        )
        return f"not reached, nothing happened: {error}. {to_do}"
    if isinstance(error, OutcomeUnknown):
        return f"it may have happened: {error}. Look with `chimera show` before trying again"
    return str(error)


def _answer(error: BaseException) -> dict[str, Any]:
    """In the shape of every refusal."""
    if isinstance(error, Refused):
        about = {"field": error.field, "value": error.value, "accepted": error.accepted}
        return {"result": "FAIL", "code": error.code, "message": error.message, **about}
    code = next((code for kind, code in _UNANSWERED if isinstance(error, kind)), "FAILED")
    return {"result": "FAIL", "code": code, "message": str(error), "field": None, "value": None, "accepted": None}
