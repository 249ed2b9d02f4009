"""A desk that also asks the wallets."""

from decimal import Decimal
from typing import Any

from trading_desk import Desk

from chimera.simulate.keeping.whole import Kept
from chimera.simulate.twin import Twin
from chimera.wire import codec

SEND = "/sapi/v1/asset/transfer"
THERE, BACK = "MAIN_UMFUTURE", "UMFUTURE_MAIN"


class Treasurer(Desk):
    """It has 10,000 USDT on spot and 100,000 on futures."""

    def sapi(self, method: str, path: str = SEND, **params: Any) -> tuple[int, Any]:
        return self.raw(method, path, self.signed(**params))

    def move(self, amount: str, route: str = THERE, asset: str = "USDT") -> int:
        status, body = self.sapi("POST", type=route, asset=asset, amount=amount)
        assert status == 200, body
        return int(body["tranId"])

    def refused(self, **params: Any) -> tuple[int, int]:
        status, body = self.sapi("POST", **{"type": THERE, "asset": "USDT", "amount": "1"} | params)
        assert status != 200, body
        return status, body["code"]

    def history(self, route: str = THERE, **params: Any) -> Any:
        status, body = self.sapi("GET", type=route, **params)
        assert status == 200, body
        return body

    def wallets(self) -> tuple[Decimal, Decimal]:
        spot = self.twin.spot.floor.accounts["main"].balance("USDT")
        return spot.free, self.twin.usdm.floor.accounts["main"].wallet


def kept_of(twin: Twin) -> Kept:
    """As it would stand in the file, not closed cleanly."""
    return codec.unseal(codec.seal(twin.keep()), Kept)
