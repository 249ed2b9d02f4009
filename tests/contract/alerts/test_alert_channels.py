"""The channels against real sockets: signed as receivers verify it, and every answer of theirs understood."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from alert_receivers import Receiver, receiving
from alert_records import T0, a_record

from chimera.services.alerts.book import Book
from chimera.services.alerts.channels import Telegram, Undelivered, Webhook, signing_key
from chimera.services.alerts.main import channels_of
from chimera.services.alerts.settings import describe, read_settings
from chimera.services.alerts.telling import Message, Pace, Policy, due
from chimera.services.setting_kinds import SettingsFault
from chimera.trading.events import Severity
from support.standing import CLOCK

pytestmark = pytest.mark.req("S4-ALR-1")

TOKEN = "123456:AAH_a-canary-of-a-token"
SECRET = "whsec_" + base64.b64encode(b"a key of the receiver's, 32 byte").decode()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as made:
        yield made


def a_message(count: int = 1) -> Message:
    book = Book()
    for number in range(count):
        record = a_record("EXIT_FAILING", Severity.FATAL, subject=f"S{number}", text="x" * 500)
        book.hear(record, f"{number + 1}-0", T0)
    message = due(book.all, "c", Policy(), Pace((), T0), T0)
    assert message is not None
    return message


def verified(headers: dict[str, str], body: bytes, secret: str) -> bool:
    """As docs/wire.md tells a receiver to."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    wanted = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return any(
        hmac.compare_digest(wanted, each.removeprefix("v1,"))
        for each in headers["webhook-signature"].split(" ")
        if each.startswith("v1,")
    )


async def test_a_webhook_is_signed_and_a_forged_or_changed_one_is_found_out(
    receiver: Receiver, session: aiohttp.ClientSession
) -> None:
    channel = Webhook(receiver.url + "/hook", signing_key(SECRET), session, CLOCK, "docs/runbook.md")

    assert await channel.send(a_message()) == "200"

    ((path, headers, body),) = receiver.got
    assert (path, headers["webhook-timestamp"]) == ("/hook", str(CLOCK.now_ms() // 1000))
    assert verified(headers, body, SECRET)
    assert not verified(headers, body + b" ", SECRET)
    assert not verified({**headers, "webhook-timestamp": "1"}, body, SECRET)
    told = json.loads(body)
    assert (told["type"], told["id"], told["alerts"][0]["code"]) == (
        "alerts.alert", headers["webhook-id"], "EXIT_FAILING",
    )  # fmt: skip


async def test_telegram_gets_its_words_and_no_more_than_it_takes(
    receiver: Receiver, session: aiohttp.ClientSession
) -> None:
    channel = Telegram(receiver.url, TOKEN, "-1001", session, "docs/runbook.md")

    await channel.send(a_message(30))

    ((path, _, body),) = receiver.got
    told = json.loads(body)
    assert (path, told["chat_id"], told["disable_notification"]) == (f"/bot{TOKEN}/sendMessage", "-1001", False)
    assert told["text"].startswith("FATAL: EXIT_FAILING FUT S")
    assert len(told["text"]) == 4_096


@pytest.mark.parametrize(
    ("answer", "retry_ms", "hopeless"),
    [
        ((500, {}, {}), None, False),
        ((503, {}, {"Retry-After": "7"}), 7_000, False),
        ((429, {}, {"Retry-After": "999999999"}), 3_600_000, False),
        ((401, {}, {}), None, True),
        ((302, {}, {"Location": "http://127.0.0.1:1/"}), None, True),
    ],
)
async def test_what_a_receiver_says_is_understood(
    receiver: Receiver, session: aiohttp.ClientSession, answer: Any, retry_ms: int | None, hopeless: bool
) -> None:
    receiver.answers = [answer]
    channel = Webhook(receiver.url, signing_key(SECRET), session, CLOCK, "docs/runbook.md")

    with pytest.raises(Undelivered) as told:
        await channel.send(a_message())

    assert (told.value.retry_ms, told.value.hopeless) == (retry_ms, hopeless)
    assert len(receiver.got) == 1, "a redirect is not followed: the body would go elsewhere"


async def test_telegram_says_how_long_to_wait_and_why_in_its_own_way(
    receiver: Receiver, session: aiohttp.ClientSession
) -> None:
    receiver.answers = [
        (429, {"ok": False, "description": "Too Many Requests", "parameters": {"retry_after": 3}}, {}),
        (400, {"ok": False, "description": "Bad Request: chat not found"}, {}),
        (200, {"ok": False}, {}),
        (200, ["no object"], {}),
    ]
    channel = Telegram(receiver.url, TOKEN, "1", session, "docs/runbook.md")
    seen = []
    for _ in range(4):
        with pytest.raises(Undelivered) as told:
            await channel.send(a_message())
        seen.append((told.value.retry_ms, told.value.hopeless))

    assert seen == [(3_000, False), (None, True), (None, False), (None, False)]


async def test_nobody_there_is_said_without_the_token(session: aiohttp.ClientSession) -> None:
    async with receiving() as gone:
        url = gone.url
    with pytest.raises(Undelivered) as told:
        await Telegram(url, TOKEN, "1", session, "docs/runbook.md").send(a_message())

    assert "nothing answers at 127.0.0.1" in str(told.value)
    assert "canary" not in str(told.value)
    assert "canary" not in repr(told.value.__cause__)


# ── settings ──


def a_file(path: Path, content: str, mode: int = 0o600) -> str:
    path.write_text(content)
    path.chmod(mode)
    return str(path)


@pytest.mark.req("CONF-1")
async def test_channels_are_those_that_are_set(tmp_path: Path, session: aiohttp.ClientSession) -> None:
    settings = read_settings({
        "ALERTS_WEBHOOK_URL": "https://hooks.example/x",
        "ALERTS_WEBHOOK_SECRET_FILE": a_file(tmp_path / "hook", SECRET + "\n"),
        "ALERTS_TELEGRAM_TOKEN_FILE": a_file(tmp_path / "bot", TOKEN),
        "ALERTS_TELEGRAM_CHAT": "-1001",
        "ALERTS_QUIET_HOURS": "22:00-07:30",
        "ALERTS_ZONE": "Asia/Taipei",
        "ALERTS_SERVICE_HOST": "10.0.0.1",  # Kubernetes' own
    })  # fmt: skip

    assert [channel.name for channel in channels_of(settings, session, CLOCK)] == ["webhook", "telegram"]
    assert settings.policy.quiet is not None
    assert settings.policy.quiet[:2] == (22 * 60, 7 * 60 + 30)
    assert "canary" not in repr(settings)
    assert channels_of(read_settings({}), session, CLOCK) == ()


@pytest.mark.req("CONF-1")
def test_every_fault_is_told_at_once_and_no_secret(tmp_path: Path) -> None:
    with pytest.raises(SettingsFault) as told:
        read_settings({
            "ALERTS_WEBHOOK_URL": "https://hooks.example/x",
            "ALERTS_TELEGRAM_TOKEN_FILE": a_file(tmp_path / "bot", TOKEN, 0o644),
            "ALERTS_TELEGRAM_CHAT": "1",
            "ALERTS_QUITE_HOURS": "22:00-07:00",
        })  # fmt: skip

    for words in ("ALERTS_WEBHOOK_SECRET_FILE go together", "others may read", "did you mean ALERTS_QUIET_HOURS?"):
        assert words in str(told.value)
    assert "canary" not in str(told.value)


@pytest.mark.req("CONF-1")
@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("ALERTS_WEBHOOK_URL", "http://hooks.example/x", "must be an https URL"),
        ("ALERTS_QUIET_HOURS", "22-7", "must be hours such as"),
        ("ALERTS_ZONE", "Taipei", "must be a time zone"),
        ("ALERTS_DIGEST", "soon", "must be a duration"),
        ("ALERTS_AT_ONCE", "LOUD", "must be"),
        ("ALERTS_MOST_PER_MINUTE", "0", "must be greater than"),
    ],
)
def test_a_value_that_means_nothing_is_refused_by_name(name: str, value: str, words: str) -> None:
    with pytest.raises(SettingsFault, match=words) as told:
        read_settings({name: value})
    assert name in str(told.value)


@pytest.mark.req("CONF-1")
def test_every_setting_says_its_default_and_unit() -> None:
    rows = describe()
    assert len(rows) > 20
    assert [row for row in rows if not all(row)] == []
