"""The same from a terminal: whatever the console shows or does, as a call of curl and as a command of ``chimera``."""

import shlex
from collections.abc import Mapping
from typing import Final

from chimera.trading.value import Value

BEARER: Final = '"Authorization: Bearer $(awk \'{print $NF}\' "$CHIMERA_TOKEN_PATH")"'


class Same(Value, tag=False):
    """``service``: ``s3`` or ``s4``. ``cli``: a whole command, empty where there is none. ``body``: JSON text."""

    path: str
    cli: str = ""
    service: str = "s4"
    method: str = "GET"
    body: str = ""


class Terminal:
    """Writes them for the addresses of this house; ``guarded``: a token is asked for."""

    def __init__(self, urls: Mapping[str, str], *, guarded: bool) -> None:
        self._urls = {name: url.split(",")[0].strip().rstrip("/") for name, url in urls.items()}  # any of them answers
        self._guarded = guarded

    def curl(self, same: Same) -> str:
        words = ["curl -sS"]
        if same.method != "GET":
            words.append(f"-X {same.method}")
        if self._guarded:
            words.append(f"-H {BEARER}")
        if same.body:
            words += ["-H 'Content-Type: application/json'", f"-d {shlex.quote(same.body)}"]
        return " ".join([*words, shlex.quote(self._urls.get(same.service, "") + same.path)])
