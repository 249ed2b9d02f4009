"""One order from decision to protection, by its order, client or intent id."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from chimera.services.console.others import Others
from chimera.services.console.same import Same
from chimera.services.console.screen import Group, Look, Params, Screen, Section, Shown


async def _ask(others: Others, params: Params) -> dict[str, Any] | None:
    return await others.router.order(params["name"])


def _order(shown: Shown) -> Mapping[str, object]:
    return {"order": shown.looked["order"]}


def _same(params: Params) -> tuple[Same, ...]:
    return (Same(path=f"/orders/{quote(params['name'], safe='')}", cli=f"chimera show {params['name']}"),)


SCREEN: Final = Screen(
    name="order",
    title="Order",
    path="/orders/{name:path}",
    says="One order, from the decision to its protection.",
    group=Group.NOW,
    under="orders",
    looks=(Look("order", 1.0, _ask),),
    sections=(Section("order", "Order", reads=("order",), content=_order, same=_same),),
)
