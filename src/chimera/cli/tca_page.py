"""The report of transaction costs as one page that needs nothing else: no script, light and dark, on a telephone too.

Everything that comes from a row is escaped. The page is well-formed XML as well as HTML, so that a test can read it,
and the same report gives the same page.
"""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any, Final

from chimera.cli import tca_plots
from chimera.cli.tca_told import MEASURES, UNKNOWN, known
from chimera.tca.shortfall import PARTS

ORDERS_SHOWN: Final = 500
_STYLE: Final = """
:root{color-scheme:light dark;--ground:#fff;--ink:#1b1f24;--soft:#59636e;--rule:#d5dae0;--track:#eceff3;
--delay:#0072b2;--spread:#d99a00;--impact:#d55e00;--fees:#00805c;--opportunity:#b8589a}
@media(prefers-color-scheme:dark){:root{--ground:#14171b;--ink:#e8ebee;--soft:#a3adb8;--rule:#333a42;--track:#262c33;
--delay:#4aa8e0;--spread:#f0b93a;--impact:#f0813d;--fees:#2fb98f;--opportunity:#dd8cc4}}
*{box-sizing:border-box}
body{margin:0 auto;padding:16px;max-width:1160px;background:var(--ground);color:var(--ink);
font:15px/1.5 system-ui,sans-serif}
h1{font-size:22px;margin:0 0 4px}h2{font-size:17px;margin:28px 0 8px}p{margin:4px 0;color:var(--soft)}
.plots{display:grid;gap:16px;grid-template-columns:repeat(auto-fit,minmax(min(340px,100%),1fr))}
figure{margin:0;padding:12px;border:1px solid var(--rule);border-radius:6px;min-width:0}
figcaption{font-weight:600;margin-bottom:8px}
svg{display:block;width:100%;max-width:520px;height:auto}
svg text{font:12px system-ui,sans-serif;fill:var(--ink)}text.end{text-anchor:end}text.middle{text-anchor:middle}
.zero{stroke:var(--soft);stroke-width:1}.sum{stroke:var(--ink);stroke-width:2.5}
.delay{fill:var(--delay)}.spread{fill:var(--spread)}.impact{fill:var(--impact)}.fees{fill:var(--fees)}
.opportunity{fill:var(--opportunity)}.dot,.maker{fill:var(--delay)}.taker{fill:var(--impact)}.track{fill:var(--track)}
.line{fill:none;stroke-width:2}.line.maker{stroke:var(--delay)}.line.taker{stroke:var(--impact)}
.key{display:flex;flex-wrap:wrap;gap:4px 14px;list-style:none;margin:8px 0;padding:0}
.key svg{display:inline-block;width:12px;height:12px;margin-right:5px;vertical-align:-1px}
.wide{margin-top:12px;overflow-x:auto;border:1px solid var(--rule);border-radius:6px}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:5px 10px;text-align:right;white-space:nowrap;border-bottom:1px solid var(--rule)}
th{font-weight:600;color:var(--soft)}th:first-child,td:first-child{text-align:left}
tr:last-child td{border-bottom:0}
"""


def page(told: Mapping[str, Any]) -> str:
    """All of the report, the newest ``ORDERS_SHOWN`` intents alone in the table."""
    return "".join(
        (
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"/>',
            '<meta name="viewport" content="width=device-width, initial-scale=1"/>',
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"/>",
            f"<title>Transaction costs</title><style>{_STYLE}</style></head><body>",
            *_body(told),
            "</body></html>\n",
        )
    )


def _body(told: Mapping[str, Any]) -> Iterator[str]:
    yield "<h1>Transaction costs</h1>"
    counts = f"{told['intents']} intents, {told['fills']} fills."
    yield f"<p>{counts} Basis points of the notional; {_words(told['sign'])}.</p>"
    yield "<h2>Cost since the decision</h2>"
    yield _key(PARTS)
    symbols = [group for group in told["groups"] if group["by"] == "symbol"]
    yield _plots([tca_plots.costs(symbols), tca_plots.by_time(told["orders"])])
    yield _groups(told["groups"])
    yield "<h2>Markouts</h2>"
    yield _key(("maker", "taker"))
    yield _plots([tca_plots.markouts(marks) for marks in told["markouts"]])
    yield _markouts(told["markouts"])
    yield "<h2>Orders that rested</h2>"
    for rests in told["resting"]:
        yield from _rests(rests)
    yield f"<p>{told['refused_posts']} more were refused before they rested.</p>"
    yield "<h2>Not known</h2>"
    yield _unknown(told)
    yield "<h2>Intents</h2>"
    yield _orders(told["orders"])


def _key(names: Sequence[str]) -> str:
    swatch = '<svg viewBox="0 0 12 12" aria-hidden="true"><rect class="{0}" width="12" height="12"/></svg>{0}'
    return f'<ul class="key">{"".join(f"<li>{swatch.format(name)}</li>" for name in names)}</ul>'


def _plots(plots: Sequence[str]) -> str:
    drawn = "".join(plots)
    return f'<div class="plots">{drawn}</div>' if drawn else "<p>Nothing of it is known.</p>"


def _groups(groups: Sequence[Mapping[str, Any]]) -> str:
    head = ("group", "quote", "intents", "incomplete", *PARTS, "total", "total, quote asset", "since arrival")
    rows = [
        (
            group["name"] or "all", group["quote"] or "unknown", group["intents"], group["decided"]["incomplete"],
            *(group["decided"]["bps"][part] for part in (*PARTS, "total")),
            group["decided"]["cost"]["total"], group["arrived"]["bps"]["total"],
        )
        for group in groups
    ]  # fmt: skip
    return _table(head, rows)


def _markouts(marks: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        (f"{word}, {one['quote'] or 'unknown'}", f"{mark['horizon_ms'] // 1_000} s", mark["bps"], mark["cost"],
         mark["known"], mark["unknown"])
        for one in marks
        for word in ("maker", "taker")
        for mark in one[word]
    ]  # fmt: skip
    return _table(("fills as", "after", "bps", "quote asset", "known", "not known"), rows)


def _rests(rests: Mapping[str, Any]) -> Iterator[str]:
    whole = rests["all"]
    share = "an unknown share" if whole["filled_share"] is None else f"{float(whole['filled_share']) * 100:.2f} %"
    asset = _words(rests["quote"] or "unknown asset")
    yield f"<p>{asset}: {whole['orders']} orders, {share} of their notional filled.</p>"
    shares = {
        measure: [(group["group"], group["filled_share"], group["orders"]) for group in rests[measure]]
        for measure in MEASURES
    }
    yield _plots(
        [
            tca_plots.waits(rests["by_wait"]),
            *(tca_plots.chances(shares[measure], f"Filled as maker by {words}") for measure, words in MEASURES.items()),
        ]
    )


def _unknown(told: Mapping[str, Any]) -> str:
    counts = [f"{count} {UNKNOWN[what]}" for what, count in told["unknown"].items() if count]
    counts += [f"{count} rows left out: {what}" for what, count in told["left_out"].items() if count]
    return f"<ul>{''.join(f'<li>{_words(line)}</li>' for line in counts)}</ul>" if counts else "<p>Everything is.</p>"


def _orders(orders: Sequence[Mapping[str, Any]]) -> str:
    head = ("order", "symbol", "side", "status", "quantity", "filled", "mean price", *PARTS, "total", "markout 5 s")
    rows = [
        (
            row["client_order_id"], f"{row['market']} {row['symbol']}", row["side"], row["status"], row["qty"],
            row["filled_qty"], row["vwap"], *(row["bps"][part] for part in (*PARTS, "total")), _after_5_s(row),
        )
        for row in reversed(orders[-ORDERS_SHOWN:])
    ]  # fmt: skip
    more = len(orders) - ORDERS_SHOWN
    return _table(head, rows) + (f"<p>And {more} before them: the CSV has all.</p>" if more > 0 else "")


def _after_5_s(row: Mapping[str, Any]) -> str | None:
    return next((mark["bps"] for mark in row["markouts"] if mark["horizon_ms"] == 5_000), None)


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    top = "".join(f"<th>{_words(name)}</th>" for name in head)
    lines = "".join(f"<tr>{''.join(f'<td>{_words(known(cell))}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table></div>'


def _words(text: object) -> str:
    return escape(str(text))
