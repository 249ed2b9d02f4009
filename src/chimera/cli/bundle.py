"""``chimera bundle``: what S3 decides with, made, looked at, activated, taken back, tried beside what is active."""

from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
import typer

from chimera.cli.codes import Exit, Stop, ended_well
from chimera.cli.options import S3, S3_URL, Json

if TYPE_CHECKING:
    from chimera.client.bundles import BundleClient

app = typer.Typer(help="What S3 decides with: bundles of rules, and which of them decides.", no_args_is_help=True)

File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="JSON: {bundle_id, rules, bounds?, flags?}.")]
Bundle = Annotated[str, typer.Argument(metavar="BUNDLE", help="Its id; active is whichever is active.")]
Why = Annotated[str, typer.Option("--why", help="It stands in the history.")]
Who = Annotated[str, typer.Option("--who", envvar=["USER", "LOGNAME"], help="It stands in the history.")]
Newest = Annotated[int, typer.Option("--newest", min=1, max=200, help="How many.")]
ME: Final = "cli"
_JSON: Final = msgspec.json.Encoder(decimal_format="number")  # amounts as they stand in the bundle's file


@app.command()
def lint(file: File, s3: S3 = S3_URL, as_json: Json = False) -> None:
    """What would refuse a bundle, and what it may not have meant. Nothing is kept."""
    with ended_well(as_json=as_json):
        answer = _asked(s3, lambda client: client.lint(_document(file)))
        _say(answer, as_json, _linted(answer))
        if not answer["ok"]:
            found = len(answer["findings"])
            raise Stop(Exit.REFUSED, f"{found} finding{'s' if found > 1 else ''}: S3 would refuse it")


@app.command()
def create(file: File, why: Why, who: Who = ME, s3: S3 = S3_URL, as_json: Json = False) -> None:
    """Keep a bundle, for ever under its name. It decides nothing until it is activated."""
    with ended_well(as_json=as_json):
        answer = _asked(s3, lambda client: client.create(_document(file), who=who, why=why))
        kept = f"kept: {answer['bundle']['bundle_id']}, {answer['digest'][:12]}"
        _say(answer, as_json, [kept, *_linted(answer)])


@app.command(name="list")
def listed(newest: Newest = 20, s3: S3 = S3_URL, as_json: Json = False) -> None:
    """Bundles, newest first."""
    with ended_well(as_json=as_json):
        answer = _asked(s3, lambda client: client.bundles(newest))
        rows = [
            f"{row['bundle_id']}  {row['rules']} rules  {str(row.get('digest') or '')[:12]}  {_signed(row)}".rstrip()
            for row in answer["bundles"]
        ]
        _say(answer, as_json, rows)


@app.command()
def show(bundle: Bundle = "active", s3: S3 = S3_URL) -> None:
    """A bundle as JSON, all of it."""
    with ended_well(as_json=True):
        _say(_asked(s3, lambda client: client.show(bundle)), True, ())


@app.command()
def diff(first: Bundle, second: Bundle, s3: S3 = S3_URL, as_json: Json = False) -> None:
    """What the second says otherwise than the first."""
    with ended_well(as_json=as_json):
        answer = _asked(s3, lambda client: client.diff(first, second))
        _say(answer, as_json, list(_different(answer)) or ["no difference"])


@app.command()
def status(s3: S3 = S3_URL, as_json: Json = False) -> None:
    """What is active, what is loaded, what is on trial."""
    with ended_well(as_json=as_json):
        answer = _asked(s3, lambda client: client.standing())
        _say(answer, as_json, _standing(answer))


@app.command()
def history(newest: Newest = 20, s3: S3 = S3_URL, as_json: Json = False) -> None:
    """Every change with who and why, newest first."""
    with ended_well(as_json=as_json):
        answer = _asked(s3, lambda client: client.history(newest))
        _say(answer, as_json, [f"{_line(row)}  {_signed(row)}" for row in answer["history"]])


@app.command()
def activate(bundle: Bundle, why: Why, who: Who = ME, s3: S3 = S3_URL, as_json: Json = False) -> None:
    """A bundle decides from now on; what is under way ends with what it began with."""
    with ended_well(as_json=as_json):
        _tell_change(_asked(s3, lambda client: client.activate(bundle, who=who, why=why)), as_json)


@app.command()
def rollback(
    why: Why,
    to: Annotated[int | None, typer.Option("--to", min=1, help="A revision; none: what was active before.")] = None,
    who: Who = ME,
    s3: S3 = S3_URL,
    as_json: Json = False,
) -> None:
    """What was active before decides again, as a new revision."""
    with ended_well(as_json=as_json):
        _tell_change(_asked(s3, lambda client: client.roll_back(who=who, why=why, to_rev=to)), as_json)


@app.command()
def shadow(bundle: Bundle, why: Why, who: Who = ME, s3: S3 = S3_URL, as_json: Json = False) -> None:
    """A candidate decides beside what is active and orders nothing; what differs is recorded."""
    with ended_well(as_json=as_json):
        begun = _asked(s3, lambda client: client.begin_trial(bundle, who=who, why=why, share=Decimal(0)))
        _tell_change(begun, as_json)


@app.command()
def canary(
    bundle: Bundle,
    why: Why,
    share: Annotated[str, typer.Option(help="Of decisions that are its own, above 0 and at most 1.")],
    metric: Annotated[
        str | None, typer.Option(help="differ_share, open_share, skip_share or refused_share: beyond --most it ends.")
    ] = None,
    most: Annotated[str | None, typer.Option(help="Of the metric, 0 to 1.")] = None,
    after: Annotated[int, typer.Option(min=1, help="Cases before it is judged.")] = 20,
    who: Who = ME,
    s3: S3 = S3_URL,
    as_json: Json = False,
) -> None:
    """A candidate decides a share of signals for real, until it is activated, ended, or breaks its limit."""
    with ended_well(as_json=as_json):
        part, limit = _share(share, "--share"), _limit(metric, most, after)
        begun = _asked(s3, lambda client: client.begin_trial(bundle, who=who, why=why, share=part, limit=limit))
        _tell_change(begun, as_json)


@app.command()
def end(why: Why, who: Who = ME, s3: S3 = S3_URL, as_json: Json = False) -> None:
    """End the shadow or canary."""
    with ended_well(as_json=as_json):
        _tell_change(_asked(s3, lambda client: client.end_trial(who=who, why=why)), as_json)


@app.command()
def differences(
    trial: Annotated[int | None, typer.Option(min=1, help="Of one trial, by its revision.")] = None,
    newest: Newest = 20,
    s3: S3 = S3_URL,
    as_json: Json = False,
) -> None:
    """What a candidate decided otherwise, newest first."""
    with ended_well(as_json=as_json):
        answer = _asked(s3, lambda client: client.differences(newest, trial))
        _say(answer, as_json, [_told_difference(row) for row in answer["differences"]] or ["no difference"])


# ── asking ──


def _asked(s3: str, question: "Callable[[BundleClient], Awaitable[dict[str, Any]]]") -> dict[str, Any]:
    from chimera.cli.asking import asked_of
    from chimera.client.bundles import BundleClient

    return asked_of(BundleClient(s3), question)


def _document(file: Path) -> dict[str, Any]:
    """The file's object, amounts exact; what S3 adds to a bundle it shows is left out again."""
    from chimera.trading.errors import Refused
    from chimera.wire import request_json
    from chimera.wire.bundles import exact

    document = request_json.read_object(file.read_bytes())
    given = document.get("bundle", document)
    if not isinstance(given, dict):
        raise Refused("MALFORMED", "the file holds no bundle", field="FILE", value=str(file))
    if "rule_id" in given:
        told = 'the file holds a rule; a bundle has it inside: {"bundle_id": "NAME", "rules": [RULE, ...]}'
        raise Refused("MALFORMED", told, field="FILE", value=str(file))
    ours = ("schema_version", "digest", "who", "why", "at_ms")
    try:
        bundle: dict[str, Any] = exact({name: value for name, value in given.items() if name not in ours})
    except ValueError as wrong:
        raise Refused("MALFORMED", str(wrong), field="FILE", value=str(file), accepted="plain numbers") from wrong
    return bundle


def _share(given: str, option: str) -> Decimal:
    from chimera.trading.errors import Refused
    from chimera.wire import request_json

    try:
        share = request_json.amount(given)
    except ValueError as wrong:
        raise Refused("MALFORMED", str(wrong), field=option, value=given, accepted="a number from 0 to 1") from wrong
    if not 0 <= share <= 1 or (option == "--share" and not share):
        words = "a shadow has no share: chimera bundle shadow" if not share else "no such share"
        raise Refused("OUT_OF_RANGE", words, field=option, value=given, accepted="a number from 0 to 1")
    return share


def _limit(metric: str | None, most: str | None, after: int) -> dict[str, Any] | None:
    from chimera.trading.errors import Refused

    if (metric is None) != (most is None):
        raise Refused("MISSING_FIELD", "--metric and --most go together", field="--metric" if most else "--most")
    return (
        None if metric is None or most is None else {"metric": metric, "most": _share(most, "--most"), "after": after}
    )


# ── telling ──


def _say(answer: dict[str, Any], as_json: bool, lines: "Iterator[str] | list[str] | tuple[str, ...]") -> None:
    from chimera.cli.orders import print_json

    if as_json:
        print_json(answer)
    else:
        print("\n".join(lines))


def _tell_change(answer: dict[str, Any], as_json: bool) -> None:
    loaded = "loaded" if answer["loaded"] else f"not loaded yet (rev {answer['loaded_rev']} decides)"
    _say(answer, as_json, [f"{_line(answer['revision'])}; {loaded}"])


def _linted(answer: dict[str, Any]) -> list[str]:
    findings = [f"refused: {found['rule_id']} {found['path']}: {found['message']}" for found in answer["findings"]]
    advice = [f"advice: {found['rule_id']} {found['path']}: {found['message']}" for found in answer["advice"]]
    return [*findings, *advice] or ["lint finds nothing"]


def _different(answer: dict[str, Any]) -> Iterator[str]:
    yield from (f"+ {rule_id}" for rule_id in answer["added"])
    yield from (f"- {rule_id}" for rule_id in answer["removed"])
    for rule in [*answer["changed"], {"rule_id": "bundle", "parts": answer["head"]}]:
        for part in rule["parts"]:
            before, after = (_JSON.encode(part[side]).decode() for side in ("before", "after"))
            yield f"~ {rule['rule_id']} {part['path']}: {before} -> {after}"


def _standing(answer: dict[str, Any]) -> Iterator[str]:
    active, trial = answer["active"], answer["trial"]
    yield "nothing is active" if active is None else f"active: {active['bundle_id']}, revision {active['rev']}"
    yield f"loaded: revision {answer['loaded_rev']}, {answer['rules_loaded']} rules"
    if answer["fault"]:
        yield f"fault: {answer['fault']}"
    if trial is not None:
        share = Decimal(str(trial.get("share", 0)))
        kind = f"canary of {share}" if share else "shadow"
        tally = trial["tally"]
        yield f"on trial: {trial['bundle_id']}, revision {trial['rev']}, {kind}" + (
            "" if trial["deciding"] else f"; it does not decide: {trial['fault'] or 'set aside'}"
        )
        yield f"  {tally.get('compared', 0)} compared, {tally.get('differed', 0)} differ, {tally.get('own', 0)} its own"


def _line(row: dict[str, Any]) -> str:
    back = f" (of revision {row['back_to']})" if row.get("back_to") else ""
    return f"revision {row['rev']}  {row['kind']} {row['bundle_id']}{back}"


def _signed(row: dict[str, Any]) -> str:
    if not row.get("at_ms"):
        return ""
    moment = datetime.fromtimestamp(int(row["at_ms"]) / 1000, UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}Z  {row.get('who', '')}: {row.get('why', '')}"


def _told_difference(row: dict[str, Any]) -> str:
    parts = "; ".join(
        f"{part['what']} {part['active'] or '-'} / {part['candidate'] or '-'}" for part in row["differences"]
    )
    return f"{row['symbol']} {row['signal_id']} (by {row['decided_by']}): {parts}"
