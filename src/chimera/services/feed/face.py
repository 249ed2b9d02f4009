"""The feed's HTTP face: ``/health`` and ``/metrics``, for whoever watches it. It reads status and changes nothing.

The feed works without it: a face is served only where a port is named.
"""

from collections.abc import Iterator, Mapping

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse

from chimera.services.build import build
from chimera.services.exposition import MEDIA_TYPE, Sample, page
from chimera.services.feed.feed import Feed, FeedStatus
from chimera.services.objectives import with_levels
from chimera.services.service import Service
from chimera.trading.market import Market


def build_app(feeds: Mapping[Market, Feed]) -> FastAPI:
    """The application, over the feed of each market."""
    app = FastAPI(title="Chimera feed", docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/health")
    async def health() -> Response:
        told = {str(market): _row(feed.status()) for market, feed in feeds.items()}
        came = all(row["events"] for row in told.values())
        return JSONResponse(
            {"status": "ok" if came else "degraded", "service": "feed", "markets": told, "build": build()}
        )

    @app.get("/metrics")
    async def metrics() -> Response:
        samples = [each for market, feed in feeds.items() for each in measured(market, feed.status())]
        return Response(page(Service.FEED, with_levels(Service.FEED, samples)), media_type=MEDIA_TYPE)

    return app


def measured(market: Market, status: FeedStatus) -> Iterator[Sample]:
    """What came and what was written since the start."""
    of = (str(market),)
    yield Sample("feed_events", of, status.events)
    yield Sample("feed_writes", of, status.writes)
    yield Sample("feed_failed_writes", of, status.failed_writes)
    if status.event_age_ms is not None:
        yield Sample("feed_event_age_ms", of, status.event_age_ms)


def _row(status: FeedStatus) -> dict[str, object]:
    return {"symbols": list(status.symbols), "events": status.events, "event_age_ms": status.event_age_ms}
