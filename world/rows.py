"""Which rows of the fault matrix (docs/fault-matrix.md) each fault of the world plays, by its name on the tape.

A row named here is played in every campaign whose swarm draws that fault, at moments nobody chose; what must hold then
is the oracle's to say. The rows' words and their status are ``docs/fault-matrix.toml``'s.
"""

from collections.abc import Mapping
from typing import Final

ROWS: Final[Mapping[str, tuple[str, ...]]] = {
    # processes and clocks
    "kill": ("A1", "A2", "A3", "A4", "A5", "A7"),
    "rekill": ("A8",),
    "s3_kill": ("F18",),
    "pause": ("A11",),
    "stall": ("A12",),
    "clock_step": ("A15",),
    "clock_skew": ("A16", "B10"),
    "operator": ("G6",),
    # several routers
    "heir_kill": ("A1",),
    "heir_hand_over": ("A9",),
    "heir_freeze": ("A11", "D4"),
    "heir_clock": ("A15",),
    "heir_cut_bus": ("D13",),
    "heir_cut_ledger": ("E1", "D4"),
    # requests
    "drop_reply": ("B1", "B19"),
    "reset_reply": ("B1",),
    "drop_request": ("B2",),
    "slow_request": ("B3",),
    "slow_entry": ("B3",),
    "slow_reply": ("B4", "C1"),
    "unknown_503": ("B5",),
    "unexpected_1006": ("B5",),
    "timeout_1007": ("B5",),
    "overloaded_503": ("B5",),
    "internal_503": ("B5",),
    "unavailable_503": ("B6",),
    "rate_limit_storm": ("B7",),
    "throttled_503": ("B11",),
    "balance_too_low": ("B14",),
    "read_lag": ("B16",),
    "trades_lag": ("B16",),
    "algo_unread": ("B17",),
    "zero_read": ("B26",),
    "away_venue": ("A19", "B13", "C8"),
    "maintenance": ("B13",),
    # stops and symbols
    "stop_refused": ("B36",),
    "stuck_triggering": ("B21",),
    "trigger_partial_fill": ("B40",),
    "cancel_crossed": ("B18", "B40"),
    "cancel_only": ("B29",),
    # other hands
    "adl": ("B30",),
    "cancel_all": ("B31",),
    "close": ("B32", "G9"),
    "rest": ("B32",),
    # streams
    "frame_delay": ("C1", "C2"),
    "end_delay": ("C2",),
    "frame_duplicate": ("C3",),
    "frame_drop": ("C4",),
    "stream_cut": ("C4",),
    "stream_stall": ("C5",),
    "listen_key_lost": ("C6",),
    # stores
    "away_bus": ("D13",),
    "failover": ("D2",),
    "bus_fail_after": ("D6",),
    "bus_slow": ("D17",),
    "away_ledger": ("E1",),
    "ledger_fail_before": ("E1",),
    "ledger_fail_after": ("E2",),
    "ledger_slow": ("E8",),
    "ledger_torn": ("E9",),
    # callers
    "link_double": ("F5",),
    "link_answer_lost": ("F5",),
}
