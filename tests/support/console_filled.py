"""A stage on which every screen of the console has something to show, and every act something to do."""

from typing import Final

from console_others import a_schedule, recorded
from console_stage import Stage, a_decision, a_position, a_skip

from chimera.services.clock import SystemClock

ORDER: Final = "s3-btc-1800000000000-ab2"
OVER: Final = "s3-btc-1700000000000-done"
GUARD: Final = {"kind": "TARGET", "price": "66100", "qty": "0.02", "gauge": "TOUCH", "armed_ms": 1, "rests": "chimera"}
HOUR_MS: Final = 3_600_000
SCREENS: Final = (
    "/", "/orders", f"/orders/{ORDER}", f"/replays/{OVER}", "/doubts", "/kill?flatten=yes", "/working", "/why",
    "/whatif?symbol=BTCUSDT", "/compare?a=skip&b=open", "/decisions/skip", "/execution", "/config", "/config/calm-2",
    "/venue", "/alerts", "/system", "/doctor", "/simulator",
)  # fmt: skip


async def filled() -> Stage:
    """Looked at once; the rest is its console's to see."""
    stage = Stage(SystemClock())
    now_ms = stage.clock.now_ms()
    _health(stage)
    _held(stage, now_ms)
    _doubtful(stage, now_ms)
    _decided(stage, now_ms)
    await stage.tell_order(f"{ORDER}-m1", "MAKER", "NEW", side="BUY", price="65800", intent_id="i2")
    await stage.tell_order(f"{OVER}-t1", "TAKER", "FILLED", side="BUY", type="MARKET", intent_id="i9")
    await stage.tell_order("s3-1000pepe-1800000000000-abcdef-s1", "STOP", "IN_DOUBT", trigger_price="65742.1")
    await stage.tell_fill("901")
    await stage.tell_alert("MONEY_DRIFT", "the wallet says 10, our books 9")
    await stage.tell_alert("A_RATHER_LONG_CODE_WITHOUT_A_BREAK", "https://example.invalid/" + "x" * 90)
    await stage.show_tick()
    await stage.look()
    return stage


def _health(stage: Stage) -> None:
    """Simulated money, and a breaker that is open."""
    health = recorded("health")
    for told in (health, *health["markets"].values()):
        told["circuit_breaker"], told["breaker"]["next_try_in_ms"] = "OPEN", 4_000
    stage.s4.told = health


def _held(stage: Stage, now_ms: int) -> None:
    """A position that is guarded, one that is not, an order that works, one in slices."""
    bare = a_position(
        symbol="1000PEPEUSDT", qty="-123456789", stop=None, coverage="0", covered_qty="0", intents=["twap-2"]
    )
    stage.s4.rows = [a_position(guards=[GUARD]), bare]
    child = {"side": "BUY", "qty": "0.02", "type": "LIMIT", "leg": "MAKER", "client_order_id": f"{ORDER}-m1"}
    stage.s4.orders[ORDER] = stage.s4.orders["i2"] = {
        "client_order_id": ORDER, "intent_id": "i2", "symbol": "BTCUSDT", "side": "BUY", "status": "NEW", "qty": "0.02",
        "accepted_ms": now_ms, "children": [child | {"status": "NEW", "price": "65800"}],
        "why": ["a maker, then a taker"], "mid_at_send": "65799.9",
        "timeline": [{"at_ms": now_ms, "what": "accepted"}],
    }  # fmt: skip
    stage.s4.orders[OVER] = stage.s4.orders["i9"] = {
        "client_order_id": OVER, "intent_id": "i9", "symbol": "BTCUSDT", "side": "BUY", "status": "FILLED",
        "qty": "0.01", "filled_qty": "0.01", "accepted_ms": now_ms - 60_000, "done_ms": now_ms - 58_000,
    }  # fmt: skip
    stage.s4.orders["i1"] = stage.s4.orders["twap-1"] = a_schedule(now_ms)
    stage.s4.orders["twap-2"] = a_schedule(now_ms, paused=True, client_order_id="twap-2", intent_id="twap-2")


def _doubtful(stage: Stage, now_ms: int) -> None:
    """An outcome, a transfer and an order that nobody knows; a kill that stands."""
    stage.s4.in_doubt = [
        {"client_order_id": f"{ORDER}-m1", "symbol": "BTCUSDT", "role": "MAKER", "about": "OUTCOME", "qty": "1",
         "since_ms": now_ms - 5_000, "settles": "the venue's word", "intent_id": "i2"}
    ]  # fmt: skip
    stage.s4.foreign = [
        {"client_order_id": "by-hand", "symbol": "BTCUSDT", "side": "SELL", "qty": "0.01", "filled_qty": "0",
         "price": "70000", "status": "NEW", "type": "LIMIT"}
    ]  # fmt: skip
    stage.s4.moved["present"] = {
        "transfer_id": "t1", "asset": "USDT", "amount": "50", "status": "AMBIGUOUS", "asked_ms": now_ms - 9_000,
        "from": "SPOT", "to": "FUT", "why": "an order needed it",
    }  # fmt: skip
    stage.s4.kills = [{"scope": "SYMBOL", "name": "ETHUSDT", "by": "me", "reason": "fire", "at_ms": now_ms}]


def _decided(stage: Stage, now_ms: int) -> None:
    """An open, a skip and what stands in the way; hours of skips."""
    opened, skipped = stage.explain.traces["open"], stage.explain.traces["skip"]
    stage.explain.traces |= {"sig-2": opened, skipped["signal_id"]: skipped}
    other = a_skip(3, now_ms - 3_000) | {"signal_id": "skip", "symbol": "ETHUSDT"}  # the newest of each symbol is shown
    stage.s3.rows = [a_decision(2, now_ms, client_order_id=ORDER), other]
    row = {"symbol": "BTCUSDT", "asked": {"market": None, "side_hint": "BUY"}, "decision": "skip",
           "looked_ms": 1, "blocked": True, "blockers": [
               {"code": "SPREAD", "kind": "gate", "text": "too wide", "since_ms": now_ms - 65_000,
                "for_ms": 1, "market": "FUT", "name": ""}]}  # fmt: skip
    stage.explain.blocked = {"now_ms": 1, "symbols": [row]}
    stage.explain.hours = [{"hour_ms": now_ms // HOUR_MS * HOUR_MS, "decisions": 9, "skips": 4, "codes": {"SPREAD": 4}}]
    stage.sim.armed = [{"id": "unknown_503-1", "name": "unknown_503", "active": True, "seen": 3, "struck": 1}]
