"""What ``chimera up`` was asked for."""

from pathlib import Path

from chimera.trading.market import Side
from chimera.trading.value import Value


class Ports(Value):
    """Where each service listens on 127.0.0.1; 0 is any free one. ``spot`` None: the next after the simulator's.

    ``s4``: of the first router; further ones have the next.
    """

    simulator: int = 9020
    spot: int | None = None
    s3: int = 8083
    s4: int = 8084
    console: int = 8080
    alerts: int = 8090


class UpOptions(Value):
    """``speed``: market seconds per wall second; 1.0 is real processes in wall time, anything else the virtual-time
    stage, and None as fast as it goes. ``routers``: of the one account; one of them acts. ``record``: where the market
    is written as captures; None: nowhere.
    """

    market: Path | None = None
    seed: int = 1
    symbol: str = "BTCUSDT"
    speed: float | None = 1.0
    headless: bool = False
    exit_after: int | None = None
    audit: Path | None = None
    state: Path = Path(".state")
    max_hold_s: int = 60
    sides: tuple[Side | None, ...] = (Side.BUY, Side.SELL)
    every_s: float = 3.0
    ports: Ports = Ports()
    console: bool = True
    routers: int = 1
    record: Path | None = None
