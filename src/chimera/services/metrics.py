"""Every metric of every service: the one closed list.

Exporters look their names up here (``exposition``), docs/metrics.md, dashboards and alert rules are drawn from it, and
a test scrapes the services: what is shown stands here, and what stands here is shown. Plain values; it measures none.

Invariant: no label takes a value that grows with trading (ids, prices, moments); each has its bound in ``LABELS``.
"""

from enum import StrEnum
from typing import Final, NamedTuple

from chimera.services.service import Service


class Kind(StrEnum):
    """Prometheus' own; a counter's name ends in ``_total`` on the page."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


SWITCH: Final = "0 or 1"  # the unit of what is so or not


class Metric(NamedTuple):
    """``labels`` in the order in which samples give them; ``buckets``: upper bounds of a histogram, in ``unit``."""

    name: str
    kind: Kind
    unit: str
    services: tuple[Service, ...]
    group: str
    labels: tuple[str, ...]
    says: str
    buckets: tuple[float, ...] = ()

    @property
    def shown(self) -> str:
        """The name on the page."""
        return f"{self.name}_total" if self.kind is Kind.COUNTER else self.name


LABELS: Final = {
    "about": "what is not known: OUTCOME, CANCEL, TRADES",
    "build": "version and digest of the sources, as `chimera version` tells them: one of a process",
    "asset": "an asset in which a fee was paid: of a traded symbol, or BNB",
    "channel": "webhook, telegram",
    "code": "a stable word of docs/codes.md",
    "counts": "what a limit of the venue counts: WEIGHT, ORDERS, …",
    "decision": "open, skip",
    "gate": "a reason of a skip, of docs/codes.md",
    "lane": "a lane of the rate governor",
    "market": "FUT, SPOT",
    "outcome": "a word of the list in the metric's meaning",
    "quantile": "a fixed share, 0.5 to 1",
    "queue": "outbox, held, tasks, alarms, callers",
    "rule_id": "the first 200 rules that fired; any more are `other`",
    "scope": "of a kill: GLOBAL, MARKET, SYMBOL, STRATEGY",
    "severity": "INFO, WARN, ERROR, FATAL",
    "sli": "a service level (below)",
    "source": "market, s3, s4, streams",
    "span_s": "the window of a limit of the venue, seconds",
    "state": "CLOSED, OPEN, HALF_OPEN",
    "symbol": "a symbol that is owned: S4_SYMBOLS, S4_SPOT_SYMBOLS, and what was found on the account",
}

_LATENCY: Final = (1.0, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000)
_DECIDE: Final = (0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000)
_SAVE: Final = (0.5, 1, 2, 5, 10, 20, 50, 100, 250, 500, 1_000, 2_000, 5_000)
_G, _C, _H = Kind.GAUGE, Kind.COUNTER, Kind.HISTOGRAM
_S4: Final = (Service.S4,)
_S3: Final = (Service.S3,)
_FEED: Final = (Service.FEED,)
_CONSOLE: Final = (Service.CONSOLE,)
_ALERTS: Final = (Service.ALERTS,)
_ALL: Final = tuple(Service)
_WITH_LEVELS: Final = (Service.S3, Service.S4, Service.FEED)
_M: Final = ("market",)
_MQ: Final = ("market", "quantile")
_MS: Final = ("market", "symbol")

METRICS: Final[tuple[Metric, ...]] = (
    # ── S4: orders ──
    Metric("router_submit_latency_ms", _H, "ms", _S4, "orders", _M,
           "From an intent's acceptance, or the end of its wait for a better market, to the venue's first "
           "acknowledgement; told when the intent ends", _LATENCY),
    Metric("router_submit_latency_ms_recent", _G, "ms", _S4, "orders", _MQ,
           "The same, percentiles of the last hour by the times themselves"),
    Metric("orders_ended", _C, "orders", _S4, "orders", ("market", "outcome"),
           "Intents that ended: filled, part (some of it), unfilled, refused (by a rule, or the caller's mistake), "
           "failed (for the venue's reasons, or an answer of the 5xx kind that is no barrier's)"),
    Metric("order_success_rate", _G, "share", _S4, "orders", _M,
           "Of the intents that reached for the venue in the last hour, those of which it took an order"),
    Metric("cancels", _C, "orders", _S4, "orders", ("market", "outcome"),
           "Cancels of child orders: canceled, filled (the fill came first), failed (refused or unanswered; it is "
           "tried again)"),
    Metric("cancel_success_rate", _G, "share", _S4, "orders", _M,
           "Of the cancels of the last hour that a fill did not overtake, those after which the order was gone"),
    Metric("in_doubt", _G, "orders", _S4, "orders", ("about",),
           "Orders of which the venue has not told the outcome, the cancel or the trades"),
    Metric("in_doubt_oldest_seconds", _G, "s", _S4, "orders", (),
           "For how long the oldest of them has been in doubt; 0: none is"),
    # ── S4: execution ──
    Metric("maker_fill_ratio", _G, "share", _S4, "execution", _M,
           "Mean filled share of the maker orders that ended in the last hour"),
    Metric("maker_timeouts", _C, "slices", _S4, "execution", _M,
           "Slices whose maker's time was up, so that a taker went on"),
    Metric("taker_rate", _G, "share", _S4, "execution", _M,
           "Of the notional traded in the last hour, the part that took"),
    Metric("twap_slice_fill_ratio", _G, "share", _S4, "execution", _M,
           "Mean filled share of the slices of orders in several that ended in the last hour"),
    Metric("twap_efficiency", _G, "ratio", _S4, "execution", _M,
           "Of orders in several that ended in the last hour: mean mid at the sending of their children over the "
           "average price paid (inverted for sells); 1 is the market's own mean, below it is worse"),
    Metric("slippage_bps", _G, "bps", _S4, "execution", _MQ,
           "Of the fills of the last hour against the mid at sending, positive when adverse: percentiles"),
    Metric("fee_usdt", _C, "USDT", _S4, "execution", _M,
           "Fees paid in USDT"),
    Metric("rebate_usdt", _C, "USDT", _S4, "execution", _M,
           "Rebates got in USDT"),
    Metric("fee_other", _C, "asset", _S4, "execution", ("market", "asset"),
           "Fees paid in another asset, in units of that asset"),
    # ── S4: protection ──
    Metric("protection_coverage", _G, "share", _S4, "protection", _MS,
           "Of the position, what a live stop covers; 1 where flat"),
    Metric("unprotected_seconds", _G, "s", _S4, "protection", _MS,
           "For how long some of the position has been without a live stop; 0: all of it has one"),
    Metric("unprotected_worst_seconds", _G, "s", _S4, "protection", _MS,
           "The longest such stretch since the start"),
    Metric("stop_latency_ms", _H, "ms", _S4, "protection", _M,
           "From the first fill of an entry to its stop, live at the venue", _LATENCY),
    # ── S4: connections ──
    Metric("exchange_up", _G, SWITCH, _S4, "connections", _M,
           "The venue's clock was read lately"),
    Metric("user_stream_up", _G, SWITCH, _S4, "connections", _M,
           "A user stream is connected"),
    Metric("redis_up", _G, SWITCH, _S4, "connections", _M,
           "Redis took the last that was told"),
    Metric("ledger_up", _G, SWITCH, _S4, "connections", _M,
           "The ledger took the last save, and it is ours"),
    Metric("router_ready", _G, SWITCH, _S4, "connections", _M,
           "Every position has the venue's word; orders are taken"),
    Metric("polling", _G, SWITCH, _S4, "connections", _M,
           "Positions are surveyed because the user stream cannot be relied on"),
    Metric("clock_offset_ms", _G, "ms", _S4, "connections", _M,
           "The venue's clock minus ours"),
    # ── S4: levels ──
    Metric("breaker_state", _G, SWITCH, _S4, "levels", ("market", "state"),
           "1 for the state in which the breaker is"),
    Metric("barriers", _G, "barriers", _S4, "levels", _M,
           "What keeps entries back just now: how many stand"),
    Metric("barrier", _G, "barriers", _S4, "levels", ("market", "code"),
           "The same by code, over all symbols; absent where none stands"),
    Metric("notice", _G, SWITCH, _S4, "levels", ("market", "code"),
           "What should be heard of and keeps nothing back; absent where it is not so"),
    Metric("kill_active", _G, SWITCH, _S4, "levels", (),
           "Something is killed, or what is killed is not read yet"),
    Metric("kills", _G, "kills", _S4, "levels", ("scope",),
           "Kills in force"),
    # ── S4: room ──
    Metric("rate_used_share", _G, "share", _S4, "room", ("market", "counts", "span_s"),
           "Of a limit of the venue, what is used"),
    Metric("rate_lane_room", _G, "requests", _S4, "room", ("market", "counts", "span_s", "lane"),
           "What a lane may still send before its ceiling; in units of the limit"),
    Metric("queue_depth", _G, "entries", _S4, "room", ("market", "queue"),
           "The longest queue of each kind; outbox: events of one position that the stores have not heard"),
    Metric("event_loop_lag_ms", _G, "ms", _S4, "room", _M,
           "How late the event loop woke in its present spell of lateness; 0: on time"),
    Metric("event_loop_worst_lag_ms", _G, "ms", _S4, "room", _M,
           "The latest since the start"),
    Metric("ledger_save_latency_ms", _H, "ms", _S4, "room", (),
           "A row of S4's own, written every few seconds, until it is durable: it waits in the same queue as a "
           "position's state", _SAVE),
    Metric("ledger_save_latency_ms_recent", _G, "ms", _S4, "room", ("quantile",),
           "The same, percentiles of the last hour"),
    Metric("redis_put_latency_ms", _H, "ms", _S4, "room", (),
           "Writing S4's own metrics to Redis, which is done every few seconds", _SAVE),
    # ── S3 ──
    Metric("strategy_decide_latency_ms", _H, "ms", _S3, "decisions", ("decision",),
           "From request to durable answer, dry runs too", _DECIDE),
    Metric("strategy_decide_latency_ms_recent", _G, "ms", _S3, "decisions", ("decision", "quantile"),
           "The same, percentiles of the last 5 minutes; 1 is the longest"),
    Metric("strategy_decide_latency_ms_recent_count", _G, "decisions", _S3, "decisions", ("decision",),
           "Of how many decisions"),
    Metric("rules_fired_count", _C, "rules", _S3, "decisions", ("rule_id",),
           "Rules that fired"),
    Metric("gate_skip_count", _C, "reasons", _S3, "decisions", ("gate",),
           "Reasons of skips"),
    # ── feed ──
    Metric("feed_events", _C, "events", _FEED, "feed", _M,
           "Market events that came"),
    Metric("feed_writes", _C, "writes", _FEED, "feed", _M,
           "Documents written to the board"),
    Metric("feed_failed_writes", _C, "writes", _FEED, "feed", _M,
           "Rounds in which the board took nothing; the newest state is written when it is back"),
    Metric("feed_event_age_ms", _G, "ms", _FEED, "feed", _M,
           "Our clock minus the newest event's time"),
    # ── console ──
    Metric("console_pages", _G, "pages", _CONSOLE, "console", (),
           "Pages that are open"),
    Metric("console_fault", _G, SWITCH, _CONSOLE, "console", (),
           "The console has stopped looking"),
    Metric("console_source_age_ms", _G, "ms", _CONSOLE, "console", ("source",),
           "How old what it shows of each source is; absent before it was first heard"),
    # ── alerts ──
    Metric("alerts_standing", _G, "alerts", _ALERTS, "alerts", ("severity",),
           "Alerts that stand, acknowledged or not, by the worst that was told of each"),
    Metric("alerts_untold", _G, "alerts", _ALERTS, "alerts", ("channel",),
           "What a channel is still to be told, by the next message or the next digest"),
    Metric("alerts_sent", _C, "messages", _ALERTS, "alerts", ("channel",),
           "Messages that a receiver has taken"),
    Metric("alerts_attempts_failed", _C, "attempts", _ALERTS, "alerts", ("channel",),
           "Attempts that were refused or not answered; each is made again"),
    Metric("alerts_channel_up", _G, SWITCH, _ALERTS, "alerts", ("channel",),
           "The last attempt went well, or there was none"),
    Metric("alerts_unreadable", _C, "records", _ALERTS, "alerts", (),
           "Records of the stream that could not be read"),
    Metric("alerts_crowded_out", _C, "alerts", _ALERTS, "alerts", (),
           "Alerts that gave way because too many stood"),
    # ── service levels ──
    Metric("sli_value", _G, "see below", _WITH_LEVELS, "service levels", ("sli",),
           "What was measured of it, the worst over markets and symbols; absent where nothing was, or too little"),
    Metric("sli_objective", _G, "see below", _WITH_LEVELS, "service levels", ("sli",),
           "What is promised of it"),
    Metric("sli_met", _G, SWITCH, _WITH_LEVELS, "service levels", ("sli",),
           "Whether the promise is kept; absent where nothing was measured"),
    # ── every service ──
    Metric("build_info", _G, "always 1", _ALL, "every service", ("build",),
           "Which build runs: after a rollout all services show one"),
)  # fmt: skip

BY_NAME: Final = {metric.name: metric for metric in METRICS}


def of(service: Service) -> tuple[Metric, ...]:
    """What this service shows, in the list's order."""
    return tuple(metric for metric in METRICS if service in metric.services)
