"""S3's HTTP face for what decides: bundles, the active revision, a candidate on trial. It decides nothing.

A change whose store went away in the middle is answered ``OUTCOME_UNKNOWN`` (500), since it may stand: ``GET /config``
tells. A large body is read beside the loop.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final, TypeVar

from fastapi import FastAPI, Query, Request, Response
from pydantic import BaseModel

from chimera.decide.revisions import Revision
from chimera.decide.trial import Limit, Metric
from chimera.services import face
from chimera.services.face import Answer, answers
from chimera.services.strategy.bundles import Linted, Offered
from chimera.services.strategy.engine import Strategy
from chimera.trading.errors import Refused, StoreUnavailable
from chimera.wire import request_json, shape, strategy_shown
from chimera.wire.bundles import ActivateBody, BundleBody, EndTrialBody, LintBody, RollbackBody, TrialBody
from chimera.wire.codec import plain

MAX_BODY_BYTES: Final = 8_388_608  # ten thousand rules
LISTED_MAX: Final = 200
REV_MAX: Final = 2**53 - 1  # what every JSON reader and every store has as a whole number
Newest = Annotated[int, Query(ge=1, le=LISTED_MAX)]
B = TypeVar("B", bound=BaseModel)


def add(app: FastAPI, strategy: Strategy) -> None:
    _add_making(app, strategy)
    _add_reading(app, strategy)
    _add_activating(app, strategy)
    _add_trying(app, strategy)


def _add_making(app: FastAPI, strategy: Strategy) -> None:
    @app.post(
        "/bundles",
        operation_id="create_bundle",
        responses=answers(strategy_shown.BundleCreated),
        **face.takes("BundleBody"),
    )
    async def create(request: Request) -> Response:
        """Keep a bundle, for ever under its name. It decides nothing until it is activated."""
        body = await _read(request, BundleBody)
        async with _changing():
            head, linted = await strategy.bundles.create(_offered(body), strategy.bundles.signed(body.who, body.why))
        return Answer({"bundle": plain(head), **_told(linted)})

    @app.post(
        "/bundles/lint",
        operation_id="lint_bundle",
        responses=answers(strategy_shown.LintResponse),
        **face.takes("LintBody"),
    )
    async def lint(request: Request) -> Response:
        """What would refuse it, and what it may not have meant; nothing is kept."""
        return Answer(_told(await strategy.bundles.lint(_offered(await _read(request, LintBody)))))


def _add_reading(app: FastAPI, strategy: Strategy) -> None:
    @app.get("/bundles", operation_id="list_bundles", responses=answers(strategy_shown.BundlesResponse))
    async def bundles(newest: Newest = 50) -> Response:
        """Heads, newest first, without their rules."""
        heads = await strategy.bundles.listed(newest)
        return Answer({"bundles": [{**head, "rules": len(_list(head.get("rules")))} for head in heads]})

    @app.get("/bundles/{bundle_id}", operation_id="get_bundle", responses=answers(strategy_shown.BundleResponse))
    async def bundle(bundle_id: str) -> Response:
        """All of it; `active` is whichever is active."""
        content = await strategy.bundles.read(bundle_id)
        return Answer({"bundle": {**content.head, "rules": list(content.rules or ())}})

    @app.get(
        "/bundles/{bundle_id}/diff/{other_id}",
        operation_id="diff_bundles",
        responses=answers(strategy_shown.BundleDiff),
    )
    async def diff(bundle_id: str, other_id: str) -> Response:
        """From the first to the second: rules added, removed and changed, bounds and flags."""
        found = await strategy.bundles.diff(bundle_id, other_id)
        return Answer({"from": bundle_id, "to": other_id, "same": found.same, **plain(found)})


def _add_activating(app: FastAPI, strategy: Strategy) -> None:
    @app.get("/config", operation_id="config", responses=answers(strategy_shown.ConfigResponse))
    async def config() -> Response:
        """What is active, what is loaded, what is on trial."""
        return Answer(await _standing(strategy))

    @app.get("/config/history", operation_id="config_history", responses=answers(strategy_shown.HistoryResponse))
    async def history(newest: Newest = 50) -> Response:
        """Every change with who and why, newest first."""
        return Answer({"history": plain(await strategy.config.revisions.history(newest))})

    @app.post(
        "/config/activate",
        operation_id="activate",
        responses=answers(strategy_shown.ChangeResponse),
        **face.takes("ActivateBody"),
    )
    async def activate(request: Request) -> Response:
        """A bundle decides from now on; decisions under way end with what they began with. A trial ends."""
        body = await _read(request, ActivateBody)
        async with _changing():
            line = await strategy.bundles.activate(body.bundle_id, strategy.bundles.signed(body.who, body.why))
        return Answer(_changed(strategy, line))

    @app.post(
        "/config/rollback",
        operation_id="rollback",
        responses=answers(strategy_shown.ChangeResponse),
        **face.takes("RollbackBody"),
    )
    async def rollback(request: Request) -> Response:
        """What was active before, or under a revision, decides again, as a new revision."""
        body = await _read(request, RollbackBody)
        async with _changing():
            line = await strategy.bundles.roll_back(strategy.bundles.signed(body.who, body.why), body.to_rev)
        return Answer(_changed(strategy, line))


def _add_trying(app: FastAPI, strategy: Strategy) -> None:
    @app.post(
        "/config/trial",
        operation_id="begin_trial",
        responses=answers(strategy_shown.ChangeResponse),
        **face.takes("TrialBody"),
    )
    async def begin(request: Request) -> Response:
        """A candidate decides beside what is active: without ordering (share 0), or a share for real."""
        body = await _read(request, TrialBody)
        given = body.limit
        limit = None if given is None else Limit(metric=Metric(given.metric), most=given.most, after=given.after)
        async with _changing():
            by = strategy.bundles.signed(body.who, body.why)
            line = await strategy.bundles.begin_trial(body.bundle_id, body.share, limit, by)
        return Answer(_changed(strategy, line))

    @app.post(
        "/config/trial/end",
        operation_id="end_trial",
        responses=answers(strategy_shown.ChangeResponse),
        **face.takes("EndTrialBody"),
    )
    async def end(request: Request) -> Response:
        """The active bundle alone decides again."""
        body = await _read(request, EndTrialBody)
        async with _changing():
            line = await strategy.bundles.end_trial(strategy.bundles.signed(body.who, body.why))
        return Answer(_changed(strategy, line))

    @app.get(
        "/config/differences", operation_id="config_differences", responses=answers(strategy_shown.DifferencesResponse)
    )
    async def differences(
        newest: Newest = 50, trial: Annotated[int | None, Query(ge=1, le=REV_MAX)] = None
    ) -> Response:
        """What a candidate decided otherwise, newest first; of one trial (its revision) or of all."""
        return Answer({"differences": await strategy.trials.different(newest, trial=trial)})


@asynccontextmanager
async def _changing() -> AsyncIterator[None]:
    try:
        yield
    except StoreUnavailable as away:
        words = f"the store went away: the change may stand or not, GET /config/history tells ({away})"
        raise Refused("OUTCOME_UNKNOWN", words) from away


async def _read(request: Request, model: type[B]) -> B:
    body = await face.whole_body(request, MAX_BODY_BYTES)
    return await asyncio.to_thread(lambda: shape.fit(request_json.read_object(body), model))


def _offered(body: BundleBody | LintBody) -> Offered:
    return Offered(bundle_id=body.bundle_id, rules=body.rules, bounds=body.bounds, flags=body.flags)


def _told(linted: Linted) -> dict[str, Any]:
    return {
        "ok": not linted.findings,
        "digest": linted.digest,
        "findings": plain(linted.findings),
        "advice": plain(linted.advice),
    }


def _changed(strategy: Strategy, line: Revision) -> dict[str, Any]:
    """``loaded``: whether decisions of this process go by it already."""
    snapshot = strategy.config.snapshot
    rev = None if snapshot is None else snapshot.bundle.rev
    loaded = line.active is not None and rev == line.active.rev
    return {"revision": plain(line), "loaded_rev": rev, "loaded": loaded}


async def _standing(strategy: Strategy) -> dict[str, Any]:
    config, standing = strategy.config, await strategy.config.revisions.standing()
    loaded, trial = config.loaded, standing.trial
    return {
        "rev": standing.rev,
        "active": plain(standing.active),
        "loaded_rev": None if loaded is None else loaded.active.bundle.rev,
        "rules_loaded": 0 if loaded is None else len(loaded.active.bundle.rules),
        "differs_since_ms": config.differs_since_ms,
        "fault": config.fault,
        "trial": None if trial is None else {
            **plain(trial),
            "deciding": loaded is not None and loaded.on_trial is not None,
            "fault": config.trial_fault,
            "tally": plain(await strategy.trials.tally_of(trial.rev)),
            "dropped": strategy.trials.dropped,
        },
    }  # fmt: skip


def _list(given: object) -> list[object]:
    return given if isinstance(given, list) else []
