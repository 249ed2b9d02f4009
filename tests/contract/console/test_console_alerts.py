"""Alerts and the doctor from the page: who looks, what is over, who keeps them is away, what is to be done."""

import re
from dataclasses import replace

import httpx2
import pytest
from console_stage import HandClock, Stage

from chimera.services.console.page import Page
from chimera.services.console.same import Terminal
from chimera.services.console.screens import SCREENS
from chimera.services.console.watch import Watch
from chimera.trading.errors import NotSent

OWN = {"Origin": "http://127.0.0.1:8080", "X-Chimera-Console": "1"}


async def done(client: httpx2.AsyncClient, act: str, alert: str, note: str = "") -> tuple[int, str]:
    shown = await client.get(f"/acts/{act}", params={"alert": alert})
    token = re.search(r'data-effect="(\w+)"', shown.text)
    if token is None:
        return shown.status_code, shown.text
    body = {"about": {"alert": alert}, "confirm": "", "effect": token[1], "fields": {"note": note}}
    answer = await client.post(f"/acts/{act}", json=body, headers=OWN)
    return answer.status_code, answer.text


async def look(stage: Stage) -> None:
    """At the tickets, as the watch does."""
    watch: Watch = stage.console.watch
    await watch.look_at_tickets(stage.alerts)
    stage.console.seen.heard(stage.console.seen.keeper, stage.clock.monotonic_ms())


async def test_who_looks_at_an_alert_is_said_under_their_name(stage: Stage, client: httpx2.AsyncClient) -> None:
    await look(stage)
    html = await stage.drawn("standing", "/alerts")
    assert "what it says" in html
    assert "told 2 times" in html
    assert "told 2 times, first" in html, "what only happened does not last"
    assert stage.console.page.badges()["alerts"] == {"text": "2", "tone": "bad"}

    status, told = await done(client, "acknowledge", "a1", "on my way")
    assert (status, "acknowledged" in told) == (200, True)
    assert stage.alerts.done == [("acknowledge", "a1", "console", "on my way")]
    again, _ = await done(client, "acknowledge", "a1")
    assert again == 404, "somebody looks at it already"

    await look(stage)
    assert "on my way" in await stage.drawn("standing", "/alerts")
    assert stage.console.page.badges()["alerts"] == {"text": "1", "tone": "caution"}


async def test_what_only_happened_is_over_by_a_word_and_a_level_is_not(
    stage: Stage, client: httpx2.AsyncClient
) -> None:
    await look(stage)
    assert await done(client, "resolve-alert", "a1") == (404, (await client.get("/acts/resolve-alert?alert=a1")).text)
    assert (await done(client, "resolve-alert", "b2", "a wick"))[0] == 200
    assert stage.alerts.done == [("resolve", "b2", "console", "a wick")]
    await look(stage)
    assert "STOP_CROSSED" not in await stage.drawn("standing", "/alerts")
    assert (await done(client, "acknowledge", "none"))[0] == 404


async def test_an_alert_that_became_worse_is_looked_at_again(stage: Stage, client: httpx2.AsyncClient) -> None:
    shown = await client.get("/acts/acknowledge", params={"alert": "b2"})
    token = re.search(r'data-effect="(\w+)"', shown.text)
    assert token is not None
    stage.alerts.rows["b2"]["severity"] = "FATAL"
    body = {"about": {"alert": "b2"}, "confirm": "", "effect": token[1], "fields": {}}
    answer = await client.post("/acts/acknowledge", json=body, headers=OWN)
    assert (answer.status_code, stage.alerts.done) == (409, [])


async def test_another_page_acknowledges_nothing(stage: Stage, client: httpx2.AsyncClient) -> None:
    body = {"about": {"alert": "a1"}, "confirm": "", "effect": "x", "fields": {}}
    for headers in ({}, {**OWN, "Origin": "http://evil.example"}, {"Origin": OWN["Origin"]}):
        assert (await client.post("/acts/acknowledge", json=body, headers=headers)).status_code == 403
    assert stage.alerts.done == []


async def test_a_keeper_that_is_away_is_said_and_what_was_told_stays(stage: Stage, client: httpx2.AsyncClient) -> None:
    stage.console.seen.missed(stage.console.seen.keeper, "connection refused")
    assert "does not answer" in await stage.drawn("standing", "/alerts")
    stage.alerts.error = NotSent("connection refused")
    status, told = await done(client, "acknowledge", "a1")
    assert (status, "connection refused" in told) == (503, True)


@pytest.mark.parametrize(
    ("site", "link"),
    [("", "<code class=\"small\">docs/runbook.md#redis-away</code>"),
     ("https://docs.example/", 'href="https://docs.example/runbook.html#redis-away"')],
)  # fmt: skip
async def test_a_runbook_is_a_link_where_the_site_is_named(stage: Stage, site: str, link: str) -> None:
    console = stage.console
    versions = dict.fromkeys(("console.css", "console.js"), "1")
    console.page = Page(console.seen, HandClock(), SCREENS, versions, Terminal({}, guarded=False), site)
    await look(stage)
    assert link in await stage.drawn("standing", "/alerts")


async def test_the_doctor_says_what_is_wrong_first(stage: Stage) -> None:
    html = await stage.drawn("found", "/doctor")
    assert "2 of 4 want to be looked at" in html
    places = [html.index(f'<th scope="row">{name}</th>') for name in ("S3", "disk", "python", "Binance")]
    assert places == sorted(places)
    assert "<b>make room</b>" in html


async def test_a_console_without_a_doctor_or_a_keeper_says_so(stage: Stage, client: httpx2.AsyncClient) -> None:
    desk = stage.console.desk
    stage.console.desk = replace(desk, others=replace(desk.others, alerts=None))
    status, told = await done(client, "acknowledge", "a1")
    assert (status, "--alerts" in told) == (404, True)
