"""Saying what became of a transfer that the venue's history does not decide."""

from typing import Final

from chimera.services.console import shown
from chimera.services.console.acts import Act, Desk, Effect, Given, Step
from chimera.services.console.rows import TransferRow, read_row
from chimera.services.console.same import Same
from chimera.services.console.screen import Params

HAPPENED: Final = ("yes", "no")


async def _effect(desk: Desk, params: Params) -> Effect | None:
    present = (await desk.others.router.transfers()).get("present")
    row = None if present is None else read_row(present, TransferRow)
    if row is None or row.status != "AMBIGUOUS" or params["happened"] not in HAPPENED:
        return None
    happened = params["happened"] == "yes"
    money = f"{shown.amount(row.amount)} {row.asset}"
    return Effect(
        about=row.transfer_id,
        title=f"The transfer of {money} {'went through' if happened else 'did not happen'}?",
        lead="Look at both wallets on the exchange's own page first. S4 will, by your word:",
        steps=(
            Step(f"write it down as {'DONE' if happened else 'FAILED'}", row.transfer_id),
            Step("take further transfers again"),
        ),
        button="It went through" if happened else "It did not happen",
        leave="I do not know",
        word=row.asset,
        rests_on=(row.transfer_id, params["happened"]),
        same=(
            Same(
                method="POST",
                path="/transfers/settle",
                body=f'{{"happened":{"true" if happened else "false"},"by":"you"}}',
            ),
        ),
        basis=happened,
    )


async def _do(desk: Desk, effect: Effect, given: Given) -> str:
    told = await desk.others.router.settle(happened=effect.basis, by=given.by)
    return f"it is {told.get('status', 'settled')}"


SETTLE: Final = Act(name="settle", asks=("happened",), effect=_effect, do=_do)
