"""The bundle a fresh store begins with, so that the demo market trades; an operator's own is never touched."""

import json
from collections.abc import Iterable
from decimal import Decimal
from importlib.resources import files
from typing import Any

from chimera.ports.ledger import Rows
from chimera.services.strategy.revisions import ACTIVE
from chimera.wire.codec import SCHEMA_VERSION, plain
from chimera.wire.keys import CONFIG_ACTIVE, CONFIG_BUNDLES, FACTOR_REGISTRY, INSTRUMENT_REGISTRY, STRATEGY_RULES
from chimera.wire.registry import Listed, registry_document, registry_key


def demo_bundle() -> dict[str, Any]:
    """The packaged document, amounts exact."""
    text = files(__package__).joinpath("demo_bundle.json").read_text("utf-8")
    document: dict[str, Any] = json.loads(text, parse_float=Decimal)
    return document


async def ensure_demo_bundle(ledger: Rows) -> bool:
    """Seed an empty configuration; False when one is active. Safe to repeat and to break off: active comes last."""
    if await ledger.get(CONFIG_ACTIVE, ACTIVE) is not None:
        return False
    bundle = plain(demo_bundle())
    bundle_id = bundle["bundle_id"]
    stamp = {"schema_version": SCHEMA_VERSION}
    for factor in bundle["factors"]:
        await ledger.insert(FACTOR_REGISTRY, factor["f"], stamp | factor)
    for item in bundle["instruments"]:
        await ledger.insert(INSTRUMENT_REGISTRY, f"{item['market']}:{item['symbol']}", stamp | item)
    for rule in bundle["rules"]:
        await ledger.insert(STRATEGY_RULES, f"{bundle_id}:{rule['rule_id']}", stamp | rule)
    names = [rule["rule_id"] for rule in bundle["rules"]]
    head = {"bundle_id": bundle_id, "rules": names, "bounds": bundle["bounds"]}
    await ledger.insert(CONFIG_BUNDLES, bundle_id, stamp | head)
    active = {"rev": bundle["rev"], "bundle_id": bundle_id, "who": "chimera", "why": "the demo bundle"}
    return await ledger.insert(CONFIG_ACTIVE, ACTIVE, stamp | active)


async def register_instruments(ledger: Rows, listed: Iterable[Listed]) -> int:
    """Add symbols the registry does not have (the venue's, at start); how many were new. Existing limits stay."""
    added = 0
    for item in listed:
        key = registry_key(item.instrument.market, item.instrument.symbol)
        added += await ledger.insert(
            INSTRUMENT_REGISTRY, key, {"schema_version": SCHEMA_VERSION, **registry_document(item)}
        )
    return added
