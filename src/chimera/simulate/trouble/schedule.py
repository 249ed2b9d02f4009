"""A scenario at work: the named faults that are armed, asked at the twin's few places, and what each answers there.

Invariants: deterministic in the scenario and the calls; each fault counts and draws for itself, so arming or clearing
one leaves the others as they were. Where several strike one request, waits add up and the first armed of the rest is
what happens; of one frame or trigger the first armed. Knows nothing of accounts or books: what must change in the venue
leaves as an ``Act`` for the twin to do.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from chimera.simulate.door.messages import Frame, WireRequest
from chimera.simulate.trouble.armed import Armed
from chimera.simulate.trouble.entry import On
from chimera.simulate.trouble.faults import (
    Act,
    CutStreams,
    DelayTransfers,
    FeeInBase,
    FrameFault,
    FrameTrouble,
    LoseListenKey,
    NoFaults,
    ReleaseTriggers,
    RequestFault,
    SetStatus,
    SymbolState,
    TriggerFault,
    Triggering,
    Trouble,
)
from chimera.simulate.trouble.match import Nobody, Who
from chimera.simulate.trouble.on_requests import AT_WORK, STRIKES, text_of
from chimera.simulate.trouble.scenario import CODE, Fault, Scenario, complete, numbered
from chimera.trading.errors import Refused
from chimera.trading.money import Millis

_NEVER: Final = 1 << 62
_STATES: Final = {"cancel_only": SymbolState.CANCEL_ONLY, "delisting": SymbolState.DELISTED}


class Schedule(NoFaults):
    """``chimera.simulate.trouble.faults.Faults`` of one scenario that began at ``now_ms``."""

    def __init__(self, scenario: Scenario, now_ms: Millis, who: Who | None = None) -> None:
        self.scenario = scenario
        self.since_ms = now_ms
        self._who = who if who is not None else Nobody()
        self._armed: dict[str, Armed] = {}
        self._ending: list[Act] = []
        self._wake_ms = _NEVER
        self.arm(scenario.faults, now_ms)

    # ── arming ──────────────────────────────────────────────────────────────────────────────────────────────────────
    def arm(self, faults: Iterable[Fault], now_ms: Millis) -> tuple[str, ...]:
        """Arm these from now on, all or none; their ids. Raises ``Refused`` for what the catalogue does not know."""
        named = numbered((complete(each) for each in faults), tuple(self._armed))
        for each in named:
            self._armed[each.id] = Armed(each, self.scenario.seed, now_ms)
        self._sort()
        return tuple(each.id for each in named)

    def clear(self, ids: Sequence[str] | None) -> tuple[str, ...]:
        """Disarm these, or all; what they hold is let go at the next ``due``. Raises ``Refused`` for an unknown id."""
        chosen = tuple(self._armed) if ids is None else tuple(ids)
        for each in chosen:
            if each not in self._armed:
                accepted = ", ".join(self._armed) or "none is armed"
                raise Refused(CODE, "no fault with this id is armed", field="id", value=each, accepted=accepted)
        for each in chosen:
            armed = self._armed.pop(each, None)
            if armed is not None and armed.begun:
                self._ending += _ends(armed)
        self._sort()
        if self._ending:
            self._wake_ms = 0
        return chosen

    @property
    def ids(self) -> tuple[str, ...]:
        """Of all that is armed, in the order armed."""
        return tuple(self._armed)

    def picture(self, now_ms: Millis) -> list[dict[str, Any]]:
        """Every armed fault, for people."""
        return [armed.picture(now_ms) for armed in self._armed.values()]

    def _sort(self) -> None:
        armed = tuple(self._armed.values())
        self._requests = tuple(each for each in armed if each.fault.name in STRIKES and not _inward(each))
        self._arrivals = tuple(each for each in armed if _inward(each))
        self._frames = tuple(each for each in armed if each.entry.on is On.FRAME)
        self._triggers = tuple(each for each in armed if each.entry.on is On.CONDITIONAL)
        self._closed = tuple(each for each in armed if each.fault.name == "maintenance")
        self._clocks = tuple(each for each in armed if each.entry.on is On.CLOCK)
        self._journals = tuple(each for each in armed if each.entry.on is On.JOURNAL)
        self._standing = tuple(each for each in armed if each.fault.name in _STANDING)
        self._wake_ms = min((_wake(each) for each in self._standing), default=_NEVER)

    # ── requests ────────────────────────────────────────────────────────────────────────────────────────────────────
    def on_arrival(self, request: WireRequest, now_ms: Millis) -> Millis:
        wait = 0
        for armed in self._arrivals:
            if armed.fault.match.fits_request(request, self._who) and armed.strikes(_about(request), now_ms):
                wait += armed.wait()
                armed.hit()
        return Millis(wait)

    def on_request(self, request: WireRequest, now_ms: Millis) -> RequestFault | None:
        late, engine_ms, found = 0, 0, None
        names: list[str] = []
        for armed in self._requests:
            fault = self._struck(armed, request, now_ms)
            if fault is None or (found is not None and fault.trouble is not Trouble.DELAY):
                continue
            armed.hit()
            if fault.trouble is Trouble.DELAY:
                late += fault.delay_ms
                engine_ms += fault.engine_ms
                names.append(armed.fault.name)
            else:
                found = fault.but(name=armed.fault.name)
        if found is not None:
            return found.but(delay_ms=Millis(found.delay_ms + late))
        if not names:
            return None
        return RequestFault(
            trouble=Trouble.DELAY, delay_ms=Millis(late), engine_ms=Millis(engine_ms), name="+".join(names)
        )

    def _struck(self, armed: Armed, request: WireRequest, now_ms: Millis) -> RequestFault | None:
        name = armed.fault.name
        if not armed.covers(now_ms) or not armed.fault.match.fits_request(request, self._who):
            return None
        at_work = AT_WORK.get(name)
        fault = at_work(armed, request, now_ms) if at_work is not None else None
        if fault is None and armed.strikes(_about(request), now_ms):
            fault = STRIKES[name](armed, request, now_ms)
        return fault

    # ── streams ─────────────────────────────────────────────────────────────────────────────────────────────────────
    def on_frame(self, frame: Frame, now_ms: Millis) -> FrameFault | None:
        for armed in self._frames:
            if not armed.covers(now_ms) or not armed.fault.match.fits_frame(frame, self._who):
                continue
            channel = f"{frame.route}/{frame.channel}"
            if now_ms < armed.until_ms.get(channel, 0):
                return FrameFault(trouble=FrameTrouble.DROP, name=armed.fault.name)
            if armed.strikes(frame.event, now_ms):
                armed.hit()
                return _on_frame(armed, channel, now_ms)
        return None

    def admits(self, route: str, now_ms: Millis) -> bool:
        return not any(armed.covers(now_ms) for armed in self._closed)

    # ── conditional orders, clock, journal ──────────────────────────────────────────────────────────────────────────
    def on_trigger(self, triggering: Triggering, now_ms: Millis) -> TriggerFault | None:
        for armed in self._triggers:
            aimed = armed.covers(now_ms) and armed.fault.match.fits_trigger(triggering)
            if aimed and armed.strikes(triggering.symbol, now_ms):
                armed.hit()
                armed.begun = True
                return _on_trigger(armed)
        return None

    def skew_ms(self, now_ms: Millis) -> int:
        return sum(armed.params["ms"] for armed in self._clocks if armed.covers(now_ms))

    def journal_fails(self, part: str, now_ms: Millis) -> bool:
        return any(armed.params["part"] in (part, "both") and armed.covers(now_ms) for armed in self._journals)

    # ── what begins and ends by itself ──────────────────────────────────────────────────────────────────────────────
    def due(self, now_ms: Millis) -> tuple[Act, ...]:
        if now_ms < self._wake_ms:
            return ()
        acts, self._ending = self._ending, []
        for armed in self._standing:
            acts += _moved(armed, now_ms)
        self._wake_ms = min((_wake(each) for each in self._standing), default=_NEVER)
        return tuple(acts)


def _inward(armed: Armed) -> bool:
    return armed.fault.name == "latency" and armed.params["way"] == "in"


def _about(request: WireRequest) -> str:
    return f"{request.method} {request.path}"


def _on_frame(armed: Armed, channel: str, now_ms: Millis) -> FrameFault:
    name, told = armed.fault.name, armed.params
    match name:
        case "frame_duplicate":
            return FrameFault(trouble=FrameTrouble.DUPLICATE, delay_ms=told["after_ms"], name=name)
        case "frame_delay":
            return FrameFault(trouble=FrameTrouble.DELAY, delay_ms=armed.wait(), name=name)
        case "frame_reorder":
            same_type = told["same_type"]
            return FrameFault(trouble=FrameTrouble.REORDER, delay_ms=told["most_ms"], same_type=same_type, name=name)
        case "stream_cut_at_event":
            return FrameFault(trouble=FrameTrouble.CUT, name=name)
        case "stream_silent":
            armed.until_ms[channel] = now_ms + told["for_ms"] if told["for_ms"] else _NEVER
    return FrameFault(trouble=FrameTrouble.DROP, name=name)


def _on_trigger(armed: Armed) -> TriggerFault:
    name, told = armed.fault.name, armed.params
    match name:
        case "stuck_triggering":
            cancel_code = int(told["cancel"])
            return TriggerFault(name=name, fault=armed.id, held=True, hold_ms=told["ms"], cancel_code=cancel_code)
        case "trigger_refused":
            return TriggerFault(name=name, fault=armed.id, code=told["code"], msg=told["msg"] or text_of(told["code"]))
    return TriggerFault(name=name, fault=armed.id, thin=told["share"])


# ── standing faults ─────────────────────────────────────────────────────────────────────────────────────────────────
_STANDING: Final = frozenset(
    {"maintenance", "stream_cut", "listen_key_lost", "cancel_only", "delisting", "fee_in_base", "stuck_triggering"}
    | {"transfer_pending"}
)


def _wake(armed: Armed) -> int:
    """When this fault next begins, comes again or ends."""
    if armed.fault.name == "stuck_triggering":
        return _NEVER if armed.to_ms is None or armed.over else armed.to_ms
    if not armed.begun:
        return _NEVER if armed.over else armed.from_ms
    times = [each for each in (armed.next_ms, armed.to_ms) if each is not None]
    return min(times, default=_NEVER)


def _moved(armed: Armed, now_ms: Millis) -> list[Act]:
    """What this fault begins, repeats or ends by now; a whole window that passed unasked still begins and ends."""
    acts: list[Act] = []
    if armed.fault.name != "stuck_triggering" and not armed.over:
        if not armed.begun and now_ms >= armed.from_ms:
            acts += _again(armed, now_ms)
            armed.begun = True
        elif armed.next_ms is not None and now_ms >= armed.next_ms and armed.covers(now_ms):
            acts += _again(armed, now_ms)
    if armed.to_ms is not None and now_ms >= armed.to_ms and not armed.over:
        armed.over = True
        acts += _ends(armed) if armed.begun else []
        armed.begun, armed.next_ms = False, None
    return acts


def _again(armed: Armed, now_ms: Millis) -> list[Act]:
    again_ms = armed.params.get("again_ms", 0)
    armed.next_ms = Millis(now_ms + again_ms) if again_ms else None
    armed.seen += 1
    if armed.spent or (armed.seen % armed.fault.every) or not armed.lucky("act", armed.seen):
        return []
    if armed.fault.name != "maintenance":  # its strikes are the requests it refuses
        armed.hit()
    return _begins(armed)


def _begins(armed: Armed) -> list[Act]:
    aim, told = armed.fault.match, armed.params
    match armed.fault.name:
        case "maintenance":
            return [CutStreams(told=True)] if told["cut"] else []
        case "stream_cut":
            return [CutStreams(route=aim.route, told=told["told"])]
        case "listen_key_lost":
            return [LoseListenKey(account=aim.account, told=told["event"])]
        case "fee_in_base":
            return [FeeInBase(account=aim.account, on=True)]
        case "transfer_pending":
            return [DelayTransfers(account=aim.account, by_ms=told["ms"])]
        case name:
            return [SetStatus(symbol=aim.symbol, market=aim.market, to=_STATES[name])]


def _ends(armed: Armed) -> list[Act]:
    aim = armed.fault.match
    match armed.fault.name:
        case "cancel_only" | "delisting":
            return [SetStatus(symbol=aim.symbol, market=aim.market, to=SymbolState.TRADING)]
        case "fee_in_base":
            return [FeeInBase(account=aim.account, on=False)]
        case "transfer_pending":
            return [DelayTransfers(account=aim.account, by_ms=Millis(0))]
        case "stuck_triggering":
            return [ReleaseTriggers(fault=armed.id)]
    return []
