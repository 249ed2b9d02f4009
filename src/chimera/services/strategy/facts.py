"""What S3 looks at before deciding, read from the board in one call.

A document that cannot be read, or that names another symbol or account than its key, is as if it were not there, and
``unreadable`` says so: nothing is guessed. Reading leaves no trace, so a dry run may look, too.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, TypeVar

import msgspec

from chimera.ports.ledger import Rows
from chimera.ports.streams import Snapshots
from chimera.trading.budget import RiskBudget
from chimera.trading.decision import Feature
from chimera.trading.errors import NewerSchema
from chimera.trading.market import Market, Touch
from chimera.trading.money import Millis, sound
from chimera.trading.value import Value
from chimera.wire import codec
from chimera.wire.board import FeatureBoard, Tick
from chimera.wire.budget import read_budget
from chimera.wire.keys import SIGNALS, features_key, risk_budget_key, spot_tick_key, tick_key

NO_NUMBER: Final = Decimal("NaN")

V = TypeVar("V")


@dataclass(frozen=True)
class Facts:
    """Of one symbol at one moment; None and empty are what nobody has told.

    ``lent``: spot has futures' touch, since the board has no other tick of the symbol (RD-1 names one for both).
    """

    touches: Mapping[Market, Touch] = field(default_factory=dict)
    budget: RiskBudget | None = None
    features: Mapping[str, Feature] = field(default_factory=dict)
    unreadable: tuple[tuple[str, str], ...] = ()  # key and what is wrong
    lent: bool = False
    away: str = ""  # why nothing could be looked at at all


class _NamedTick(Tick, tag=False, forbid_unknown_fields=False, kw_only=True):
    symbol: str = ""  # another system's tick may leave it out


class _Parts(Value, tag=False, forbid_unknown_fields=False):
    """A ``FeatureBoard`` whose factors are not looked at."""

    symbol: str
    at_ms: Millis
    features: dict[str, msgspec.Raw]


class Board:
    def __init__(self, snapshots: Snapshots, ledger: Rows, account_id: str) -> None:
        self._snapshots = snapshots
        self._ledger = ledger
        self._account_id = account_id

    async def look(self, symbol: str) -> Facts:
        """Raises ``StoreUnavailable`` of the bus (or of the ledger, where the cache has no features).

        Both markets' touches, since a rule may choose; features are one set per symbol.
        """
        keys = (tick_key(symbol), spot_tick_key(symbol), features_key(symbol), risk_budget_key(self._account_id))
        futures, spot, features, budget = await self._snapshots.get_many(keys)
        reading = _Reading()
        known: Mapping[str, Feature] | None = reading.of(
            keys[2], lambda: None if features is None else _board(features, symbol, reading, keys[2])
        )
        if known is None:
            known = await self._of_newest_signal(symbol, reading)
        touches = {Market.FUT: reading.of(keys[0], lambda: None if futures is None else _touch(futures, symbol))}
        own = reading.of(keys[1], lambda: None if spot is None else _touch(spot, symbol))
        lent = spot is None and touches[Market.FUT] is not None
        touches[Market.SPOT] = touches[Market.FUT] if lent else own
        return Facts(
            touches={market: touch for market, touch in touches.items() if touch is not None},
            budget=reading.of(keys[3], lambda: None if budget is None else self._budget(budget)),
            features=known,
            unreadable=tuple(reading.wrong),
            lent=lent,
        )

    def _budget(self, document: bytes) -> RiskBudget:
        budget = read_budget(document)
        _check(budget.account_id, self._account_id)
        return budget

    async def _of_newest_signal(self, symbol: str, reading: "_Reading") -> Mapping[str, Feature]:
        """With the ages they had then."""
        newest = await self._ledger.find(SIGNALS, where={"symbol": symbol}, newest=1)
        if not newest:
            return {}
        features = newest[0].get("features", {})
        return reading.of(f"{SIGNALS} of {symbol}", lambda: _features(_stored(features))) or {}


def _touch(document: bytes, symbol: str) -> Touch:
    tick = msgspec.json.decode(document, type=_NamedTick, strict=False)
    _check(tick.symbol or symbol, symbol)
    return tick.touch()


def _board(document: bytes, symbol: str, reading: "_Reading", key: str) -> Mapping[str, Feature]:
    try:
        board = codec.decode(document, FeatureBoard)
    except msgspec.ValidationError:
        board = _in_parts(document, reading, key)
    _check(board.symbol, symbol)
    return _features(board.features)


def _in_parts(document: bytes, reading: "_Reading", key: str) -> FeatureBoard:
    """Factor by factor: one that is damaged is that one's fault alone. Raises ``ValueError`` where it is no board."""
    board = msgspec.json.decode(document, type=_Parts)
    features = {}
    for name, part in board.features.items():
        try:
            features[name] = msgspec.json.decode(part, type=Feature, strict=False)
        except msgspec.DecodeError as wrong:
            reading.wrong.append((f"{key} {name}", f"{key}: {name} cannot be read: {wrong}"))
            features[name] = Feature(value=NO_NUMBER, at_ms=board.at_ms)
    return FeatureBoard(symbol=board.symbol, at_ms=board.at_ms, features=features)


def _check(named: str, ours: str) -> None:
    """Raises ``ValueError``."""
    if named != ours:
        raise ValueError(f"it is of {named}")


def _stored(document: object) -> dict[str, Feature]:
    return msgspec.convert(document, dict[str, Feature], strict=False)


def _features(features: Mapping[str, Feature]) -> Mapping[str, Feature]:
    """What is no number stays a factor, as NaN: deciding names it where it is needed, and only there."""
    if all(sound(feature.value) for feature in features.values()):
        return features
    return {name: each if sound(each.value) else each.but(value=NO_NUMBER) for name, each in features.items()}


class _Reading:
    """Collects what could not be read."""

    def __init__(self) -> None:
        self.wrong: list[tuple[str, str]] = []

    def of(self, key: str, read: Callable[[], V | None]) -> V | None:
        try:
            return read()
        except (ValueError, NewerSchema) as wrong:  # msgspec.DecodeError is a ValueError
            self.wrong.append((key, f"{key} cannot be read: {wrong}"))
            return None
