"""The twin's own named faults, drawn from the tape: what the venue itself does wrong.

What the wire does (loss, delay, resets, cut streams) is ``network``'s; the same thing twice would prove nothing twice.
Invariants: every strike is on the tape under the fault's id, so that it can be left out alone; once the tape is calm
nothing strikes, and ``heal`` lets go what is still held. A rate is the chance of each happening that the fault is aimed
at; a fault that would spare the happening in hand does not count as fired.
"""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

from chimera.services.stage.clock import EPOCH_MS
from chimera.services.stage.tape import Tape
from chimera.simulate.door.messages import WireRequest
from chimera.simulate.trouble.answers import ANSWERS, reduces
from chimera.simulate.trouble.armed import Armed
from chimera.simulate.trouble.faults import RequestFault, Trouble
from chimera.simulate.trouble.match import Match, Who
from chimera.simulate.trouble.scenario import Fault, Scenario, When
from chimera.simulate.trouble.schedule import Schedule
from chimera.trading.money import Millis
from chimera.trading.value import Value

OFTEN: Final = 1_000_000  # strikes
_THROTTLED: Final = -1008


class Spell(Value):
    """A stretch in which one of the catalogue's standing faults is at work."""

    name: str
    at_s: float
    for_s: float
    params: dict[str, Any] = {}


class Kind(NamedTuple):
    """A fault of the catalogue as the world uses it: its greatest rate, its aim, and how its parameters are drawn."""

    name: str
    most: float
    params: Callable[[Tape], dict[str, Any]] = lambda tape: {}
    match: Match = Match()


def _refusal(*codes: int) -> Callable[[Tape], dict[str, Any]]:
    def draw(tape: Tape) -> dict[str, Any]:
        code = tape.pick("refusal_code", codes)
        return {"code": code, "msg": ANSWERS[Trouble.THROTTLED_503][2] if code == _THROTTLED else ""}

    return draw


def _ms(low: int, high: int) -> Callable[[Tape], dict[str, Any]]:
    return lambda tape: {"ms": tape.whole("trouble_ms", low, high)}


def _stuck(tape: Tape) -> dict[str, Any]:
    return {"ms": tape.whole("stuck_ms", 300, 8_000), "cancel": tape.pick("stuck_cancel", ("-2011", "-4117"))}


def _part(tape: Tape) -> dict[str, Any]:
    return {"share": Decimal(tape.whole("part_share", 1, 9)) / 10}


_SAYS: Final[Mapping[str, tuple[int, str]]] = {
    "TRADING_RULES": (-1013, "Filter failure: PERCENT_PRICE_BY_SIDE"),
    "TOO_MANY": (-1013, "Filter failure: MAX_NUM_ALGO_ORDERS"),
    "LACKS": (-2010, "Account has insufficient balance for requested action."),
    "WOULD_TRIGGER": (-2010, "Stop price would trigger immediately."),
    "UNSUPPORTED": (-1014, "Unsupported order combination."),
}


def _said(*names: str) -> Callable[[Tape], dict[str, Any]]:
    def draw(tape: Tape) -> dict[str, Any]:
        code, msg = _SAYS[tape.pick("spot_refusal", names)]
        return {"code": code, "msg": msg}

    return draw


_HOLDINGS: Final = "/fapi/*/balance|/fapi/*/account|/fapi/*/positionRisk"
KINDS: Final[dict[str, Kind]] = {
    "unknown_503": Kind("unknown_503", 0.15),
    "unavailable_503": Kind("unavailable_503", 0.10),
    "internal_503": Kind("internal_503", 0.08),
    "throttled_503": Kind("throttled_503", 0.10),
    "overloaded_503": Kind("overloaded_503", 0.08),  # exits are not spared
    "unexpected_1006": Kind("unexpected_1006", 0.08),
    "timeout_1007": Kind("timeout_1007", 0.08, _ms(0, 2_000)),
    "balance_too_low": Kind("balance_too_low", 0.08),
    "zero_read": Kind("zero_balance_read", 0.10, match=Match(path=_HOLDINGS)),
    "read_lag": Kind("read_lag", 0.20, _ms(50, 2_500)),
    "algo_unread": Kind("read_lag", 0.20, _ms(60_000, 240_000), Match(path="/fapi/v1/algoOrder")),
    "trades_lag": Kind("trades_lag", 0.50, _ms(500, 30_000)),
    "order_refused": Kind("refused", 0.05, _refusal(-2019, _THROTTLED, -4131), Match(path="/fapi/v1/order")),
    "stop_refused": Kind("stop_refused", 0.15, _refusal(-2021, -4120, -2019, _THROTTLED, -4130)),
    "stuck_triggering": Kind("stuck_triggering", 0.30, _stuck),
    "trigger_refused": Kind("trigger_refused", 0.20),
    "trigger_partial_fill": Kind("trigger_partial_fill", 0.60, _part),
    "frame_drop": Kind("frame_drop", 0.05),
}  # fmt: skip
MOST: Final[Mapping[str, float]] = {name: kind.most for name, kind in KINDS.items()}
_PLACED: Final = Match(method="POST", path="/api/v3/order")
_LISTED: Final = Match(method="POST", path="/api/v3/orderList/oco")
SPOT_ONLY: Final[dict[str, Kind]] = {  # beside these, on spot: what COMMON names
    "spot_zero_read": Kind("zero_balance_read", 0.10, match=Match(method="GET", path="/api/v3/account")),
    "spot_refused": Kind("refused", 0.05, _said("TRADING_RULES", "LACKS", "TOO_MANY"), _PLACED),
    "oco_refused": Kind("refused", 0.25, _said("TOO_MANY", "UNSUPPORTED", "WOULD_TRIGGER", "LACKS"), _LISTED),
}  # fmt: skip
COMMON: Final = (
    "unknown_503", "unavailable_503", "internal_503", "overloaded_503", "unexpected_1006", "timeout_1007",
    "balance_too_low", "read_lag", "trades_lag", "trigger_refused", "trigger_partial_fill", "frame_drop",
)  # fmt: skip
SPOT_MOST: Final[Mapping[str, float]] = {
    **{name: KINDS[name].most for name in COMMON},
    **{name: kind.most for name, kind in SPOT_ONLY.items()},
}
_SPARES: Final = frozenset({"balance_too_low", "throttled_503"})  # what can only lower exposure


class _Taped(Armed):
    """One armed fault whose luck is the tape's."""

    def __init__(self, fault: Fault, tape: Tape, since_ms: Millis) -> None:
        super().__init__(fault, 0, since_ms)
        self._tape = tape

    def strikes(self, kind: str, now_ms: int) -> bool:
        if not self.covers(now_ms) or self.spent:
            return False
        self.seen += 1
        if self.fault.chance == 1:  # a spell: that it strikes was drawn with the plan
            return True
        return self._tape.fires(f"{self.id}:{kind}", float(self.fault.chance))

    def drawn(self, *key: object) -> float:
        return self._tape.u(f"{self.id} {key[0]}")


class Troubles(Schedule):
    """``chimera.simulate.trouble.faults.Faults`` of one run: kinds with a rate, and spells at moments of their own."""

    def __init__(
        self, tape: Tape, rates: Mapping[str, float], spells: Iterable[Spell] = (), who: Who | None = None
    ) -> None:
        self._tape = tape
        kinds = KINDS | SPOT_ONLY
        faults = [_fault(name, kind, rate, tape) for name, kind in kinds.items() if (rate := rates.get(name, 0)) > 0]
        faults += [_spell(number, spell) for number, spell in enumerate(spells)]
        super().__init__(Scenario(faults=tuple(faults)), EPOCH_MS, who)

    def arm(self, faults: Iterable[Fault], now_ms: Millis) -> tuple[str, ...]:
        ids = super().arm(faults, now_ms)
        for each in ids:
            self._armed[each] = _Taped(self._armed[each].fault, self._tape, now_ms)
        self._sort()
        return ids

    def heal(self) -> None:
        """Nothing is at work any more; what was held goes on when time next passes."""
        self.clear(None)

    def _struck(self, armed: Armed, request: WireRequest, now_ms: Millis) -> RequestFault | None:
        if armed.fault.name in _SPARES and reduces(request):
            return None
        return super()._struck(armed, request, now_ms)


def _fault(name: str, kind: Kind, rate: float, tape: Tape) -> Fault:
    chance = min(Decimal(str(rate)), Decimal("0.999999"))
    return Fault(name=kind.name, id=name, params=kind.params(tape), match=kind.match, chance=chance, count=OFTEN)


def _spell(number: int, spell: Spell) -> Fault:
    from_ms = round(spell.at_s * 1_000)
    when = When(from_ms=Millis(from_ms), to_ms=Millis(from_ms + round(spell.for_s * 1_000)))
    return Fault(name=spell.name, id=f"{spell.name}_spell_{number}", params=dict(spell.params), when=when)
