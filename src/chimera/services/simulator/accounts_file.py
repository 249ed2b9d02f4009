"""Accounts of a simulator from a file: a JSON list of ``AccountSpec``, refused with what is wrong in which row.

A row that has the ready account's name takes its place; else the ready account is there beside the file's.
"""

import re
from pathlib import Path
from typing import Final

import msgspec

from chimera.simulate.door.auth import KEY_FORM
from chimera.simulate.door.messages import NO_JSON
from chimera.simulate.door.refusals import Refusal
from chimera.simulate.venue.account_spec import READY_ACCOUNT, AccountSpec
from chimera.trading.errors import Refused

FIELD: Final = "--accounts"
_ACCEPTED: Final = '[{"name", "api_key", "secret" or "public_key", "balance"?, "spot"?: {asset: amount}, ...}]'


def load(path: Path) -> tuple[AccountSpec, ...]:
    """The accounts a venue opens with. Raises ``Refused``."""
    try:
        rows = msgspec.json.decode(path.read_bytes(), type=list[AccountSpec])
    except OSError as error:
        raise _refused(f"{path} cannot be read: {error.strerror or error}") from error
    except NO_JSON as error:
        raise _refused(f"{path}: {error}") from error
    for row in rows:
        try:
            row.key()
            if re.fullmatch(KEY_FORM, row.api_key) is None:
                raise Refusal(-2014, text=f"no caller could use the api_key {row.api_key!r}; one is {KEY_FORM}")
        except Refusal as refusal:
            raise _refused(f"{path}, account {row.name!r}: {refusal.msg}") from refusal
    for what in ("name", "api_key"):
        told = [getattr(row, what) for row in rows]
        twice = next((each for each in told if told.count(each) > 1), None)
        if twice is not None:
            raise _refused(f"{path}: two accounts have the {what} {twice!r}")
    taken = {row.name for row in rows} | {row.api_key for row in rows}
    ready = () if taken & {READY_ACCOUNT.name, READY_ACCOUNT.api_key} else (READY_ACCOUNT,)
    return (*ready, *rows)


def _refused(text: str) -> Refused:
    return Refused("ACCOUNTS", text, field=FIELD, accepted=_ACCEPTED)
