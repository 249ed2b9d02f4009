"""A market made from a seed: endless, and the same events for the same arguments on every machine.

A fair price walks in thousandths of a tick (bounded noise, pull to the start, trends, jumps), reflected inside a band.
The touch stays while the fair price is inside it and moves when it is not, after a last trade. Takers
arrive in runs of one side and eat the touch; sizes, gaps and spreads are drawn from measured tables
(``chimera.tape.profile``).

``Together`` adds the spot market of the same symbol: the same fair price less a constant basis, seen in its own ticks,
with a book, takers and chance of its own. Neither market lags the other.

Invariants: those of ``chimera.tape``; every price is on the tick and quantity on the step; no float and
no hash order decides anything. With the default profile and start (65,800) every price stays within 64,900 and
66,900, always.
It does not react to anyone's orders: the simulated exchange does.
"""

from collections.abc import Iterator
from decimal import Decimal
from random import Random
from typing import Final, Protocol

from chimera.tape.beside import Placed
from chimera.tape.hand import Hand
from chimera.tape.profile import FUTURES, MEASURED_PRICE, Profile
from chimera.trading.market import (
    DepthChanged,
    Level,
    Marked,
    Market,
    MarketEvent,
    Side,
    TopOfBook,
    Traded,
    next_funding_ms,
)
from chimera.trading.money import Price, Qty

START_US: Final = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z
START_PRICE: Final = Decimal(65_800)
BASIS_BPS: Final = Decimal(2)  # how far spot is below the perpetual, where nobody says otherwise
_PARTS: Final = 1_000  # of a tick: the unit of the fair price
_NOISE_SD: Final = 4  # of the count of ones in 64 random bits
_ONE_IN: Final = 1 << 30  # probabilities are counted in these
Rung = tuple[int, int]  # price in ticks, quantity in steps


class Synthetic:
    """A market; each iteration starts it anew. ``start_price`` is quote per base, times are UTC µs.

    ``hand``: whose knobs it heeds while it runs; None: nobody's.
    """

    def __init__(
        self,
        seed: int,
        symbol: str = "BTCUSDT",
        start_us: int = START_US,
        start_price: Decimal = START_PRICE,
        profile: Profile = FUTURES,
        hand: Hand | None = None,
    ) -> None:
        self.hand = hand or Hand()
        self.seed = seed
        self.symbol = symbol
        self.start_us = start_us
        self.start_price = start_price
        self.profile = profile

    def __iter__(self) -> Iterator[MarketEvent]:
        return _Walk(Random(self.seed), self).events()


class Together:
    """A futures market, event for event what it is alone, and the spot market that follows its fair price.

    ``basis_bps``: how far spot is below the perpetual. Both profiles have one ``step_ms``, both markets one start.
    """

    def __init__(self, futures: Synthetic, spot: Synthetic, basis_bps: Decimal = BASIS_BPS) -> None:
        if (futures.profile.step_ms, futures.start_us) != (spot.profile.step_ms, spot.start_us):
            raise ValueError("both markets must start together and step together")
        self.futures = futures
        self.spot = spot
        self.basis_bps = basis_bps

    def __iter__(self) -> Iterator[Placed]:
        lead = _Walk(Random(self.futures.seed), self.futures)
        fair = _Shadow(lead.fair, self.futures.profile.tick / self.spot.profile.tick * (1 - self.basis_bps / 10_000))
        follower = _Walk(Random(self.spot.seed), self.spot, fair)
        turns = ((Market.FUT, lead), (Market.SPOT, follower))
        for market, walk in turns:
            for event in walk.opening():
                yield market, event
        while True:
            for market, walk in turns:
                for event in walk.step():
                    yield market, event


class _Price(Protocol):
    """A fair price, in parts of a tick."""

    @property
    def parts(self) -> int: ...

    def move(self) -> int:
        """One step; the new fair price."""
        ...


class _Shadow:
    """The fair price of a market that follows another one, in parts of its own tick."""

    def __init__(self, lead: _Price, ratio: Decimal) -> None:
        self._lead = lead
        self._ratio = ratio

    @property
    def parts(self) -> int:
        return int(self._lead.parts * self._ratio)

    def move(self) -> int:
        """The other one has moved already."""
        return self.parts


class _Fair:
    """The walk of the fair price, in parts of a tick."""

    def __init__(self, rng: Random, anchor: int, profile: Profile, hand: Hand) -> None:
        self._rng = rng
        self._hand = hand
        self._anchor = anchor
        self.parts = anchor
        per_bp = Decimal(anchor) / 10_000
        root = (Decimal(profile.step_ms) / 1_000).sqrt()
        self._noise = int(per_bp * profile.volatility_bps * root)
        minute_share = Decimal(profile.step_ms) / 60_000
        self._drift = int(per_bp * profile.drift_bps * minute_share)
        self._trend = int(per_bp * profile.trend_bps * minute_share)
        self._trend_now = 0
        self._turn_chance = _chance(Decimal(profile.step_ms) / (1_000 * profile.trend_mean_s)) if self._trend else 0
        self._jump = int(per_bp * profile.jump_bps)
        self._jump_chance = _chance(profile.jumps_per_hour * profile.step_ms / 3_600_000)
        self._pull = profile.reversion_s * 1_000 // profile.step_ms  # in steps
        below, above = profile.band_bps or (9_000, 1_000_000)
        self._low = int(anchor - per_bp * below)
        self._high = int(anchor + per_bp * above)

    def move(self) -> int:
        """One step; the new fair price."""
        rng, noise = self._rng, self._noise * self._hand.volatility_pct // 100
        parts = self.parts + self._drift + (rng.getrandbits(64).bit_count() - 32) * noise // _NOISE_SD
        parts += self._hand.pushed(parts)
        if self._pull:
            parts += (self._anchor - parts) // self._pull
        if self._turn_chance:
            if rng.getrandbits(30) < self._turn_chance:
                self._trend_now = 0 if self._trend_now else (self._trend if rng.getrandbits(1) else -self._trend)
            parts += self._trend_now
        if self._jump_chance and rng.getrandbits(30) < self._jump_chance:
            parts += self._jump if rng.getrandbits(1) else -self._jump
        self.parts = self._reflect(parts)
        return self.parts

    def _reflect(self, parts: int) -> int:
        if parts < self._low:
            parts = 2 * self._low - parts
        elif parts > self._high:
            parts = 2 * self._high - parts
        return min(max(parts, self._low), self._high)


class _Walk:
    """One run of a synthetic market. Ladders are best first; ``sign`` is +1 where a higher price is better (bids)."""

    def __init__(self, rng: Random, market: Synthetic, fair: _Price | None = None) -> None:
        profile = market.profile
        self._rng = rng
        self._symbol = market.symbol
        self._profile = profile
        self._now_us = market.start_us
        self._hand = market.hand
        self.fair = fair or _Fair(rng, int(market.start_price / profile.tick) * _PARTS, profile, market.hand)
        scale = MEASURED_PRICE / market.start_price / profile.step
        self._top_sizes = _steps(profile.top_sizes, scale * profile.book_scale)
        self._behind_sizes = _steps(profile.behind_sizes, scale * profile.book_scale)
        self._run_sizes = _steps(profile.run_sizes, scale)
        runs = profile.runs_per_s * profile.step_ms / 1_000
        self._runs_sure, self._runs_chance = int(runs), _chance(runs - int(runs))
        self._mark_parts = self.fair.parts
        self._next_mark_us = self._now_us
        self._bids: list[Rung] = []
        self._asks: list[Rung] = []
        self._told: TopOfBook | None = None
        self._steps = 0

    def events(self) -> Iterator[MarketEvent]:
        yield from self.opening()
        while True:
            yield from self.step()

    def opening(self) -> Iterator[MarketEvent]:
        """The first touch and the whole book."""
        self._quote(self.fair.parts)
        self._told = self._touch()
        yield self._told
        self._refill(self._bids, 1)
        self._refill(self._asks, -1)
        yield self._depth(tuple(self._bids), tuple(self._asks), snapshot=True)

    def step(self) -> Iterator[MarketEvent]:
        """What happens in one ``step_ms``."""
        profile = self._profile
        if profile.marks and self._now_us >= self._next_mark_us:
            yield self._mark()
        self._steps += 1
        self._now_us += profile.step_ms * 1_000
        yield from self._take_runs()
        yield from self._follow(self.fair.move())
        touch = self._touch()
        if self._told is None or self._told.but(at_us=touch.at_us) != touch:
            self._told = touch
            yield touch
        if self._steps % profile.depth_every == 0 or 2 * min(len(self._bids), len(self._asks)) < profile.levels:
            changed = self._depth(self._refill(self._bids, 1), self._refill(self._asks, -1))
            if changed.bids or changed.asks:
                yield changed

    def _take_runs(self) -> Iterator[Traded]:
        """Takers at the touch, a run told as one trade. One step of quantity always stays: ``_follow`` moves."""
        rng = self._rng
        volume = {Side.BUY: 0, Side.SELL: 0}
        for _ in range(self._runs_sure + (rng.getrandbits(30) < self._runs_chance)):
            volume[Side.BUY if rng.getrandbits(1) else Side.SELL] += _draw(rng, self._run_sizes)
        for taker, ladder in ((Side.BUY, self._asks), (Side.SELL, self._bids)):
            ticks, there = ladder[0]
            eaten = min(volume[taker], there - 1)
            if eaten > 0:
                ladder[0] = (ticks, there - eaten)
                yield self._trade(ticks, eaten, taker)

    def _follow(self, parts: int) -> Iterator[Traded]:
        """Keep the touch while the fair price is inside it (its sizes change), else quote anew.

        A touch that goes trades a last run; what is left of it was withdrawn, as most of it is in the captures.
        """
        bid, ask = self._bids[0], self._asks[0]
        if parts < bid[0] * _PARTS:
            yield self._trade(bid[0], min(bid[1], _draw(self._rng, self._run_sizes)), Side.SELL)
            self._quote(parts)
        elif parts > ask[0] * _PARTS:
            yield self._trade(ask[0], min(ask[1], _draw(self._rng, self._run_sizes)), Side.BUY)
            self._quote(parts)
        else:
            ladder = self._bids if self._rng.getrandbits(1) else self._asks
            ladder[0] = (ladder[0][0], _draw(self._rng, self._top_sizes))
            if ask[0] - bid[0] > 1 and not self._rng.getrandbits(1):
                self._quote(parts)

    def _quote(self, parts: int) -> None:
        """A new touch around the fair price: what it passes is gone, what it leaves behind stays."""
        profile = self._profile
        spread = profile.spread_ticks[self._rng.getrandbits(4)] * profile.spread_scale * self._hand.spread_times
        bid = parts // _PARTS - (spread - 1) // 2
        ask = bid + spread
        top_sizes = self._top_sizes
        self._bids[:] = [(bid, _draw(self._rng, top_sizes)), *(rung for rung in self._bids if rung[0] < bid)]
        self._asks[:] = [(ask, _draw(self._rng, top_sizes)), *(rung for rung in self._asks if rung[0] > ask)]

    def _refill(self, ladder: list[Rung], sign: int) -> tuple[Rung, ...]:
        """Bring a side back to its number of levels; answers the changed ones behind the touch, 0 for removed."""
        rng, gaps, count = self._rng, self._profile.gap_ticks, self._profile.levels
        kept = ladder[1:]
        fresh: list[Rung] = []
        at = ladder[0][0]
        while len(fresh) < count - 1:
            at -= sign * gaps[rng.getrandbits(4)]
            if at <= 0 or (kept and (kept[0][0] - at) * sign >= 0):
                break
            fresh.append((at, _draw(rng, self._behind_sizes)))
        whole = fresh + kept
        removed = [(ticks, 0) for ticks, _ in whole[count - 1 :]]
        del whole[count - 1 :]
        while len(whole) < count - 1:
            at = (whole[-1] if whole else ladder[0])[0] - sign * gaps[rng.getrandbits(4)]
            if at <= 0:
                break
            fresh.append((at, _draw(rng, self._behind_sizes)))
            whole.append(fresh[-1])
        ladder[1:] = whole
        return (*fresh, *removed)

    def _trade(self, ticks: int, steps: int, taker: Side) -> Traded:
        return Traded(
            symbol=self._symbol, at_us=self._now_us, price=self._price(ticks), qty=self._qty(steps), taker=taker
        )

    def _touch(self) -> TopOfBook:
        (bid, bid_steps), (ask, ask_steps) = self._bids[0], self._asks[0]
        return TopOfBook(
            symbol=self._symbol,
            at_us=self._now_us,
            bid=self._price(bid),
            bid_qty=self._qty(bid_steps),
            ask=self._price(ask),
            ask_qty=self._qty(ask_steps),
        )

    def _depth(self, bids: tuple[Rung, ...], asks: tuple[Rung, ...], *, snapshot: bool = False) -> DepthChanged:
        return DepthChanged(
            symbol=self._symbol, at_us=self._now_us, bids=self._levels(bids), asks=self._levels(asks), snapshot=snapshot
        )

    def _levels(self, rungs: tuple[Rung, ...]) -> tuple[Level, ...]:
        return tuple(Level(price=self._price(ticks), qty=self._qty(steps)) for ticks, steps in rungs)

    def _mark(self) -> Marked:
        """Mark follows fair half way each second; index is the fair price itself."""
        self._next_mark_us += 1_000_000
        self._mark_parts += (self.fair.parts - self._mark_parts) // 2
        part = self._profile.tick / _PARTS
        return Marked(
            symbol=self._symbol,
            at_us=self._now_us,
            mark=Price(self._mark_parts * part),
            index=Price(self.fair.parts * part),
            funding_rate=self._profile.funding_rate,
            next_funding_ms=next_funding_ms(self._now_us // 1_000),
        )

    def _price(self, ticks: int) -> Price:
        return Price(ticks * self._profile.tick)

    def _qty(self, steps: int) -> Qty:
        return Qty(steps * self._profile.step)


def _draw(rng: Random, table: tuple[int, ...]) -> int:
    """An entry of sixteen, at three quarters to five quarters of its size, at least 1."""
    return table[rng.getrandbits(4)] * (24 + rng.getrandbits(4)) // 32 or 1


def _steps(sizes: str, scale: Decimal) -> tuple[int, ...]:
    return tuple(max(1, int(Decimal(size) * scale)) for size in sizes.split())


def _chance(probability: Decimal) -> int:
    return int(min(probability, Decimal(1)) * _ONE_IN)
