"""The market a simulated venue runs on: captures from files side by side, or the seeded synthetic one.

A capture's market is the word before its path (``spot:FILE``, ``fut:FILE``), else how its file is called (``spot-…``,
``usdm-…``, as ``chimera record`` and public archives name them), else futures. A folder stands for its captures: one of
them that is damaged is told and left out, from where the damage begins, and is no reason to refuse the others; one that
was named itself is refused. A file may hold several symbols. Files that show the same symbols of one market are one
recording in parts and follow each other (``chimera.tape.parts``); files that share some of them and not all are
refused. Bad lines of a capture are passed over, told and counted, not guessed (``capture_told``).

A synthetic market has each symbol on futures, on spot, or on both; where on both, spot follows the futures' fair price
(``chimera.tape.synthetic.Together``). The first symbol's futures are what the seed alone gives; every other one
has a seed made of that and its name.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias, TypeVar

import structlog

from chimera.adapters.binance import capture_file
from chimera.services.simulator import capture_told
from chimera.services.simulator.listings import KNOWN, profile_of, rules_of, shown, start_price
from chimera.tape.beside import Placed, Tape, in_time_order, side_by_side, start_of
from chimera.tape.capture import split_line
from chimera.tape.hand import Hand
from chimera.tape.parts import Part, Pauses, one_after_another
from chimera.tape.reader import FrameRefused
from chimera.tape.synthetic import START_US, Synthetic, Together
from chimera.trading.errors import Refused
from chimera.trading.ids import Symbol
from chimera.trading.instrument import Instrument
from chimera.trading.market import Market, MarketEvent
from chimera.trading.value import Value

log = structlog.get_logger()

LOOKED_AT: Final = 3_000  # events from which an unknown symbol's tick and step are read
BOTH: Final = (Market.FUT, Market.SPOT)
_WORDS: Final = {"fut": Market.FUT, "spot": Market.SPOT}
_NAMES: Final = {"usdm": Market.FUT, "fut": Market.FUT, "spot": Market.SPOT}


T = TypeVar("T")
LeftOut: TypeAlias = Callable[[str], None]  # hears of each capture that is not used, and of what of one is not


def _logged(what: str) -> None:
    log.warning("capture_left_out", why=what)


class MarketFile(Value):
    """A capture and whose market it is. ``found``: in a folder; else it was named itself."""

    path: Path
    market: Market
    found: bool = False


class OpenedMarket:
    """``events`` may be run once; ``start_us`` is the time of the first. ``instruments`` are the futures."""

    def __init__(
        self,
        events: Iterator[Placed],
        start_us: int,
        symbols: tuple[Symbol, ...],
        known: list[Instrument],
        hands: Mapping[str, Hand] | None = None,
    ) -> None:
        """``hands``: on the synthetic ones, by symbol."""
        self.events = events
        self.start_us = start_us
        self.symbols = symbols
        self.hands = hands or {}
        self.instruments = tuple(each for each in known if each.market is Market.FUT)
        self.spot = tuple(each for each in known if each.market is Market.SPOT)

    @property
    def symbol(self) -> Symbol:
        """The first."""
        return self.symbols[0]


def files_named(words: str, left_out: LeftOut = _logged) -> tuple[MarketFile, ...]:
    """``FILE[,FILE...]``, each with its market; a folder is all captures in it, of which those that cannot be read are
    told to ``left_out``. Raises ``Refused`` for none there.
    """
    parts = [words] if _path(words).exists() else words.split(",")  # a file may have a comma in its name
    named = [file for word in parts if word.strip() for file in _files(word.strip())]
    return tuple(file for file, _ in spared(named, lambda file: begun_us(file.path) if file.found else 0, left_out))


def spared(
    files: Iterable[MarketFile], use: Callable[[MarketFile], T], left_out: LeftOut = _logged
) -> Iterator[tuple[MarketFile, T]]:
    """Each file that is of use, with what ``use`` made of it, which raises ``Refused`` for one that is not. That is
    told and passed over if it was found in a folder; the last such refusal is raised where nothing was of use.
    """
    made, last = False, None
    for file in files:
        try:
            found = use(file)
        except Refused as no:
            if not file.found:
                raise
            last = no
            left_out(f"{file.path.name} is left out: {no.message}")
            continue
        made = True
        yield file, found
    if last is not None and not made:
        raise last


def begun_us(path: Path) -> int:
    """Receive time of a capture's first line. Raises ``Refused``."""
    try:
        for line in capture_file.lines(path):
            return split_line(line.strip())[0]
    except (OSError, FrameRefused) as error:
        raise _unread(path, error) from error
    raise _refused(f"{path} has no line")


def open_captures(files: Sequence[MarketFile], left_out: LeftOut = _logged) -> OpenedMarket:
    """Captures side by side, those of the same symbols one after another. Raises ``Refused`` for a file of no use."""
    found = [_Beginning(file, head) for file, head in spared(files, _beginning, left_out)]
    recordings: dict[tuple[Market, frozenset[Symbol]], list[_Beginning]] = {}
    for each in found:
        recordings.setdefault((each.file.market, each.symbols), []).append(each)
    _check_apart(recordings)
    pauses = Pauses(each.begun_us for each in found)
    tapes = [_tape(market, parts, pauses, left_out) for (market, _), parts in recordings.items()]
    seen: dict[tuple[Market, Symbol], Instrument] = {}
    for (market, _), parts in recordings.items():
        looks = [event for part in parts for event in part.head]
        for symbol in dict.fromkeys(Symbol(event.symbol) for event in looks):
            seen[market, symbol] = shown(symbol, market, [event for event in looks if event.symbol == symbol])
    symbols = tuple(dict.fromkeys(symbol for _, symbol in seen))
    return OpenedMarket(side_by_side(tapes), start_of(tapes), symbols, _with_known(seen))


class _Beginning(NamedTuple):
    """A capture's first events, by which it is known what it is of."""

    file: MarketFile
    head: list[MarketEvent]

    @property
    def begun_us(self) -> int:
        return self.head[0].at_us

    @property
    def symbols(self) -> frozenset[Symbol]:
        return frozenset(Symbol(event.symbol) for event in self.head)


def _check_apart(recordings: Mapping[tuple[Market, frozenset[Symbol]], Sequence[_Beginning]]) -> None:
    """Raises ``Refused`` for two that share some symbols: neither side by side nor one after the other."""
    first: dict[tuple[Market, Symbol], MarketFile] = {}
    for (market, symbols), parts in recordings.items():
        for symbol in sorted(symbols):
            other = first.setdefault((market, symbol), parts[0].file)
            if other is not parts[0].file:
                both = f"{other.path} and {parts[0].file.path} both show {symbol} of {market}"
                raise _refused(f"{both}, and not the same symbols: name those that go together")


def _tape(market: Market, parts: Sequence[_Beginning], pauses: Pauses, left_out: LeftOut) -> Tape:
    """Each file is opened when it is its turn: a folder may hold more of them than a process may have open."""

    def part_of(each: _Beginning) -> Part:
        def late() -> None:
            left_out(f"{each.file.path.name} is left out as far as the file before it shows the same")

        events = _listed(each.file, each.symbols, events_of(each.file, left_out), left_out)
        return Part(begun_us=each.begun_us, events=events, joins_late=late)

    events = one_after_another([part_of(each) for each in parts], pauses)
    return Tape(market=market, start_us=min(each.begun_us for each in parts), events=events)


def open_synthetic(symbols: Sequence[str], *, seed: int, markets: Sequence[Market] = BOTH) -> OpenedMarket:
    """The seeded market of ``symbols``, each on ``markets``; what the venue knows is listed beside them."""
    named = tuple(dict.fromkeys(Symbol(symbol) for symbol in symbols))
    if not named or not markets:
        raise Refused("SYMBOL", "a synthetic market needs a symbol", field="--symbols", value=",".join(symbols))
    traded = {(market, symbol): rules_of(symbol, market) for symbol in named for market in markets}
    seeds = {symbol: seed if place == 0 else _seed(seed, symbol) for place, symbol in enumerate(named)}
    hands: dict[str, Hand] = {symbol: Hand() for symbol in named}
    sources = [_synthetic(symbol, seeds[symbol], traded, hands[symbol]) for symbol in named]
    return OpenedMarket(in_time_order(sources), START_US, named, _with_known(traded), hands)


def open_market(path: Path | None, *, seed: int, symbol: str = "BTCUSDT") -> OpenedMarket:
    """One futures market: the capture at ``path``, whatever it is called, or the synthetic one of ``seed``."""
    if path is None:
        return open_synthetic([symbol], seed=seed, markets=[Market.FUT])
    return open_captures([MarketFile(path=path, market=Market.FUT)])


def _synthetic(
    symbol: Symbol, seed: int, traded: dict[tuple[Market, Symbol], Instrument], hand: Hand
) -> Iterable[Placed]:
    walks = {
        market: Synthetic(
            seed if market is Market.FUT else _seed(seed, f"spot {symbol}"),
            symbol,
            start_price=start_price(symbol),
            profile=profile_of(instrument),
            hand=hand,
        )
        for (market, name), instrument in traded.items()
        if name == symbol
    }
    if len(walks) == len(BOTH):
        return Together(walks[Market.FUT], walks[Market.SPOT])
    ((market, walk),) = walks.items()
    return ((market, event) for event in walk)


def _with_known(traded: dict[tuple[Market, Symbol], Instrument]) -> list[Instrument]:
    return list((KNOWN | traded).values())


def _seed(seed: int, name: str) -> int:
    return int.from_bytes(blake2b(f"{seed}:{name}".encode(), digest_size=8).digest(), "big")


def _path(word: str) -> Path:
    tag, _, rest = word.partition(":")
    return Path(rest if rest and tag.lower() in _WORDS else word)


def _files(word: str) -> Iterator[MarketFile]:
    place = _path(word)
    found = sorted(place.glob("*.gz")) if place.is_dir() else [place] if place.is_file() else []
    if not found:
        raise _refused(f"{place} is neither a file nor a folder with captures (*.gz)")
    for path in found:
        named = _NAMES.get(path.name.partition("-")[0].lower(), Market.FUT)
        market = _WORDS.get(word.partition(":")[0].lower(), named)
        yield MarketFile(path=path, market=market, found=place.is_dir())


def _beginning(file: MarketFile) -> list[MarketEvent]:
    """Never empty. Damage is told when the file is read, not twice."""
    with closing(events_of(file, lambda _: None)) as events:
        return list(islice(events, LOOKED_AT))


def _listed(
    file: MarketFile, symbols: frozenset[str], events: Iterable[MarketEvent], left_out: LeftOut
) -> Iterator[MarketEvent]:
    """The events of ``symbols``: what is listed is decided before the first event, so another has no place to trade."""
    others: set[str] = set()
    for event in events:
        if event.symbol in symbols:
            yield event
        elif event.symbol not in others:
            others.add(event.symbol)
            left_out(f"{file.path.name}: {event.symbol} is left out: it is not among the first {LOOKED_AT} events")


def events_of(file: MarketFile, left_out: LeftOut = _logged) -> Generator[MarketEvent, None, None]:
    """What a capture shows. Raises ``Refused`` where it is damaged; one that was found in a folder ends there."""
    try:
        yield from capture_told.events(file.path, file.market, left_out)
    except capture_told.NoEvent as none:
        raise _refused(f"{file.path} has no market event: {none}") from none
    except OSError as error:
        no = _unread(file.path, error)
        if not file.found:
            raise no from error
        left_out(f"{file.path.name} is left out from where it is damaged: {no.message}")


def _unread(path: Path, error: OSError | FrameRefused) -> Refused:
    why = error.strerror if isinstance(error, OSError) else None
    return _refused(f"{path}: {why or error}")


def _refused(text: str) -> Refused:
    return Refused(
        "MARKET_FILE",
        text,
        field="--market",
        accepted="[fut:|spot:]FILE[,FILE...], or a folder of captures",
    )
