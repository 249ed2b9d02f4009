"""Answers to "why" as lines for people; plain functions over S3's documents."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from chimera.cli.told import moment

SHOWN: Final = 40  # differences of a replay
RULES_SHOWN: Final = 3
TALLY: Final = {
    "same": "the same",
    "opens": "would trade and did not",
    "skips": "would not trade and did",
    "changed": "would trade otherwise",
    "reasons": "the same for other reasons",
    "no_case": "not replayed: no case is kept",
    "unreadable": "not replayed: unreadable",
}


def symbol_lines(answer: Mapping[str, Any]) -> Iterator[str]:
    """Of ``{symbol, now}``: the levels, and a dry run of this moment."""
    row, now = answer["symbol"], answer["now"]
    symbol = row["symbol"]
    if not row["blockers"]:
        yield f"{symbol}: nothing stands in the way"
    else:
        yield f"{symbol} is not entered:"
    for blocker in row["blockers"]:
        market = f" {blocker['market']}" if blocker.get("market") else ""
        lasts = f"for {_lasting(int(blocker['for_ms']))} (since {moment(blocker['since_ms'])})"
        yield f"  {blocker['kind']}{market}, {lasts}: {blocker['code']}: {blocker['text']}"
    if row["looked_ms"] is None:
        yield "  not looked at yet"
    yield f"decided now, without a trace: {now['decision']}: {now['reason']}"
    if now.get("needed"):
        yield from _needed(now["needed"])
    if any(blocker["kind"] == "s4" for blocker in row["blockers"]):
        yield "whatever S3 decides, S4 takes no entry now"


def decision_lines(answer: Mapping[str, Any]) -> Iterator[str]:
    """Of ``{decision, needed}``."""
    trace, needed = answer["decision"], answer["needed"]
    yield decision_line(trace)
    experiment = trace.get("experiment")
    by = (
        f", {experiment['kind'].lower()} of {experiment['bundle_id']}: decided by the {experiment['decided_by']}"
        if experiment
        else ""
    )
    yield f"  bundle {trace['bundle_id']}, revision {trace['config_rev']}{by}"
    stale = [name for name, feature in trace["features"].items() if feature["usable"] is False]
    if stale:
        yield f"  factors that could not be used: {', '.join(stale)}"
    for gate in trace["explanation"].get("gates", ()):
        yield f"  gate {'ok  ' if gate['passed'] else 'SHUT'} {gate['code']}: {gate['text']}"
    for rule in trace["explanation"].get("rules", ()):
        yield f"  rule {rule['rule_id']} {'fired' if rule['fired'] else 'did not fire'}: {rule['action']}"
    dispatch = trace["dispatch"]
    if dispatch["state"] != "NONE":
        said = f": {dispatch['code'] or dispatch['status'] or ''} {dispatch['message'] or ''}".rstrip(": ")
        if trace.get("trace_id"):
            yield f"  trace {trace['trace_id']}"
        yield f"  intent {trace['intent_id']} {dispatch['state']} ({dispatch['says']}){said}"
    if needed is not None and "refused" in needed:
        yield f"what would have to change cannot be told: {needed['message']}"
    elif needed is not None:
        yield from _needed(needed)


def decision_line(row: Mapping[str, Any]) -> str:
    return (
        f"{moment(row['t0'])}  {row['decision']} {row['symbol']} {row['market']}  {row['signal_id']}  {row['reason']}"
    )


def report_lines(report: Mapping[str, Any]) -> Iterator[str]:
    """Of a replay."""
    yield f"{report['decisions']} decisions under {report['bundle_id']}" + (
        "; there are more" if report["more"] else ""
    )
    yield from (f"  {report['tally'].get(kind, 0):>6}  {words}" for kind, words in TALLY.items())
    for item in report["differences"][:SHOWN]:
        yield f"{item['kind']}: {moment(item['at_ms'])} {item['symbol']} {item['signal_id']} (by {item['bundle_id']})"
        if "differences" not in item:
            yield f"    {item.get('why')}"
            continue
        parts = (
            f"{part['what']} {part['decided'] or '-'} -> {part['replayed'] or '-'}" for part in item["differences"]
        )
        yield f"    {'; '.join(parts)}"
    if (left := len(report["differences"]) - SHOWN) > 0:
        yield f"and {left} more: --json has all"


def _needed(needed: Mapping[str, Any]) -> Iterator[str]:
    if needed["single"]:
        yield "one of these would let it trade:"
        yield from (f"  {_changes(way)}: {way['reason']}" for way in needed["single"])
    elif needed["together"]:
        yield "no single change would; together these would let it trade:"
        yield f"  {_changes(needed['together'])}: {needed['together']['reason']}"
    elif needed["reasons"]:
        yield "no change of a figure was found that would let it trade"
    for rule in needed["rules"][:RULES_SHOWN]:
        turn = rule["alone"][:1] or rule["together"]
        if turn:
            words = "would not have said skip_entry" if rule["fired"] else "would fire"
            yield f"  rule {rule['rule_id']} {words} with {', '.join(map(_change, turn))}"
    if not needed["complete"]:
        yield f"  (the search ended after {needed['tried']} decisions)"


def _changes(way: Mapping[str, Any]) -> str:
    return " and ".join(map(_change, way["changes"]))


def _change(change: Mapping[str, Any]) -> str:
    if change["fresh"]:
        return f"{change['name']} {change['needed']:f}, fresh"
    found = "missing" if change["value"] is None else f"{change['value']:f}"
    return f"{change['name']} {found} -> {'about ' if change['about'] else ''}{change['needed']:f}"


def _lasting(span_ms: int) -> str:
    seconds = span_ms // 1000
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"
