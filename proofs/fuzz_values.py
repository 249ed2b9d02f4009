"""Real values put into generated requests, so that they get past the door: symbols, ids that exist, prices on the tick.

``Deep.into(case)`` changes a generated case in place. What is drawn comes from one seeded generator, so a seed is a
run, but for the ids that the house gives by itself.
"""

import random
from collections.abc import Callable
from typing import Any, Final

from proofs.fuzz_house import SYMBOLS, Document, House

_SIDES: Final = ("BUY", "SELL")
_FACTORS: Final = (
    "rv_pctile_30d",
    "rho_usdttwd_14",
    "atr",
    "funding_rate",
    "spread_bps",
    "side_hint",
    "no_such_factor",
)
_OPS: Final = ("<", "<=", ">", ">=", "==", "!=", "in", "between", "~")
_ACTIONS: Final[tuple[Any, ...]] = (
    {"type": "size_mult", "value": 1.2}, {"type": "sl_mult", "value": "0.9"}, {"type": "tp_mult", "value": 2},
    {"type": "skip_entry"}, {"type": "side", "value": "BUY"}, {"type": "market", "value": "SPOT"},
    {"type": "exec_policy", "value": {"type": "MARKET"}}, {"type": "exec_policy", "value": {"type": "OCO"}},
    {"type": "exec_policy", "value": {"type": "MakerThenTaker", "maker_wait_ms": 900, "twap": {"slices": 2}}},
    {"type": "size_mult", "value": -1}, {"type": "fly"},
)  # fmt: skip
_WHO: Final = {"who": "proof", "why": "fuzz"}
_DATES: Final = ("2026-11-01", "2026-11-21", "2030-01-01", "0", "9999999999999", "1795000000000.1")


class Deep:
    """Of one house. ``into`` says whether there was something to put in."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._on: tuple[str, ...] = SYMBOLS
        self._draw = random.Random(0)  # noqa: S311 - seeded anew for each case
        self._bodies: dict[str, Callable[[], Document]] = {
            "submit_order": self._order, "preview_order": self._order, "replace_order": self._replace,
            "cancel_order": self._cancel, "close_position": self._close, "kill": self._kill, "arm": self._arm,
            "transfer": self._transfer, "settle_transfer": lambda: {"happened": False, "by": "proof"},
            "decide": self._decide, "decide_batch": self._batch, "create_bundle": self._bundle,
            "lint_bundle": self._bundle, "activate": self._activate, "rollback": self._rollback,
            "begin_trial": self._trial, "end_trial": lambda: dict(_WHO),
        }  # fmt: skip

    def into(self, operation: str, case: Any, seed: int, *, word: str, symbol: str) -> None:
        """``word``: what arms, ``symbol``: where something is at work, each where it was begun for this case."""
        self._on = (symbol,) if symbol else SYMBOLS
        self._draw.seed(seed)
        for name in case.path_parameters or {}:
            case.path_parameters[name] = self._named(name)
        for name in case.query or {}:
            case.query[name] = self._asked(name, case.query[name])
        made = self._bodies.get(operation)
        if made is not None:
            case.body = self._mixed(made(), case.body)
        if word and isinstance(case.body, dict):
            case.body.update(self._some({"confirm": word, "scope": "GLOBAL", "name": ""}))

    def _mixed(self, good: Document, generated: Any) -> Document:
        """Good as it is, good with a few generated members over it, or generated with most of the good ones over it."""
        if not isinstance(generated, dict) or self._draw.random() < 0.4:
            return good
        inner = generated.get("intent", generated)
        odd = list(inner.items()) if isinstance(inner, dict) else []
        if self._draw.random() < 0.6:
            over = dict(self._draw.sample(odd, min(len(odd), self._draw.randint(1, 2))))
            return {**good, **over}
        return {**dict(odd), **self._some(good)}

    def _some(self, members: Document) -> Document:
        return {name: value for name, value in members.items() if self._draw.random() < 0.9}

    # ── S4 ──

    def _order(self) -> Document:
        house, symbol, side = self._house, self._symbol(), self._pick(_SIDES)
        name = f"fz-{house.fresh()}" if self._draw.random() < 0.85 or not house.orders else self._pick(house.orders)
        market = self._pick(("FUT", "FUT", "SPOT"))
        body = {
            "intent_id": name, "client_order_id": name, "market": market, "symbol": symbol,
            "side": "BUY" if market == "SPOT" else side, "qty": str(self._draw.randint(1, 2) * house.unit(symbol)),
            "exec_policy": self._policy(symbol, side),
        }  # fmt: skip
        down, up = ("-0.03", "0.05") if body["side"] == "BUY" else ("0.03", "-0.05")
        if self._draw.random() < 0.7:
            body["sl"] = {"price": house.away(symbol, down if self._draw.random() < 0.9 else up)}
        if self._draw.random() < 0.4:
            targets: tuple[Document, ...] = (
                {"price": house.away(symbol, up)},
                {"target": "net_profit_usdt", "value": 20},
            )
            body["tp"] = self._pick((*targets, {"m": "2", "atr": "300"}))
        if self._draw.random() < 0.2:
            body |= self._some(
                {"leverage": 20, "max_hold_s": 60, "reduce_only": True, "kind": "ENTRY", "trace_id": "t"}
            )
        return {"intent": body} if self._draw.random() < 0.2 else body

    def _policy(self, symbol: str, side: str) -> Document:
        up, down = (self._house.away(symbol, share) for share in ("0.05", "-0.05"))
        rest = {"type": "MakerThenTaker", "maker_wait_ms": 200}
        return dict(self._pick((
            {"type": "MARKET"}, {"type": "MARKET"}, rest, {**rest, "twap": {"slices": 2, "gap_ms": 100}},
            {"type": "OCO", "tp_price": up, "sl_price": down}, {"order_type": "MARKET", "time_in_force": "IOC"},
            {"order_type": "STOP_MARKET", "stop_price": down if side == "SELL" else up},
        )))  # fmt: skip

    def _replace(self) -> Document:
        symbol = self._symbol()
        wishes = {
            "qty": str(self._draw.randint(1, 4) * self._house.unit(symbol)), "exec_policy": {"type": "MARKET"},
            "sl": {"price": self._house.away(symbol, "-0.02")}, "tp": {"price": self._house.away(symbol, "0.04")},
        }  # fmt: skip
        return dict(self._draw.sample(list(wishes.items()), self._draw.randint(1, 3)))

    def _cancel(self) -> Document:
        by = self._pick(("order_id", "client_order_id"))
        return {by: self._order_name(), "reason": "user request", "escalate": self._pick(("none", "market"))}

    def _close(self) -> Document:
        body = {"market": self._pick(("FUT", "FUT", "SPOT")), "close_id": f"cl-{self._house.fresh()}"}
        return body | ({"qty": str(self._house.unit(self._symbol()))} if self._draw.random() < 0.4 else {})

    def _kill(self) -> Document:
        scope, names = self._pick((
            ("GLOBAL", ("",)), ("MARKET", ("FUT", "SPOT")), ("SYMBOL", SYMBOLS), ("STRATEGY", ("s3", "none")),
        ))  # fmt: skip
        flatten = self._draw.random() < 0.3
        return {"scope": scope, "name": self._pick(names), "by": "proof", "reason": "fuzz", "flatten": flatten}

    def _arm(self) -> Document:
        return {"scope": "GLOBAL", "by": "proof", "reason": "fuzz"}

    def _transfer(self) -> Document:
        route, amount = self._pick(("SPOT_TO_FUT", "FUT_TO_SPOT")), str(self._draw.randint(1, 20))
        return {"route": route, "asset": "USDT", "amount": amount, "by": "proof", "reason": "fuzz"}

    # ── S3 ──

    def _decide(self) -> Document:
        body: Document = {"symbol": self._symbol(), "sideHint": self._pick((*_SIDES, "LONG", "SHORT"))}
        if self._draw.random() < 0.3:
            body |= {"market": self._pick(("FUT", "SPOT"))}
        if self._draw.random() < 0.5:
            body |= {"dry_run": True, "context": {name: self._figure() for name in self._draw.sample(_FACTORS, 2)}}
        return body

    def _batch(self) -> Document:
        if self._draw.random() < 0.5:
            return {"symbols": list(SYMBOLS), "dry_run": self._draw.random() < 0.7}
        return {"requests": [self._decide() for _ in range(self._draw.randint(1, 3))]}

    def _bundle(self) -> Document:
        known = self._draw.random() < 0.1
        bundle_id = self._pick(self._house.bundles) if known else f"fz-{self._house.fresh()}"
        rules = [self._rule(number) for number in range(self._draw.randint(1, 3))]
        body = {"bundle_id": bundle_id, "rules": rules, **_WHO}
        if self._draw.random() < 0.3:
            body["bounds"] = {"size_mult": {"low": "0.5", "high": 1.5}}
        if self._draw.random() < 0.3:
            body["flags"] = {self._pick(("entries", "long", "short", "fut", "spot")): self._draw.random() < 0.8}
        return body

    def _rule(self, number: int) -> Document:
        action = self._pick(_ACTIONS)
        rule = {
            "rule_id": f"R-{number}", "priority": self._draw.randint(1, 99), "applies": {"symbols": ["*"]},
            "when": self._when(2), "action": action if self._draw.random() < 0.7 else [action, self._pick(_ACTIONS)],
            "status": "ENABLED",
        }  # fmt: skip
        if self._draw.random() < 0.2:
            rule["valid_until"] = self._pick(("2030-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "tomorrow"))
        return rule

    def _when(self, depth: int) -> Document:
        if depth and self._draw.random() < 0.5:
            word = self._pick(("allOf", "anyOf", "not"))
            return {word: self._when(depth - 1) if word == "not" else [self._when(depth - 1), self._when(depth - 1)]}
        op = self._draw.choices(_OPS, (6, 6, 6, 6, 3, 3, 3, 3, 1))[0]
        value: Any = sorted((self._figure(), self._figure())) if op in ("in", "between") else self._figure()
        return {"f": self._draw.choices(_FACTORS, (6, 6, 6, 6, 6, 6, 1))[0], "op": op, "v": value}

    def _activate(self) -> Document:
        return {"bundle_id": self._pick(self._house.bundles), **_WHO}

    def _rollback(self) -> Document:
        return {**_WHO, "to_rev": self._pick(self._house.revs)} if self._draw.random() < 0.6 else dict(_WHO)

    def _trial(self) -> Document:
        body = {"bundle_id": self._pick(self._house.bundles), "share": self._pick((0, "0.5", 1)), **_WHO}
        limit = {"metric": "differ_share", "most": "0.9", "after": 20}
        return body | ({"limit": limit} if self._draw.random() < 0.3 else {})

    # ── words ──

    def _named(self, name: str) -> str:
        match name:
            case "symbol":
                return self._symbol()
            case "bundle_id" | "other_id":
                return str(self._pick(self._house.bundles))
            case "signal_id":
                return str(self._pick(self._house.signals)) if self._house.signals else "sig-0"
            case _:
                return self._order_name()

    def _asked(self, name: str, generated: Any) -> Any:
        known = {
            "from": _DATES, "to": _DATES, "since": _DATES, "until": _DATES, "cursor": _DATES, "symbol": SYMBOLS,
            "limit": ("1", "1000"), "newest": ("1", "200"), "asset": ("USDT", "BNB"), "account": ("wallet", "fees"),
            "by": ("day", "strategy", "position"), "outcome": ("open", "skip"), "trial": self._house.revs,
        }.get(name)  # fmt: skip
        return self._pick(known) if known else generated

    def _order_name(self) -> str:
        return str(self._pick(self._house.orders)) if self._house.orders else "prep-0"

    def _symbol(self) -> str:
        return str(self._pick(self._on))

    def _figure(self) -> float:
        return self._draw.choice((-1, -0.3, 0, 0.1, 0.25, 0.4, 1, 2, 60))

    def _pick(self, words: Any) -> Any:
        return words[self._draw.randrange(len(words))]
