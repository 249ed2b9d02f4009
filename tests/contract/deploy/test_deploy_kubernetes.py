"""What ``kubectl apply -k`` would send: it fits, its settings load, its probes are answered, its doors are shut."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from deployed import (
    KEYS,
    KUBERNETES,
    OVERLAYS,
    Container,
    Object,
    built,
    container,
    containers,
    documents,
    doors,
    environment,
    may_reach,
    misfits,
    named,
    selects,
)
from known import (
    ALERTS_FILES,
    KEY_FILES,
    S3_SECRETS,
    S4_SECRETS,
    asked_of_nobody,
    key_paths,
    paths,
    s4_settings,
    variables,
    verbs,
)

from chimera.services.access.door import Door
from chimera.services.alerts.settings import read_settings as read_alerts
from chimera.services.router.hosting import hosts_of
from chimera.services.router.settings import load
from chimera.services.service import Service
from chimera.services.serving import HARD_EXIT_S
from chimera.services.setting_kinds import SettingsFault
from chimera.services.simulator.settings import SimulatorSettings
from chimera.services.strategy.settings import read_settings
from chimera.simulate.usdm.endpoints import ENDPOINTS

pytestmark = pytest.mark.slow

PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
COMPONENTS = "[../binance]"  # as the overlays name them
STORES = {"redis", "keys", "exchange-keys", "webhook-key", "telegram-key"}  # containers that run no verb of ours


@pytest.fixture(params=list(OVERLAYS))
def overlay(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def objects(overlay: str) -> list[Object]:
    return built(KUBERNETES / overlay)


@pytest.fixture(scope="module")
def with_all(tmp_path_factory: pytest.TempPathFactory) -> list[Object]:
    """The live installation with every component that it may have beside one S4."""
    return live_with("../binance, ../monitoring, ../arango, ../webhook, ../telegram", tmp_path_factory)


@pytest.fixture(scope="module")
def with_routers(tmp_path_factory: pytest.TempPathFactory) -> list[Object]:
    return live_with("../binance, ../monitoring, ../routers", tmp_path_factory)


def live_with(components: str, tmp_path_factory: pytest.TempPathFactory) -> list[Object]:
    folder = tmp_path_factory.mktemp("deploy") / "kubernetes"
    shutil.copytree(KUBERNETES, folder)
    told = folder / "live" / "kustomization.yaml"
    text = told.read_text(encoding="utf-8")
    assert COMPONENTS in text
    told.write_text(text.replace(COMPONENTS, f"[{components}]"), encoding="utf-8")
    return built(folder / "live")


def verb_of(each: Container) -> str:
    return str(each.spec["args"][0])


def ours(objects: list[Object]) -> list[Container]:
    return [each for each in containers(objects) if each.spec["name"] not in STORES]


# ── form ──


def test_every_object_fits_the_strict_schema_of_its_kind_and_is_there_once(objects: list[Object]) -> None:
    names = [(each["kind"], each["metadata"]["name"]) for each in objects]

    assert [misfits(each) for each in objects] == [[] for _ in objects]
    assert len(set(names)) == len(names)
    assert {each["metadata"].get("namespace") for each in objects if each["kind"] != "Namespace"} == {"chimera"}


def test_what_may_be_added_fits_too(with_all: list[Object]) -> None:
    found = [*with_all, *built(KUBERNETES / "rules")]

    assert [misfits(each) for each in found] == [[] for _ in found]


def secret_of(folder: Path, tmp_path: Path) -> Object:
    """Made of a file for each that its kustomization names."""
    shutil.copy(folder / "kustomization.yaml", tmp_path)
    (told,) = documents(folder / "kustomization.yaml")
    for each in told["secretGenerator"][0]["files"]:
        path = tmp_path / each.rpartition("=")[2]
        path.parent.mkdir(exist_ok=True)
        path.write_text("k", encoding="utf-8")
    (secret,) = built(tmp_path)
    return secret


@pytest.mark.req("CONF-2", "DEL-2")
@pytest.mark.parametrize("name", ["access", "binance", "webhook", "telegram"])
def test_the_secrets_are_made_of_files_and_have_what_is_taken_from_them(
    name: str, tmp_path: Path, with_all: list[Object]
) -> None:
    secret = secret_of(KEYS if name == "access" else KEYS / name, tmp_path)
    volumes = {
        row["key"]
        for each in containers([*with_all, *built(KUBERNETES / "rules")])
        for volume in each.pod.get("volumes", [])
        if volume.get("secret", {}).get("secretName") == secret["metadata"]["name"]
        for row in volume["secret"].get("items", [{"key": key} for key in ("binance-key", "binance-secret")])
    }
    monitor = named(with_all, "ServiceMonitor", "chimera")["spec"]["endpoints"][0]["authorization"]["credentials"]
    read = {monitor["key"]} if monitor["name"] == secret["metadata"]["name"] else set()

    assert not misfits(secret)
    assert secret["metadata"]["namespace"] == "chimera"
    assert set(secret["data"]) == volumes | read


# ── settings ──


def test_every_variable_is_one_that_its_process_reads(objects: list[Object]) -> None:
    told = {each.name: (verb_of(each), set(environment(objects, each))) for each in ours(objects)}
    strangers = {name: names - variables(verb) for name, (verb, names) in told.items()}

    assert strangers == {name: set() for name in told}


@pytest.mark.req("CONF-2")
def test_all_of_an_installation_is_of_one_environment(objects: list[Object], overlay: str, tmp_path: Path) -> None:
    wanted = OVERLAYS[overlay]
    s4 = s4_settings(environment(objects, container(objects, "s4/s4")), tmp_path)
    feed = environment(objects, container(objects, "s4/feed" if wanted == "sim" else "feed/feed"))

    assert hosts_of(s4).name == wanted
    assert s4.testnet is (wanted != "live")
    assert (s4.binance_key is None) is (wanted == "sim")
    assert feed["FEED_ENV"] == wanted


def test_all_speak_of_one_redis_and_find_each_other(objects: list[Object]) -> None:
    told = [environment(objects, each) for each in ours(objects)]
    redis = {value for names in told for name, value in names.items() if name.endswith("_REDIS_ADDRESSES")}
    services = {
        f"{each['metadata']['name']}:{port['port']}"
        for each in objects
        if each["kind"] == "Service"
        for port in each["spec"]["ports"]
    }
    s3 = read_settings(environment(objects, container(objects, "s3/s3")))
    console = environment(objects, container(objects, "console/console"))

    assert redis <= services
    alerts = read_alerts(environment(objects, container(objects, "alerts/alerts")))
    assert {url.removeprefix("http://") for urls in alerts.watched.values() for url in urls} <= services
    assert set(alerts.watched) == {"s3", "s4"}, "the feed answers on loopback alone"
    assert {s3.s4_url.removeprefix("http://"), console["CHIMERA_S4_URL"].removeprefix("http://")} <= services
    assert console["CHIMERA_S3_URL"].removeprefix("http://") in services


@pytest.mark.req("CONF-2", "DEL-2")
def test_no_secret_is_in_a_config_map_and_none_is_sent(objects: list[Object]) -> None:
    told = {name: value for each in objects if each["kind"] == "ConfigMap" for name, value in each["data"].items()}

    assert not set(told) & (S3_SECRETS | S4_SECRETS)
    assert not [name for name, value in told.items() if "@" in value]
    assert not [each for each in objects if each["kind"] == "Secret"]
    assert not [
        row for each in ours(objects) for row in each.spec.get("env", []) if row["name"] in S4_SECRETS | S3_SECRETS
    ]


@pytest.mark.req("CONF-2", "DEL-2")
def test_the_route_table_is_mounted_where_s4_looks_and_can_change_under_it(objects: list[Object]) -> None:
    s4 = container(objects, "s4/s4")
    path = load({"S4_ROUTE_TABLE_PATH": environment(objects, s4)["S4_ROUTE_TABLE_PATH"]}).route_table_path
    (mount,) = (each for each in s4.spec["volumeMounts"] if each["mountPath"] == str(path.parent))
    (volume,) = (each for each in s4.pod["volumes"] if each["name"] == mount["name"])

    assert "subPath" not in mount
    assert path.name in named(objects, "ConfigMap", volume["configMap"]["name"])["data"]
    assert volume["configMap"]["name"] == "route-table", "a name with a digest in it would restart S4 for each change"


def test_ledgers_and_the_key_of_receipts_are_on_the_volume(objects: list[Object]) -> None:
    s4, s3 = container(objects, "s4/s4"), container(objects, "s3/s3")
    kept = [environment(objects, s4)[name] for name in ("S4_LEDGER_PATH", "S4_RECEIPT_KEY_PATH")]
    kept.append(environment(objects, s3)["S3_LEDGER_PATH"])
    alerts = container(objects, "alerts/alerts")
    kept.append(environment(objects, alerts)["ALERTS_LEDGER_PATH"])

    for each in (s3, s4, alerts):
        claims = [claim["metadata"]["name"] for claim in each.object["spec"]["volumeClaimTemplates"]]
        assert {"name": claims[0], "mountPath": "/var/lib/chimera"} in each.spec["volumeMounts"]
    assert {str(Path(path).parent) for path in kept} == {"/var/lib/chimera"}


# ── keys ──


def test_every_key_that_is_named_is_handed_to_the_container_that_looks_for_it(with_all: list[Object]) -> None:
    """From a Secret, by an init container, into memory, where a variable names it; and it is its reader's alone."""
    found = 0
    objects = [*with_all, *built(KUBERNETES / "rules")]
    for each in (each for each in ours(objects) if each.role == "containers"):  # `chimera init` asks nobody
        for name, path in key_paths(environment(objects, each)).items():
            (mount,) = (row for row in each.spec["volumeMounts"] if row["mountPath"] == str(Path(path).parent))
            volumes = {volume["name"]: volume for volume in each.pod["volumes"]}
            (hand,) = (
                init
                for init in each.pod["initContainers"]
                if any(row["name"] == mount["name"] for row in init.get("volumeMounts", []))
            )
            (source,) = (row for row in hand["volumeMounts"] if row["name"] != mount["name"])
            (target,) = (row for row in hand["volumeMounts"] if row["name"] == mount["name"])
            secret = volumes[source["name"]]["secret"]
            held = {row["path"] for row in secret.get("items", [])} or {"binance-key", "binance-secret"}

            assert mount["readOnly"] is True, name
            assert volumes[mount["name"]]["emptyDir"]["medium"] == "Memory", name
            assert hand["command"][4] == target["mountPath"], name
            assert f"{source['mountPath']}/{Path(path).name}" in hand["command"], name
            assert Path(path).name in held, name
            assert secret["defaultMode"] == 0o440, "for the group of the pod, and nobody else"
            found += 1

    assert found == 11


@pytest.mark.req("CONF-2")
def test_whoever_listens_beyond_loopback_asks_for_tokens(objects: list[Object]) -> None:
    s3 = read_settings(environment(objects, container(objects, "s3/s3")))
    s4 = load({**environment(objects, container(objects, "s4/s4")), **dict.fromkeys(KEY_FILES, "")})
    console = environment(objects, container(objects, "console/console"))

    alerts = read_alerts(environment(objects, container(objects, "alerts/alerts")))
    assert Door.of(alerts).checked(Service.ALERTS).tokens is not None
    assert not Door.of(alerts).on_loopback
    assert Door.of(s3).checked(Service.S3).tokens is not None
    assert Door.of(s4).checked(Service.S4).tokens is not None
    assert not Door.of(s3).on_loopback
    assert not Door.of(s4).on_loopback
    assert console["CHIMERA_CONSOLE_HOST"] == "127.0.0.1", "it has no Service, and needs none"
    assert console["CHIMERA_TOKENS_PATH"]


# ── probes ──


def test_every_probe_asks_for_what_is_served_where_it_is_served(objects: list[Object]) -> None:
    ports = {
        "s3/s3": read_settings(environment(objects, container(objects, "s3/s3"))).port,
        "s4/s4": load({"PORT": environment(objects, container(objects, "s4/s4"))["PORT"]}).port,
        "alerts/alerts": read_alerts(environment(objects, container(objects, "alerts/alerts"))).port,
    }
    for name, port in ports.items():
        each = container(objects, name)
        (listens,) = each.spec["ports"]
        asked = {kind: each.spec[kind]["httpGet"] for kind in PROBES}

        assert listens["containerPort"] == port
        assert {get["port"] for get in asked.values()} == {listens["name"]}
        assert [get["path"] for get in asked.values()] == ["/health", "/health", "/ready"]
        assert {get["path"] for get in asked.values()} <= paths(each.spec["name"]) & asked_of_nobody(each.spec["name"])


def test_the_probes_that_run_inside_ask_for_what_is_served(objects: list[Object], overlay: str) -> None:
    inside = {
        "console/console": "CHIMERA_CONSOLE_PORT",
        "s4/feed" if overlay == "simulator" else "feed/feed": "FEED_PORT",
    }
    for name, variable in inside.items():
        each = container(objects, name)
        port = environment(objects, each)[variable]
        asked = {each.spec[kind]["exec"]["command"][-1] for kind in PROBES if kind in each.spec}

        assert {"startupProbe", "livenessProbe"} <= set(each.spec)
        assert asked == {f"http://127.0.0.1:{port}/health"}
        assert "/health" in paths(each.spec["name"]) & asked_of_nobody(each.spec["name"])
    if overlay == "simulator":
        simulator = container(objects, "s4/simulator")
        said = simulator.spec["startupProbe"]["exec"]["command"][-1]
        assert said == f"http://127.0.0.1:{SimulatorSettings().port}/fapi/v1/ping"
        assert ("GET", "/fapi/v1/ping") in ENDPOINTS
        assert environment(objects, container(objects, "s4/s4"))["S4_FUT_URL"] == said.removesuffix("/fapi/v1/ping")
        assert simulator.spec["restartPolicy"] == "Always"


def test_a_pod_is_given_longer_to_end_than_a_service_takes(objects: list[Object]) -> None:
    assert all(each.pod["terminationGracePeriodSeconds"] >= HARD_EXIT_S + 5 for each in ours(objects))
    assert all(each.spec["livenessProbe"]["failureThreshold"] >= 6 for each in ours(objects) if "ports" in each.spec)


# ── one S4 ──


def test_there_is_one_s4_whatever_happens_to_a_node(objects: list[Object]) -> None:
    s4 = named(objects, "StatefulSet", "s4")
    (claim,) = s4["spec"]["volumeClaimTemplates"]
    budget = named(objects, "PodDisruptionBudget", "s4")

    assert s4["spec"]["replicas"] == 1
    assert claim["spec"]["accessModes"] == ["ReadWriteOncePod"]
    assert budget["spec"]["maxUnavailable"] == 0
    assert selects(budget["spec"]["selector"], s4["spec"]["template"]["metadata"]["labels"])
    assert named(objects, "StatefulSet", "s3")["spec"]["replicas"] == 1, "its ledger is a file"
    assert named(objects, "StatefulSet", "alerts")["spec"]["replicas"] == 1, "two would each tell half"


@pytest.mark.parametrize("name", ["s3", "s4", "alerts"])
def test_a_service_that_is_not_ready_can_still_be_asked_to_close(objects: list[Object], name: str) -> None:
    service = named(objects, "Service", name)["spec"]

    assert service["publishNotReadyAddresses"] is True
    assert selects(
        {"matchLabels": service["selector"]},
        named(objects, "StatefulSet", name)["spec"]["template"]["metadata"]["labels"],
    )


# ── what a container may ──


def test_no_container_may_more_than_it_needs(objects: list[Object]) -> None:
    for each in containers(objects):
        assert each.spec["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, each.name
        pod = each.pod["securityContext"]
        assert (pod["runAsNonRoot"], pod["runAsUser"], pod["seccompProfile"]) == (
            True,
            10001,
            {"type": "RuntimeDefault"},
        )
        assert each.pod["automountServiceAccountToken"] is False
        assert "memory" in each.spec["resources"]["limits"]
        assert "cpu" not in each.spec["resources"]["limits"], "throttling would delay stops"


def test_kubernetes_writes_no_variable_of_its_own_for_our_services(objects: list[Object]) -> None:
    """``S3_PORT=tcp://…`` for a Service named s3 would keep S3 from starting."""
    with pytest.raises(Exception, match="S3_PORT is not a setting"):
        read_settings({"S3_PORT": "tcp://10.0.0.1:8083"})
    assert {each.pod["enableServiceLinks"] for each in containers(objects)} == {False}


def test_every_image_has_a_version(objects: list[Object]) -> None:
    for each in containers(objects):
        name, _, tag = each.spec["image"].partition(":")
        assert tag not in ("", "latest"), each.name
        assert (name == "chimera") is (each.spec["name"] != "redis")


# ── who reaches whom ──


def labels_of(objects: list[Object], name: str) -> dict[str, str]:
    (found,) = (
        each for each in objects if each["kind"] in ("StatefulSet", "Deployment") and each["metadata"]["name"] == name
    )
    return dict(found["spec"]["template"]["metadata"]["labels"])


REACHED = [
    ("s3", "s4", 8084, True),
    ("console", "s4", 8084, True),
    ("console", "s3", 8083, True),
    ("s4", "s3", 8083, False),
    ("feed", "s4", 8084, False),
    ("feed", "s3", 8083, False),
    ("s3", "console", 8080, False),
    ("s3", "redis", 6379, True),
    ("s4", "redis", 6379, True),
    ("feed", "redis", 6379, True),
    ("redis", "s4", 8084, False),
    ("s3", "s4", 9020, False),
    ("alerts", "s4", 8084, True),
    ("alerts", "s3", 8083, True),
    ("alerts", "redis", 6379, True),
    ("s4", "alerts", 8090, False),
    ("console", "alerts", 8090, True),
]


@pytest.mark.parametrize(("asks", "asked", "port", "may"), REACHED, ids=[f"{a}-{b}-{c}" for a, b, c, _ in REACHED])
def test_who_reaches_whom(asks: str, asked: str, port: int, may: bool) -> None:
    """And where it may not, each of the two doors alone keeps it from it."""
    objects = built(KUBERNETES / "live")

    assert doors(objects, labels_of(objects, asks), labels_of(objects, asked), port) == (may, may)


@pytest.mark.parametrize(
    ("asked", "port", "label"),
    [
        ("s3", 8083, "chimera/asks-s3"),
        ("s4", 8084, "chimera/asks-s4"),
        ("alerts", 8090, "chimera/asks-alerts"),
    ],
)
def test_a_stranger_gets_in_by_its_label_alone(asked: str, port: int, label: str) -> None:
    objects = built(KUBERNETES / "live")
    lets = [
        each for each in objects if each["metadata"]["name"] != "shut"
    ]  # of the stranger's own way out others decide

    assert not may_reach(lets, {"app": "stranger"}, labels_of(objects, asked), port)
    assert may_reach(lets, {"app": "stranger", label: "yes"}, labels_of(objects, asked), port)


def test_the_exchange_alone_is_beyond_the_cluster_and_the_simulator_needs_none_of_it(
    objects: list[Object], overlay: str
) -> None:
    out = [
        (each["metadata"]["name"], peer["ipBlock"])
        for each in objects
        if each["kind"] == "NetworkPolicy"
        for row in each["spec"].get("egress", [])
        for peer in row.get("to", [])
        if "ipBlock" in peer
    ]

    assert [name for name, _ in out] == ([] if overlay == "simulator" else ["to-the-exchange"])
    assert all({"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"} <= set(block["except"]) for _, block in out)


def test_the_job_of_rules_reaches_s3_and_only_keeps_them() -> None:
    objects = built(KUBERNETES / "live")
    job = container(built(KUBERNETES / "rules"), "rules/rules")
    labels: Any = job.object["spec"]["template"]["metadata"]["labels"]

    assert may_reach(objects, labels, labels_of(objects, "s3"), 8083)
    assert job.spec["args"][:2] == ["bundle", "create"]
    assert {row["name"] for row in job.spec["env"]} <= variables("bundle")
    assert "create" in verbs("bundle")


def test_metrics_are_where_prometheus_is_sent(with_all: list[Object]) -> None:
    objects = with_all
    spec = named(objects, "ServiceMonitor", "chimera")["spec"]
    services = [
        each
        for each in objects
        if each["kind"] == "Service" and selects(spec["selector"], each["metadata"].get("labels", {}))
    ]

    assert {each["metadata"]["name"] for each in services} == {"s3", "s4", "alerts"}
    for each in services:
        assert spec["endpoints"][0]["port"] in [port["name"] for port in each["spec"]["ports"]]
        assert spec["endpoints"][0]["path"] in paths(each["metadata"]["name"])


@pytest.mark.parametrize(
    ("what", "where"),
    [("webhook", {"ALERTS_WEBHOOK_URL": "https://a.example/b"}), ("telegram", {"ALERTS_TELEGRAM_CHAT": "-100"})],
)
def test_a_channel_is_a_file_an_address_and_a_way_out(
    what: str, where: dict[str, str], with_all: list[Object], tmp_path: Path
) -> None:
    """Without its component there is neither; with it a start asks for the address, which is the installation's."""
    alerts = environment(with_all, container(with_all, "alerts/alerts"))
    (named_file,) = (name for name in ALERTS_FILES & set(alerts) if what.upper() in name)
    secret = tmp_path / "secret"
    secret.write_text("123:" + "s" * 32, encoding="utf-8")
    secret.chmod(0o400)
    only = {name: value for name, value in alerts.items() if name not in ALERTS_FILES} | {named_file: str(secret)}
    out = named(with_all, "NetworkPolicy", f"to-{'the-' * (what == 'webhook')}{what}")["spec"]
    plain = built(KUBERNETES / "live")

    with pytest.raises(SettingsFault, match="go together"):
        read_alerts(only)
    assert read_alerts(only | where)
    assert selects(out["podSelector"], labels_of(with_all, "alerts"))
    assert not ALERTS_FILES & set(environment(plain, container(plain, "alerts/alerts")))


def test_with_arango_s3_makes_its_ledger_before_it_starts(with_all: list[Object]) -> None:
    objects = with_all
    init, s3 = container(objects, "s3/init"), container(objects, "s3/s3")

    assert init.spec["args"] == ["init"]
    assert environment(objects, init) == environment(objects, s3)
    assert read_settings(environment(objects, s3)).db_arango_uri == "http://arangodb:8529/chimera"
    assert load(environment(objects, container(objects, "s4/s4")) | dict.fromkeys(KEY_FILES, "")).db_arango_uri is None


# ── several S4 ──


@pytest.mark.req("S4-ROUTE-6", "DEL-2")
def test_three_routers_share_the_account_and_everybody_knows_their_names(
    with_routers: list[Object], tmp_path: Path
) -> None:
    objects = with_routers
    s4, spec = container(objects, "s4/s4"), named(objects, "StatefulSet", "s4")["spec"]
    each = named(objects, "Service", spec["serviceName"])
    urls = [f"http://s4-{number}.{each['metadata']['name']}:8084" for number in range(spec["replicas"])]
    settings = s4_settings(environment(objects, s4), tmp_path)

    assert [misfits(each) for each in objects] == [[] for _ in objects]
    assert (settings.leases, settings.owner_name, settings.url) == ("on", "s4-0", urls[0])
    assert (settings.db_arango_uri, settings.redis_addresses) == ("http://arangodb:8529/chimera", ("redis:6379",))
    assert read_settings(environment(objects, container(objects, "s3/s3"))).s4_url == ",".join(urls)
    assert environment(objects, container(objects, "console/console"))["CHIMERA_S4_URL"] == ",".join(urls)
    assert read_alerts(environment(objects, container(objects, "alerts/alerts"))).watched["s4"] == tuple(urls)
    assert (each["spec"]["clusterIP"], each["spec"]["publishNotReadyAddresses"]) == ("None", True)
    assert selects({"matchLabels": each["spec"]["selector"]}, labels_of(objects, "s4"))
    assert each["spec"]["ports"][0]["targetPort"] == s4.spec["ports"][0]["name"]


def test_an_update_or_a_drain_waits_for_no_stand_by_and_takes_one_at_a_time(with_routers: list[Object]) -> None:
    s4, spec = container(with_routers, "s4/s4"), named(with_routers, "StatefulSet", "s4")["spec"]
    (spread,) = s4.pod["topologySpreadConstraints"]

    assert s4.spec["readinessProbe"]["httpGet"]["path"] == "/health"
    assert spec["podManagementPolicy"] == "Parallel"
    assert named(with_routers, "PodDisruptionBudget", "s4")["spec"]["maxUnavailable"] == 1
    assert (spread["topologyKey"], spread["whenUnsatisfiable"]) == ("kubernetes.io/hostname", "DoNotSchedule")
    assert selects(spread["labelSelector"], labels_of(with_routers, "s4"))


def test_their_ledger_is_made_before_they_start_and_within_reach(with_routers: list[Object]) -> None:
    init, s4 = container(with_routers, "s4/init"), container(with_routers, "s4/s4")
    policy = named(with_routers, "NetworkPolicy", "s4-reaches-arangodb")["spec"]
    made, used = environment(with_routers, init), environment(with_routers, s4)

    assert init.spec["args"] == ["init", "--replication-factor", "3", "--write-concern", "2"]
    assert load(made).db_arango_uri == used["S4_DB_ARANGO_URI"]
    assert load(made).db_arango_user == used["S4_DB_ARANGO_USER"]
    assert selects(policy["podSelector"], labels_of(with_routers, "s4"))
    assert policy["egress"] == [{"ports": [{"port": 8529, "protocol": "TCP"}]}]


def test_every_command_that_is_run_exists(objects: list[Object]) -> None:
    assert {verb_of(each) for each in ours(objects)} <= verbs()
