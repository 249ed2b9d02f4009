"""The client of S4: submit, cancel, close, look."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal
from urllib.parse import urlencode

from chimera.client.acting import service_at
from chimera.client.http import in_path, read, read_plain
from chimera.client.levels import levels_of
from chimera.client.service import ServiceClient
from chimera.ports.intents import OrderAnswer, RouterLevel
from chimera.trading.errors import Refused
from chimera.trading.intent import Intent
from chimera.trading.market import Market
from chimera.trading.money import text
from chimera.trading.standstill import Scope
from chimera.trading.transfer import Route
from chimera.wire.intents import order_body
from chimera.wire.traceparent import TRACEPARENT, traceparent


class RouterClient(ServiceClient):
    """Orders, positions, kills, transfers; after ``OutcomeUnknown`` ask ``order`` by your id.

    Several routers of one account: ``base_url`` has the addresses of all, with commas; the one that acts is asked. What
    means the same asked twice is asked of a successor, too, within ``timeout_ms`` of the whole call.
    """

    reached_by = staticmethod(service_at)

    async def submit(self, order: Intent | Mapping[str, Any], *, wait_s: int | None = 0) -> OrderAnswer:
        """An intent, or a body of ``POST /orders`` in either shape.

        ``wait_s`` 0 answers as soon as it is accepted, a number waits that long, None is the router's own policy.
        """
        body = order_body(order) if isinstance(order, Intent) else order
        headers = {} if wait_s is None else {"Prefer": f"wait={wait_s}" if wait_s else "respond-async"}
        if isinstance(order, Intent):
            headers[TRACEPARENT] = traceparent(order)
        return read(await self._http.post("/orders", body, headers=headers, again=True), OrderAnswer)

    async def order(self, name: str) -> dict[str, Any] | None:
        """By order, client or intent id: the order, its children, fills and timeline. None: the router has none."""
        try:
            return read_plain(await self._http.get(f"/orders/{in_path(name)}"))
        except Refused as refused:
            if refused.code == "NOT_FOUND":
                return None
            raise

    async def preview(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """What would come of it; nothing is kept or sent."""
        return read_plain(await self._http.post("/orders/preview", order))

    async def replace(self, name: str, changes: Mapping[str, Any]) -> OrderAnswer:
        """Change an order that lives: a body of ``POST /orders/{name}/replace``."""
        return read(await self._http.post(f"/orders/{in_path(name)}/replace", changes, again=True), OrderAnswer)

    async def steer(self, name: str, ask: Literal["pause", "resume", "finish"]) -> dict[str, Any]:
        """Pause an order that is worked in slices, go on with it, or take all that is left of it now."""
        return read_plain(await self._http.post(f"/orders/{in_path(name)}/{ask}", {}))

    async def cancel(
        self,
        *,
        order_id: str | None = None,
        client_order_id: str | None = None,
        reason: str = "USER_REQUEST",
        escalate: bool = False,
    ) -> dict[str, Any]:
        """One order by one of its names; ``escalate`` also flattens at market what it holds."""
        names = {"order_id": order_id, "client_order_id": client_order_id}
        body: dict[str, Any] = {name: value for name, value in names.items() if value is not None}
        body |= {"reason": reason, "escalate": "market" if escalate else "none"}
        return read_plain(await self._http.post("/cancel", body, again=True))

    async def close(
        self,
        symbol: str,
        qty: Decimal | None = None,
        *,
        market: Market = Market.FUT,
        reason: str = "USER_REQUEST",
        close_id: str | None = None,
    ) -> dict[str, Any]:
        """Reduce the position of ``symbol`` to flat, or by ``qty`` (base asset).

        After ``OutcomeUnknown`` ask the same with the same ``close_id``; without one a part may be closed again.
        """
        body: dict[str, Any] = {"market": market.value, "reason": reason}
        if close_id is not None:
            body["close_id"] = close_id
        if qty is not None:
            body["qty"] = text(qty)
        path = f"/positions/{in_path(symbol)}/close"
        return read_plain(await self._http.post(path, body, again=close_id is not None))

    async def survey(self, symbol: str, *, market: Market = Market.FUT) -> dict[str, Any]:
        """Have the venue asked about everything of ``symbol`` now; ``heard`` false: it did not answer in time."""
        body = {"market": market.value}
        return read_plain(await self._http.post(f"/positions/{in_path(symbol)}/survey", body))

    async def external(self) -> list[dict[str, Any]]:
        """The account's open orders that are not ours."""
        external: list[dict[str, Any]] = read_plain(await self._http.get("/positions")).get("external", [])
        return external

    async def kill(
        self,
        *,
        by: str,
        reason: str,
        scope: Scope = Scope.GLOBAL,
        name: str = "",
        flatten: bool = False,
        wait_s: int | None = None,
    ) -> dict[str, Any]:
        """Forbid entries, cancel those that work, close what is held with ``flatten``: the signed receipt.

        ``wait_s``: how long S4 asks until all is gone, None is its own policy. Asked again it changes nothing.
        """
        body = {"scope": scope.value, "name": name, "by": by, "reason": reason, "flatten": flatten}
        prefer = {} if wait_s is None else {"Prefer": f"wait={wait_s}" if wait_s else "respond-async"}
        return read_plain(await self._http.post("/kill", body, headers=prefer, again=True))

    async def arm(
        self, *, by: str, reason: str, scope: Scope = Scope.GLOBAL, name: str = "", confirm: str | None = None
    ) -> dict[str, Any]:
        """Take entries again: without ``confirm`` the answer names it, with it the answer is the signed receipt."""
        body = {"scope": scope.value, "name": name, "by": by, "reason": reason}
        return read_plain(await self._http.post("/arm", body if confirm is None else body | {"confirm": confirm}))

    async def routes(self) -> dict[str, Any]:
        """The route table's revisions, and what is proposed."""
        return read_plain(await self._http.get("/routes"))

    async def approve_routes(self, proposed_ms: int, *, by: str) -> dict[str, Any]:
        """Put what was proposed at that moment in force."""
        return read_plain(await self._http.post("/routes/approve", {"proposed_ms": proposed_ms, "by": by}))

    async def roll_back_routes(self, rev: int, *, by: str) -> dict[str, Any]:
        """Put that revision's table in force again."""
        return read_plain(await self._http.post("/routes/rollback", {"rev": rev, "by": by}))

    async def retry_breaker(self, market: Market, *, by: str, reason: str) -> dict[str, Any]:
        """End an open breaker's pause: one entry may try."""
        body = {"market": market.value, "by": by, "reason": reason}
        return read_plain(await self._http.post("/breaker/retry", body))

    async def killed(self) -> dict[str, Any]:
        """What stands still."""
        return read_plain(await self._http.get("/killed"))

    async def levels(self) -> tuple[RouterLevel, ...]:
        """What keeps entries back: barriers, a breaker that is open, kills."""
        return levels_of(await self.health(), await self.killed())

    async def account(self) -> str | None:
        """What it claims its Redis database by; None where it does not tell (yet)."""
        return (await self.health()).get("account")

    async def positions(self) -> list[dict[str, Any]]:
        positions: list[dict[str, Any]] = (await self.shown_positions()).get("positions", [])
        return positions

    async def shown_positions(self) -> dict[str, Any]:
        """``positions``, and ``external``: open orders of the account that are not ours."""
        return read_plain(await self._http.get("/positions"))

    async def doubts(self) -> list[dict[str, Any]]:
        """What the venue has not told S4 yet, oldest first."""
        doubts: list[dict[str, Any]] = read_plain(await self._http.get("/doubts")).get("doubts", [])
        return doubts

    async def transfers(self) -> dict[str, Any]:
        """What may move between the wallets, what is under way, and the newest that are over."""
        return read_plain(await self._http.get("/transfers"))

    async def transfer(self, route: Route, asset: str, amount: Decimal, *, by: str, reason: str) -> dict[str, Any]:
        """After ``OutcomeUnknown`` look at ``transfers``: the same request again is another transfer."""
        body = {"route": route.value, "asset": asset, "amount": text(amount), "by": by, "reason": reason}
        return read_plain(await self._http.post("/transfers", body))

    async def settle(self, *, happened: bool, by: str) -> dict[str, Any]:
        """What became of an ambiguous transfer, by somebody's word."""
        return read_plain(await self._http.post("/transfers/settle", {"happened": happened, "by": by}))

    async def report(self, path: str, asked: Mapping[str, str]) -> dict[str, Any]:
        """One page of ``/cash/entries`` or ``/pnl``; its ``cursor`` asks for the next, None ends."""
        return read_plain(await self._http.get(f"{path}?{urlencode(asked)}"))
