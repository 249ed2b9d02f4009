"""What ``deploy`` is made of is right by itself, without kustomize: settings, tables, rules, objects."""

import json
import os
import subprocess
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]  # it comes with schemathesis, without its types
from deployed import CONFIG, KEYS, KUBERNETES, ROOT, documents, env_file, misfits
from known import (
    ALERTS_FILES,
    KEY_FILES,
    S3_SECRETS,
    S4_SECRETS,
    alerts_defaults,
    options,
    program,
    s3_defaults,
    s4_defaults,
)

from chimera.client.credentials import credentials
from chimera.decide.rules.bundle import read_rule
from chimera.services.access.tokens import read_tokens
from chimera.services.alerts.settings import describe as describe_alerts
from chimera.services.alerts.settings import read_settings as read_alerts
from chimera.services.router.policies import table_of
from chimera.services.router.settings import describe, load
from chimera.services.strategy.demo import demo_bundle
from chimera.services.strategy.settings import read_settings
from chimera.wire import shape
from chimera.wire.bundles import BundleBody
from chimera.wire.route_table import DEFAULT

OBJECTS = sorted(
    path
    for path in KUBERNETES.rglob("*.yaml")
    if path.name not in ("kustomization.yaml", "exchange.yaml")  # the latter is a patch
)
SET_HERE = {  # what an installation must say; everything else stands at its default
    "S3_S4_URL", "S3_S4_TOKEN_PATH", "S3_HOST", "S3_API_TOKENS_PATH", "S3_LEDGER_PATH", "S3_REDIS_ADDRESSES",
    "S4_HOST", "S4_API_TOKENS_PATH", "S4_LEDGER_PATH", "S4_RECEIPT_KEY_PATH", "S4_REDIS_ADDRESSES",
    "ALERTS_HOST", "ALERTS_API_TOKENS_PATH", "ALERTS_LEDGER_PATH", "ALERTS_REDIS_ADDRESSES", "ALERTS_S4_URL",
    "ALERTS_S3_URL",
}  # fmt: skip


@pytest.mark.req("CONF-2", "DEL-2")
@pytest.mark.parametrize("path", OBJECTS, ids=[path.relative_to(KUBERNETES).as_posix() for path in OBJECTS])
def test_every_object_fits_the_strict_schema_of_its_kind(path: Path) -> None:
    found = documents(path)

    assert found
    assert [misfits(each) for each in found] == [[] for _ in found]


def test_the_schemas_refuse_what_kubernetes_would_ignore() -> None:
    """A key that is misspelt is a limit that does not hold; so the schemas must be strict."""
    (wrong,) = (each for each in documents(KUBERNETES / "base" / "s4.yaml") if each["kind"] == "StatefulSet")
    wrong["spec"]["template"]["spec"]["containers"][0]["livenesProbe"] = {}

    assert misfits(wrong)


@pytest.mark.req("CONF-2", "DEL-2")
def test_the_config_map_of_s3_has_every_setting_at_its_default_but_those_of_the_installation() -> None:
    told = env_file(CONFIG / "s3.env")
    defaults = read_settings({})
    read = read_settings(told)

    assert set(told) == set(s3_defaults()) - S3_SECRETS
    changed = {name for name in type(read).model_fields if getattr(read, name) != getattr(defaults, name)}
    assert {f"S3_{name.upper()}" for name in changed} == {name for name in SET_HERE if name.startswith("S3_")}


@pytest.mark.req("CONF-2", "DEL-2")
def test_the_config_map_of_s4_has_every_setting_at_its_default_but_those_of_the_installation() -> None:
    told = env_file(CONFIG / "s4.env")
    defaults, read = load({}), load(told)

    assert set(told) == set(s4_defaults()) - S4_SECRETS - KEY_FILES
    fields = {name: str(field.validation_alias) for name, field in type(read).model_fields.items()}
    changed = {variable for name, variable in fields.items() if getattr(read, name) != getattr(defaults, name)}
    assert changed == {name for name in SET_HERE if name.startswith("S4_")}
    assert [name for name, *_ in describe() if name in told] == list(told), "in the order of docs/settings.md"


@pytest.mark.req("CONF-2", "DEL-2")
def test_the_config_map_of_the_alerts_has_every_setting_at_its_default_but_those_of_the_installation() -> None:
    told = env_file(CONFIG / "alerts.env")
    defaults, read = read_alerts({}), read_alerts(told)

    assert set(told) == set(alerts_defaults()) - ALERTS_FILES
    fields = {name: str(field.validation_alias) for name, field in type(read).model_fields.items()}
    changed = {variable for name, variable in fields.items() if getattr(read, name) != getattr(defaults, name)}
    assert changed == {name for name in SET_HERE if name.startswith("ALERTS_")}
    assert [name for name, *_ in describe_alerts() if name in told] == list(told), "in the order of docs/settings.md"


def test_the_config_maps_of_feed_and_console_have_every_variable_that_they_read() -> None:
    assert set(env_file(CONFIG / "feed.env")) == set(options("feed"))
    assert set(env_file(CONFIG / "console.env")) == {*options("console"), *program()}


def test_no_file_of_settings_has_a_secret() -> None:
    for path in CONFIG.glob("*.env"):
        told = env_file(path)

        assert not set(told) & (S3_SECRETS | S4_SECRETS | KEY_FILES | ALERTS_FILES)
        assert not [name for name, value in told.items() if "@" in value or "PASS" in name]


@pytest.mark.req("CONF-2", "DEL-2")
def test_the_route_table_is_one_that_s4_reads_and_the_one_it_has_without() -> None:
    settings = load({"S4_ROUTE_TABLE_PATH": str(CONFIG / "route.json")})

    assert table_of(settings) == DEFAULT


def test_the_bundle_of_rules_is_one_that_s3_takes_and_opens_nothing() -> None:
    told = json.loads((KUBERNETES / "rules" / "bundle.json").read_text(encoding="utf-8"), parse_float=Decimal)
    factors = [row["f"] for row in demo_bundle()["factors"]]
    body = shape.fit(told | {"who": "a test", "why": "to be read"}, BundleBody)

    assert [read_rule(rule, factors)[1] for rule in body.rules] == [()] * len(told["rules"])
    assert told["flags"] == {"entries": False}


def hands() -> list[tuple[str, list[str]]]:
    """The containers that copy keys, by their pod, and what they run."""
    components = [
        each
        for name in ("binance", "webhook", "telegram")
        for each in documents(KUBERNETES / name / "kustomization.yaml")
    ]
    patches = [yaml.safe_load(each["patch"]) for component in components for each in component["patches"]]
    pods = [each for path in OBJECTS for each in documents(path)] + patches
    return [
        (f"{each['metadata']['name']}/{init['name']}", init["command"])
        for each in pods
        for init in each.get("spec", {}).get("template", {}).get("spec", {}).get("initContainers", [])
        if "command" in init
    ]


@pytest.mark.parametrize(("name", "command"), hands(), ids=[name for name, _ in hands()])
def test_keys_are_handed_over_as_chimera_takes_them(name: str, command: list[str], tmp_path: Path) -> None:
    """Kubernetes mounts links to files that a group may read, which Chimera refuses; it takes the copies."""
    mounted, kept = tmp_path / "mounted", tmp_path / "kept"
    (mounted / "..data").mkdir(parents=True)
    kept.mkdir()
    files = [Path(word).name for word in command if word.startswith("/run/chimera/secret/")]
    for each in files:
        hidden = mounted / "..data" / each
        hidden.write_text(CONTENT[each], encoding="utf-8")
        os.chmod(hidden, 0o440)
        (mounted / each).symlink_to(Path("..data") / each)
    to = {f"/run/chimera/{folder}": str(kept) for folder in ("keys", "exchange", "webhook", "telegram")}

    for _ in range(2):  # a pod that starts again finds the copies of the first time
        words = [word.replace("/run/chimera/secret", str(mounted)) for word in command]
        subprocess.run([to.get(word, word) for word in words], check=True)

    assert files
    assert {each.name for each in kept.iterdir()} == set(files)
    for each in files:
        TAKES[each](kept / each)
        with pytest.raises(Exception, match="others may read"):
            TAKES[each](mounted / each)


def takes_key(path: Path) -> None:
    load({"S4_BINANCE_KEY_FILE": str(path), "S4_BINANCE_SECRET": "s" * 64})


def takes_webhook(path: Path) -> None:
    read_alerts({"ALERTS_WEBHOOK_URL": "https://a.example/b", "ALERTS_WEBHOOK_SECRET_FILE": str(path)})


def takes_telegram(path: Path) -> None:
    read_alerts({"ALERTS_TELEGRAM_CHAT": "-100", "ALERTS_TELEGRAM_TOKEN_FILE": str(path)})


CONTENT = {
    "tokens.json": '{"tokens": []}',
    "token": "s3 chm_abc\n",
    "binance-key": "k" * 64,
    "binance-secret": "s" * 64,
    "webhook-secret": "w" * 32,
    "telegram-token": "123:abc",
}
TAKES: dict[str, Callable[[Path], object]] = {
    "tokens.json": read_tokens,
    "token": credentials,
    "binance-key": takes_key,
    "binance-secret": takes_key,
    "webhook-secret": takes_webhook,
    "telegram-token": takes_telegram,
}


def test_no_key_is_in_the_repository() -> None:
    ignored = (KEYS / ".gitignore").read_text(encoding="utf-8").splitlines()
    done = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", str(KEYS)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert [line for line in ignored if not line.startswith("#")] == ["*", "!*/", "!.gitignore", "!kustomization.yaml"]
    assert {Path(line).name for line in done.stdout.splitlines()} <= {".gitignore", "kustomization.yaml"}
