"""Where a service listens, and that it does not start open to others; TLS by a pair made here; the verbs of tokens."""

import json
import ssl
import stat
from pathlib import Path

import aiohttp
import pytest
from access_doors import TOKENS, Doors, bearer, served
from certificates import Pair, a_pair
from typer.testing import CliRunner

from chimera.cli.main import app as cli
from chimera.client import RouterClient
from chimera.client.credentials import CredentialsFault, credentials
from chimera.services.access.door import Door, DoorFault
from chimera.services.access.table import GATED
from chimera.services.access.tokens import TokensFault, digest_of, read_tokens
from chimera.services.alerts.settings import read_settings as alerts_settings
from chimera.services.clock import SystemClock
from chimera.services.router.settings import load
from chimera.services.service import Service
from chimera.services.setting_kinds import SettingsFault
from chimera.services.strategy.settings import read_settings
from chimera.trading.errors import NotSent, OutcomeUnknown, Refused

RUN = CliRunner()


# ── where it listens ──


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "s4.example", ""])  # noqa: S104 - what is refused
@pytest.mark.parametrize("service", GATED)
def test_a_service_that_others_reach_does_not_start_without_tokens(service: Service, host: str) -> None:
    with pytest.raises(DoorFault) as told:
        Door(host=host).checked(service)

    assert "\n" not in str(told.value)
    assert "chimera token new" in str(told.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost"])
def test_on_loopback_it_does(host: str) -> None:
    assert Door(host=host).checked(Service.S4).book(SystemClock()) is None


@pytest.mark.parametrize("verb", ["s3", "s4", "console"])
def test_the_verbs_end_with_that_sentence(verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chimera.services.logs.to_stderr", lambda _: None)  # the runner's stderr is closed afterwards
    for name in ("S3_HOST", "S4_HOST", "CHIMERA_CONSOLE_HOST"):
        monkeypatch.setenv(name, "0.0.0.0")  # noqa: S104 - what is refused
    for name in ("S3", "S4"):
        monkeypatch.setenv(f"{name}_LEDGER_PATH", str(tmp_path / "l.sqlite"))
    monkeypatch.setenv("S4_RECEIPT_KEY_PATH", str(tmp_path / "key"))
    monkeypatch.setenv("S4_FUT_URL", "http://127.0.0.1:9")

    done = RUN.invoke(cli, [verb])

    assert (done.exit_code, done.stdout) == (7, "")
    assert "no API tokens are configured" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_settings_make_the_door() -> None:
    given = {"HOST": "10.0.0.1", "API_TOKENS_PATH": "/t", "API_RATE": "7", "TLS_CERT_PATH": "/c", "TLS_KEY_PATH": "/k",
             "TLS_CLIENT_CA_PATH": "/a"}  # fmt: skip
    wanted = Door(
        host="10.0.0.1", tokens=Path("/t"), rate=7, tls_cert=Path("/c"), tls_key=Path("/k"), tls_client_ca=Path("/a")
    )

    assert Door.of(load({f"S4_{name}": value for name, value in given.items()})) == wanted
    assert Door.of(read_settings({f"S3_{name}": value for name, value in given.items()})) == wanted
    assert Door.of(alerts_settings({f"ALERTS_{name}": value for name, value in given.items()})) == wanted
    assert Door.of(load({})) == Door.of(read_settings({})) == Door(host="127.0.0.1")


# ── TLS ──


async def test_tls_and_a_token_from_end_to_end(doors: Doors, tmp_path: Path) -> None:
    """The client of ours, by a CA of its own; without the CA nothing is sent, without a token 401."""
    pair, token = a_pair(tmp_path, "s4"), tmp_path / "token"
    token.write_text(bearer("read")["Authorization"].removeprefix("Bearer "))
    token.chmod(0o600)
    door = Door(host="127.0.0.1", tokens=doors.path, tls_cert=pair.cert, tls_key=pair.key)
    async with served(doors, door) as address:
        assert address.startswith("https://127.0.0.1:")
        async with RouterClient(address, credentials=credentials(token, pair.cert)) as client:
            assert await client.positions() != []
        async with RouterClient(address, credentials=credentials(None, pair.cert)) as client:
            with pytest.raises(Refused) as told:
                await client.positions()
            assert told.value.code == "TOKEN_NEEDED"
        async with RouterClient(address, credentials=credentials(token)) as client:
            with pytest.raises(NotSent, match="no encrypted connection"):
                await client.positions()
        async with RouterClient(address.replace("https", "http")) as client:
            with pytest.raises(OutcomeUnknown):
                await client.positions()


async def test_with_a_ca_of_clients_nobody_else_gets_as_far_as_the_gate(doors: Doors, tmp_path: Path) -> None:
    ca, other = a_pair(tmp_path, "ca"), a_pair(tmp_path, "other")
    pair, client_pair = a_pair(tmp_path, "s4", ca), a_pair(tmp_path, "s3", ca)
    door = Door(host="127.0.0.1", tokens=doors.path, tls_cert=pair.cert, tls_key=pair.key, tls_client_ca=ca.cert)

    async def asks(address: str, mine: Pair | None) -> int | None:
        context = ssl.create_default_context(cafile=str(ca.cert))
        if mine is not None:
            context.load_cert_chain(mine.cert, mine.key)
        async with aiohttp.ClientSession() as session:
            try:
                async with session.get(f"{address}/positions", ssl=context, headers=bearer("read")) as answer:
                    return answer.status
            except aiohttp.ClientError:
                return None

    async with served(doors, door) as address:
        assert [await asks(address, mine) for mine in (client_pair, None, other)] == [200, None, None]
        token = tmp_path / "token"
        token.write_text(TOKENS["read"])
        token.chmod(0o600)
        async with RouterClient(address, credentials=credentials(token, ca.cert, client_pair)) as client:
            assert await client.positions() != []
        async with RouterClient(address, credentials=credentials(token, ca.cert)) as client:
            with pytest.raises((NotSent, OutcomeUnknown)):
                await client.positions()


def test_a_pair_of_s3s_is_whole_and_can_be_read(tmp_path: Path) -> None:
    with pytest.raises(SettingsFault, match="go together"):
        read_settings({"S3_S4_CERT_PATH": "/c"})
    with pytest.raises(CredentialsFault, match="not what TLS can be made of"):
        credentials(None, None, (tmp_path / "none.pem", tmp_path / "none.key"))


def test_half_a_pair_or_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(DoorFault, match="its key"):
        Door(host="127.0.0.1", tls_cert=tmp_path / "c").checked(Service.S4)
    with pytest.raises(DoorFault, match="needs both"):
        Door(host="127.0.0.1", tls_client_ca=tmp_path / "c").checked(Service.S4)
    with pytest.raises(DoorFault, match="there is no file"):
        Door(host="127.0.0.1", tls_cert=tmp_path / "c", tls_key=tmp_path / "k").tls()


# ── the verbs ──


def test_a_token_is_made_listed_and_revoked_and_shown_once(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "tokens.json"
    made = RUN.invoke(cli, ["token", "new", "alice", "--role", "operate", "--days", "9", "--file", str(path)])
    token = made.stdout.strip()
    key = RUN.invoke(cli, ["token", "new", "s3", "--key-of", "s3", "--signs", "--file", str(path), "--json"])
    [alice, s3] = read_tokens(path)

    assert (made.exit_code, key.exit_code) == (0, 0)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert token not in path.read_text()
    assert (alice.digest, alice.role) == (digest_of(token), "operate")
    assert len(token) >= 47
    assert s3.signing
    assert json.loads(key.stdout)["token"].startswith("s3 chm_")

    listed = RUN.invoke(cli, ["token", "list", "--file", str(path)])
    assert not [hidden for hidden in (token, alice.digest, s3.digest, s3.signing) if hidden in listed.stdout]
    assert [word for word in ("alice", "operate", "key of s3", "signs") if word not in listed.stdout] == []
    assert RUN.invoke(cli, ["token", "new", "alice", "--file", str(path)]).exit_code == 4
    assert RUN.invoke(cli, ["token", "revoke", "alice", "--file", str(path)]).exit_code == 0
    assert RUN.invoke(cli, ["token", "revoke", "alice", "--file", str(path)]).exit_code == 4
    states = json.loads(RUN.invoke(cli, ["token", "list", "--file", str(path), "--json"]).stdout)["tokens"]
    assert [(row["name"], row["state"]) for row in states] == [("alice", "revoked"), ("s3", "valid")]
    assert RUN.invoke(cli, ["token", "new", "alice", "--file", str(path)]).exit_code == 0


def test_a_token_goes_into_a_file_of_its_owner_alone_and_over_nobodys(tmp_path: Path) -> None:
    path, out = tmp_path / "tokens.json", tmp_path / "alice.token"
    words = ["token", "new", "alice", "--file", str(path), "--out", str(out)]

    assert (RUN.invoke(cli, words).stdout, stat.S_IMODE(out.stat().st_mode)) == ("", 0o600)
    assert read_tokens(path)[0].digest == digest_of(out.read_text().strip())
    kept = out.read_bytes()
    RUN.invoke(cli, ["token", "revoke", "alice", "--file", str(path)])
    assert RUN.invoke(cli, words).exit_code == 4
    assert out.read_bytes() == kept


@pytest.mark.parametrize("words", [["--role", "root"], ["--key-of", "s9"], ["--role", "ADMIN"]])
def test_what_is_no_role_or_service_gets_no_token(tmp_path: Path, words: list[str]) -> None:
    path = tmp_path / "tokens.json"

    assert RUN.invoke(cli, ["token", "new", "alice", "--file", str(path), *words]).exit_code != 0
    assert RUN.invoke(cli, ["token", "new", "Al ice", "--file", str(path)]).exit_code == 4
    assert not path.exists()


@pytest.mark.parametrize(
    "content",
    ["", "[]", '{"tokens":[{"name":"a","role":"root","digest":"' + "0" * 64 + '"}]}',
     '{"tokens":[{"name":"a","role":"read","digest":"chm_plain"}]}',
     '{"tokens":[{"name":"a","role":"read","digest":"' + "0" * 64 + '","rol":"admin"}]}'],
)  # fmt: skip
def test_a_file_that_is_not_in_its_form_is_refused_and_not_shown(tmp_path: Path, content: str) -> None:
    path = tmp_path / "tokens.json"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(TokensFault) as told:
        read_tokens(path)

    assert "chm_plain" not in str(told.value)


def test_a_file_of_tokens_that_others_may_read_is_refused(doors: Doors) -> None:
    doors.path.chmod(0o644)
    with pytest.raises(TokensFault, match="chmod 600"):
        read_tokens(doors.path)
