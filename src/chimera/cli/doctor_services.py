"""What the services say of themselves, and what is not protected."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from chimera.cli.doctor_checks import Check
from chimera.client import RouterClient
from chimera.client.http import ServiceHttp, read_plain
from chimera.trading.errors import ChimeraError
from chimera.wire.runbook import chapter

TIMEOUT_MS: Final = 3_000
_GOOD: Final = ("ok", True, "up")


async def checks(addresses: Mapping[str, str], s4_url: str) -> list[Check]:
    """Of each by its name, then of S4's positions. A service that does not answer is no fault of a machine."""
    told: list[Check] = []
    builds: dict[str, str] = {}
    for name, address in addresses.items():
        told += await _service(name, address, builds)
    return [*told, *_one_build(builds), *await _unprotected(s4_url)]


async def _service(name: str, address: str, builds: dict[str, str]) -> list[Check]:
    """``builds``: gets which one it says it is."""
    http = ServiceHttp(address, timeout_ms=TIMEOUT_MS)
    try:
        health = read_plain(await http.get("/health"))
    except ChimeraError as away:
        return [
            Check(
                name,
                False,
                f"does not answer at {address} ({away})",
                do=f"start it, or say where it is (--{_option(name)})",
            )
        ]
    finally:
        await http.close()
    if isinstance(health.get("build"), str):
        builds[name] = health["build"]
    status = str(health.get("status", "ok"))
    bad = sorted(check for check, state in (health.get("checks") or {}).items() if _is_bad(check, state))
    text = f"answers at {address}: {status}" + (f" ({', '.join(bad)})" if bad else "")
    return [Check(name, True, text, warns=status != "ok" or bool(bad)), *_barriers(name, health)]


def _one_build(builds: Mapping[str, str]) -> Iterator[Check]:
    """Of all that say it: those of before and after a rollout should not act together for long."""
    if len(set(builds.values())) > 1:
        each = ", ".join(f"{name} {which}" for name, which in builds.items())
        yield Check("builds", True, each, warns=True, do="finish the rollout: restart what is of the older build")
    elif builds:
        yield Check("builds", True, f"all of {next(iter(builds.values()))}")


def _option(name: str) -> str:
    return name.split(maxsplit=1)[0].lower()


def _is_bad(check: str, state: object) -> bool:
    """A count of faults is bad above 0; what has a form of its own says it in ``status``."""
    if check == "own_faults":
        return bool(state)
    return isinstance(state, str | bool) and state not in _GOOD


def _barriers(name: str, health: Mapping[str, Any]) -> Iterator[Check]:
    """What keeps entries back, each with where to read on."""
    markets = health.get("markets")
    parts = markets if isinstance(markets, dict) and name.startswith("S4") else {"": health}
    for market, part in parts.items():
        for level in part.get("barriers") or () if isinstance(part, dict) else ():
            where = " ".join(filter(None, (name, market, level.get("symbol"))))
            page = chapter(str(level["code"]))
            yield Check(
                f"{where} {level['code']}", True, f"entries are kept back: {level['why']}", warns=True,
                do=f"docs/{page}" if page else "docs/codes.md",
            )  # fmt: skip


async def _unprotected(s4_url: str) -> list[Check]:
    """Positions of which a live stop does not cover all."""
    try:
        async with RouterClient(s4_url, timeout_ms=TIMEOUT_MS) as client:
            rows = await client.positions()
    except ChimeraError as away:
        return [Check("protection", None, f"S4 does not tell ({away})")]
    held = [row for row in rows if Decimal(row["qty"])]
    bare = [row for row in held if row["unprotected_ms"]]
    if not held:
        return [Check("protection", True, "nothing is held")]
    if not bare:
        return [Check("protection", True, f"{len(held)} positions held, each with a live stop over all of it")]
    return [
        Check(
            "protection", False,
            f"{row['symbol']} {row['market']} {row['qty']}: a live stop covers {row['covered_qty']}, for"
            f" {row['unprotected_ms'] // 1000} s" + ("; a guard watches" if row["guards"] else ""),
            do="docs/runbook.md#a-naked-position",
        )
        for row in bare
    ]  # fmt: skip
