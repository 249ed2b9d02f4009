"""A key changed while S4 runs: the new one is tried first, and a wrong one takes nothing away."""

import asyncio
from pathlib import Path

import pytest
import structlog

from chimera.services.router.hosting import Pair
from chimera.services.router.levels import Levels
from chimera.services.router.rotating import AGAIN_LOOKS, KeyFiles, Rotating
from chimera.trading.errors import NotSent, Refused
from chimera.trading.events import Alert
from support.standing import CLOCK

pytestmark = pytest.mark.req("CONF-1")

OLD, NEW = Pair("old-key-canary", "old-secret-canary"), Pair("new-key-canary", "new-secret-canary")


class House:
    """Files, a venue that answers as it is told, and who signs."""

    def __init__(self, path: Path) -> None:
        self.files = KeyFiles(path / "key", path / "secret")
        self.answer: Exception | None = None
        self.tried: list[Pair] = []
        self.signs = OLD
        self.taken = asyncio.Event()
        self.told: list[Alert] = []
        self.write(OLD)
        self.hurry = asyncio.Event()
        levels = Levels(CLOCK, self.told.append)
        self.rotating = Rotating(self.files, OLD, self, self.take, levels, self.told.append, self.hurry)

    def write(self, pair: Pair, mode: int = 0o600) -> None:
        for path, content in zip(self.files, pair, strict=True):
            path.write_text(content + "\n")
            path.chmod(mode)

    async def learn(self) -> None: ...

    async def __call__(self, pair: Pair) -> None:
        self.tried.append(pair)
        if self.answer is not None:
            raise self.answer

    def take(self, pair: Pair) -> None:
        self.signs = pair
        self.taken.set()

    async def look(self, times: int = 1) -> None:
        for _ in range(times):
            await self.rotating.look()

    def codes(self) -> list[str]:
        return [alert.code for alert in self.told]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


async def test_a_pair_that_the_venue_takes_signs_from_then_on_and_is_tried_once(house: House) -> None:
    house.write(NEW)
    with structlog.testing.capture_logs() as lines:
        await house.look(5)
    assert (house.signs, house.tried, house.codes()) == (NEW, [NEW], ["KEY_ROTATED"])
    assert "canary" not in str(lines)
    assert "canary" not in str(house.told)


async def test_what_is_not_changed_is_not_asked_about(house: House) -> None:
    await house.look(5)
    assert (house.tried, house.codes()) == ([], [])


async def test_two_files_are_two_moments(house: House) -> None:
    """The key is written, its secret not yet: the pair of the two is nobody's."""
    house.files.key.write_text(NEW.key)
    await house.look()
    assert house.tried == []
    house.files.secret.write_text(NEW.secret)
    await house.look(2)
    assert (house.tried, house.signs) == ([NEW], NEW)


async def test_a_wrong_pair_leaves_the_one_in_force_and_is_an_alert_until_it_is_mended(house: House) -> None:
    house.answer = Refused("WRONG_KEY", "it is not known here")
    house.write(NEW)
    await house.look(9)
    assert (house.signs, house.tried, house.codes()) == (OLD, [NEW], ["KEY_NOT_ROTATED"])
    assert "the key that was in force stays so" in house.told[0].text
    house.write(OLD)
    await house.look(2)
    assert house.codes() == ["KEY_NOT_ROTATED", "KEY_NOT_ROTATED_OVER"]


async def test_a_venue_that_says_nothing_is_asked_again_after_a_while(house: House) -> None:
    house.answer = NotSent("away")
    house.write(NEW)
    await house.look(2)
    house.answer = None
    await house.look(AGAIN_LOOKS)
    assert (house.signs, len(house.tried)) == (OLD, 1)
    await house.look()
    assert (house.signs, house.codes()) == (NEW, ["KEY_NOT_ROTATED", "KEY_NOT_ROTATED_OVER", "KEY_ROTATED"])


@pytest.mark.parametrize("spoil", ["missing", "open to others"])
async def test_files_that_cannot_be_read_change_nothing(house: House, spoil: str) -> None:
    if spoil == "missing":
        house.files.secret.unlink()
    else:
        house.write(NEW, 0o644)
    await house.look(3)
    assert (house.signs, house.tried, house.codes()) == (OLD, [], ["KEY_NOT_ROTATED"])


async def test_a_signal_looks_at_once_and_tries_again_what_was_refused(house: House) -> None:
    house.answer = Refused("WRONG_KEY", "not yet allowed from here")
    house.write(NEW)
    await house.look(2)
    house.answer = None
    running = asyncio.create_task(house.rotating.run())
    house.hurry.set()
    async with asyncio.timeout(5):
        await house.taken.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert house.tried == [NEW, NEW]
