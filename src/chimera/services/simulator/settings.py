"""What the simulator's process is told: where it listens, how fast its market runs, what it writes where."""

from decimal import Decimal
from pathlib import Path

from chimera.simulate.spot.pair import SPOT_DEMO
from chimera.simulate.usdm.perpetual import DEMO
from chimera.simulate.venue.account_spec import READY_ACCOUNT, AccountSpec
from chimera.trading.instrument import Instrument
from chimera.trading.value import Value


class SimulatorSettings(Value):
    """Read once by the caller.

    ``port`` serves REST of both markets and futures' WebSockets, ``spot_port`` the same REST and spot's WebSockets.
    ``speed``: market seconds per wall second, ``math.inf`` as fast as it goes. ``state_file``: what the
    venue carries on from after a restart (accounts, positions, orders, history); without one it begins anew each time.
    ``audit_file``: JSON lines; appended to by a venue that carries on, else replaced at start. ``audit_keep``: how many
    records stay readable at ``/sim/audit``. ``limits``: refuse who calls more than Binance allows.
    ``countdown_takes_algos``: the futures dead man's switch ends waiting conditional orders too. ``queue_share``: how
    much of the displayed size stands before an order that begins to rest.
    """

    host: str = "127.0.0.1"
    port: int = 9020  # 0: any free one
    spot_port: int | None = None  # the next after ``port``; 0: any free one
    seed: int = 0
    speed: float = 1.0
    instruments: tuple[Instrument, ...] = DEMO  # futures
    spot: tuple[Instrument, ...] = SPOT_DEMO
    accounts: tuple[AccountSpec, ...] = (READY_ACCOUNT,)
    state_file: Path | None = None
    audit_file: Path | None = None
    audit_keep: int = 100_000
    limits: bool = True
    countdown_takes_algos: bool = False
    queue_share: Decimal = Decimal(1)
