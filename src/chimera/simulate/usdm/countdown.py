"""The dead man's switch, ``countdownCancelAll``: per account and symbol one timer, each call replaces it.

Whether it takes untriggered conditional orders too is not documented (binance.md 4.4): the exchange has a switch.
"""


class Countdowns:
    """Running timers: when each fires, in ms."""

    def __init__(self) -> None:
        self.due_ms: dict[tuple[str, str], int] = {}

    def set(self, account: str, symbol: str, span_ms: int, now_ms: int) -> None:
        """Fire ``span_ms`` from now; 0 stops the timer."""
        self.due_ms.pop((account, symbol), None)
        if span_ms:
            self.due_ms[account, symbol] = now_ms + span_ms

    def fired(self, now_ms: int) -> list[tuple[str, str]]:
        """Accounts and symbols whose time has come, earliest first; their timers are gone."""
        due = sorted((at, key) for key, at in self.due_ms.items() if at <= now_ms)
        for _, key in due:
            del self.due_ms[key]
        return [key for _, key in due]
