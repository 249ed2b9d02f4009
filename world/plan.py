"""What goes wrong in one run, and when: rates drawn per seed; kills, pauses, outages, stalls, clock steps, fail-overs,
spells of the venue's and deeds of others on the account by hand.

A scenario is a class of runs with faults of its own: ``rough`` has a little of everything; in ``slow_entries`` entries
linger in the network while S4 dies and comes back, so that it asks for orders which have not arrived yet; in
``tight_stops`` stops fire within seconds while S4 is dead, so that it comes back to ids which have already lived; in
``slow_disk`` it dies while its ledger is still writing what it has just decided; in ``crossed`` the market reaches
stops and targets while S4 cancels them, many of them fill in part only, and the news of that comes slowly.

``fair`` has no fault at all, and is judged strictly; in ``overload`` the venue throttles entries for a while; in
``stuck``, ``zeros``, ``refused`` and ``cuts`` one thing goes wrong, often: stops that fire and hang, positions that
read zero, stops that are refused, user streams that are cut. In ``restored`` S4 comes back to a copy of its ledger.
In ``late_sends`` requests linger in the network, and of several
routers whoever acts loses the ledger, and with it its lease. These are never drawn: they are asked for.

Each hand-placed fault has a name on the tape (``kill#1``, ``outage#0``), so that shrinking can leave it out.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from chimera.services.stage import network, stores
from chimera.services.stage.tape import Tape
from chimera.trading.value import Value
from world import crossing, link, trouble
from world.trouble import Spell

MOST: Final = {
    **network.MOST,
    **crossing.MOST,
    **trouble.MOST,
    **link.MOST,
    **{f"ledger_{name}": rate for name, rate in stores.MOST.items()},
    **{f"bus_{name}": rate for name, rate in stores.MOST.items()},
    **{f"s3_ledger_{name}": rate for name, rate in stores.MOST.items()},
}
MISHAPS: Final = (  # placed by hand, by their names on the tape; of the scenarios one rate: slow_entry
    "kill", "rekill", "s3_kill", "away_venue", "away_ledger", "away_bus", "away_s3_ledger", "clock_step", "stall",
    "pause", "pause_s3", "failover", "cancel_all", "close", "rest", "adl", "flip", "add", "target", "maintenance",
    "rate_limit_storm", "cancel_only", "clock_skew", "listen_key_lost", "operator", "slow_entry",
)  # fmt: skip
SPOT_MOST: Final = {
    **{name: rate for name, rate in MOST.items() if name not in trouble.MOST},
    **trouble.SPOT_MOST,
}
NOT_ON_SPOT: Final = ("adl", "flip", "add", "target", "listen_key_lost")
ROUGH: Final = "rough"
SLOW_ENTRIES: Final = "slow_entries"
TIGHT_STOPS: Final = "tight_stops"
SLOW_DISK: Final = "slow_disk"
CROSSED: Final = "crossed"
FAIR: Final = "fair"
OVERLOAD: Final = "overload"
DRAWN: Final = (ROUGH, SLOW_ENTRIES, TIGHT_STOPS, SLOW_DISK, CROSSED)
STUCK: Final = "stuck"
ZEROS: Final = "zeros"
REFUSED: Final = "refused"
CUTS: Final = "cuts"
RESTORED: Final = "restored"
LATE_SENDS: Final = "late_sends"
# Never drawn: they show what is missing where a safeguard was taken away.
SCENARIOS: Final = (*DRAWN, FAIR, OVERLOAD, STUCK, ZEROS, REFUSED, CUTS, RESTORED, LATE_SENDS)
ALONE: Final = {
    STUCK: {"stuck_triggering": 0.8},
    ZEROS: {"zero_read": 0.5},
    REFUSED: {"stop_refused": 0.5},
    CUTS: {"stream_cut": 0.3},
}
ALONE_ON_SPOT: Final = {
    STUCK: {"trigger_partial_fill": 0.8},
    ZEROS: {"spot_zero_read": 0.5},
    REFUSED: {"oco_refused": 0.6},
    CUTS: {"stream_cut": 0.3},
}
CROSSING: Final = {"cancel_crossed": 0.6, "trigger_partial_fill": 0.7, "end_delay": 0.7}
HOURS_MS: Final = (-3_600_000, 3_600_000)
SHARE: Final = 0.06  # of the seeds whose scenario is drawn, for each but the first
SLOW_RATE: Final = 0.6
_OFF_SHARE: Final = 0.4  # of the seeds, for each fault: swarm testing


class KillAt(Value):
    """Strike at this moment of virtual time."""

    at_s: float
    who: str = "s4"  # or "s3"


class KillAtStep(Value):
    """Strike in place of this step of S4, counted from its first start: for a sweep over all of them."""

    step: int


class KillAfterOrder(Value):
    """Strike this many steps of S4 after its n-th placement or cancel left: where it hurts. Or after its n-th stop."""

    order_no: int
    steps: int
    stops: bool = False


class KillAtBirth(Value):
    """Strike this many steps into the incarnation that follows the n-th death: during recovery."""

    death_no: int
    steps: int
    who: str = "s4"


class KillAfterAsk(Value):
    """Strike S3 this many of its steps after the n-th question reached it: while it decides or delivers."""

    ask_no: int
    steps: int


class Away(Value):
    """A stretch in which the venue (outage) or a store (stall) does not answer."""

    what: str  # "venue", "ledger", "bus", "s3_ledger"
    at_s: float
    for_s: float


class ClockStep(Value):
    """S4's wall clock jumps by so much, as NTP may, or whoever sets it wrong; put right when the world heals."""

    at_s: float
    by_ms: int


class Pause(Value):
    """SIGSTOP: a process takes no step for so long, and then finds its timers late. Short: a stalled event loop."""

    at_s: float
    for_s: float
    who: str = "s4"


class Failover(Value):
    """The bus is away for so long, and comes back without what it acknowledged in the last ``lose_s``."""

    at_s: float
    for_s: float
    lose_s: float


class PutBack(Value):
    """S4 strikes dead, and what it comes back to is a copy of its ledger, made so many seconds before (``chimera
    backup``, ``chimera restore``)."""

    at_s: float
    back_s: float


class Deed(Value):
    """Somebody else acts on the account: "cancel_all" its stops and targets, "close" by hand, "rest" an order of his
    own far from the market and take it back, "adl" by the venue, "flip" the position in one trade, "add" to it, or
    let a "target" of his own rest; ``for_s`` later he closes what that opened, or takes it away. ``share`` of the
    position, where it is about one; of a flip, what is held beyond it then."""

    what: str
    at_s: float
    share: float = 1.0
    for_s: float = 0.0


KILLS = KillAt | KillAtStep | KillAfterOrder | KillAtBirth | KillAfterAsk
Blow = KILLS | Away | ClockStep | Pause | Failover | PutBack | Deed | Spell


class Plan(Value):
    """``rates`` by fault; ``blows`` by hand; ``offset_ms`` is S4's clock against the venue's, and S3's the other."""

    rates: dict[str, float]
    blows: tuple[Blow, ...]
    offset_ms: int
    s3_offset_ms: int = 0
    restart_ms: tuple[int, int] = (100, 4_000)  # how long a machine is down: least and most
    scenario: str = ROUGH
    by_socket: bool = False  # orders go by the venue's WebSocket API while it is connected
    nets: bool = False  # an entry against the position reduces it first


CALM: Final = Plan(rates={}, blows=(), offset_ms=0)


def draw(
    tape: Tape,
    *,
    safety_s: float,
    most_kills: int = 3,
    scenario: str | None = None,
    spot: bool = False,
    house: bool = False,
) -> Plan:
    """The plan of this seed. Everything drawn happens inside the safety phase. ``scenario`` None: drawn, too."""
    drawn_scenario = _scenario(tape)
    match scenario or drawn_scenario:
        case "slow_entries":
            return _slow_entries(tape)
        case "tight_stops":
            return _tight_stops(tape)
        case "slow_disk":
            return _slow_disk(tape)
        case "crossed":
            return CALM.but(rates=CROSSING, scenario=CROSSED)
        case "fair":
            return CALM.but(scenario=FAIR)
        case "stuck" | "zeros" | "refused" | "cuts" as alone:
            return CALM.but(rates=_alone(alone, spot=spot, house=house), scenario=alone)
        case "late_sends":
            return CALM.but(rates={"slow_request": SLOW_RATE}, scenario=LATE_SENDS)
        case "overload":
            return _overload(tape)
        case "restored":
            return _restored(tape, safety_s)
    blows: list[Blow] = []
    for number in range(tape.whole("kills", 0, most_kills)):
        blow = _kill(tape, safety_s)  # drawn in any case, so that leaving one out changes no other
        if tape.event(f"kill#{number}"):
            blows.append(blow)
    for number in range(tape.whole("s3_kills", 0, most_kills)):
        s3_blow = _kill_s3(tape, safety_s)
        if tape.event(f"s3_kill#{number}"):
            blows.append(s3_blow)
    for what, chance, longest_s in (
        ("venue", 0.25, 8.0), ("ledger", 0.3, 20.0), ("bus", 0.3, 20.0), ("s3_ledger", 0.2, 20.0),
    ):  # fmt: skip
        drawn = tape.u(f"away?{what}") < chance
        away = Away(
            what=what, at_s=tape.between(f"away:{what}", 1, safety_s), for_s=tape.between(f"for:{what}", 0.3, longest_s)
        )
        if drawn and tape.event(f"away_{what}#0"):
            blows.append(away)
    here = (
        row
        for row in _mishaps(tape, safety_s, spot=spot or house)
        if not (spot and row[0].split("#")[0] in NOT_ON_SPOT)
    )
    blows += (each for name, share, each in here if tape.u(f"{name}?") < share and tape.event(name))
    return Plan(
        rates=swarm(tape, MOST | SPOT_MOST if house else SPOT_MOST if spot else MOST),
        blows=tuple(blows),
        offset_ms=tape.whole("offset_ms", -300, 300),
        s3_offset_ms=tape.whole("s3_offset_ms", -300, 300),
    )


def _mishaps(tape: Tape, safety_s: float, *, spot: bool) -> Iterator[tuple[str, float, Blow]]:
    """Name on the tape, share of the seeds, and what it is: drawn in any case, so that one leaves the others alone."""

    def at_s(name: str) -> float:
        return tape.between(f"{name}_at", 4, safety_s)

    def long_s(name: str, least: float, most: float) -> float:
        """Mostly short."""
        return least + (most - least) * tape.u(f"{name}_for") ** 3

    clock_ms = (tape.whole("clock_by", -150, 150), tape.whole("clock_by", -5_000, 5_000), tape.pick("hour", HOURS_MS))
    yield "clock_step#0", 0.2, ClockStep(at_s=at_s("clock"), by_ms=tape.pick("clock_kind", clock_ms))
    yield "stall#0", 0.2, Pause(at_s=at_s("stall"), for_s=tape.between("stall_for", 0.1, 3))
    yield "pause#0", 0.15, Pause(at_s=at_s("pause"), for_s=long_s("pause", 1, 60))
    yield "pause_s3#0", 0.1, Pause(at_s=at_s("pause_s3"), for_s=long_s("pause_s3", 1, 60), who="s3")
    lose_s, away_s = tape.between("lose", 0, 3), tape.between("failover_for", 0.2, 8)
    yield "failover#0", 0.2, Failover(at_s=at_s("failover"), for_s=away_s, lose_s=lose_s)
    for number in (0, 1):
        kill = KillAtBirth(death_no=number + 1, steps=tape.whole("rekill", 1, 300))
        yield f"rekill#{number}", 0.2, kill
    for what, share in (("cancel_all", 0.12), ("close", 0.1), ("rest", 0.05), ("adl", 0.08)):
        part = tape.pick(f"{what}_share", (0.3, 0.6, 1.0))
        yield f"{what}#0", share, Deed(what=what, at_s=at_s(what), share=part)
    for what, share in (("flip", 0.12), ("add", 0.1)):
        part = tape.pick(f"{what}_share", (0.3, 0.6, 1.0))
        yield f"{what}#0", share, Deed(what=what, at_s=at_s(what), share=part, for_s=long_s(what, 0.05, 30))
    part, for_s = tape.pick("target_share", (0.6, 1.0, 1.0)), tape.between("target_for", 1, 40)
    yield "target#0", 0.12, Deed(what="target", at_s=at_s("target"), share=part, for_s=for_s)
    for name, share, least, most, params in (
        ("maintenance", 0.08, 0.5, 6.0, {"answer": tape.pick("closed", ("-1016", "503"))}),
        ("rate_limit_storm", 0.08, 1.0, 4.0, {"ban_ms": 3_000, "patience": tape.whole("patience", 3, 30)}),
        ("cancel_only", 0.06, 1.0, 6.0, {}),
        ("clock_skew", 0.08, 2.0, 20.0, {"ms": tape.whole("skew", -2_000, 2_000)}),
        ("listen_key_lost", 0.10, 0.1, 0.2, {"event": tape.u("key_told") < 0.5}),
    ):
        begun_s, for_s = at_s(name), long_s(name, least, most)
        more = {"retry_ms": round(for_s * 1000)} if name == "rate_limit_storm" else {}
        yield f"{name}#0", share, Spell(name=name, at_s=begun_s, for_s=for_s, params=params | more)
    if spot:
        yield "fee_in_base#0", 0.3, Spell(name="fee_in_base", at_s=at_s("fee"), for_s=long_s("fee", 2, 30))


def _alone(scenario: str, *, spot: bool, house: bool) -> dict[str, float]:
    if house:
        return ALONE[scenario] | ALONE_ON_SPOT[scenario]
    return (ALONE_ON_SPOT if spot else ALONE)[scenario]


def _scenario(tape: Tape) -> str:
    place = int(tape.u("scenario") / SHARE) + 1
    return DRAWN[place] if place < len(DRAWN) else ROUGH


def _slow_disk(tape: Tape) -> Plan:
    """Writes take up to seconds; S4 dies soon after an order left."""
    blows: list[Blow] = []
    for number in range(tape.whole("disk_kills", 3, 5)):
        order_no, steps = tape.whole("disk_kill_order", 1, 14), tape.whole("disk_kill_steps", 1, 40)
        if tape.event(f"kill#{number}"):
            blows.append(KillAfterOrder(order_no=order_no, steps=steps))
    return Plan(rates={"ledger_slow": 0.5}, blows=tuple(blows), offset_ms=0, restart_ms=(50, 400), scenario=SLOW_DISK)


def _tight_stops(tape: Tape) -> Plan:
    """S4 dies just after it sent a stop that fires at once, and stays away long enough to miss it."""
    blows: list[Blow] = []
    for number in range(tape.whole("tight_kills", 3, 6)):
        order_no, steps = tape.whole("tight_kill_stop", 1, 8), tape.whole("tight_kill_steps", 1, 30)
        if tape.event(f"kill#{number}"):
            blows.append(KillAfterOrder(order_no=order_no, steps=steps, stops=True))
    rates = {"drop_reply": 0.15, "reset_reply": 0.1, "slow_reply": 0.1, "stream_cut": 0.05, "read_lag": 0.6}
    return Plan(rates=rates, blows=tuple(blows), offset_ms=0, restart_ms=(1_000, 8_000), scenario=TIGHT_STOPS)


def _slow_entries(tape: Tape) -> Plan:
    """Entries under way for seconds; S4 dies just after one left and is back before it arrives."""
    blows: list[Blow] = []
    for number in range(tape.whole("slow_kills", 2, 4)):
        blow = KillAfterOrder(order_no=tape.whole("slow_kill_order", 1, 12), steps=tape.whole("slow_kill_steps", 1, 25))
        if tape.event(f"kill#{number}"):
            blows.append(blow)
    return Plan(
        rates={"slow_entry": SLOW_RATE}, blows=tuple(blows), offset_ms=0, restart_ms=(50, 400), scenario=SLOW_ENTRIES
    )


def _overload(tape: Tape) -> Plan:
    """For a stretch the venue throttles entries, and takes all that reduces: nothing else is wrong."""
    spell = Spell(
        name="throttled_503", at_s=tape.between("overload_at", 3, 8), for_s=tape.between("overload_for", 20, 30)
    )
    return CALM.but(blows=(spell,) if tape.event("overload#0") else (), scenario=OVERLOAD)


def _restored(tape: Tape, safety_s: float) -> Plan:
    """A copy of up to half the run ago, late enough that much has happened, and S4 dies again while it catches up."""
    at_s = tape.between("restored_at", safety_s * 0.3, safety_s * 0.8)
    blows: list[Blow] = [PutBack(at_s=at_s, back_s=tape.between("restored_back", 0, at_s * 0.7))]
    again = KillAtBirth(death_no=1, steps=tape.whole("restored_again", 1, 600))
    if tape.u("restored_again?") < 0.4 and tape.event("rekill#0"):
        blows.append(again)
    rates = {"drop_reply": 0.05, "slow_reply": 0.1, "stream_cut": 0.05, "read_lag": 0.3}
    return Plan(rates=rates, blows=tuple(blows), offset_ms=0, restart_ms=(500, 4_000), scenario=RESTORED)


def _kill(tape: Tape, safety_s: float) -> KillAt | KillAfterOrder | KillAtBirth:
    at_s = tape.between("kill_at", 0.5, safety_s)
    order_no, steps = tape.whole("kill_order", 1, 14), 1 + int(59 * tape.u("kill_steps") ** 2)  # mostly soon
    death_no, birth_steps = tape.whole("kill_death", 1, 2), tape.whole("kill_birth", 1, 600)
    drawn = tape.u("kill_kind")
    if drawn < 0.3:
        return KillAt(at_s=at_s)
    if drawn < 0.8:
        return KillAfterOrder(order_no=order_no, steps=steps)
    return KillAtBirth(death_no=death_no, steps=birth_steps)


def _kill_s3(tape: Tape, safety_s: float) -> KillAt | KillAfterAsk | KillAtBirth:
    at_s = tape.between("s3_kill_at", 0.5, safety_s)
    ask_no, steps = tape.whole("s3_kill_ask", 1, 10), tape.whole("s3_kill_steps", 1, 160)  # a decision takes about 60
    death_no, birth_steps = tape.whole("s3_kill_death", 1, 2), tape.whole("s3_kill_birth", 1, 120)
    drawn = tape.u("s3_kill_kind")
    if drawn < 0.25:
        return KillAt(at_s=at_s, who="s3")
    if drawn < 0.8:
        return KillAfterAsk(ask_no=ask_no, steps=steps)
    return KillAtBirth(death_no=death_no, steps=birth_steps, who="s3")


def swarm(tape: Tape, most: Mapping[str, float]) -> dict[str, float]:
    """A rate for each kind of fault, up to its greatest: in four seeds of ten exactly 0."""
    rates = {}
    for name, limit in most.items():
        drawn = tape.u(f"swarm:{name}")
        share = max(0.0, (drawn - _OFF_SHARE) / (1 - _OFF_SHARE))
        rates[name] = limit * share
    return rates
