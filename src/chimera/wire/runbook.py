"""Which chapter of the runbook each alert leads to: the index by code of ``docs/runbook.md`` (a test compares them)."""

from typing import Final

PAGE: Final = "runbook.md"

_CHAPTERS: Final = {
    "a-naked-position": "SLI_UNPROTECTED",
    "a-stop-that-fired-and-did-not-fill": "STOP_STUCK",
    "a-stop-that-is-refused": "STOP_CROSSED STOP_FORM_REFUSED STOP_NEARER STOP_REFUSED STOP_TRY_REFUSED TARGET_CROSSED",
    "guards": "GUARD_STOP",
    "alerts-that-do-not-arrive": "ALERTS_DEAF ALERTS_GONE ALERTS_UNDELIVERED",
    "s4-is-down-or-does-not-start": "SERVICE_SILENT",
    "a-close-that-fails": "CANCELED_IN_THE_WAY CANCEL_FAILED CLOSE_TOO_SMALL EXIT_FAILING",
    "order-in-doubt": "DOUBT_OLD SLI_IN_DOUBT",
    "orders-that-fail-or-are-late": (
        "IDS_SPENT ILLEGAL_TRANSITION MAKER_FILL_RATIO_LOW MAKER_TIMEOUT ORDERS_FAILING SLI_CANCEL_SUCCESS "
        "SLI_ORDER_SUCCESS SLI_SUBMIT_LATENCY STOP_FIRST VENUE_UNAVAILABLE"
    ),
    "a-change-of-configuration-that-went-wrong": (
        "CANARY_ROLLED_BACK CONFIG_ADVICE CONFIG_REFUSED CONFIG_REV_DIFFERS NO_USABLE_RULE ROUTE_CURVES "
        "ROUTE_CURVES_UNREADABLE ROUTE_FIT ROUTE_FIT_FAILED ROUTE_TABLE ROUTE_TABLE_UNREADABLE TRIAL_REFUSED"
    ),
    "breaker-open": "BREAKER_CLOSED BREAKER_HALF_OPEN BREAKER_OPEN",
    "kill-and-re-arm": "ARMED KILLED",
    "another-router-takes-over": "SUCCEEDING",
    "just-started": "LEDGER_UNCHECKED PROBING",
    "lost-ledger": "LEDGER_RESTORED",
    "ledger-away-disk-full": "LEDGER_AWAY LEDGER_AWAY_AT_BOOT SLI_LEDGER_SAVE",
    "redis-away": "BUS_AWAY REDIS_SHARED",
    "exchange-maintenance-or-the-network": "MARKET_STALE SLI_EXCHANGE SWEEP_UNANSWERED",
    "the-exchange-changed-its-api": "NO_PROTECTIVE_FORM PROTECTIVE_FORM_REFUSED PROTECTIVE_FORM_TAKEN",
    "user-stream-silent-listen-key": (
        "LISTEN_KEY_AT_RISK LISTEN_KEY_EXPIRED LISTEN_KEY_REFUSED LISTEN_KEY_UNKEPT SLI_USER_STREAM "
        "STREAM_DEAF STREAM_UNREADABLE USER_STREAM"
    ),
    "key-refused-key-rotation": "ACCOUNT_CANNOT_TRADE ACCOUNT_MODE KEY_NOT_ROTATED KEY_REFUSED KEY_ROTATED",
    "clock-skew": "CLOCK CLOCK_OFFSET CLOCK_UNKNOWN",
    "rate-limit-ban": "RATE_GOVERNOR VENUE_BAN",
    "margin-short": "INSUFFICIENT_BALANCE INSUFFICIENT_BALANCE_OFTEN",
    "liquidated-deleveraged-settled": "AUTO_DELEVERAGING LIQUIDATION SETTLEMENT",
    "transfer-in-doubt": "TRANSFERS_DEPOSED TRANSFER_AMBIGUOUS TRANSFER_OVERDUE",
    "symbol-halted-or-delisted": "SYMBOL_NOT_TRADING",
    "others-on-the-account-or-books-that-differ": (
        "EXTERNAL_FILL EXTERNAL_ORDER FILL_OF_UNKNOWN_ORDER JACCARD_LOW ORDER_NOT_LISTED ORDER_OVERDUE "
        "ORPHAN_ORDER POSITION_ADOPTED POSITION_WITHOUT_OWNER SECOND_STOP SYMBOL_ISOLATED"
    ),
    "money-that-does-not-add-up": "CASH_RECOUNT CASH_UNKNOWN MONEY_DRIFT",
    "the-machine-is-too-slow": "LOOP_LAG LOOP_SLOW QUEUE_FULL SLI_DECIDE_LATENCY SLI_LOOP_LAG",
    "s3-skips-everything": (
        "BAD_DOCUMENT BLOCKED FEATURE_INVALID FEATURE_MISSING FEATURE_STALE MARKET_CROSSED MARKET_INVALID "
        "SCORE_FALLBACK SPOT_BY_FUTURES UNBLOCKED"
    ),
    "intents-that-do-not-arrive": (
        "INTENTS_GONE INTENTS_LATE INTENT_EXPIRED INTENT_UNREADABLE PUBLISH_FAILED REFUSALS_GONE"
    ),
}
CHAPTER_OF: Final = {code: anchor for anchor, codes in _CHAPTERS.items() for code in codes.split()}


def codes_of(*chapters: str) -> frozenset[str]:
    """Every code that leads to one of these chapters. Raises ``KeyError`` for a chapter that is none."""
    return frozenset(code for anchor in chapters for code in _CHAPTERS[anchor].split())


def chapter(code: str) -> str:
    """Page and anchor; empty for a code that has none."""
    anchor = CHAPTER_OF.get(code)
    return "" if anchor is None else f"{PAGE}#{anchor}"
