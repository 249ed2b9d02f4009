"""``chimera init``: make or migrate the ledgers that the settings name, or look what there would be to do."""

from typing import TYPE_CHECKING, Annotated

import typer

from chimera.cli.codes import Exit, Stop, ended_well
from chimera.cli.options import Json

if TYPE_CHECKING:
    from chimera.adapters.arango.address import Address


def init(
    check: Annotated[bool, typer.Option("--check", help="Only look; exit 7 where something is to be done.")] = False,
    replication_factor: Annotated[
        int | None, typer.Option(min=1, max=10, help="Cluster: copies of each new collection; the database's own.")
    ] = None,
    write_concern: Annotated[
        int | None, typer.Option(min=1, max=10, help="Cluster: copies that must have a write before it is answered.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make or migrate the ledgers in ArangoDB that the settings name; again at will. Files make themselves."""
    with ended_well(as_json=as_json):
        import asyncio
        import json

        named = databases()
        copies = (replication_factor, write_concern)
        told = {str(address): asyncio.run(_init(address, copies, check=check)) for address in named}
        if as_json:
            print(json.dumps({"check": check, "ledgers": told}))
        else:
            _tell(told, check=check)
        if check and any(told.values()):
            raise Stop(Exit.CANNOT_START, "a ledger is not as this version wants it: run `chimera init`")


async def _init(address: "Address", copies: tuple[int | None, int | None], *, check: bool) -> list[str]:
    try:
        from chimera.adapters.arango import layout
    except ImportError as missing:
        why = f"ArangoDB's driver is not installed ({missing.name}): install chimera[arango]"
        raise Stop(Exit.CANNOT_START, why) from missing
    factor, concern = copies
    return await layout.init(address, layout.Copies(replication_factor=factor, write_concern=concern), only_look=check)


def databases() -> "list[Address]":
    """Those that the settings name, each once, though S3 and S4 may share one."""
    import os

    from chimera.services.router.settings import load
    from chimera.services.strategy.settings import read_settings

    found: list[Address] = []
    if os.environ.get("S3_DB_ARANGO_URI"):
        s3 = read_settings(os.environ)
        found.append(_address(s3.db_arango_uri, s3.db_arango_user, s3.db_arango_pass, "S3_DB_ARANGO_URI"))
    if os.environ.get("S4_DB_ARANGO_URI"):
        s4 = load(os.environ)
        found.append(_address(s4.db_arango_uri or "", s4.db_arango_user, s4.arango_password, "S4_DB_ARANGO_URI"))
    return [address for place, address in enumerate(found) if address not in found[:place]]


def _address(uri: str, user: str | None, password: str | None, variable: str) -> "Address":
    from chimera.adapters.arango.address import address_of
    from chimera.services.setting_kinds import SettingsFault

    try:
        return address_of(uri, user, password)
    except ValueError as wrong:
        raise SettingsFault(f"{variable}: {wrong}") from wrong


def _tell(told: dict[str, list[str]], *, check: bool) -> None:
    if not told:
        print("no ArangoDB is named (S3_DB_ARANGO_URI, S4_DB_ARANGO_URI): files are made at the first start")
    for ledger, steps in told.items():
        print(f"{ledger}: {len(steps)} {'to do' if check else 'done'}" if steps else f"{ledger}: as it should be")
        for step in steps:
            print(f"  {step}")
