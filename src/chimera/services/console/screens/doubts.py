"""What is not known: unknown outcomes, orders that are nobody's, differences between our books and the venue's."""

from collections.abc import Mapping
from typing import Any, Final

from chimera.services.console.acting.settle import SETTLE
from chimera.services.console.others import Others
from chimera.services.console.rows import DoubtRow, ExternalRow, TransferRow, read_row
from chimera.services.console.same import Same
from chimera.services.console.screen import Badge, Group, Look, Params, Screen, Section, Shown
from chimera.services.console.seen import Seen
from chimera.services.console.verdicts import Tone
from chimera.wire.alerts import about
from chimera.wire.runbook import codes_of

DIFFERENCES: Final = codes_of(
    "others-on-the-account-or-books-that-differ",
    "money-that-does-not-add-up",
    "lost-ledger",
    "order-in-doubt",
    "liquidated-deleveraged-settled",
) | {"SWEEP_UNANSWERED"}


async def _doubts(others: Others, _: Params) -> tuple[DoubtRow, ...]:
    return tuple(read_row(row, DoubtRow) for row in await others.router.doubts())


async def _external(others: Others, _: Params) -> tuple[ExternalRow, ...]:
    return tuple(read_row(row, ExternalRow) for row in await others.router.external())


async def _transfer(others: Others, _: Params) -> TransferRow | None:
    present: dict[str, Any] | None = (await others.router.transfers()).get("present")
    return None if present is None else read_row(present, TransferRow)


def _outcomes(shown: Shown) -> Mapping[str, object]:
    transfer: TransferRow | None = shown.looked["transfer"]
    ambiguous = transfer if transfer is not None and transfer.status == "AMBIGUOUS" else None
    return {"doubts": shown.looked["doubts"], "transfer": ambiguous}


def _orphans(shown: Shown) -> Mapping[str, object]:
    return {"external": shown.looked["external"]}


def _differences(shown: Shown) -> Mapping[str, object]:
    return {"alerts": tuple(row for row in reversed(shown.seen.alerts) if about(row.code).code in DIFFERENCES)}


def _badge(seen: Seen) -> Badge | None:
    doubts = sum(len(row.in_doubt) for row in seen.positions)
    return Badge(text=str(doubts), tone=Tone.CAUTION) if doubts else None


SCREEN: Final = Screen(
    name="doubts",
    title="In doubt",
    path="/doubts",
    key="d",
    says="What nobody knows yet, and what would settle it.",
    group=Group.NOW,
    thumb=True,
    badge=_badge,
    acts=(SETTLE,),
    looks=(Look("doubts", 1.0, _doubts), Look("external", 2.0, _external), Look("transfer", 2.0, _transfer)),
    sections=(
        Section(
            "outcomes",
            "Outcomes that are not known",
            reads=("doubts", "transfer"),
            content=_outcomes,
            same=lambda _: (Same(path="/doubts", cli="chimera show"),),
        ),
        Section(
            "orphans",
            "On the account, and not ours",
            reads=("external",),
            content=_orphans,
            same=lambda _: (Same(path="/positions"),),
        ),
        Section("differences", "Where the books differed", reads=("alerts",), content=_differences),
    ),
)
