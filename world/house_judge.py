"""The verdict on a world of both markets: each market's own oracle over its part of the one log; and the money between.

Of transfers (S4-XFER-1): by the venue's book, what S4 moved is what its ledger says, one for one, by the venue's names;
nothing moved twice, nothing that the ledger knows not of, never more than the policy lets; and in the end none is open.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from chimera.adapters.memory.faults import NoFaults
from chimera.admit.transfer_policy import TransferPolicy
from chimera.simulate.venue.audit import AuditRecord
from chimera.simulate.wallet.transfers import Transfer as Row
from chimera.trading.ids import DEFAULT_ACCOUNT
from chimera.trading.money import ZERO, text
from chimera.trading.transfer import Stage, Transfer, Transfers
from chimera.wire import keys
from chimera.wire.codec import decode, encode
from world import ceilings, oracle, quiet, spot_judge, spot_oracle
from world.composed import LIMITS
from world.house_world import HouseWorld
from world.oracle import Uncovered, Violation
from world.spans import Span

SPOT = "SPOT"
XFER = "XFER"
_HAPPENED = (Stage.TAKEN, Stage.DONE)


def of_futures(audit: Iterable[AuditRecord]) -> list[AuditRecord]:
    return [record for record in audit if record.market != SPOT]


def of_account(audit: Iterable[AuditRecord]) -> list[AuditRecord]:
    """Futures' part and S4's own orders on spot, as they came."""
    return [own for record in audit for own in ([record] if record.market != SPOT else spot_oracle.of_ours((record,)))]


class Beside(NamedTuple):
    """What the ledger holds beside the futures' part."""

    spot: quiet.Kept
    money: Transfers


async def read(world: HouseWorld) -> Beside:
    return Beside(spot=await quiet.read(world, world.spot.instrument), money=await transfers(world))


def judge(
    world: HouseWorld, beside: Beside, audit: Sequence[AuditRecord], troubles: Sequence[Span], rough: Sequence[Span]
) -> list[Violation]:
    """Spot's part, the money and both markets together; futures' is judged as ever, over ``of_futures``."""
    return [
        *ceilings.within_gross(of_account(audit), LIMITS.max_gross_notional),
        *spot_judge.judge(world.spot, beside.spot, audit, troubles, rough),
        *moved_once(ours(world), beside.money, world.policy, world.loop.now_us),
    ]


def bare(world: HouseWorld, audit: Sequence[AuditRecord]) -> list[Uncovered]:
    """On either market; dust on spot counts as bare."""
    on_spot = spot_oracle.uncovered_spans(spot_oracle.of_ours(audit), world.loop.now_us, world.spot.instrument)
    return [*oracle.uncovered_spans(of_futures(audit), world.loop.now_us), *on_spot]


def counted(world: HouseWorld) -> dict[str, int]:
    """How much was moved, and by whom; and that both markets traded."""
    intended = len(world.callers.intended), len(world.spot.callers.intended)
    return {
        "transfers": len(ours(world)),
        "moved_by_hand": len(world.spot.by_hand),
        "intents_on_futures": intended[0],
        "intents_on_spot": intended[1],
    }


async def transfers(world: HouseWorld) -> Transfers:
    """What S4's ledger holds of them, in good weather."""
    world.ledger.faults = NoFaults()
    row = await world.ledger.get(keys.TRANSFERS, DEFAULT_ACCOUNT)
    return Transfers() if row is None else decode(encode(row["transfers"]), Transfers)


def ours(world: HouseWorld) -> list[Row]:
    """The venue's rows without those that the user moved by hand."""
    return [row for row in world.twin.transfers.book if row.tran_id not in world.spot.by_hand]


def moved_once(rows: Sequence[Row], kept: Transfers, policy: TransferPolicy, now_us: int) -> list[Violation]:
    """``rows``: what moved without the user, by the venue; ``kept``: by the ledger, when all is quiet."""
    known: list[Transfer] = [*kept.ended, *((kept.present,) if kept.present else ())]
    happened = [each for each in known if each.stage in _HAPPENED]
    by_name = {each.tran_id: each for each in happened}
    texts = []
    if len(by_name) < len(happened):
        texts.append("two transfers of ours claim one row of the venue's")
    for row in rows:
        mine = by_name.pop(str(row.tran_id), None)
        if mine is None:
            texts.append(f"{row.tran_id}: {text(row.amount)} moved {row.route}, and the ledger has none of it")
        elif mine.amount != row.amount:
            texts.append(f"{row.tran_id}: {text(row.amount)} moved, where {text(mine.amount)} were meant")
        if row.amount > policy.ceiling:
            texts.append(f"{row.tran_id}: {text(row.amount)} is above the ceiling of {text(policy.ceiling)}")
    texts += [f"transfer {each.number} is {each.stage}, and the venue has none of it" for each in by_name.values()]
    total = sum((row.amount for row in rows), ZERO)
    if total > policy.day_ceiling:
        texts.append(f"{text(total)} moved in a day, above {text(policy.day_ceiling)}")
    if kept.present is not None:
        texts.append(f"transfer {kept.present.number} is still {kept.present.stage}")
    return [Violation(invariant=XFER, at_us=now_us, text=told) for told in texts]
