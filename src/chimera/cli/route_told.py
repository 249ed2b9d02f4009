"""What a fit found, and the log of revisions, as lines and as JSON."""

from collections.abc import Sequence

from chimera.learn.curves import SpreadFit
from chimera.learn.fit import Proposal
from chimera.learn.revisions import FOUND, Log
from chimera.trading.money import text
from chimera.trading.routes import RouteTable
from chimera.wire.cash import moment
from chimera.wire.codec import encode


def tell_fit(found: Proposal, spreads: Sequence[SpreadFit], log: Log, *, in_force: bool, as_json: bool) -> None:
    """To stdout."""
    if as_json:
        body = {"fit": found, "by_spread": list(spreads), "in_force": in_force, "rev": log.in_force.rev}
        body["moves"] = in_force or log.proposed is not None
        print(encode(body).decode())
        return
    for row in found.rows:
        cost = "" if row.cost_bps is None else f", {row.cost_bps:.3f} bps"
        print(f"up to {text(row.notional_usdt_max)}: {row.wait_ms} ms{cost}, {row.trials} waits, {row.fills} filled")
        if row.moves:
            cost = "" if row.proposed_cost_bps is None else f", {row.proposed_cost_bps:.3f} bps"
            print(f"  proposed {row.proposed_ms} ms{cost}{' (confirmed)' if row.better else ''}")
        if row.slices is not None and row.slices.moves:
            print(f"  proposed {row.slices.proposed} slices{' (confirmed)' if row.slices.better else ''}")
        for reason in (*row.reasons, *(row.slices.reasons if row.slices is not None else ())):
            print(f"  {reason}")
    theta = found.theta
    moved = f", proposed {text(theta.proposed)}{' (confirmed)' if theta.better else ''}" if theta.moves else ""
    print(f"theta: {text(theta.theta)}{moved}, {theta.chases} chases")
    for reason in theta.reasons:
        print(f"  {reason}")
    for each in spreads:
        print(f"spread from {text(each.from_bps)} bps: {each.best_ms} ms, x {text(each.factor)} ({each.trials} waits)")
    if in_force:
        print(f"rev {log.in_force.rev} is in force")
    elif log.proposed is not None:
        print(f"proposed over rev {log.proposed.of_rev}: `chimera route approve` puts it in force")
    else:
        print(f"nothing proposed; rev {log.in_force.rev} stays")


def tell_log(log: Log, *, as_json: bool) -> None:
    """To stdout."""
    if as_json:
        print(encode(log).decode())
        return
    for each in log.revisions:
        since = "before the log" if each.by == FOUND else f"{moment(each.at_ms)}  {each.by}"
        print(f"rev {each.table.rev}  {since}: {_waits(each.table)}")
        for why in each.why:
            print(f"  {why}")
    print(f"rev {log.in_force.rev} is in force")
    if log.proposed is not None:
        print(f"proposed over rev {log.proposed.of_rev}: {_waits(log.proposed.table)}")


def _waits(table: RouteTable) -> str:
    waits = (f"{row.market or ''} up to {text(row.notional_usdt_max)} {row.maker_wait_ms} ms" for row in table.rows)
    return ", ".join(wait.strip() for wait in waits) or "the fees decide"
