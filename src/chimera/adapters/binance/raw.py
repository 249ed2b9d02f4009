"""Binance USD-M as it is: endpoints, weights, and what its door has of its own. The calls are ``signed``'s."""

from typing import Final

from chimera.adapters.binance.governor import FALLBACK, Governor
from chimera.adapters.binance.order_socket import OrderSocket
from chimera.adapters.binance.outcomes import throttled, trouble
from chimera.adapters.binance.sign import Signer
from chimera.adapters.binance.signed import ORDER_RECV_WINDOW_MS, Dialect, Endpoint, Security, SignedAccount
from chimera.adapters.binance.transport import Transport
from chimera.ports.clock import Clock
from chimera.trading.rates import Lane

PLACE_ORDER: Final = Endpoint(method="POST", path="/fapi/v1/order", order=True, weight=0, orders=1, lane=Lane.OPEN)
TEST_ORDER: Final = Endpoint(method="POST", path="/fapi/v1/order/test", order=True)
CANCEL_ORDER: Final = Endpoint(method="DELETE", path="/fapi/v1/order", order=True, lane=Lane.CANCEL)
GET_ORDER: Final = Endpoint(method="GET", path="/fapi/v1/order", lane=Lane.SIGHT)
ALL_ORDERS: Final = Endpoint(method="GET", path="/fapi/v1/allOrders", weight=5)
OPEN_ORDERS: Final = Endpoint(method="GET", path="/fapi/v1/openOrders", weight_all=40, lane=Lane.SIGHT)
PLACE_ALGO: Final = Endpoint(
    method="POST", path="/fapi/v1/algoOrder", order=True, weight=0, orders=1, lane=Lane.PROTECT
)
CANCEL_ALGO: Final = Endpoint(method="DELETE", path="/fapi/v1/algoOrder", order=True, lane=Lane.CANCEL)
GET_ALGO: Final = Endpoint(method="GET", path="/fapi/v1/algoOrder", lane=Lane.SIGHT)
OPEN_ALGOS: Final = Endpoint(method="GET", path="/fapi/v1/openAlgoOrders", weight_all=40, lane=Lane.SIGHT)
POSITION_RISK: Final = Endpoint(method="GET", path="/fapi/v3/positionRisk", weight=5, lane=Lane.SIGHT)
USER_TRADES: Final = Endpoint(method="GET", path="/fapi/v1/userTrades", weight=5, lane=Lane.SIGHT)
BALANCE: Final = Endpoint(method="GET", path="/fapi/v3/balance", weight=5, lane=Lane.OPEN)
INCOME: Final = Endpoint(method="GET", path="/fapi/v1/income", weight=30)
COMMISSION_RATE: Final = Endpoint(method="GET", path="/fapi/v1/commissionRate", weight=20, lane=Lane.OPEN)
FEE_BURN: Final = Endpoint(method="GET", path="/fapi/v1/feeBurn", weight=30, lane=Lane.OPEN)
ACCOUNT_CONFIG: Final = Endpoint(method="GET", path="/fapi/v1/accountConfig", weight=5, lane=Lane.SIGHT)
SYMBOL_CONFIG: Final = Endpoint(method="GET", path="/fapi/v1/symbolConfig", weight=5, lane=Lane.OPEN)
LEVERAGE_BRACKET: Final = Endpoint(method="GET", path="/fapi/v1/leverageBracket", slow=True)
SET_MARGIN_TYPE: Final = Endpoint(method="POST", path="/fapi/v1/marginType", lane=Lane.OPEN)
SET_LEVERAGE: Final = Endpoint(method="POST", path="/fapi/v1/leverage", lane=Lane.OPEN)
OPEN_LISTEN_KEY: Final = Endpoint(method="POST", path="/fapi/v1/listenKey", security=Security.KEY, lane=Lane.SIGHT)
KEEP_LISTEN_KEY: Final = Endpoint(method="PUT", path="/fapi/v1/listenKey", security=Security.KEY, lane=Lane.SIGHT)
SERVER_TIME: Final = Endpoint(method="GET", path="/fapi/v1/time", security=Security.NONE, lane=Lane.SIGHT)
EXCHANGE_INFO: Final = Endpoint(
    method="GET", path="/fapi/v1/exchangeInfo", security=Security.NONE, slow=True, lane=Lane.SIGHT
)
BOOK_TICKER: Final = Endpoint(
    method="GET", path="/fapi/v1/ticker/bookTicker", security=Security.NONE, weight=2, weight_all=5, lane=Lane.OPEN
)
PREMIUM_INDEX: Final = Endpoint(
    method="GET", path="/fapi/v1/premiumIndex", security=Security.NONE, weight_all=10, lane=Lane.SIGHT
)

FUTURES: Final = Dialect(
    server_time=SERVER_TIME,
    place=PLACE_ORDER,
    counts=("x-mbx-used-weight-1m", "x-mbx-order-count-10s", "x-mbx-order-count-1m"),
    limits=FALLBACK,
    trouble=trouble,
    throttled=throttled,
)


class RawFutures(SignedAccount):
    """One USD-M account's calls."""

    def __init__(
        self,
        transport: Transport,
        key: str,
        signer: Signer,
        clock: Clock,
        *,
        recv_window_ms: int = ORDER_RECV_WINDOW_MS,
        governor: Governor | None = None,
        socket: OrderSocket | None = None,
    ) -> None:
        super().__init__(
            FUTURES,
            transport,
            key,
            signer,
            clock,
            recv_window_ms=recv_window_ms,
            governor=governor,
            socket=socket,
        )
