"""Every payload shape that Binance's documents show for the calls the twin answers, and lives of orders that show each.

A shape is a line of ``name:kind``: ``a`` an amount (decimal text), ``s`` other text, ``i`` an integer, ``b`` a boolean,
``n`` text or null, ``A`` a list, ``O`` an object; a ``?`` after the name: there only when it says something. Each
becomes a strict struct: a payload that decodes into it and encodes to the same has these fields and kinds, no other.
Sources: the section of the project's Binance reference in each heading; where that lists names, connector models.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any
from urllib.parse import urlencode

import msgspec

from chimera.simulate.door.auth import signature
from chimera.simulate.door.messages import PRIVATE, SPOT_PRIVATE, WireRequest
from chimera.simulate.twin import Twin
from chimera.simulate.venue.account_spec import READY_ACCOUNT
from chimera.trading.market import DepthChanged, Level, Marked, Market, Side, TopOfBook, Traded
from chimera.trading.money import Millis, Price, Qty

D = Decimal
NOW_MS = Millis(1_763_635_200_000)
RICH = READY_ACCOUNT.but(balance=D(100_000), spot={"USDT": D(100_000), "BTC": D(1), "BNB": D(0)})

_FUT_ORDER = """clientOrderId:s cumQty:a executedQty:a orderId:i origQty:a price:a reduceOnly:b side:s positionSide:s
 status:s stopPrice:a closePosition:b symbol:s timeInForce:s type:s origType:s updateTime:i workingType:s priceProtect:b
 priceMatch:s selfTradePreventionMode:s goodTillDate:i"""
_ALGO = """algoId:i clientAlgoId:s algoType:s orderType:s symbol:s side:s positionSide:s timeInForce:s quantity:a
 algoStatus:s triggerPrice:a price:a icebergQuantity:n selfTradePreventionMode:s workingType:s priceMatch:s
 closePosition:b priceProtect:b reduceOnly:b activatePrice:s callbackRate:s createTime:i updateTime:i triggerTime:i
 goodTillDate:i"""
_ACK = "symbol:s orderId:i orderListId:i clientOrderId:s transactTime:i"
_STATE = """price:a origQty:a executedQty:a origQuoteOrderQty:a cummulativeQuoteQty:a status:s timeInForce:s type:s
 side:s workingTime:i selfTradePreventionMode:s"""
_WHEN = "stopPrice?:a icebergQty?:a trailingDelta?:i trailingTime?:i strategyId?:i strategyType?:i expiryReason?:s"
_LIST = """orderListId:i contingencyType:s listStatusType:s listOrderStatus:s listClientOrderId:s transactionTime:i
 symbol:s orders:A"""

SHAPES: dict[str, str] = {
    # 4.1 to 4.4
    "usdm place": _FUT_ORDER,
    "usdm cancel": _FUT_ORDER,
    "usdm query": f"{_FUT_ORDER} avgPrice:a cumQuote:a time:i",
    "usdm cancel all": "code:i msg:s",
    "usdm countdown": "symbol:s countdownTime:s",
    # 4.5
    "usdm algo place": _ALGO,
    "usdm algo query": f"{_ALGO} actualOrderId:s actualPrice:a actualType:s actualQty:a",
    "usdm algo cancel": "algoId:i clientAlgoId:s code:s msg:s",
    # 4.6, 4.7
    "usdm trade": """id:i orderId:i price:a qty:a quoteQty:a baseQty:a commission:a commissionAsset:s marginAsset:s
     realizedPnl:a side:s positionSide:s buyer:b maker:b symbol:s pair:s time:i""",
    "usdm position risk": """symbol:s positionSide:s positionAmt:a entryPrice:a breakEvenPrice:a markPrice:a
     unRealizedProfit:a liquidationPrice:a isolatedMargin:a notional:a marginAsset:s isolatedWallet:a initialMargin:a
     maintMargin:a positionInitialMargin:a openOrderInitialMargin:a adl:i bidNotional:a askNotional:a updateTime:i""",
    "usdm symbol config": "symbol:s marginType:s isAutoAddMargin:b leverage:i maxNotionalValue:s",
    "usdm account config": """feeTier:i canTrade:b canDeposit:b canWithdraw:b dualSidePosition:b updateTime:i
     multiAssetsMargin:b tradeGroupId:i""",
    "usdm balance": """accountAlias:s asset:s balance:a crossWalletBalance:a crossUnPnl:a availableBalance:a
     maxWithdrawAmount:a marginAvailable:b updateTime:i""",
    "usdm leverage": "leverage:i maxNotionalValue:s symbol:s",
    "usdm premium index": """symbol:s markPrice:a indexPrice:a estimatedSettlePrice:a lastFundingRate:a interestRate:a
     nextFundingTime:i time:i""",
    "usdm commission rate": "symbol:s makerCommissionRate:a takerCommissionRate:a rpiCommissionRate:a",
    "usdm listen key": "listenKey:s",
    "usdm refusal": "code:i msg:s",
    # 4.9
    "ORDER_TRADE_UPDATE": "e:s E:i T:i o:O",
    "ORDER_TRADE_UPDATE o": """s:s c:s S:s o:s f:s q:a p:a ap:a sp:a x:s X:s i:i l:a z:a L:a n?:a N?:s T:i t:i b:a a:a
     m:b R:b wt:s ot:s ps:s cp:b rp:a pP:b si:i ss:i V:s pm:s gtd:i er:s AP?:a cr?:a M?:i""",
    "ALGO_UPDATE": "e:s T:i E:i o:O",
    "ALGO_UPDATE o": """caid:s aid:i at:s o:s s:s S:s ps:s f:s q:a X:s ai:s ap:a aq:a act:s tp:a p:a V:s wt:s pm:s cp:b
     pP:b R:b tt:i gtd:i rm:s AP?:a cr?:a ia?:b""",
    "ACCOUNT_UPDATE": "e:s E:i T:i a:O",
    "ACCOUNT_UPDATE a": "m:s S?:s B:A P?:A",
    "ACCOUNT_UPDATE B": "a:s wb:a cw:a bc:a",
    "ACCOUNT_UPDATE P": "s:s pa:a ep:a bep:a cr:a up:a mt:s iw:a ps:s ma:s",
    "ACCOUNT_CONFIG_UPDATE": "e:s E:i T:i ac:O",
    "ACCOUNT_CONFIG_UPDATE ac": "s:s l:i",
    "TRADE_LITE": "e:s E:i T:i s:s q:a p:a m:b c:s S:s L:a l:a t:i i:i",
    # 3.1 to 3.4
    "spot ACK": _ACK,
    "spot RESULT": f"{_ACK} {_STATE} {_WHEN}",
    "spot FULL": f"{_ACK} {_STATE} {_WHEN} fills:A",
    "spot fill": "price:a qty:a commission:a commissionAsset:s tradeId:i",
    "spot cancel": f"{_ACK} origClientOrderId:s {_STATE.replace('workingTime:i', '')} {_WHEN}",
    "spot query": f"""symbol:s orderId:i orderListId:i clientOrderId:s {_STATE} stopPrice:a icebergQty:a time:i
     updateTime:i isWorking:b expiryReason?:s""",
    "spot trade": """symbol:s id:i orderId:i orderListId:i price:a qty:a quoteQty:a commission:a commissionAsset:s
     time:i isBuyer:b isMaker:b isBestMatch:b""",
    "spot list": f"{_LIST} orderReports:A",
    "spot list query": _LIST,
    "spot list leg": "symbol:s orderId:i clientOrderId:s",
    "spot cancel replace": "cancelResult:s newOrderResult:s cancelResponse:O newOrderResponse:O",
    "spot amend": "transactTime:i executionId:i amendedOrder:O",
    "spot amended order": """symbol:s orderId:i orderListId:i origClientOrderId:s clientOrderId:s price:a qty:a
     executedQty:a preventedQty:a quoteOrderQty:a cumulativeQuoteQty:a status:s timeInForce:s type:s side:s
     workingTime?:i selfTradePreventionMode:s""",
    "spot balance": "asset:s free:a locked:a",
    "spot commission": "symbol:s standardCommission:O specialCommission:O taxCommission:O discount:O",
    "spot rates": "maker:a taker:a buyer:a seller:a",
    "spot discount": "enabledForAccount:b enabledForSymbol:b discountAsset:s discount:a",
    "spot refusal": "code:i msg:s",
    # 3.7
    "executionReport": """e:s E:i s:s c:s S:s o:s f:s q:a p:a P:a F:a g:i C:s x:s X:s r:s i:i l:a z:a L:a n:a N:n T:i
     t:i I:i w:b m:b M:b O:i Z:a Y:a Q:a W?:i V:s eR?:s""",
    "listStatus": "e:s E:i s:s g:i c:s l:s L:s r:s C:s T:i O:A",
    "listStatus O": "s:s i:i c:s",
    "outboundAccountPosition": "e:s E:i u:i B:A",
    "outboundAccountPosition B": "a:s f:a l:a",
    "balanceUpdate": "e:s E:i a:s d:a T:i",
    # 5
    "usdm bookTicker": "e:s u:i E:i T:i s:s ps:s b:a B:a a:a A:a st:i",
    "usdm depth": "e:s E:i T:i s:s U:i u:i pu:i b:A a:A ps:s st:i",
    "usdm aggTrade": "e:s E:i a:i s:s p:a q:a nq:a f:i l:i T:i m:b st:i",
    "usdm markPrice": "e:s E:i s:s p:a ap:a i:a P:a r:a T:i st:i",
    "spot bookTicker": "u:i s:s b:a B:a a:a A:a",
    "spot depth": "e:s E:i s:s U:i u:i b:A a:A",
    "spot aggTrade": "e:s E:i s:s a:i p:a q:a f:i l:i T:i m:b M:b",
    # 6
    "transfer": "tranId:i",
    "transfers": "total:i rows:A",
    "transfers row": "asset:s amount:a type:s status:s tranId:i timestamp:i",
}
_KINDS: dict[str, Any] = {
    "a": Annotated[str, msgspec.Meta(pattern=r"^-?[0-9]+(\.[0-9]+)?$")],
    "s": str, "i": int, "b": bool, "n": str | None, "A": list[Any], "O": dict[str, Any],
}  # fmt: skip


def struct(shape: str) -> type[msgspec.Struct]:
    """A strict struct of a shape."""
    named: list[Any] = []
    for word in shape.split():
        name, _, kind = word.partition(":")
        if name.endswith("?"):
            named.append((name[:-1], msgspec.UnsetType | _KINDS[kind], msgspec.UNSET))
        else:
            named.append((name, _KINDS[kind]))
    return msgspec.defstruct("Shape", named, forbid_unknown_fields=True, kw_only=True)


STRUCTS = {name: struct(shape) for name, shape in SHAPES.items()}


def fault(name: str, payload: Any) -> str | None:
    """What is wrong with a payload that should have shape ``name``; ``None``: it goes round and is the same."""
    wire = msgspec.json.encode(payload)
    try:
        read = msgspec.json.decode(wire, type=STRUCTS[name])
    except msgspec.ValidationError as wrong:
        return str(wrong)
    again = msgspec.json.decode(msgspec.json.encode(read))
    return None if again == payload else f"differs: {again} / {payload}"


class Owner:
    """Somebody with money on both markets of a new twin, who hears everything."""

    def __init__(self) -> None:
        self.now = NOW_MS
        self.twin = Twin(now_ms=self.now, accounts=(RICH,), limits=False)
        for stream in ("bookTicker", "depth@100ms", "aggTrade", "markPrice@1s"):
            for route in ("public", "market", "spot"):
                self.twin.subscribe(route, f"btcusdt@{stream}")
        self.heard: list[tuple[str, str, Any]] = []  # route, channel, payload
        self.quote()

    def quote(self, bid: str = "65799.9", later_ms: int = 200) -> None:
        self.now = Millis(self.now + later_ms)
        low = D(bid)
        for market, step in ((Market.FUT, D("0.1")), (Market.SPOT, D("0.01"))):
            touch = TopOfBook(
                symbol="BTCUSDT", at_us=self.now * 1000, bid=Price(low), bid_qty=Qty(D(5)), ask=Price(low + step),
                ask_qty=Qty(D(5)),
            )  # fmt: skip
            self.twin.market(touch, self.now, market)
            far = (Level(price=Price(low - 1), qty=Qty(D(self.now % 7 + 1))),)
            deep = DepthChanged(symbol="BTCUSDT", at_us=self.now * 1000, bids=far, asks=())
            self.twin.market(deep, self.now, market)
            print_ = Traded(
                symbol="BTCUSDT", at_us=self.now * 1000, price=Price(low), qty=Qty(D("0.01")), taker=Side.SELL
            )
            self.twin.market(print_, self.now, market)
        mark = Marked(
            symbol="BTCUSDT", at_us=self.now * 1000, mark=Price(low), index=Price(low), funding_rate=D("0.0001"),
            next_funding_ms=Millis(self.now + 3_600_000),
        )  # fmt: skip
        self.twin.market(mark, self.now)
        self.twin.tick(self.now)
        self.hear()

    def hear(self) -> None:
        self.heard += [(frame.route, frame.channel, frame.json()) for frame in self.twin.drain()]

    def call(self, method: str, path: str, **params: Any) -> Any:
        query = urlencode(params | {"timestamp": self.now})
        query += "&signature=" + signature(RICH.secret.encode(), query)
        request = WireRequest(method=method, path=path, query=query, headers={"X-MBX-APIKEY": RICH.api_key})
        answer = self.twin.handle(request, self.now).json()
        self.hear()
        return answer

    def public_call(self, target: str) -> Any:
        path, _, query = target.partition("?")
        return self.twin.handle(WireRequest(method="GET", path=path, query=query), self.now).json()

    def events(self, route: str, kind: str) -> Iterator[Any]:
        return (payload for where, _, payload in self.heard if where == route and payload.get("e") == kind)

    def public(self, route: str, stream: str) -> Iterator[Any]:
        return (payload for where, channel, payload in self.heard if where == route and channel == f"btcusdt@{stream}")


def shown() -> Iterator[tuple[str, Any]]:
    """Payloads of the twin, each under the shape it must have; together they show every shape."""
    owner = Owner()
    yield from _futures(owner)
    yield from _spot(owner)
    yield from _heard(owner)


def _futures(owner: Owner) -> Iterator[tuple[str, Any]]:
    call = owner.call
    yield "usdm listen key", call("POST", "/fapi/v1/listenKey")
    yield "usdm leverage", call("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=10)
    terms = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTX", "quantity": "0.010"}
    placed = call("POST", "/fapi/v1/order", **terms, price="65000")
    yield "usdm place", placed
    yield "usdm query", call("GET", "/fapi/v1/order", symbol="BTCUSDT", orderId=placed["orderId"])
    yield "usdm cancel", call("DELETE", "/fapi/v1/order", symbol="BTCUSDT", orderId=placed["orderId"])
    yield "usdm refusal", call("DELETE", "/fapi/v1/order", symbol="BTCUSDT", orderId=placed["orderId"])
    taken = {"symbol": "BTCUSDT", "type": "MARKET", "newOrderRespType": "RESULT"}
    yield "usdm place", call("POST", "/fapi/v1/order", **taken, side="BUY", quantity="0.010")
    yield "usdm position risk", call("GET", "/fapi/v3/positionRisk", symbol="BTCUSDT")[0]
    yield "usdm trade", call("GET", "/fapi/v1/userTrades", symbol="BTCUSDT")[0]
    stop = {"algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET", "quantity": "0.005"}
    waits = call("POST", "/fapi/v1/algoOrder", **stop, triggerPrice="65700", workingType="MARK_PRICE")
    yield "usdm algo place", waits
    drawn = call("POST", "/fapi/v1/algoOrder", **stop, triggerPrice="64000")
    yield "usdm algo cancel", call("DELETE", "/fapi/v1/algoOrder", algoId=drawn["algoId"])
    trailing = {"algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": "SELL", "type": "TRAILING_STOP_MARKET"}
    yield "usdm algo place", call("POST", "/fapi/v1/algoOrder", **trailing, quantity="0.001", callbackRate="5")
    owner.quote("65600.0")
    yield "usdm algo query", call("GET", "/fapi/v1/algoOrder", algoId=waits["algoId"])
    yield "usdm symbol config", call("GET", "/fapi/v1/symbolConfig", symbol="BTCUSDT")[0]
    yield "usdm account config", call("GET", "/fapi/v1/accountConfig")
    yield "usdm balance", call("GET", "/fapi/v3/balance")[0]
    yield "usdm premium index", owner.public_call("/fapi/v1/premiumIndex?symbol=BTCUSDT")
    yield "usdm commission rate", call("GET", "/fapi/v1/commissionRate", symbol="BTCUSDT")
    yield "usdm countdown", call("POST", "/fapi/v1/countdownCancelAll", symbol="BTCUSDT", countdownTime=120000)
    yield "usdm cancel all", call("DELETE", "/fapi/v1/allOpenOrders", symbol="BTCUSDT")


def _spot(owner: Owner) -> Iterator[tuple[str, Any]]:
    call = owner.call
    limit = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
    rests = call("POST", "/api/v3/order", **limit, price="60000", newOrderRespType="ACK")
    yield "spot ACK", rests
    yield "spot RESULT", call("POST", "/api/v3/order", **limit, price="61000", newOrderRespType="RESULT")
    yield "spot query", call("GET", "/api/v3/order", symbol="BTCUSDT", orderId=rests["orderId"])
    less = call("PUT", "/api/v3/order/amend/keepPriority", symbol="BTCUSDT", orderId=rests["orderId"], newQty="0.005")
    yield "spot amend", less
    yield "spot amended order", less["amendedOrder"]
    yield "spot cancel", call("DELETE", "/api/v3/order", symbol="BTCUSDT", orderId=rests["orderId"])
    yield "spot refusal", call("DELETE", "/api/v3/order", symbol="BTCUSDT", orderId=rests["orderId"])
    bought = call("POST", "/api/v3/order", symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.01")
    yield "spot FULL", bought
    yield "spot fill", bought["fills"][0]
    yield "spot trade", call("GET", "/api/v3/myTrades", symbol="BTCUSDT")[0]
    placed = call("POST", "/api/v3/order", **limit, price="62000")
    replaced = call(
        "POST", "/api/v3/order/cancelReplace", **limit, price="62500", cancelOrderId=placed["orderId"],
        cancelReplaceMode="STOP_ON_FAILURE",
    )  # fmt: skip
    yield "spot cancel replace", replaced
    yield "spot cancel", replaced["cancelResponse"]
    legs = {
        "aboveType": "LIMIT_MAKER", "abovePrice": "70000", "belowType": "STOP_LOSS_LIMIT", "belowStopPrice": "60000",
        "belowPrice": "59000", "belowTimeInForce": "GTC",
    }  # fmt: skip
    pair = call("POST", "/api/v3/orderList/oco", symbol="BTCUSDT", side="SELL", quantity="0.01", **legs)
    yield "spot list", pair
    yield "spot list leg", pair["orders"][0]
    for report in pair["orderReports"]:
        yield "spot RESULT", report
    yield "spot list query", call("GET", "/api/v3/orderList", orderListId=pair["orderListId"])
    yield "spot list", call("DELETE", "/api/v3/orderList", symbol="BTCUSDT", orderListId=pair["orderListId"])
    yield "spot balance", call("GET", "/api/v3/account")["balances"][0]
    rates = call("GET", "/api/v3/account/commission", symbol="BTCUSDT")
    yield "spot commission", rates
    for name in ("standardCommission", "specialCommission", "taxCommission"):
        yield "spot rates", rates[name]
    yield "spot discount", rates["discount"]
    yield "transfer", call("POST", "/sapi/v1/asset/transfer", type="MAIN_UMFUTURE", asset="USDT", amount="10")
    owner.quote("65600.1", later_ms=60_000)
    told = call("GET", "/sapi/v1/asset/transfer", type="MAIN_UMFUTURE")
    yield "transfers", told
    yield from (("transfers row", row) for row in told.get("rows", ()))


def _heard(owner: Owner) -> Iterator[tuple[str, Any]]:
    inner = {"ORDER_TRADE_UPDATE": "o", "ALGO_UPDATE": "o", "ACCOUNT_UPDATE": "a", "ACCOUNT_CONFIG_UPDATE": "ac"}
    for kind in (*inner, "TRADE_LITE"):
        for event in owner.events(PRIVATE, kind):
            yield kind, event
            if kind in inner:
                yield f"{kind} {inner[kind]}", event[inner[kind]]
            if kind == "ACCOUNT_UPDATE":
                yield from (("ACCOUNT_UPDATE B", row) for row in event["a"]["B"])
                yield from (("ACCOUNT_UPDATE P", row) for row in event["a"].get("P", ()))
    for kind, rows in (
        ("executionReport", ""), ("listStatus", "O"), ("outboundAccountPosition", "B"), ("balanceUpdate", ""),
    ):  # fmt: skip
        for event in owner.events(SPOT_PRIVATE, kind):
            yield kind, event
            yield from ((f"{kind} {rows}", row) for row in event.get(rows, ()) if rows)
    for name, route, stream in (
        ("usdm bookTicker", "public", "bookTicker"), ("usdm depth", "public", "depth@100ms"),
        ("usdm aggTrade", "market", "aggTrade"), ("usdm markPrice", "market", "markPrice@1s"),
        ("spot bookTicker", "spot", "bookTicker"), ("spot depth", "spot", "depth@100ms"),
        ("spot aggTrade", "spot", "aggTrade"),
    ):  # fmt: skip
        yield from ((name, payload) for payload in owner.public(route, stream))
