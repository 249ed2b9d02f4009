"""Verbs that ask S3 why: one decision with a what-if, what keeps a symbol out, what was decided, and a replay."""

import re
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from chimera.cli.codes import Exit, Stop, ended_well
from chimera.cli.options import S3, S3_URL, Json

if TYPE_CHECKING:
    from chimera.client.explain import ExplainClient

PAGE: Final = 500
_SPANS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_SIGNAL: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

Since = Annotated[str | None, typer.Option("--since", help="24h, 7d, 2026-11-20, 2026-11-20T08:00:00Z or UTC ms.")]
Until = Annotated[str | None, typer.Option("--until", help="Before then; likewise.")]
Symbol = Annotated[str | None, typer.Option("--symbol", help="Of this one alone.")]


def decide(
    symbol: str,
    side: Annotated[str | None, typer.Option(help="BUY or SELL: the wished side.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Decide, and leave no trace.")] = False,
    suppose: Annotated[
        list[str] | None, typer.Option("--suppose", metavar="NAME=VALUE", help="What if; with --dry-run. Repeatable.")
    ] = None,
    s3: S3 = S3_URL,
    as_json: Json = False,
) -> None:
    """Ask S3 for one decision; an open one goes to S4."""
    with ended_well(as_json=as_json):
        from chimera.cli import orders

        orders.decide(s3, symbol, side, dry_run, as_json, context=_supposed(suppose or ()))


def why(
    about: Annotated[str, typer.Argument(metavar="SYMBOL|SIGNAL", help="A symbol now, or a decision by its id.")],
    s3: S3 = S3_URL,
    as_json: Json = False,
) -> None:
    """Why a symbol is not entered now, or why a decision came out as it did; and what would have to change."""
    with ended_well(as_json=as_json):
        if _SIGNAL.fullmatch(about):
            answer = _asked(s3, lambda client: _of_decision(client, about))
        else:
            answer = _asked(s3, lambda client: _of_symbol(client, about.upper()))
        _say(answer, as_json)


def decisions(
    symbol: Symbol = None,
    outcome: Annotated[str | None, typer.Option(help="open or skip.")] = None,
    since: Since = None,
    until: Until = None,
    newest: Annotated[int, typer.Option("--newest", min=1, max=200, help="How many.")] = 20,
    cursor: Annotated[str | None, typer.Option(help="What an earlier page named.")] = None,
    s3: S3 = S3_URL,
    as_json: Json = False,
) -> None:
    """What was decided and why, newest first."""
    with ended_well(as_json=as_json):
        asked = {**_span(symbol, since, until), "outcome": outcome, "limit": newest, "cursor": cursor}
        answer = _asked(s3, lambda client: client.decisions(asked))
        if as_json:
            _print(answer)
            return
        from chimera.cli.why import decision_line

        for row in answer["decisions"]:
            print(decision_line(row))
        if answer["cursor"]:
            print(f"more: --cursor {answer['cursor']}")


def replay(
    bundle: Annotated[
        str | None, typer.Option("--bundle", help="Its id; active is whichever is active. Or --fixture.")
    ] = None,
    fixture: Annotated[
        Path | None, typer.Option("--fixture", dir_okay=False, help="One decision's, as the console exports it.")
    ] = None,
    since: Since = None,
    until: Until = None,
    symbol: Symbol = None,
    most: Annotated[int, typer.Option(min=1, help="Decisions, oldest first.")] = 10_000,
    s3: S3 = S3_URL,
    as_json: Json = False,
) -> None:
    """Decide stored cases again under a bundle, and say what it would have done otherwise. Changes nothing."""
    with ended_well(as_json=as_json):
        if fixture is not None and bundle is None:
            _replay_fixture(fixture, as_json)
            return
        if bundle is None or fixture is not None:
            raise Stop(Exit.USAGE, "replay takes --bundle ID or --fixture FILE")
        span = _span(symbol, since, until)
        report = _asked(s3, lambda client: _replayed(client, bundle, span, most))
        if as_json:
            _print(report)
        else:
            from chimera.cli.why import report_lines

            print("\n".join(report_lines(report)))
        if differing := sum(report["tally"][kind] for kind in ("opens", "skips", "changed", "reasons")):
            raise Stop(Exit.DIFFERS, f"{differing} of {report['decisions']} decisions would have been otherwise")


def _replay_fixture(path: Path, as_json: bool) -> None:
    """Of one file, without any service."""
    from chimera.services.strategy.fixture import read_fixture, replayed
    from chimera.trading.errors import Refused
    from chimera.wire.codec import plain

    try:
        found = read_fixture(path.read_bytes())
    except OSError as wrong:
        raise Refused("FIXTURE", wrong.strerror or str(wrong), field="--fixture", value=str(path)) from wrong
    differences = replayed(found)
    if as_json:
        _print({"signal_id": found.signal_id, "same": not differences, "differences": plain(differences)})
    else:
        print(
            f"{found.signal_id} {found.symbol}, bundle {found.bundle_id}: {'otherwise' if differences else 'the same'}"
        )
        for part in differences:
            print(f"  {part.what} {part.one or '-'} -> {part.other or '-'}")
    if differences:
        raise Stop(Exit.DIFFERS, f"{found.signal_id} would be decided otherwise")


# ── asking ──


async def _of_decision(client: "ExplainClient", signal_id: str) -> dict[str, Any]:
    from chimera.trading.errors import Refused

    trace = await client.decision(signal_id)
    needed: dict[str, Any] | None = None
    if trace["decision"] == "skip" and trace["replayable"]:
        try:
            needed = await client.needed(signal_id)
        except Refused as no:  # its bundle cannot be compiled any more
            needed = {"refused": no.code, "message": no.message}
    return {"decision": trace, "needed": needed}


async def _of_symbol(client: "ExplainClient", symbol: str) -> dict[str, Any]:
    (row,) = (await client.blockers(symbol))["symbols"]
    asked = row["asked"]
    now = await client.what_if({"symbol": symbol, "market": asked["market"], "sideHint": asked["side_hint"]})
    return {"symbol": row, "now": now}


async def _replayed(client: "ExplainClient", bundle: str, span: dict[str, Any], most: int) -> dict[str, Any]:
    """All pages as one report. ``more``: the bound ended it."""
    whole: dict[str, Any] = {"bundle_id": bundle, "decisions": 0, "tally": {}, "differences": [], "more": False}
    cursor: str | None = None
    while True:
        limit = min(PAGE, most - whole["decisions"])
        page = await client.replay(bundle, {**span, "limit": limit, "cursor": cursor})
        whole["bundle_id"] = page["bundle_id"]
        whole["decisions"] += page["decisions"]
        whole["differences"] += page["differences"]
        whole["tally"] = {kind: whole["tally"].get(kind, 0) + count for kind, count in page["tally"].items()}
        cursor = page["cursor"]
        whole["more"] = cursor is not None
        if cursor is None or whole["decisions"] >= most:
            return whole


def _asked(s3: str, question: "Callable[[ExplainClient], Awaitable[dict[str, Any]]]") -> dict[str, Any]:
    from chimera.cli.asking import asked_of, changing_nothing
    from chimera.client.explain import ExplainClient

    with changing_nothing():
        return asked_of(ExplainClient(s3), question)


def _span(symbol: str | None, since: str | None, until: str | None) -> dict[str, Any]:
    return {
        "symbol": symbol and symbol.upper(),
        "since": _moment("since", since),
        "until": _moment("until", until),
    }


def _moment(name: str, given: str | None) -> str | None:
    """``24h`` is that long ago by this machine's clock; anything else is S3's to read; refused here in its words."""
    from chimera.trading.errors import Refused
    from chimera.wire import paging

    if given is None:
        return None
    found = re.fullmatch(r"([0-9]{1,6})([smhd])", given)
    if found is None:
        try:
            paging.moment_asked({name: given}, name, paging.FOREVER)
        except Refused as unread:
            raise paging.unread(f"--{name}", given, f"24h (s, m, h, d: so long ago), {paging.MOMENT}") from unread
        return given
    ago_s = int(found.group(1)) * _SPANS[found.group(2)]
    return str(max(int((time.time() - ago_s) * 1000), 0))


def _supposed(given: "list[str] | tuple[()]") -> dict[str, Any]:
    from chimera.trading.errors import Refused
    from chimera.wire import request_json

    context = {}
    for item in given:
        name, _, value = item.partition("=")
        try:
            context[name.strip()] = request_json.amount(value.strip())
        except ValueError as wrong:
            raise Refused("SUPPOSE", str(wrong), field="--suppose", value=item, accepted="NAME=NUMBER") from wrong
    return context


# ── telling ──


def _say(answer: dict[str, Any], as_json: bool) -> None:
    from chimera.cli.why import decision_lines, symbol_lines

    if as_json:
        _print(answer)
    else:
        print("\n".join(decision_lines(answer) if "decision" in answer else symbol_lines(answer)))


def _print(answer: dict[str, Any]) -> None:
    from chimera.cli.orders import print_json

    print_json(answer)
