"""The house itself: money between the wallets, each service's checks and watchdogs, how old what we see is."""

from collections.abc import Iterator, Mapping
from importlib.metadata import version
from typing import Any, Final

from chimera.services.console.others import Others
from chimera.services.console.rows import TransferRow, read_row
from chimera.services.console.same import Same
from chimera.services.console.screen import Group, Look, Params, Screen, Section, Shown, Span

DEEPEST: Final = 3


async def _transfers(others: Others, _: Params) -> dict[str, Any]:
    told = await others.router.transfers()
    rows = [told.get("present"), *told.get("ended", [])]
    return told | {"rows": tuple(read_row(row, TransferRow) for row in rows if row is not None)}


def _moved(shown: Shown) -> Mapping[str, object]:
    return {"transfers": shown.looked["transfers"]}


def _s4(shown: Shown) -> Mapping[str, object]:
    health = shown.seen.health
    return {
        "checks": tuple(_flat(health.get("checks") or {})),
        "watchdogs": tuple(_flat(health.get("watchdogs") or {})),
        "barriers": health.get("barriers") or [],
        "status": health.get("status", "unknown"),
    }


def _s3(shown: Shown) -> Mapping[str, object]:
    health = dict(shown.seen.s3_health)
    checks = {name: check.get("status") for name, check in health.pop("checks", {}).items()}
    return {"checks": tuple(_flat(checks)), "rest": tuple(_flat(health))}


def _own(shown: Shown) -> Mapping[str, object]:
    return {
        "version": version("chimera"),
        "sources": [(source.name, source.error) for source in (*shown.seen.sources, shown.seen.keeper)],
        "records": len(shown.seen.records),
    }


def _flat(document: Mapping[str, Any], before: str = "", depth: int = 0) -> Iterator[tuple[str, object]]:
    """Names as one reads them, with plain values."""
    for name, value in document.items():
        words = f"{before} {name.replace('_', ' ')}".strip()
        if isinstance(value, Mapping) and depth < DEEPEST:
            yield from _flat(value, words, depth + 1)
        elif isinstance(value, list):
            yield words, len(value)
        else:
            yield words, value


SCREEN: Final = Screen(
    name="system",
    title="System",
    path="/system",
    key="s",
    says="The services, their watchdogs, and money between the wallets.",
    group=Group.HOUSE,
    looks=(Look("transfers", 2.0, _transfers),),
    sections=(
        Section(
            "s4",
            "S4, the router",
            reads=("health",),
            content=_s4,
            span=Span.WIDE,
            same=lambda _: (Same(path="/health", cli="chimera doctor"),),
        ),
        Section(
            "s3",
            "S3, the strategy",
            reads=("s3",),
            content=_s3,
            span=Span.SIDE,
            same=lambda _: (Same(service="s3", path="/health"),),
        ),
        Section(
            "moved",
            "Transfers",
            reads=("transfers",),
            content=_moved,
            span=Span.WIDE,
            same=lambda _: (Same(path="/transfers", cli="chimera transfer"),),
        ),
        Section("own", "This console", reads=("sources",), content=_own, span=Span.SIDE),
    ),
)
