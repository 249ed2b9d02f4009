"""Incidents 1, 12, 17, 19, 20, 23, 24, 25 and 26: what a restart, a deaf stream or a strict venue must not undo."""

import itertools
from typing import Any

import pytest

from chimera.adapters.memory.ledger import MemoryLedger
from chimera.execute.hear import take_fill
from chimera.trading.fill import Fill
from chimera.trading.holding import Holding
from chimera.trading.market import Side
from chimera.trading.money import Qty
from chimera.trading.order import Role
from chimera.trading.standstill import Kill, Scope
from support.incident_stage import SHOWN, Kind, Stage, Story, Told, a_wish, play, policy_of, steps, without
from world.plan import Away, KillAt

BY_HAND = ("I4 entry by-hand", "I6 1 fills lost")  # a person's entry has no intent; before our time we keep no fills


async def gone(stage: Stage) -> None:
    stage.cancel_all_algos()


async def bought(stage: Stage) -> None:
    await stage.place("by-hand-1", Side.BUY, steps(8))


async def sold(stage: Stage) -> None:
    await stage.place("by-hand-2", Side.SELL, steps(8), reduce_only=True)


# ── 1 ──


@pytest.mark.req("S4-REC-1", "I26")
@pytest.mark.incident(1)
@pytest.mark.fault("A4", "B31")
def test_incident_01_after_a_restart_protection_is_back_before_anything_enters_and_the_rest_goes_on() -> None:
    """While S4 is down all stops and targets vanish, and a slice of a plan falls due."""
    story = Story(
        wishes=(
            a_wish(target_bps=60, hold_s=15),
            a_wish(1, 6.3, qty=steps(5), hold_s=6),
            a_wish(
                2, 3.5, qty=steps(12), policy=policy_of(wait_ms=0, slices=3, gap_ms=2_865), hold_s=14
            ),  # due at 6.45
        ),
        blows=(KillAt(at_s=6),),
        hands=((6.2, gone),),
    )
    told = play(story)

    assert told.broken_but("BARED") == []  # it was somebody else who took the stop away
    assert set(told.answers.values()) == {"FILLED"}
    assert told.bought == steps(10 + 5 + 12)
    assert first_after(told, 6.5, "s") < first_entry_after(told, 6.5)
    assert told.live(8, "p")  # the target, too
    assert told.position(24) == 0  # and the timers
    with without(("chimera.services.router.owner:Owner", "_too_early", lambda owner, command: None)):
        hasty = play(story)
    assert first_after(hasty, 6.5, "s") > first_entry_after(hasty, 6.5)


def first_after(told: Told, at_s: float, role: str) -> int:
    return next(each.at_us for each in told.only(Kind.ACCEPT, role) if each.at_us > at_s * 1e6)


def first_entry_after(told: Told, at_s: float) -> int:
    return next(each.at_us for each in told.entries if each.at_us > at_s * 1e6)


# ── 12 ──


@pytest.mark.incident(12)
@pytest.mark.fault("C2")
def test_incident_12_the_fill_of_an_old_stop_is_the_old_stops_though_a_new_trade_is_on() -> None:
    """All news of the first trade's stop comes four seconds late, in the middle of the second trade."""
    story = Story(
        wishes=(a_wish(stop_bps=20), a_wish(1, 6.5, qty=steps(7), stop_bps=80)),
        moves=((6.0, -30), (6.2, 0)),
        faults=({"name": "frame_delay", "params": {"ms": 4_000}, "when": {"from_ms": 5_900, "to_ms": 6_100}},),
    )
    told = play(story)

    assert told.broken == []
    fired = {str(fill["trade_id"]): fill for fill in told.stage.fills if fill["ref"] == "s3-w0-s1"}
    assert [str(fill["qty"]) for fill in fired.values()] == ["0.01"]
    assert told.position(12) == steps(7)  # the second trade lives on
    assert told.live(12, "s")
    with without(("chimera.execute.advance", "take_fill", _by_time)):
        confused = play(story)
    assert not [fill for fill in confused.stage.fills if fill["ref"] == "s3-w0-s1"] or confused.broken


def _by_time(holding: Holding, fill: Fill, scene: Any, **more: Any) -> Holding:
    """A stop's trade goes to the newest stop there is."""
    stops = holding.in_role(Role.STOP)
    if stops and fill.side is Side.SELL:
        fill = fill.but(ref=max(stops, key=lambda order: order.created_ms).ref)
    return take_fill(holding, fill, scene, **more)


# ── 17 ──


@pytest.mark.req("S4-REC-1", "I26")
@pytest.mark.incident(17)
@pytest.mark.fault("A1", "A2", "A3", "A7")
@pytest.mark.parametrize("kills", [(4.0, 6.2, 9.0), (3.05, 5.56, 8.06), (3.46, 5.96, 8.46)])
def test_incident_17_a_plan_in_slices_survives_any_number_of_restarts(kills: tuple[float, ...]) -> None:
    story = Story(
        wishes=(a_wish(qty=steps(40), policy=policy_of(wait_ms=400, slices=4, gap_ms=2_500), hold_s=20),),
        blows=tuple(KillAt(at_s=at_s) for at_s in kills),
        down_ms=400,
    )
    told = play(story)

    assert told.broken == []
    assert told.answers == {"w-0": "FILLED"}
    assert told.bought == steps(40)
    with _forgetful():
        forgotten = play(story)
    assert forgotten.bought != steps(40) or forgotten.answers != told.answers


def _forgetful() -> Any:
    """The plan lives in memory only: what is loaded after a restart has none."""
    load = MemoryLedger.load

    async def without_plans(ledger: MemoryLedger, key: Any) -> Any:
        stored = await load(ledger, key)
        return stored and stored.but(holding=stored.holding.but(intents={}))

    return without(("chimera.adapters.memory.ledger:MemoryLedger", "load", without_plans))


# ── 19, 26 ──


@pytest.mark.incident(19)
@pytest.mark.fault("A8", "E6")
def test_incident_19_what_is_inferred_has_the_same_name_after_every_restart() -> None:
    """A position whose trades nobody shows us; twice S4 dies and its ledger forgets every holding."""
    story = Story(
        blows=(KillAt(at_s=0.51), KillAt(at_s=14), KillAt(at_s=20)),
        down_ms=4_500,
        hands=((1.0, bought), (35.0, sold)),
        wipe_s=(14.1, 20.1),
        calm_s=60,
        bare_s=8,
    )
    told = play(story)

    assert told.broken_but(*BY_HAND) == []
    assert len(told.only(Kind.ACCEPT, "s")) == 1  # three lives, one stop
    assert len({str(fill["trade_id"]) for fill in told.stage.fills}) == len(told.stage.fills)
    stranger = ("chimera.execute.advance", "adopt", lambda holding, word, scene: holding)
    with without(stranger):  # not even known again: the same name, so the venue takes it once
        assert len(play(story).only(Kind.ACCEPT, "s")) == 1
    count = itertools.count()
    drawn = ("chimera.execute.hear", "derived_id", lambda prefix, about: f"{prefix}-{next(count):020d}")
    with without(stranger, drawn):
        assert len(play(story).only(Kind.ACCEPT, "s")) > 1


@pytest.mark.incident(26)
@pytest.mark.fault("A19", "C13")
def test_incident_26_with_a_position_that_nobody_can_explain_it_starts_and_protects() -> None:
    story = Story(blows=(KillAt(at_s=0.51),), down_ms=4_500, hands=((1.0, bought), (30.0, sold)), calm_s=60, bare_s=8)
    told = play(story)

    assert told.broken_but(*BY_HAND) == []
    assert "POSITION_ADOPTED" in told.alerts
    (stop,) = told.only(Kind.ACCEPT, "s")
    assert 5.0 < stop.at_us / 1e6 < 7.0
    assert stop.qty == steps(8)
    unexplained = ("chimera.execute.advance", "believe_position", lambda holding, *_: holding)
    with without(unexplained):
        assert not [stop for stop in play(story).only(Kind.ACCEPT, "s") if stop.at_us < 29_000_000]


@pytest.mark.incident(26)
@pytest.mark.fault("A19")
def test_incident_26_it_starts_while_the_venue_is_away_and_trades_when_it_is_back() -> None:
    told = play(Story(wishes=(a_wish(0, 7.0),), blows=(Away(what="venue", at_s=0.2, for_s=9),)))
    assert told.broken == []
    assert told.answers == {"w-0": "FILLED"}
    assert told.entries[0].at_us > 9_200_000


# ── 20, 23 ──


@pytest.mark.incident(20)
@pytest.mark.fault("C4")
def test_incident_20_a_frame_that_vanishes_is_made_good_by_asking() -> None:
    """A resting maker fills in part; the only frame that tells of it is lost, and heartbeats go on."""
    story = Story(
        wishes=(a_wish(policy=policy_of(wait_ms=3_000)),),
        trades=((4.0, Side.BUY, Qty(SHOWN + steps(6))),),
        faults=({"name": "frame_drop", "when": {"from_ms": 3_900, "to_ms": 4_100}},),
        calm_s=60,
        bare_s=3.5,
    )
    told = play(story)

    assert told.broken == []
    assert told.bought == steps(10)
    assert any(each.startswith("I6") for each in play(story, "trade_history").broken)


@pytest.mark.incident(20)
@pytest.mark.fault("C4", "B18")
def test_incident_20_a_stop_that_fires_unheard_is_found_by_the_survey() -> None:
    unheard = {"name": "frame_drop", "match": {"client_id": "s3-w0-s"}}
    story = Story(wishes=(a_wish(hold_s=60),), moves=((6.0, -60),), faults=(unheard,), calm_s=60)
    told = play(story)

    assert told.broken == []
    assert told.only(Kind.FILL, "x") == []
    assert any(each.startswith(("I6", "I7")) for each in play(story, "trade_history").broken)


@pytest.mark.incident(23)
@pytest.mark.fault("C6")
@pytest.mark.parametrize(("told_of_it", "bare_ms"), [(True, 200), (False, 3_500)])
def test_incident_23_a_listen_key_that_ends_leaves_nothing_unseen_for_long(told_of_it: bool, bare_ms: int) -> None:
    """With Binance's event S4 has a new stream at once; without, a maker's time and the questions after it."""
    story = Story(
        wishes=(a_wish(0, 5.0, policy=policy_of(wait_ms=3_000)),),
        trades=((6.0, Side.BUY, Qty(SHOWN + steps(6))),),
        faults=({"name": "listen_key_lost", "params": {"event": told_of_it}, "when": {"from_ms": 4_000}},),
        calm_s=60,
        bare_s=3.5,
    )
    told = play(story)

    assert told.broken == []
    assert told.bought == steps(10)
    assert told.longest_bare_ms < bare_ms
    if not told_of_it:
        assert any(each.startswith("I6") for each in play(story, "trade_history").broken)


# ── 24 ──


@pytest.mark.req("I23")
@pytest.mark.incident(24)
@pytest.mark.fault("B7", "B8")
def test_incident_24_after_a_429_nothing_is_sent_before_its_time() -> None:
    """The venue bans who sends eight requests more; eight intents, a stop and surveys are due meanwhile."""
    storm = {"name": "rate_limit_storm", "params": {"retry_ms": 4_000, "patience": 8}, "when": {"from_ms": 4_500}}
    story = Story(wishes=tuple(a_wish(n, 3 + n * 0.7, qty=steps(3)) for n in range(8)), faults=(storm | {"count": 1},))
    told = play(story)

    assert told.broken == []
    assert set(told.answers.values()) == {"FILLED"}
    struck = [record.at_us / 1e6 for record in told.only(Kind.FAULT) if record.reason == "rate_limit_storm"]
    assert 1 <= len(struck) <= 2
    assert [at for at, _ in told.requests if struck[0] + 0.1 < at < struck[0] + 3.9] == []


# ── 25 ──


async def kill(stage: Stage) -> None:
    asked = Kill(scope=Scope.GLOBAL, by="me", reason="drill", at_ms=stage.world.clock.now_ms(), flatten=True)
    await stage.ask_s4("receipt", lambda router: router.kill(asked, wait_ms=3_000))


@pytest.mark.incident(25)
@pytest.mark.fault("G6", "F20")
def test_incident_25_a_kill_ends_what_rests_closes_what_is_held_and_outlives_a_restart() -> None:
    story = Story(
        wishes=(a_wish(), a_wish(1, 5.0, policy=policy_of(wait_ms=3_000)), a_wish(2, 12.0)),
        hands=((6.0, kill),),
        blows=(KillAt(at_s=9),),
    )
    told = play(story)

    assert told.broken == []
    assert told.answers["w-2"] == "REFUSED KILL_SWITCH"
    assert (told.position(7), told.live(7), told.live(7, conditional=False)) == (0, [], [])
    receipt = told.stage.answers["receipt"]
    assert (receipt["verified"], receipt["durable"], receipt["remains"]) == (True, True, [])
    assert [entry.at_us for entry in told.entries if entry.at_us > 6_000_000] == []
    assert [entry for entry in play(story, "keep_kills").entries if entry.at_us > 6_000_000]
    assert play(story, "kill_switch").answers["w-2"] != "REFUSED KILL_SWITCH"
