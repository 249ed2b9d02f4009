"""Every fault there is, once: its name, what it does and on what, what a client sees, what is documented.

``docs/faults.md``, ``chimera faults list`` and ``GET /sim/faults`` are made from it. Who carries a fault out looks its
parameters up by the names given here; a default makes each fault strike usefully when armed by name alone.
Sources: ``binance.md`` of the project's reference, which cites Binance's pages; "unverified" is said where it is.
"""

from decimal import Decimal
from typing import Final

from chimera.simulate.trouble.entry import Entry, On, Param
from chimera.simulate.trouble.match import Match


def _ms(name: str, default: int, what: str) -> Param:
    return Param(name=name, kind="ms", default=default, what=what)


def _share(name: str, default: str, what: str) -> Param:
    return Param(name=name, kind="share", default=Decimal(default), what=what)


def _flag(name: str, default: bool, what: str) -> Param:
    return Param(name=name, kind="flag", default=default, what=what)


def _word(name: str, what: str, *words: str) -> Param:
    return Param(name=name, kind="word", default=words[0], what=what, words=words)


def _code(default: int, what: str) -> Param:
    return Param(name="code", kind="code", default=default, what=what)


_ORDERS: Final = Match(method="POST|PUT|DELETE", path="*rder*")
_PLACED: Final = Match(method="POST", path="*rder*")
_USER: Final = Match(route="private|spot_private")
_EXECUTED: Final = _share("executed", "0.5", "share of the requests that the venue executed all the same, by seed")
_SAYS: Final = Param(name="msg", kind="text", default="", what="text of the refusal; empty: the code's own")
_SPREAD: Final = (
    _word("spread", "how the wait is distributed", "fixed", "uniform", "exponential", "lognormal"),
    _ms("ms", 250, "fixed: the wait; exponential: its mean; lognormal: its median"),
    _ms("least_ms", 0, "never shorter"),
    _ms("most_ms", 10_000, "never longer (but for fixed)"),
    Param(name="sigma", kind="number", default=Decimal("0.5"), what="shape of the lognormal"),
)
_AGAIN: Final = _ms("again_ms", 0, "again after so long, while it lasts; 0: once")

_REQUESTS: Final = (
    Entry(
        name="latency",
        on=On.REQUEST,
        does="The answer comes late; way=in: the request arrives late; way=engine: it reaches the engine late.",
        seen="the right answer, later; beyond recvWindow way=in: -1021, way=engine: -5028 (futures orders)",
        documented="recvWindow is checked on arrival and again at the engine (general-info, Timing security)",
        params=(_word("way", "which way is slow", "out", "in", "engine"), *_SPREAD),
    ),
    Entry(
        name="late_ack",
        on=On.REQUEST,
        does="A placement is executed at once and its stream events leave at once; its answer comes after them.",
        seen="ORDER_TRADE_UPDATE (executionReport) of an order whose POST has not returned",
        documented="no order between the answer and the stream is promised",
        params=(_ms("ms", 250, "how late the answer is"),),
        match=_PLACED,
    ),
    Entry(
        name="timeout_before",
        on=On.REQUEST,
        does="No answer, and the venue never executed the request: lost on its way in.",
        seen="nothing until the client's own time-out, or a reset after hang_ms; asking by client id: -2013",
        documented="a time-out leaves the status unknown (general-info, HTTP return codes)",
        params=(_ms("hang_ms", 0, "the connection stands so long before it ends"),),
        match=_ORDERS,
    ),
    Entry(
        name="timeout_after",
        on=On.REQUEST,
        does="No answer, and the venue executed the request: lost on its way back.",
        seen="nothing until the client's own time-out, or a reset after hang_ms; asking by client id finds the order",
        documented="a time-out leaves the status unknown (general-info, HTTP return codes)",
        params=(_ms("hang_ms", 0, "the connection stands so long before it ends"),),
        match=_ORDERS,
    ),
    Entry(
        name="unknown_503",
        on=On.REQUEST,
        does="503 with the text whose outcome is open; a share of the requests was executed.",
        seen='503 "Unknown error, please check your request or try again later."',
        documented="execution status UNKNOWN, may have succeeded (derivatives general-info, 2025-10-23)",
        params=(_EXECUTED,),
        match=_ORDERS,
    ),
    Entry(
        name="unavailable_503",
        on=On.REQUEST,
        does="503 of a venue that took nothing; not executed.",
        seen='503 "Service Unavailable."',
        documented="failed for certain, retry with back-off (derivatives general-info)",
        match=_ORDERS,
    ),
    Entry(
        name="internal_503",
        on=On.REQUEST,
        does="503 with -1001; not executed.",
        seen='503 -1001 "Internal error; unable to process your request. Please try again."',
        documented="futures: a failure; spot: any 5xx is unknown (general-info of each)",
        match=_ORDERS,
    ),
    Entry(
        name="throttled_503",
        on=On.REQUEST,
        does="-1008 of the system protection; not executed. Exits (reduceOnly, hedge closes) and cancels pass.",
        seen='503 -1008 "Request throttled by system-level protection. ..."; exits are answered as usual',
        documented="on POST order, batchOrders, order/test; of algoOrder unverified (derivatives general-info)",
        match=Match(method="POST", path="/fapi/v1/order|/fapi/v1/batchOrders|/fapi/v1/order/test"),
    ),
    Entry(
        name="overloaded_503",
        on=On.REQUEST,
        does="-1008 with the overload text, whose outcome is open; a share of the requests was executed.",
        seen='503 -1008 "Server is currently overloaded with other requests. ..."',
        documented="spot's only -1008; on futures' error list, not among its certain failures",
        params=(_EXECUTED,),
        match=_ORDERS,
    ),
    Entry(
        name="unexpected_1006",
        on=On.REQUEST,
        does="-1006; a share of the requests was executed.",
        seen='500 -1006 "An unexpected response was received from the message bus. Execution status unknown."',
        documented="execution status unknown (error codes); its HTTP status is unverified",
        params=(_EXECUTED,),
        match=_ORDERS,
    ),
    Entry(
        name="timeout_1007",
        on=On.REQUEST,
        does="-1007; a share of the requests was executed.",
        seen='408 -1007 "Timeout waiting for response from backend server. Send status unknown; ..."',
        documented="after 10 s in the backend; execution status unknown (error codes)",
        params=(_EXECUTED, _ms("ms", 0, "the answer comes so late; Binance waits 10,000")),
        match=_ORDERS,
    ),
    Entry(
        name="rate_limit_storm",
        on=On.REQUEST,
        does="429 until retry_ms after the first; who sends on gets 418 after patience requests, for ban_ms.",
        seen="429 -1003 with Retry-After, then 418 -1003 with the time the ban ends; each later ban is twice as long",
        documented="418 from 2 min to 3 days for who goes on after 429; Retry-After is promised by spot only",
        params=(
            _ms("retry_ms", 5_000, "how long 429 lasts"),
            Param(name="patience", kind="count", default=5, what="requests answered 429 before the ban"),
            _ms("ban_ms", 120_000, "the first ban"),
            _flag("header", True, "whether Retry-After is sent"),
        ),
        count=1,
    ),
    Entry(
        name="maintenance",
        on=On.REQUEST,
        does="Every request is refused, stream connections end and new ones are not let in, until it is over.",
        seen="503 -1016 on everything, streams closed (spot: serverShutdown first), handshakes answered 503",
        documented="-1016 (error codes), serverShutdown since 2026-05 (spot); answers during upkeep are unverified",
        params=(
            _word("answer", "what requests are told", "-1016", "503"),
            _flag("cut", True, "whether streams end, too"),
        ),
    ),
    Entry(
        name="balance_too_low",
        on=On.REQUEST,
        does="Every placement that adds risk is refused for lack of money; exits pass.",
        seen='futures: -2019 "Margin is insufficient."; spot buys: -2010 "Account has insufficient balance ..."',
        documented="error codes of both markets",
        match=Match(method="POST", path="*/order|*/batchOrders"),
    ),
    Entry(
        name="zero_balance_read",
        on=On.REQUEST,
        does="A read of balances answers zeros, once; nothing has changed.",
        seen="200 with every amount zero",
        documented="not documented; met by bots after maintenance",
        match=Match(method="GET", path="/fapi/*/balance|/fapi/*/account|/api/v3/account"),
        count=1,
    ),
    Entry(
        name="read_lag",
        on=On.REQUEST,
        does="For a while after a placement, queries by its client id do not know the order.",
        seen='400 -2013 "Order does not exist." on GET order / algoOrder',
        documented="reads come from memory or database, behind the matching engine (spot general-info)",
        params=(_ms("ms", 500, "how long after the placement"),),
    ),
    Entry(
        name="trades_lag",
        on=On.REQUEST,
        does="Lists of trades lack the newest ones for a while; orders, positions and streams tell of them.",
        seen="GET userTrades (myTrades) without a trade of which an order or a position tells",
        documented="reads come from a database, behind the matching engine (spot general-info); how far is not said",
        params=(_ms("ms", 2_000, "how long a trade is missing"),),
        match=Match(method="GET", path="/fapi/*/userTrades|/api/v3/myTrades"),
    ),
    Entry(
        name="refused",
        on=On.REQUEST,
        does="A request is refused with the code named; not executed.",
        seen="the code with its text",
        documented="error codes of both markets",
        params=(_code(-1122, "what it is refused with"), _SAYS),
        match=_PLACED,
    ),
    Entry(
        name="stop_refused",
        on=On.REQUEST,
        does="A conditional order is refused as it is placed; the position stays bare.",
        seen='-2021 "Order would immediately trigger.", -4120 or another code',
        documented="error codes; -4120 since 2025-12-09 on the wrong endpoint",
        params=(_code(-2021, "what it is refused with: -2021, -4120, -4130, -4509, -4045, ..."), _SAYS),
        match=Match(method="POST", path="*/algoOrder"),
    ),
)

_FRAMES: Final = (
    Entry(
        name="frame_drop",
        on=On.FRAME,
        does="A frame is lost; the connection stays.",
        seen="a gap: an event that never comes (public depth: pu unlike the last u)",
        documented="not promised otherwise; the gap rules of the local book assume it",
        match=_USER,
    ),
    Entry(
        name="frame_duplicate",
        on=On.FRAME,
        does="A frame comes twice.",
        seen="the same event again after_ms later, with the same trade id",
        documented="met after reconnects; deduplicate by trade id",
        params=(_ms("after_ms", 50, "between the two"),),
        match=_USER,
    ),
    Entry(
        name="frame_delay",
        on=On.FRAME,
        does="A frame comes late; later ones may overtake it.",
        seen="events with an old E, after newer ones",
        documented="delays of user streams are announced in busy markets (general-info)",
        params=_SPREAD,
        match=_USER,
    ),
    Entry(
        name="frame_reorder",
        on=On.FRAME,
        does="A frame comes after the one that follows it on its channel.",
        seen="ORDER_TRADE_UPDATE before ACCOUNT_UPDATE, a fill before TRIGGERED, ...",
        documented="order holds by E within one event type, not across types (user data streams)",
        params=(
            _ms("most_ms", 1_000, "it waits no longer for a follower"),
            _flag("same_type", False, "also behind its own type, which Binance excludes"),
        ),
        match=_USER,
    ),
    Entry(
        name="stream_silent",
        on=On.FRAME,
        does="From this frame on the channel is silent; the connection stays and answers pings.",
        seen="connected, and nothing comes",
        documented="seen on wrong routes and expired listenKeys",
        params=(_ms("for_ms", 0, "how long; 0: until the fault is over"),),
        match=_USER,
        count=1,
    ),
    Entry(
        name="stream_cut_at_event",
        on=On.FRAME,
        does="In place of a frame its connections end; the frame is lost.",
        seen="the socket closes, and the event was missed",
        documented="a connection may end at any time; 24 h at most",
        match=_USER,
        count=1,
    ),
)

_OTHERS: Final = (
    Entry(
        name="stuck_triggering",
        on=On.CONDITIONAL,
        does="A conditional order that triggers stays TRIGGERING, without a child, for ms or until the fault ends.",
        seen='algoStatus TRIGGERING; a cancel: -2011 "Unknown order sent." or -4117; the position is bare',
        documented="-4117 stop order is triggering; stuck on demo 2026-10 (nautilus discussion #5378)",
        params=(
            _ms("ms", 0, "how long; 0: until the fault is over or cleared"),
            _word("cancel", "what a cancel is answered meanwhile", "-2011", "-4117"),
        ),
        match=Match(market="usdm"),
    ),
    Entry(
        name="trigger_refused",
        on=On.CONDITIONAL,
        does="A conditional order that triggers is refused by the matching engine.",
        seen="REJECTED with the reason in rm, no child; spot: EXPIRED, eR REJECTED; what it protected is bare",
        documented="no margin check before the trigger: REJECTED with rm (derivatives change log 2025-11-06)",
        params=(_code(-2019, "what the child is refused with"), _SAYS),
    ),
    Entry(
        name="trigger_partial_fill",
        on=On.CONDITIONAL,
        does="The book is so thin when a conditional order triggers that its child fills in part only.",
        seen="child PARTIALLY_FILLED, then EXPIRED er=9 (MARKET) or resting (LIMIT); FINISHED does not mean filled",
        documented="FINISHED says that the child ended, not that it filled (common-definition)",
        params=(_share("share", "0.5", "of its quantity that it finds, rounded down to the step"),),
    ),
    Entry(
        name="fee_in_base",
        on=On.ACCOUNT,
        does="Spot: commission is taken in what is received (a buy's in the base asset), as when BNB runs out.",
        seen="commissionAsset is the base asset; less of it is free than was bought",
        documented="the whole fee falls back to the received asset where BNB does not suffice (spot commission FAQ)",
    ),
    Entry(
        name="transfer_pending",
        on=On.ACCOUNT,
        does="A transfer between the wallets leaves the one at once and arrives in the other later.",
        seen="tranId as ever; PENDING in the history, in neither balance, then CONFIRMED",
        documented="the status exists (wallet API); how long one stays in it is not documented",
        params=(_ms("ms", 60_000, "how long it is under way"),),
    ),
    Entry(
        name="listen_key_lost",
        on=On.ACCOUNT,
        does="A futures listenKey ends before its hour.",
        seen="listenKeyExpired once, or without event silence on an open socket; keep-alive: -1125",
        documented="listenKeyExpired (user data streams); the silent form is met after a foreign DELETE",
        params=(_flag("event", True, "whether listenKeyExpired is sent"), _AGAIN),
    ),
    Entry(
        name="cancel_only",
        on=On.SYMBOL,
        does="The symbol takes cancels only: placements are refused, nothing is matched and nothing triggers.",
        seen="status TRADING_CANCEL_ONLY (spot CANCEL_ONLY) in exchangeInfo; -4140 or -1122 (spot: -2010)",
        documented="the statuses (2026-07); the codes of the refusals are unverified",
    ),
    Entry(
        name="delisting",
        on=On.SYMBOL,
        does="The symbol leaves: all its orders expire, futures positions are settled at the mark.",
        seen="er 7 (spot eR EXCHANGE_CANCELED), status SETTLING (spot BREAK), fills of settlement_autoclose- orders",
        documented="er 7 delisting; settlement_autoclose- ids (derivatives user data streams)",
    ),
    Entry(
        name="clock_skew",
        on=On.CLOCK,
        does="The venue's clock, by which requests are judged and serverTime is told, is not the true one.",
        seen="another serverTime; signed requests by a true clock: -1021 once the skew passes recvWindow or -1000 ms",
        documented="serverTime - recvWindow <= timestamp < serverTime + 1000 (general-info, Timing security)",
        params=(Param(name="ms", kind="whole", default=6_000, what="ahead; below 0 behind"),),
    ),
    Entry(
        name="stream_cut",
        on=On.CONNECTION,
        does="Stream connections end.",
        seen="the socket closes; told: serverShutdown before it on spot",
        documented="24 h at most; serverShutdown since 2026-05 (spot)",
        params=(_flag("told", False, "whether spot's readers hear serverShutdown"), _AGAIN),
    ),
    Entry(
        name="journal_fails",
        on=On.JOURNAL,
        does="The simulator's own files cannot be written: it answers on and says so; after a crash it knows less.",
        seen="as usual; /sim/state tells journal.failing, and how many audit records are missing in the file",
        documented="ours: docs/faults.md",
        params=(_word("part", "which file", "state", "audit", "both"),),
    ),
)

CATALOGUE: Final[dict[str, Entry]] = {entry.name: entry for entry in (*_REQUESTS, *_FRAMES, *_OTHERS)}
