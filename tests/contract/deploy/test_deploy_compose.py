"""The Compose files: of the specification's schema, with settings that load, and doors that are shut."""

import re
from pathlib import Path

import pytest
from deployed import COMPOSE, CONFIG, KEYS, Object, compose, compose_misfits, service_environment, unmixed
from known import S3_SECRETS, S4_SECRETS, asked_of_nobody, key_paths, paths, s4_settings, variables

from chimera.services.access.door import Door
from chimera.services.alerts.settings import read_settings as read_alerts
from chimera.services.router.hosting import hosts_of
from chimera.services.service import Service
from chimera.services.serving import HARD_EXIT_S
from chimera.services.strategy.settings import read_settings
from chimera.simulate.usdm.endpoints import ENDPOINTS

FILES = sorted(path.name for path in COMPOSE.glob("*.yaml"))
HOUSES = {"simulator.yaml": "sim", "binance.yaml": "demo"}


@pytest.fixture(params=list(HOUSES))
def house(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def services(house: str) -> dict[str, Object]:
    return dict(compose(house)["services"])


def ours(services: dict[str, Object]) -> dict[str, Object]:
    return {name: each for name, each in services.items() if each["image"].startswith("chimera:")}


def verb_of(service: Object) -> str:
    return str(service["command"][0])


@pytest.mark.parametrize("name", FILES)
def test_every_file_fits_the_specification(name: str) -> None:
    assert compose_misfits(name) == []


def test_whatever_is_named_is_there(house: str) -> None:
    told = compose(house)
    for name, each in told["services"].items():
        assert set(each.get("networks", [])) <= set(told["networks"]), name
        assert set(each.get("secrets", [])) <= set(told.get("secrets", {})), name
        assert set(each.get("depends_on", {})) <= set(told["services"]), name
        for volume in each.get("volumes", []):
            if isinstance(volume, dict):
                assert (COMPOSE / volume["source"]).resolve().parent == KEYS, volume
                assert volume["bind"] == {"create_host_path": False}, "an empty directory in its place says nothing"
            else:
                source = volume.partition(":")[0]
                assert (COMPOSE / source).is_file() if source.startswith(".") else source in told["volumes"], volume
        mode = each.get("network_mode", "service:simulator")
        assert mode.removeprefix("service:") in told["services"] or "networks" in each


@pytest.mark.req("CONF-2")
def test_all_of_a_house_is_of_one_environment(services: dict[str, Object], house: str, tmp_path: Path) -> None:
    environment = HOUSES[house]
    s4 = s4_settings(service_environment(services["s4"]), tmp_path)

    assert hosts_of(s4).name == environment
    assert service_environment(services["feed"])["FEED_ENV"] == environment


def test_every_variable_is_one_that_its_process_reads_and_none_is_a_secret(services: dict[str, Object]) -> None:
    for name, each in ours(services).items():
        told = service_environment(each)
        assert not set(told) - variables(verb_of(each)), name
        assert not set(told) & (S3_SECRETS | S4_SECRETS), name


def test_every_key_that_is_named_is_mounted_where_it_is_looked_for(services: dict[str, Object], house: str) -> None:
    found = {}
    for name, each in ours(services).items():
        mounted = {row["target"]: row for row in each.get("volumes", []) if isinstance(row, dict)}
        for variable, path in key_paths(service_environment(each)).items():
            folder = mounted[str(Path(path).parent)]
            assert folder["read_only"] is True
            found[variable] = f"{Path(folder['source']).name}/{Path(path).name}"
        assert {Path(row["source"]).name for row in mounted.values()} <= {"tokens", "binance", name}, (
            "and of nobody else"
        )

    assert {name: path for name, path in found.items() if "BINANCE" not in name} == {
        "S3_API_TOKENS_PATH": "tokens/tokens.json",
        "S3_S4_TOKEN_PATH": "s3/token",
        "S4_API_TOKENS_PATH": "tokens/tokens.json",
        "CHIMERA_TOKENS_PATH": "tokens/tokens.json",
        "CHIMERA_TOKEN_PATH": "console/token",
        "ALERTS_API_TOKENS_PATH": "tokens/tokens.json",
    }
    assert ("S4_BINANCE_KEY_FILE" in found) is (house == "binance.yaml")


def test_whoever_listens_beyond_loopback_asks_for_tokens(services: dict[str, Object], tmp_path: Path) -> None:
    s3 = read_settings(service_environment(services["s3"]))
    s4 = s4_settings(service_environment(services["s4"]), tmp_path)
    console = service_environment(services["console"])

    alerts = read_alerts(service_environment(services["alerts"]))
    assert Door.of(alerts).checked(Service.ALERTS).tokens is not None
    assert Door.of(s3).checked(Service.S3).tokens is not None
    assert Door.of(s4).checked(Service.S4).tokens is not None
    assert console["CHIMERA_TOKENS_PATH"]


def test_s3_and_the_others_name_servers_of_the_cluster_that_is_made(services: dict[str, Object]) -> None:
    nodes = {
        f"{each['networks']['stores']['ipv4_address']}:6379"
        for name, each in services.items()
        if re.match(r"redis-\d", name)
    }
    seeds = {
        address
        for each in ours(services).values()
        for name, value in service_environment(each).items()
        if name.endswith("_REDIS_ADDRESSES")
        for address in value.split(",")
    }
    told = read_settings(service_environment(services["s3"]))

    assert len(nodes) == 6
    assert set(services["redis-cluster"]["command"]) == nodes
    assert seeds <= nodes
    assert len(told.redis_addresses) > 1, "one address would be a single server"


def test_no_container_may_more_than_it_needs(services: dict[str, Object]) -> None:
    for name, each in services.items():
        assert each["read_only"] is True, name
        assert each["cap_drop"] == ["ALL"], name
        assert each["security_opt"] == ["no-new-privileges:true"], name
        assert not set(each) & {"privileged", "cap_add", "pid", "devices"}, name


@pytest.mark.parametrize("name", FILES)
def test_every_image_has_a_version(name: str) -> None:
    for each in unmixed(name).get("services", {}).values():
        tag = each.get("image", "chimera:0.1.0").partition(":")[2]
        assert tag not in ("", "latest")


def test_what_asks_for_tokens_is_published_and_only_on_this_machine(services: dict[str, Object], house: str) -> None:
    told = compose(house)
    published = {name: each["ports"] for name, each in services.items() if "ports" in each}

    assert published == {
        "console": ["127.0.0.1:8080:8080"],
        "alerts": ["127.0.0.1:8090:8090"],
        "s3": ["127.0.0.1:8083:8083"],
        "simulator" if "simulator" in services else "s4": ["127.0.0.1:8084:8084"],
    }
    assert all("desk" in services[name]["networks"] for name in published), (
        "no port of an internal network is published"
    )
    assert told["networks"]["house"]["internal"] is told["networks"]["stores"]["internal"] is True
    assert all(set(each["networks"]) == {"stores"} for name, each in services.items() if name.startswith("redis"))


def test_health_is_asked_for_where_it_is_served(services: dict[str, Object]) -> None:
    served = {"s3": "8083", "s4": "8084", "console": "8080", "feed": "8085", "alerts": "8090"}
    for name, port in served.items():
        url = services[name]["healthcheck"]["test"][-1]
        path = url.removeprefix(f"http://127.0.0.1:{port}")
        assert path in paths(name) & asked_of_nobody(name), url
        told = service_environment(services[name])
        named = ("PORT", "CHIMERA_CONSOLE_PORT", "FEED_PORT", "ALERTS_PORT")
        assert port in [told.get(name) for name in named]
    if "simulator" in services:
        assert services["simulator"]["healthcheck"]["test"][-1] == "http://127.0.0.1:9020/fapi/v1/ping"
        assert ("GET", "/fapi/v1/ping") in ENDPOINTS


def test_a_container_is_given_longer_to_end_than_a_service_takes(services: dict[str, Object]) -> None:
    for name, each in ours(services).items():
        assert int(each["stop_grace_period"].removesuffix("s")) >= HARD_EXIT_S + 5, name


def test_the_route_table_is_mounted_where_s4_looks(services: dict[str, Object]) -> None:
    path = service_environment(services["s4"])["S4_ROUTE_TABLE_PATH"]
    (mounted,) = (each for each in services["s4"]["volumes"] if str(each).endswith(f":{path}:ro"))

    assert (COMPOSE / mounted.partition(":")[0]).resolve() == CONFIG / "route.json"


def test_s3_can_have_its_ledger_in_arango() -> None:
    told = unmixed("arango.yaml")["services"]
    added = told["s3"]["environment"]
    given = service_environment(compose("simulator.yaml")["services"]["s3"]) | added

    assert read_settings(given).db_arango_uri == "http://arangodb:8529/chimera"
    assert told["arangodb-init"]["environment"] == added
    assert told["arangodb-init"]["command"] == ["init"]
    assert set(added) <= variables("init")


@pytest.mark.parametrize(
    ("what", "where", "held"),
    [("webhook", "ALERTS_WEBHOOK_URL", "webhook-secret"), ("telegram", "ALERTS_TELEGRAM_CHAT", "telegram-token")],
)
def test_a_channel_is_added_by_a_file_of_its_own(what: str, where: str, held: str, services: dict[str, Object]) -> None:
    (added,) = unmixed(f"{what}.yaml")["services"].values()
    (folder,) = added["volumes"]
    (path,) = key_paths(added["environment"]).values()

    assert "alerts" in services
    assert added["environment"][where].startswith(f"${{{where}:?"), "who starts it says where to"
    assert set(added["environment"]) <= variables("alerts")
    assert (folder["target"], Path(folder["source"]).name, folder["read_only"]) == (f"/run/chimera/{what}", what, True)
    assert path == f"/run/chimera/{what}/{held}"
    assert (KEYS / what / "kustomization.yaml").is_file()
