"""``chimera report``: the cash ledger of S4 and its profit and loss, as a table, JSON or CSV, page by page to the end.

What is printed is what S4 answers; pages of profit and loss are added up here, since lines add. What trading cost
(``report tca``) is computed from the ledgers' files, in ``tca``.
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from decimal import Decimal
from typing import Annotated, Any, Final

import typer

from chimera.cli import tca
from chimera.cli.codes import ended_well
from chimera.cli.options import S4, S4_URL, Json

PAGE: Final = "1000"
_AMOUNTS: Final = ("realized", "fees", "funding", "liquidation", "other", "net", "venue_realized")

app = typer.Typer(
    help="What the account earned, paid and was charged, from S4's cash ledger; and what trading cost, from its rows.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)
app.command()(tca.tca)


Csv = Annotated[bool, typer.Option("--csv", help="Print CSV.")]
From = Annotated[str | None, typer.Option("--from", help="A UTC date or ms; unless given, 31 days back.")]
To = Annotated[str | None, typer.Option("--to", help="Before this UTC date or ms.")]


@app.command()
def cash(
    since: From = None,
    until: To = None,
    asset: Annotated[str | None, typer.Option(help="Entries with a posting of it.")] = None,
    account: Annotated[
        str | None, typer.Option(help="wallet, fees, funding, ...: entries with a posting of it.")
    ] = None,
    s4: S4 = S4_URL,
    as_csv: Csv = False,
    as_json: Json = False,
) -> None:
    """Every entry: trades, fees, funding, transfers, liquidations."""
    with ended_well(as_json=as_json):
        asked = _given({"from": since, "to": until, "asset": asset, "account": account, "limit": PAGE})
        from chimera.cli.asking import answer_to

        answer_to(_cash(s4, asked, as_csv=as_csv, as_json=as_json))


@app.command()
def pnl(
    by: Annotated[str, typer.Option(help="day, strategy or position.")] = "day",
    since: From = None,
    until: To = None,
    s4: S4 = S4_URL,
    as_csv: Csv = False,
    as_json: Json = False,
) -> None:
    """Realised profit and loss with fees and funding; what is open is not in it."""
    with ended_well(as_json=as_json):
        from chimera.cli.asking import answer_to
        from chimera.wire.answers import encode_answer
        from chimera.wire.cash import rows_csv
        from chimera.wire.codec import plain

        lines = answer_to(_lines(s4, _given({"by": by, "from": since, "to": until}), by))
        if as_json:
            print(encode_answer({"by": by, "lines": lines}).decode())
        elif as_csv:
            print(rows_csv(plain(lines)), end="")
        else:
            print("\n".join(_told(line, by) for line in plain(lines)) or "nothing was booked")


async def _cash(s4: str, asked: dict[str, str], *, as_csv: bool, as_json: bool) -> None:
    from chimera.wire.answers import encode_answer
    from chimera.wire.cash import entries_csv, read_entry
    from chimera.wire.codec import plain

    first = True
    async for page in _pages(s4, "/cash/entries", asked):
        rows = page["entries"]
        if as_csv:
            print(entries_csv([read_entry(row) for row in rows], header=first), end="")
        else:
            for row in rows:
                print(encode_answer(row).decode() if as_json else _entry_told(plain(row)))
        first = False


async def _lines(s4: str, asked: dict[str, str], by: str) -> list[dict[str, Any]]:
    return together([line async for page in _pages(s4, "/pnl", asked) for line in page["lines"]], by)


def together(lines: Iterable[dict[str, Any]], by: str) -> list[dict[str, Any]]:
    """Lines of the same key as one, in order of their keys: a page may end in the middle of a day."""
    sums: dict[tuple[Any, ...], dict[str, Any]] = {}
    for line in lines:
        key = (line.get(by), line["market"], line["asset"])
        sums[key] = line if key not in sums else _added(sums[key], line)
    return [sums[key] for key in sorted(sums, key=str)]


def _added(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    sums = {name: one[name] + other[name] for name in (*_AMOUNTS, "trades")}
    moments = {"first_ms": min(one["first_ms"], other["first_ms"]), "last_ms": max(one["last_ms"], other["last_ms"])}
    return {**one, **sums, **moments}


async def _pages(s4: str, path: str, asked: dict[str, str]) -> AsyncIterator[dict[str, Any]]:
    from chimera.cli.asking import changing_nothing
    from chimera.client import RouterClient

    async with RouterClient(s4) as client:
        cursor: str | None = None
        while True:
            with changing_nothing():
                page = await client.report(path, asked if cursor is None else {**asked, "cursor": cursor})
            yield page
            cursor = page["cursor"]
            if cursor is None:
                return


def _given(asked: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in asked.items() if value is not None}


def _entry_told(row: Mapping[str, Any]) -> str:
    from chimera.wire.cash import moment

    parts = ", ".join(f"{part['account']} {part['amount']} {part['asset']}" for part in row["postings"])
    what = " ".join(filter(None, (row["kind"], row.get("of"), row.get("symbol"), row.get("note"))))
    return f"{moment(row['at_ms'])} {what}: {parts or 'nothing moved'}"


def _told(line: Mapping[str, Any], by: str) -> str:
    named = " ".join(str(part) for part in (line.get(by) or "(nobody)", line.get("symbol") or "") if part)
    shown = {name: line[name] for name in _AMOUNTS if name == "net" or Decimal(line[name])}
    return (
        f"{named} {line['market']} {line['trades']} trades: "
        + ", ".join(f"{name} {value}" for name, value in shown.items())
        + f" {line['asset']}"
    )
