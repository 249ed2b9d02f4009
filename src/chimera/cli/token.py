"""``chimera token``: make, list and revoke API tokens in their file. A token is shown once, when it is made."""

import json
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from chimera.cli.codes import Exit, Stop, ended_well
from chimera.cli.options import Json
from chimera.trading.money import DAY_MS

if TYPE_CHECKING:
    from chimera.services.access.tokens import Token

app = typer.Typer(no_args_is_help=True, help="API tokens: who may ask the services what.", rich_markup_mode=None)


File = Annotated[
    Path,
    typer.Option("--file", envvar="CHIMERA_TOKENS_PATH", dir_okay=False, help="Of tokens; the services name it, too."),
]
DEFAULT: Final = Path("var/tokens.json")


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Whose it is; the audit trail says it.")],
    role: Annotated[str, typer.Option(help="read, trade, operate or admin.")] = "read",
    key_of: Annotated[str, typer.Option("--key-of", help="A service's key: s3 may submit intents.")] = "",
    signs: Annotated[
        bool, typer.Option("--signs", help="Over a network it signs its requests instead of being sent.")
    ] = False,
    days: Annotated[int | None, typer.Option(min=1, max=3650, help="Until it expires; default: never.")] = None,
    out: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write it there, for its owner alone; default: print it once.")
    ] = None,
    file: File = DEFAULT,
    as_json: Json = False,
) -> None:
    """Make a token. A running service takes it within a second."""
    with ended_well(as_json=as_json):
        from chimera.services.access.table import ROLES
        from chimera.services.access.tokens import new_token
        from chimera.services.clock import SystemClock

        if role not in ROLES:
            raise Stop(Exit.USAGE, f"no role is named {role}; there are {', '.join(ROLES)}")
        now_ms = SystemClock().now_ms()
        row, token = new_token(
            name, ROLES[role], secrets.token_urlsafe(32), now_ms=now_ms, key_of=key_of, signs=signs,
            expires_ms=None if days is None else now_ms + days * DAY_MS,
        )  # fmt: skip

        def added(rows: "tuple[Token, ...]") -> "tuple[Token, ...]":
            if any(each.name == name for each in rows if each.revoked_ms is None):
                raise Stop(Exit.REFUSED, f"{name} has a token; revoke it first, or take another name")
            return (*(each for each in rows if each.name != name), row)

        said = f"{name} {token}" if signs else token
        if out is not None:
            _write(out, said.encode() + b"\n", fresh=True)
        _change(file, added)
        if as_json:
            print(json.dumps({"name": name, "role": role, "key_of": key_of, "token": None if out else said}))
        elif out is None:
            print(said)


@app.command("list")
def listed(file: File = DEFAULT, as_json: Json = False) -> None:
    """Every token by its name; never what it is."""
    with ended_well(as_json=as_json):
        from chimera.services.access.tokens import read_tokens
        from chimera.services.clock import SystemClock

        now_ms = SystemClock().now_ms()
        rows = [
            {
                "name": row.name, "role": f"key of {row.key_of}" if row.key_of else row.role,
                "state": row.state(now_ms), "signs": bool(row.signing), "created": _day(row.created_ms),
                "expires": _day(row.expires_ms),
            }
            for row in read_tokens(file)
        ]  # fmt: skip
        if as_json:
            print(json.dumps({"tokens": rows}))
            return
        for row in rows:
            signs = ", signs" if row["signs"] else ""
            print(f"{row['name']:20} {row['role']:10} {row['state']:8} {row['created']}..{row['expires'] or ''}{signs}")


@app.command()
def revoke(name: str, file: File = DEFAULT) -> None:
    """From within a second on nobody is let in by it; its name stays in the list."""
    with ended_well():
        from chimera.services.clock import SystemClock

        def without(rows: "tuple[Token, ...]") -> "tuple[Token, ...]":
            if not any(row.name == name and row.revoked_ms is None for row in rows):
                raise Stop(Exit.REFUSED, f"no valid token is named {name}; `chimera token list`")
            now_ms = SystemClock().now_ms()
            return tuple(row.but(revoked_ms=now_ms, signing="") if row.name == name else row for row in rows)

        _change(file, without)
        print(f"{name} is revoked")


def _day(at_ms: int | None) -> str:
    return "" if at_ms is None else f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d}"


def _change(path: Path, change: "Callable[[tuple[Token, ...]], tuple[Token, ...]]") -> None:
    """One at a time, and whole: whoever reads sees the file before or after."""
    import msgspec

    from chimera.services.access.tokens import TokenFile, read_tokens

    with _alone(path):
        rows = read_tokens(path) if path.exists() else ()
        document = msgspec.json.encode(TokenFile(tokens=change(rows)))
        _write(path, msgspec.json.format(document, indent=1) + b"\n")


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    import fcntl

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _write(path: Path, content: bytes, *, fresh: bool = False) -> None:
    """For its owner alone, and never half: mkstemp makes it 0600. ``fresh``: nothing may be there yet."""
    if fresh and path.exists():
        raise Stop(Exit.REFUSED, f"{path} is there already")
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, made = tempfile.mkstemp(dir=path.parent, prefix=path.name + ".")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(made).replace(path)
    except BaseException:
        Path(made).unlink(missing_ok=True)
        raise
