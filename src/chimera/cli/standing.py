"""Verbs that ask S4 how it stands: ``guards``, ``breaker``, ``reconcile``. They change nothing."""

from collections.abc import Mapping
from typing import Any

from chimera.cli.codes import Exit, Stop, ended_well
from chimera.cli.options import S4, S4_URL, Json


def guards(s4: S4 = S4_URL, as_json: Json = False) -> None:
    """Prices that S4 watches itself because no order rests there. A guard covers nothing."""
    with ended_well(as_json=as_json):
        from chimera.cli.asking import changing_nothing
        from chimera.cli.orders import asked_of_s4, print_json
        from chimera.cli.told import guard_told

        with changing_nothing():
            positions = asked_of_s4(s4, lambda client: client.positions())
        armed = [
            {"symbol": row["symbol"], "market": row["market"], **guard} for row in positions for guard in row["guards"]
        ]
        if as_json:
            print_json({"guards": armed})
        else:
            told = [f"{guard['symbol']} {guard['market']} {guard_told(guard)}" for guard in armed]
            print("\n".join(told) or "no guard is armed")


def breaker(s4: S4 = S4_URL, as_json: Json = False) -> None:
    """The circuit breaker of each market: whether new positions are taken. Exit code 1 where one is not closed."""
    with ended_well(as_json=as_json):
        from chimera.cli.asking import changing_nothing
        from chimera.cli.orders import asked_of_s4, print_json

        with changing_nothing():
            health = asked_of_s4(s4, lambda client: client.health())
        markets: Mapping[str, Any] = health.get("markets") or {"FUT": health}
        states = [{"market": name, "state": each.get("circuit_breaker", "UNKNOWN")} for name, each in markets.items()]
        if as_json:
            print_json({"breakers": states})
        else:
            for row in states:
                print(f"{row['market']} {row['state']}")
        if not_closed := [row["market"] for row in states if row["state"] != "CLOSED"]:
            raise Stop(Exit.FAILED, f"not closed: {', '.join(not_closed)}; it tries by itself (docs/runbook.md)")


def reconcile(s4: S4 = S4_URL, as_json: Json = False) -> None:
    """Where our books and the venue's differ: doubts, orders that are not ours, differences. Exit code 1 where they do.

    S4 compares by itself, every S4_SWEEP_EVERY_S and after each gap; nothing needs to be started here.
    """
    with ended_well(as_json=as_json):
        from chimera.cli.asking import changing_nothing
        from chimera.cli.orders import asked_of_s4, print_json
        from chimera.cli.told import doubt_told

        async def ask(client: Any) -> dict[str, Any]:
            shown = await client.shown_positions()
            positions = [row for row in shown["positions"] if row["in_doubt"]]
            differences = _differences(await client.health())
            return {
                "doubts": await client.doubts(), "external": shown["external"], "differences": differences,
                "positions": positions,
            }  # fmt: skip

        with changing_nothing():
            found = asked_of_s4(s4, ask)
        if as_json:
            print_json(found)
        else:
            lines = [doubt_told(each) for each in found["doubts"]]
            lines += [
                f"{each['symbol']} {each['client_order_id']} is not ours: {each['side']} {each['qty']} {each['status']}"
                for each in found["external"]
            ]
            lines += [f"{each['market']} {each['code']} {each['about']}".strip() for each in found["differences"]]
            print("\n".join(lines) or "positions and orders agree with the venue, as far as S4 has heard")
        if found["doubts"] or found["external"] or found["differences"]:
            raise Stop(Exit.FAILED, "they differ, or somebody else is there; what settles it: docs/runbook.md")


def _differences(health: Mapping[str, Any]) -> list[dict[str, str]]:
    """Of each market, what the last look at the whole account found."""
    markets: Mapping[str, Any] = health.get("markets") or {"": health}
    return [{"market": name, **each} for name, told in markets.items() for each in told.get("differences", ())]
