"""``chimera backup`` and ``chimera restore``: the ledgers in one file, while they run, and back."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chimera.cli.codes import ended_well
from chimera.cli.options import Json

if TYPE_CHECKING:
    from chimera.services.copies import Ledgers, Manifest, Whose
    from chimera.services.router.settings import RouterSettings

State = Annotated[
    Path | None, typer.Option(file_okay=False, help="Those of `chimera up` in this directory, not the settings'.")
]


def backup(
    file: Annotated[Path, typer.Argument(dir_okay=False, help="What is written, or looked at.")],
    check: Annotated[bool, typer.Option("--check", help="Only look whether it is whole; write nothing.")] = False,
    state: State = None,
    as_json: Json = False,
) -> None:
    """Copy the ledgers of S4 and S3 into one file, of one moment each, while they run."""
    with ended_well(as_json=as_json):
        from chimera.services import copies

        left_out: dict[str, str] = {}
        if check:
            manifest = copies.check(file)
        else:
            ledgers, whose = _named(state)
            manifest = copies.make(file, ledgers, whose)
            left_out = {name: str(path) for name, path in ledgers.items() if name not in manifest.services}
        _print(file, manifest, {}, as_json=as_json, left_out=left_out)


def restore(
    file: Annotated[Path | None, typer.Argument(dir_okay=False, help="What `chimera backup` wrote.")] = None,
    only: Annotated[str | None, typer.Option(metavar="s3|s4", help="This one's ledger alone.")] = None,
    confirm: Annotated[str | None, typer.Option(metavar="WORD", help="What a first call asked for.")] = None,
    dumped_at: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="No FILE: S4's ledger was put back by another tool's dump, begun then (UTC, or ms)."
        ),
    ] = None,
    state: State = None,
    as_json: Json = False,
) -> None:
    """Put ledgers back as they were; stop S4 and S3 first. S4 then takes exits only, until the venue agrees."""
    with ended_well(as_json=as_json):
        from chimera.services import copies
        from chimera.trading.errors import Refused

        if (file is None) == (dumped_at is None):
            raise Refused("BAD_REQUEST", "one of both is needed", field="file", accepted="FILE, or --dumped-at TIME")
        if dumped_at is not None:
            _mark(dumped_at, as_json=as_json)
            return
        assert file is not None
        ledgers, whose = _named(state)
        if only is not None and only not in ledgers:
            raise Refused("BAD_REQUEST", "no such ledger here", field="only", value=only, accepted=" or ".join(ledgers))
        wanted = {name: path for name, path in ledgers.items() if only in (None, name)}
        manifest, kept = copies.put_back(file, wanted, whose, confirm=confirm)
        _print(file, manifest, kept, as_json=as_json, restored=tuple(wanted))


def _named(state: Path | None) -> "tuple[Ledgers, Whose]":
    """The files that the settings name, and of which account they are; one in ArangoDB is not among them."""
    import os

    from chimera.services import copies
    from chimera.services.router.hosting import hosts_of
    from chimera.services.router.settings import load
    from chimera.services.strategy.settings import read_settings
    from chimera.trading.ids import DEFAULT_ACCOUNT

    if state is not None:
        ledgers = {name: state / f"{name}.sqlite" for name in copies.ORDER}
        return ledgers, copies.Whose(account=DEFAULT_ACCOUNT, environment="sim")
    s4, s3 = load(os.environ), read_settings(os.environ)
    ledgers = {}
    if s4.db_arango_uri is None:
        ledgers[copies.S4] = s4.ledger_path
    if not s3.db_arango_uri:
        ledgers[copies.S3] = s3.ledger_path
    mark = copies.key_mark(_key(s4))
    return ledgers, copies.Whose(account=DEFAULT_ACCOUNT, environment=hosts_of(s4).name, key_mark=mark)


def _key(settings: "RouterSettings") -> str:
    return settings.binance_key.get_secret_value() if settings.binance_key is not None else ""


def _mark(dumped_at: str, *, as_json: bool) -> None:
    """The same row in a ledger that another tool has put back."""
    import asyncio
    import json
    import os

    from chimera.services.clock import SystemClock
    from chimera.services.copies import restored_note
    from chimera.services.router.settings import load
    from chimera.services.stores import open_ledger
    from chimera.trading.ids import DEFAULT_ACCOUNT
    from chimera.wire import keys

    settings, backup_ms = load(os.environ), _moment(dumped_at)
    note = restored_note(SystemClock().now_ms(), backup_ms)

    async def write() -> None:
        uri, user = settings.db_arango_uri, settings.db_arango_user
        ledger = await open_ledger(settings.ledger_path, uri, user, settings.arango_password)
        try:
            await ledger.put(keys.CONTROLS, keys.restored_row(DEFAULT_ACCOUNT), note)
        finally:
            await ledger.close()

    asyncio.run(write())
    told = "S4's next start takes exits only, until the venue's trades since then are in the ledger and agree"
    print(json.dumps(note) if as_json else told)


def _moment(told: str) -> Any:
    """UTC ms; raises ``Refused``."""
    from datetime import UTC, datetime

    from chimera.trading.errors import Refused
    from chimera.trading.money import Millis

    if told.isdecimal():
        return Millis(int(told))
    try:
        at = datetime.fromisoformat(told)
    except ValueError:
        accepted = "2026-11-22T01:00:00Z, or ms"
        raise Refused("BAD_REQUEST", "not a time", field="dumped-at", value=told, accepted=accepted) from None
    return Millis(round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000))


def _print(
    file: Path,
    manifest: "Manifest",
    kept: dict[str, str],
    *,
    as_json: bool,
    restored: tuple[str, ...] = (),
    left_out: dict[str, str] | None = None,
) -> None:
    from chimera.services.copies import S4
    from chimera.wire.cash import moment
    from chimera.wire.codec import encode

    if as_json:
        body = {"file": str(file), "manifest": manifest, "kept": kept, "restored": restored, "left_out": left_out or {}}
        print(encode(body).decode())
        return
    whose = manifest.whose
    print(f"{file}: account {whose.account} on {whose.environment}, copied {moment(manifest.at_ms)}")
    for copy in manifest.copies:
        print(f"  {copy.service}: {copy.size} bytes, layout {copy.layout}, schema {copy.schema_version}, whole")
    for service, path in (left_out or {}).items():
        print(f"  {service}: not in it, there is no ledger at {path}")
    for path, to in kept.items():
        print(f"  what stood at {path} is kept as {to}")
    if S4 in restored:
        print("S4's next start takes exits only, until the venue's trades since then are in the ledger and agree.")
        print("Kills that were thrown since then are not in it: throw them again before you start S3.")
