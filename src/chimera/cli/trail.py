"""``chimera audit``: what operators did, from the ledgers; and, as ever, a run's summary from a venue's audit."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import typer
from typer.core import TyperGroup

from chimera.cli.codes import Exit, Stop, ended_well
from chimera.cli.options import Json

if TYPE_CHECKING:
    from chimera.adapters.arango.address import Address

LEDGERS: Final = [Path(place, name) for place in ("var", ".state") for name in ("s4.sqlite", "s3.sqlite")]
_SUMMARY: Final = "summary"
_AT_ONCE: Final = 1_000  # entries of one question to a database


class _Chain(NamedTuple):
    """``head``: the row that tells it, where there is one."""

    ledger: str
    entries: list[dict[str, Any]]
    head: Mapping[str, Any] | None


class _FileOrVerb(TyperGroup):
    """``chimera audit FILE`` is ``chimera audit summary FILE``."""

    def parse_args(self, ctx: Any, args: list[str]) -> Any:  # typer keeps a click of its own to itself
        named = next((word for word in args if not word.startswith("-")), "")
        return super().parse_args(ctx, [_SUMMARY, *args] if named and named not in self.commands else args)


app = typer.Typer(
    cls=_FileOrVerb,
    no_args_is_help=True,
    help="What operators did (verify, show); or the summary of a run from the venue's audit FILE.",
    rich_markup_mode=None,
)

Ledger = Annotated[
    list[Path] | None,
    typer.Option(
        "--ledger",
        dir_okay=False,
        help="File of S3's or S4's ledger; repeatable. [those in var and .state, and the databases of the settings]",
    ),
]


@app.command(_SUMMARY)
def summary(
    path: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="Of up or sim --audit.")],
    as_json: Json = False,
) -> None:
    """Recompute a run's summary from the venue's audit alone."""
    with ended_well():
        from chimera.cli import doctor

        doctor.audit(path, as_json)


@app.command()
def verify(
    ledger: Ledger = None,
    head: Annotated[
        str | None, typer.Option(metavar="SEQ:HASH", help="A head that was kept elsewhere; for one ledger.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Read the chain: exit 1 where an entry was changed, taken out, put in, moved or cut off."""
    with ended_well(as_json=as_json):
        from chimera.wire.trail import head_of
        from chimera.wire.trail import verify as verified

        kept = _head(head)
        told: list[dict[str, Any]] = []
        for chain in _chains(ledger):
            verdict = verified(chain.entries, head_of(chain.head) if chain.head else None, kept)
            told.append(
                {
                    "ledger": chain.ledger, "entries": verdict.entries, "faults": list(verdict.faults),
                    "head": f"{verdict.head.seq}:{verdict.head.hash}",
                }
            )  # fmt: skip
        whole = not any(each["faults"] for each in told)
        if as_json:
            print(json.dumps({"whole": whole, "ledgers": told}))
        for each in () if as_json else told:
            print(f"{each['ledger']}: {each['entries']} entries, {'broken' if each['faults'] else 'whole'}")
            for fault in each["faults"]:
                print(f"  {fault}")
            print(f"  head {each['head']}")
        if not whole:
            raise Stop(Exit.FAILED, "the audit trail is not as it was written")


@app.command()
def show(
    ledger: Ledger = None,
    newest: Annotated[int, typer.Option(min=1, help="How many of each ledger.")] = 50,
    who: Annotated[str, typer.Option(help="Of this name alone.")] = "",
    as_json: Json = False,
) -> None:
    """Who did what, when, from where, and how it was answered."""
    with ended_well(as_json=as_json):
        rows = [
            row
            for chain in _chains(ledger)
            for row in [each for each in chain.entries if who in ("", each.get("who"))][-newest:]
        ]
        rows.sort(key=lambda row: int(row["at_ms"]))
        if as_json:
            print(json.dumps({"entries": rows}))
            return
        for row in rows:
            print(_plain(_line(row)))


def _line(row: Mapping[str, Any]) -> str:
    at = f"{datetime.fromtimestamp(row['at_ms'] / 1000, UTC):%Y-%m-%d %H:%M:%S} {row['service']} {row['who']}"
    if row["stage"] == "began":
        place = f" on {row['environment']}" if row["environment"] else ""
        fence = f", fence {row['fence']}" if row["fence"] else ""
        return f"{at} began to act{place}: build {row['build']}{fence}"
    answer = "asked" if row["stage"] == "asked" else row["status"] or "no answer"
    return f"{at} from {row['from']}: {row['act']} {row['path']} -> {answer}"


def _plain(line: str) -> str:
    """What others sent does nothing to a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in line)


def _head(given: str | None) -> Any:
    from chimera.wire.trail import Head

    if given is None:
        return None
    seq, _, found = given.partition(":")
    if not seq.isdecimal() or len(found) != 64:
        raise Stop(Exit.USAGE, f"{given} is no head such as 12:5feceb66...")
    return Head(seq=int(seq), hash=found)


def _chains(ledgers: list[Path] | None) -> list[_Chain]:
    """Of each ledger that is there; raises for one that was named and is not."""
    found = list(_of_files(ledgers or [each for each in LEDGERS if each.exists()]))
    if not ledgers:
        found += _of_databases()
    if not found:
        raise Stop(Exit.CANNOT_START, "no ledger is here; name one with --ledger")
    return found


def _of_files(ledgers: list[Path]) -> Iterator[_Chain]:
    from chimera.adapters.embedded.looking_on import LookingOn
    from chimera.wire import keys

    for path in ledgers:
        with LookingOn(path) as looking:
            heads = list(looking.documents(keys.AUDIT_HEAD))
            yield _Chain(str(path), list(looking.documents(keys.AUDIT)), heads[-1] if heads else None)


def _of_databases() -> Iterator[_Chain]:
    """Those in ArangoDB that the settings name."""
    import asyncio

    from chimera.cli.stores import databases

    for address in databases():
        yield asyncio.run(_of_database(address))


async def _of_database(address: "Address") -> _Chain:
    """The head first: the entries that are written meanwhile come after it, and the chain still contains it."""
    from chimera.adapters.arango.ledger import ArangoLedger
    from chimera.wire import keys

    ledger = await ArangoLedger.open(address)
    try:
        heads = await ledger.find(keys.AUDIT_HEAD, newest=1)
        entries: list[dict[str, Any]] = []
        after = 0
        while page := await ledger.page(keys.AUDIT, after=after, limit=_AT_ONCE):
            entries += [row.document for row in page]
            after = page[-1].number
    finally:
        await ledger.close()
    return _Chain(str(address), entries, heads[0] if heads else None)
