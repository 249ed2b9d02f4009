"""One run: a safety phase with faults and kills, a healing, a liveness phase, and the verdict.

Invariants of a verdict: the same seed, options and code give the same verdict and the same hashes; it is judged by the
venue's log and what the ledger holds when the world is quiet; a fence broken, an error nobody fetched, or a promise of
the liveness phase not kept are violations like any other. A run leaves nothing behind in the process.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final, Protocol

from chimera.services.stage.loop import DetLoop, Stuck
from chimera.services.stage.steps import FenceBroken
from chimera.services.stage.tape import Tape
from chimera.simulate.venue.audit import AuditRecord
from chimera.trading.errors import ChimeraError
from chimera.trading.market import Market, MarketEvent, Side
from chimera.trading.value import Value
from chimera.wire.codec import encode
from world import ceilings, decided, house_judge, oracle, put_back, quiet, spot_judge
from world.closed import no_more_than_asked, watched
from world.composed import LIMITS, World
from world.demands import demanded
from world.fences import fenced
from world.heirs import HeirsWorld
from world.house_world import HouseWorld, Told
from world.oracle import Violation
from world.plan import CALM, FAIR, OVERLOAD, RESTORED, SLOW_DISK, STUCK, TIGHT_STOPS, Plan, draw
from world.safeguards import switched_off
from world.sometimes import counted
from world.spans import Span, stretched
from world.spot_world import SpotWorld
from world.surroundings import logs, no_collection
from world.tallied import faults, of_the_run, tallied
from world.trouble import Spell
from world.workload import Wish, parts, wishes

HEALTHY_BOUND_US: Final = 1_500_000  # I10, proposed maximum in healthy conditions
STUCK_BOUND_US: Final = 3_500_000  # I11: a stop that fires and hangs is given up and closed for
HEALING_US: Final = 30_000_000  # T_rec of I26: after the last fault, before the healthy bound counts
CALLERS, S3, BOTH = "callers", "s3", "both"
_CALLERS_ALONE: Final = (TIGHT_STOPS, RESTORED)
ASKED_ON_S: Final = 12  # S3 is asked for so long after the healing: the newest answer tells whether it lives
FIFO_SHARE: Final = 0.25  # of the seeds run in asyncio's own order


class Options(Value):
    """How long and how rough. Seconds of virtual time."""

    safety_s: float = 40
    liveness_s: float = 75
    market_stops_s: float = 20  # before the end: a fill in the last tick is no alarm
    faults: bool = True
    most_kills: int = 3
    fault_bound_s: float = 8  # I10 while the network lies: how long a position may be bare (3.4 s seen in 100 seeds)
    recovery_s: float = 10  # after a restart or an outage, before I10 counts again; I26 would allow 30
    trace: bool = False
    fifo: bool | None = None  # None: drawn
    scenario: str | None = None  # one of plan.SCENARIOS; None: drawn
    who: str | None = None  # whose intents: CALLERS, S3 or BOTH; None: drawn
    socket_share: float = 0  # of the seeds whose orders go by the venue's WebSocket API
    part_share: float = 0  # of the seeds in which callers close parts
    nets: bool = False  # S4_ON_OPPOSITE=net
    demand_share: float = 0  # of the seeds in which they ask for sales, stops and changes beside (``demands``)
    spot: bool = False  # the world of spot (``spot_world``) instead
    house: bool = False  # both markets in one process (``house_world``)
    heirs_share: float = 0  # of the seeds, of futures alone, in which several S4 share the account (``heirs``)
    at_least: bool = False  # three intents, three faults and a kill: what is not drawn comes late, and its lack is told


# Of ``make sim-long``: three minutes each, with everything in each.
CAMPAIGN: Final = Options(
    safety_s=60, liveness_s=120, socket_share=0.25, part_share=0.5, heirs_share=0.1, at_least=True
)
HEIRS: Final = CAMPAIGN.but(heirs_share=1)
LEAST: Final = {"intents": 3, "faults": 3, "crashes": 1}


class Verdict(Value):
    """What came of one seed. ``fired`` names the faults that happened; ``audit`` is the venue's log, on request."""

    seed: int
    off: str | None
    violations: tuple[Violation, ...]
    counters: dict[str, int]
    fired: tuple[str, ...]
    audit_hash: str
    trace_hash: str = ""
    answers: dict[str, str] = {}
    plan: str = ""
    audit: tuple[AuditRecord, ...] = ()

    @property
    def good(self) -> bool:
        return not self.violations


class Script(Protocol):
    """A story told by hand: ``begin`` arranges it before anything moves, ``end`` looks when all is quiet."""

    def begin(self, world: World) -> None: ...

    async def end(self, world: World) -> None: ...


def run(
    seed: int,
    off: str | None = None,
    options: Options | None = None,
    *,
    only: Iterable[str] | None = None,
    plan: Plan | None = None,
    story: Sequence[Wish] | None = None,
    market: Iterable[MarketEvent] | None = None,
    keep_audit: bool = False,
    tell: Callable[[str], None] | None = None,
    script: Script | None = None,
    branch: Callable[[World], None] | None = None,
) -> Verdict:
    """Run ``seed``, with the safeguard ``off`` removed.

    ``only``: the faults that may fire; ``plan``: in place of the drawn one; ``story`` and ``market``: in place of
    what is drawn; ``tell`` hears the log of S3 and S4; ``script``: what else happens in it;
    ``branch`` may watch its steps (``forks``).
    """
    options = options or Options()
    tape = Tape(seed, only=only)
    if plan is None:
        plan = _plan(tape, options)
    fifo = tape.u("fifo") < FIFO_SHARE if options.fifo is None else options.fifo
    loop = DetLoop(seed, fifo=fifo, trace=options.trace)
    world = _kind(tape, options)(seed, loop, tape, plan, market)
    if branch is not None:
        branch(world)
    counts: Counter[str] = Counter()
    with (
        switched_off(off),
        counted(counts),
        watched(world.closes, lambda: loop.now_us),
        spot_judge.watched(world),
        logs(world, tell),
        no_collection(),
        fenced(loop),
    ):
        violations = _played(world, options, story, script)
        kept = loop.run_until_complete(quiet.read(world))
        beside = loop.run_until_complete(house_judge.read(world)) if isinstance(world, HouseWorld) else None
        if script is not None:
            loop.run_until_complete(script.end(world))
        violations += judge(world, kept, options, [of_the_run(record) for record in world.twin.audit], beside)
        counters = tallied(world, kept, counts)
        violations += _too_little(counters, loop.now_us) if options.at_least else []
        loop.close()
    return Verdict(
        seed=seed,
        off=off,
        violations=tuple(violations),
        counters=counters,
        fired=tuple(tape.fired),
        audit_hash=_hash(world.twin.audit),
        trace_hash=loop.trace_hash() if options.trace else "",
        answers=_answers(world, kept),
        plan=repr(plan.blows),
        audit=tuple(world.twin.audit) if keep_audit else (),
    )


def _kind(tape: Tape, options: Options) -> type[World]:
    if options.house or options.spot:
        return HouseWorld if options.house else SpotWorld
    return HeirsWorld if tape.u("heirs?") < options.heirs_share else World


def _plan(tape: Tape, options: Options) -> Plan:
    how_told = {"by_socket": tape.u("by_socket") < options.socket_share, "nets": options.nets}
    if not options.faults:
        return CALM.but(**how_told)
    how: dict[str, Any] = {"most_kills": options.most_kills, "scenario": options.scenario, "spot": options.spot}
    how["house"] = options.house
    return draw(tape, safety_s=options.safety_s, **how).but(**how_told)


def _whose(tape: Tape, options: Options, scenario: str) -> str:
    """Callers alone in ``tight_stops``, since S3's stops are its own affair and it keeps callers' intents out; and in
    ``restored``, since S3 knows answers that S4's copy has forgotten.
    """
    drawn = tape.u("who")
    if options.who is not None or options.spot or scenario in _CALLERS_ALONE:
        return options.who or CALLERS
    return CALLERS if drawn < 0.35 else S3 if drawn < 0.6 else BOTH


def _played(world: World, options: Options, story: Sequence[Wish] | None, script: Script | None) -> list[Violation]:
    """From the beginning to the end, when nobody runs any more; what broke is the harness's own."""
    broken = []
    try:
        if script is not None:
            script.begin(world)
        _live(world, options, story)
    except (FenceBroken, Stuck) as error:
        broken.append(Violation(invariant="HARNESS", at_us=world.loop.now_us, text=repr(error)))
    world.power_off()
    return broken


def _live(world: World, options: Options, story: Sequence[Wish] | None) -> None:
    """Safety phase, heal, liveness phase, quiet."""
    who = _whose(world.tape, options, world.plan.scenario)
    whole_s = options.safety_s + options.liveness_s
    if who != CALLERS:
        side = world.tape.pick("s3_side", (Side.BUY, Side.SELL))
        world.s3.start(side=side, until_s=options.safety_s + ASKED_ON_S)
    world.start(market_s=whole_s - options.market_stops_s)
    wanted: Sequence[Wish] = ()
    if who != S3:
        how = {"tight": world.plan.scenario in (TIGHT_STOPS, STUCK), "nets": options.nets}
        wanted = story or wishes(world.tape, world.instrument, last_s=options.safety_s - 5, **how)
    for wish in wanted:
        world.callers.want(wish)
    for part in parts(world.tape, world.instrument, wanted, last_s=options.safety_s, share=options.part_share):
        world.callers.part(part)
    demanded(world, wanted, last_s=options.safety_s, share=options.demand_share)
    if isinstance(world, HouseWorld):
        how_many = {"parts_share": options.part_share, "demand_share": options.demand_share}
        world.spot.want(last_s=options.safety_s, **how_many)
    if options.faults:
        world.operator.start(until_s=options.safety_s, always=world.plan.scenario == SLOW_DISK)
    if options.at_least:
        _at_least(world, who, options.safety_s)
    else:
        world.loop.run_for(options.safety_s)
    world.heal()
    world.loop.run_for(options.liveness_s)


def judge(
    world: World,
    kept: quiet.Kept,
    options: Options,
    audit: Sequence[AuditRecord],
    beside: house_judge.Beside | None = None,
) -> list[Violation]:
    """By the venue's log, in the run's own time, and what the ledgers hold: every invariant, one pass each."""
    now_us = world.loop.now_us
    down = world.down_spans(now_us)
    troubles = stretched([*down, *world.blows.outages, *world.blows.by_hand], round(options.recovery_s * 1_000_000))
    is_fair = not options.faults or world.plan.scenario == FAIR
    rough: list[Span] = [] if is_fair else [(0, round(options.safety_s * 1_000_000) + HEALING_US)]
    if isinstance(world, HouseWorld) and beside is not None:
        judged = house_judge.judge(world, beside, audit, troubles, rough)
        futures = _of_futures(world, kept, options, house_judge.of_futures(audit), troubles, rough)
        return [*judged, *futures, *_own_troubles(world)]
    if isinstance(world, SpotWorld):
        return [*spot_judge.judge(world, kept, audit, troubles, rough), *_own_troubles(world)]
    well = not any(rate for name, rate in world.plan.rates.items() if name.startswith("ledger_"))
    beyond = world.judged(ledger_is_well=well) if isinstance(world, HeirsWorld) else []
    return [*_of_futures(world, kept, options, audit, troubles, rough), *beyond, *_own_troubles(world)]


def _of_futures(
    world: World,
    kept: quiet.Kept,
    options: Options,
    audit: Sequence[AuditRecord],
    troubles: list[Span],
    rough: list[Span],
) -> list[Violation]:
    closes, told, is_fair = world.closes, Told(world.operator.entries_sent, world.operator.windows), not rough
    if isinstance(world, HouseWorld):
        closes, told = world.closes_on(Market.FUT), world.told(Market.FUT)
    spans = oracle.uncovered_spans(audit, world.loop.now_us)
    throttled = [_span(blow) for blow in world.plan.blows if isinstance(blow, Spell)]
    return [
        *oracle.entered_once(audit),
        *oracle.within_parents(audit, world.callers.intended | decided.intended(kept.signals)),
        *ceilings.within_limits(audit, LIMITS.max_position_notional),
        *oracle.never_flips(audit),
        *no_more_than_asked(audit, closes, world.callers.parts_asked),
        *oracle.stands_still(told.entries_sent, told.windows),
        *(oracle.lived_once(audit, world.forgotten) if world.plan.scenario == TIGHT_STOPS else ()),
        *put_back.judge(world, audit),
        *(oracle.never_bared(audit) if is_fair else ()),
        *(oracle.protected(spans, bound_us=STUCK_BOUND_US, excused=()) if world.plan.scenario == STUCK else ()),
        *(oracle.few_while_down(told.entries_sent, throttled) if world.plan.scenario == OVERLOAD else ()),
        *oracle.protected(spans, bound_us=HEALTHY_BOUND_US, excused=[*troubles, *rough]),
        *oracle.protected(spans, bound_us=round(options.fault_bound_s * 1_000_000), excused=troubles),
        *quiet.judge(world, kept, audit),
    ]


def _span(spell: Spell) -> Span:
    return round(spell.at_s * 1_000_000), round((spell.at_s + spell.for_s) * 1_000_000)


def _answers(world: World, kept: quiet.Kept) -> dict[str, str]:
    """What became of each intent, as its sender saw it in the end."""
    callers = {str(intent): answer for intent, answer in sorted(world.callers.answers.items())}
    return callers | {str(s["intent_id"]): str(s["delivery"]) for s in reversed(decided.opens(kept.signals))}


def _own_troubles(world: World) -> list[Violation]:
    """Errors nobody fetched, and a process that fell over by itself for no reason a store or the venue gave."""
    now_us = world.loop.now_us
    texts = [*world.loop.unheard(), *world.own_faults]
    for machine in world.machines:
        texts += [f"{machine.name} fell over: {error!r}" for error in machine.exits if not _expected(error)]
    return [Violation(invariant="HARNESS", at_us=now_us, text=text) for text in texts]


def _expected(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(_expected(inner) for inner in error.exceptions)
    return isinstance(error, ChimeraError)


def _at_least(world: World, who: str, safety_s: float) -> None:
    """The safety phase; where chance was sparing, the rest comes towards its end, each under a name on the tape."""
    tape, loop = world.tape, world.loop
    loop.run_for(safety_s * 0.5)
    opened = sum(answer.decision == "open" for answer in world.s3.heard)
    if who == S3 and opened < LEAST["intents"]:
        for wish in wishes(tape, world.instrument, last_s=safety_s * 0.4):
            world.callers.want(wish)
    loop.run_for(safety_s * 0.2)
    if faults(tape.fired) < LEAST["faults"]:
        if tape.event("stream_cut_late#0"):
            world.venue.cut_all()
        for store in ("bus", "ledger"):
            if tape.event(f"stall_{store}_late#0"):
                world.weather[store].stall(1.5)
    loop.run_for(safety_s * 0.15)
    if not any(machine.deaths - machine.ended for machine in world.machines) and tape.event("kill_late#0"):
        world.acting.kill()
    loop.run_for(safety_s * 0.15)


def _too_little(counters: Mapping[str, int], now_us: int) -> list[Violation]:
    return [
        Violation(invariant="COVERAGE", at_us=now_us, text=f"{counters[name]} {name}, {least} at least are promised")
        for name, least in LEAST.items()
        if counters[name] < least
    ]


def _hash(audit: Iterable[AuditRecord]) -> str:
    digest = blake2b(digest_size=16)
    for record in audit:
        digest.update(encode(record))
    return digest.hexdigest()
