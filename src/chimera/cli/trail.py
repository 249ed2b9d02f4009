"""``chimera audit``: what operators did, from a ledger's file; and, as ever, a run's summary from a venue's audit."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from chimera.cli.codes import Exit, Stop, ended_well
from chimera.cli.options import Json

LEDGERS: Final = [Path(place, name) for place in ("var", ".state") for name in ("s4.sqlite", "s3.sqlite")]
_SUMMARY: Final = "summary"


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
    typer.Option("--ledger", dir_okay=False, help="File of S3's or S4's ledger; repeatable. [those in var and .state]"),
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
        for path, entries, row in _chains(ledger):
            verdict = verified(entries, head_of(row) if row else None, kept)
            told.append(
                {
                    "ledger": str(path), "entries": verdict.entries, "faults": list(verdict.faults),
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
            for _, entries, _ in _chains(ledger)
            for row in [each for each in entries if who in ("", each.get("who"))][-newest:]
        ]
        rows.sort(key=lambda row: int(row["at_ms"]))
        if as_json:
            print(json.dumps({"entries": rows}))
            return
        for row in rows:
            at = f"{datetime.fromtimestamp(row['at_ms'] / 1000, UTC):%Y-%m-%d %H:%M:%S}"
            answer = "asked" if row["stage"] == "asked" else row["status"] or "no answer"
            print(
                _plain(f"{at} {row['service']} {row['who']} from {row['from']}: {row['act']} {row['path']} -> {answer}")
            )


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


def _chains(
    ledgers: Iterable[Path] | None,
) -> list[tuple[Path, list[dict[str, Any]], Mapping[str, Any] | None]]:
    """Entries and the row of the head, of each ledger that is there; raises for one that was named and is not."""
    from chimera.adapters.embedded.looking_on import LookingOn
    from chimera.wire import keys

    found: list[tuple[Path, list[dict[str, Any]], Mapping[str, Any] | None]] = []
    for path in ledgers or [each for each in LEDGERS if each.exists()]:
        with LookingOn(path) as looking:
            heads = list(looking.documents(keys.AUDIT_HEAD))
            found.append((path, list(looking.documents(keys.AUDIT)), heads[-1] if heads else None))
    if not found:
        raise Stop(Exit.CANNOT_START, "no ledger is here; name one with --ledger")
    return found
