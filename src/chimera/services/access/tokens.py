"""API tokens in a file: who holds them, what they may, until when. The file keeps digests, never a token.

A token is 256 drawn bits, so its plain SHA-256 is as good at rest as a slow hash would be. Looking one up compares with
every digest in constant time and tells an unknown token as it tells a wrong one. A change of the file counts within
``LOOK_MS``, without a restart; a file that cannot be read leaves what was read last in force, and says so in the log:
a broken file must not take the kill switch away. A key that signs has its signing key in the file, which is derived
from the token and cannot be turned back into it; whoever reads the file can sign, so the file is its owner's alone.
"""

import hashlib
import hmac
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
import structlog

from chimera.ports.clock import Clock
from chimera.services.access.table import KEYS, ROLES, Role
from chimera.trading.errors import ChimeraError, Refused
from chimera.trading.value import Value
from chimera.wire.signed import signing_key

PREFIX: Final = "chm_"  # so that a scanner of repositories finds one that leaked
LOOK_MS: Final = 1_000
NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")
MOST: Final = 1_000

log = structlog.get_logger(__name__)


class TokensFault(ChimeraError):
    """The file of tokens cannot be used; the message names it and never shows what is in it."""


class Token(Value, tag=False):
    """One row of the file. ``key_of``: a service, whose key it is; its role is then of no use. Times are UTC ms."""

    name: str
    role: str
    digest: str  # SHA-256 of the token, hex
    key_of: str = ""
    signing: str = ""  # hex; empty: it does not sign
    created_ms: int = 0
    expires_ms: int | None = None
    revoked_ms: int | None = None

    def state(self, now_ms: int) -> str:
        if self.revoked_ms is not None:
            return "revoked"
        return "expired" if self.expires_ms is not None and now_ms >= self.expires_ms else "valid"


class TokenFile(Value, tag=False):
    """The document."""

    tokens: tuple[Token, ...] = ()


def digest_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def new_token(
    name: str,
    role: Role,
    drawn: str,
    *,
    now_ms: int,
    key_of: str = "",
    signs: bool = False,
    expires_ms: int | None = None,
) -> tuple[Token, str]:
    """The row, and the token that is told once; ``drawn`` is at least 256 bits of text. Raises ``Refused``."""
    if not NAME.fullmatch(name):
        raise Refused("OUT_OF_RANGE", "this is no name of a token", field="name", accepted=NAME.pattern)
    if key_of and key_of not in KEYS:
        raise Refused("OUT_OF_RANGE", "no such service has a key", field="key_of", accepted=", ".join(sorted(KEYS)))
    token = PREFIX + drawn
    row = Token(
        name=name,
        role=role.word,
        digest=digest_of(token),
        key_of=key_of,
        signing=signing_key(token).hex() if signs else "",
        created_ms=now_ms,
        expires_ms=expires_ms,
    )
    return row, token


def read_tokens(path: Path) -> tuple[Token, ...]:
    """Raises ``TokensFault`` for a file that is not there, not ours alone, or not in its form."""
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise TokensFault(f"{path}: others may read it; chmod 600 it")
        document = msgspec.json.decode(path.read_bytes(), type=TokenFile)
    except OSError as error:
        raise TokensFault(f"{path}: {error.strerror}") from error
    except msgspec.MsgspecError:
        raise TokensFault(f"{path} is no file of tokens; `chimera token new` makes one") from None
    names = [token.name for token in document.tokens]
    odd = next((token for token in document.tokens if not _is_sound(token)), None)
    if odd is not None or len(set(names)) != len(names) or len(names) > MOST:
        why = f"the row of {odd.name[:32]!r} is not in its form" if odd is not None else "two rows have one name"
        raise TokensFault(f"{path}: {why}" if len(names) <= MOST else f"{path}: more than {MOST} tokens")
    return document.tokens


def _is_sound(token: Token) -> bool:
    hexes = [token.digest, *([token.signing] if token.signing else [])]
    return (
        NAME.fullmatch(token.name) is not None
        and token.role in ROLES
        and (not token.key_of or token.key_of in KEYS)
        and all(re.fullmatch(r"[0-9a-f]{64}", given) for given in hexes)
    )


class TokenBook:
    """The file as last read. Raises ``TokensFault`` when it cannot be read at the start."""

    def __init__(self, path: Path, clock: Clock, *, read: Callable[[Path], tuple[Token, ...]] = read_tokens) -> None:
        self._path = path
        self._clock = clock
        self._read = read
        self._mark = _mark_of(path)
        self._tokens = read(path)
        self._looked_ms = clock.monotonic_ms()

    def holder(self, token: str) -> Token | None:
        """Whose token it is, of those that were not revoked; it may have expired. None: nobody's."""
        wanted, found = digest_of(token), None
        for row in self._current():
            if hmac.compare_digest(row.digest, wanted) and row.revoked_ms is None:
                found = row  # no early end: how long it takes says nothing
        return found

    def named(self, name: str) -> Token | None:
        """The row of that name, of those that were not revoked."""
        return next((row for row in self._current() if row.name == name and row.revoked_ms is None), None)

    def _current(self) -> tuple[Token, ...]:
        mono_ms = self._clock.monotonic_ms()
        if mono_ms - self._looked_ms >= LOOK_MS:
            self._looked_ms = mono_ms
            mark = _mark_of(self._path)
            if mark != self._mark:
                self._mark = mark
                self._read_again()
        return self._tokens

    def _read_again(self) -> None:
        try:
            self._tokens = self._read(self._path)
        except TokensFault as fault:
            log.error("tokens_unread", why=str(fault), in_force=len(self._tokens))
        else:
            log.info("tokens_read", tokens=len(self._tokens))


def _mark_of(path: Path) -> tuple[int, int, int] | None:
    """Another one after each change, of its mode, too: one that others could read is read when they no longer can."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_ctime_ns, found.st_size, found.st_ino)
