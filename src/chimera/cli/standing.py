"""Verbs that ask S4 how it stands: ``guards``, ``breaker``. They change nothing."""

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
