"""What ``deploy`` holds, as Kubernetes and Compose read it: objects, containers, environments, who reaches whom."""

import functools
import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import jsonschema_rs
import pytest
import yaml  # type: ignore[import-untyped]  # it comes with schemathesis, without its types

ROOT: Final = Path(__file__).resolve().parents[3]
DEPLOY: Final = ROOT / "deploy"
KEYS: Final = DEPLOY / "keys"
KUBERNETES: Final = DEPLOY / "kubernetes"
CONFIG: Final = KUBERNETES / "config"
COMPOSE: Final = DEPLOY / "compose"
OVERLAYS: Final = {"simulator": "sim", "demo": "demo", "live": "live"}  # and the environment that each trades on
SCHEMAS: Final = Path(__file__).parent / "schemas"
# Prometheus' operator has a schema of its own, of which this is what we use.
SERVICE_MONITOR: Final = {
    "type": "object",
    "additionalProperties": False,
    "required": ["apiVersion", "kind", "metadata", "spec"],
    "properties": {
        "apiVersion": {"const": "monitoring.coreos.com/v1"},
        "kind": {"const": "ServiceMonitor"},
        "metadata": {"$ref": "#/$defs/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"},
        "spec": {
            "type": "object",
            "additionalProperties": False,
            "required": ["selector", "endpoints"],
            "properties": {
                "selector": {"$ref": "#/$defs/io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector"},
                "endpoints": {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["port", "path"],
                        "properties": {
                            **{name: {"type": "string"} for name in ("port", "path", "interval", "scrapeTimeout")},
                            "authorization": {
                                "type": "object",
                                "additionalProperties": False,
                                "required": ["credentials"],
                                "properties": {"credentials": {"$ref": "#/$defs/io.k8s.api.core.v1.SecretKeySelector"}},
                            },
                        },
                    },
                },
            },
        },
    },
}
Object = dict[str, Any]


class Container(NamedTuple):
    """One container with the pod that it is in. ``role``: initContainers or containers."""

    object: Object
    pod: Object
    role: str
    spec: Object

    @property
    def name(self) -> str:
        return f"{self.object['metadata']['name']}/{self.spec['name']}"


# ── Kubernetes ──


def documents(path: Path) -> list[Object]:
    return _read(path.read_text(encoding="utf-8"))


def _read(text: str) -> list[Object]:
    return [each for each in yaml.load_all(text, Loader=yaml.CSafeLoader) if each]


@functools.cache
def _built(folder: Path) -> str:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("no kubectl on this machine: what kustomize makes of deploy/kubernetes is not looked at")
    done = subprocess.run([kubectl, "kustomize", str(folder)], capture_output=True, text=True, timeout=20, check=False)
    assert not done.returncode, done.stderr
    return done.stdout


def built(folder: Path) -> list[Object]:
    """What ``kubectl kustomize`` makes of a folder; the test is skipped where there is no kubectl."""
    return _read(_built(folder))


@functools.cache
def _kind(kind: str) -> Any:
    told = json.loads((SCHEMAS / "kubernetes.json").read_text(encoding="utf-8"))
    if kind == "ServiceMonitor":
        return jsonschema_rs.validator_for({**told, **SERVICE_MONITOR})
    (name,) = (name for name in told["$defs"] if name.startswith("io.k8s.api.") and name.endswith(f".{kind}"))
    return jsonschema_rs.validator_for({**told, "$ref": f"#/$defs/{name}"})


def misfits(document: Object) -> list[str]:
    """What its kind's strict schema says against it."""
    return [
        f"{'/'.join(map(str, each.instance_path))}: {each.message}"
        for each in _kind(document["kind"]).iter_errors(document)
    ]


def named(objects: list[Object], kind: str, name: str) -> Object:
    (found,) = (each for each in objects if (each["kind"], each["metadata"]["name"]) == (kind, name))
    return found


def containers(objects: list[Object]) -> Iterator[Container]:
    for each in objects:
        pod: Object = each.get("spec", {}).get("template", {}).get("spec", {})
        for role in ("initContainers", "containers"):
            for spec in pod.get(role, []):
                yield Container(each, pod, role, spec)


def container(objects: list[Object], name: str) -> Container:
    (found,) = (each for each in containers(objects) if each.name == name)
    return found


def environment(objects: list[Object], of: Container) -> dict[str, str]:
    """As the process sees it, without what Secrets add; in the first pod, where it has a name of its own."""
    told: dict[str, str] = {}
    for source in of.spec.get("envFrom", []):
        if "configMapRef" in source:
            told |= named(objects, "ConfigMap", source["configMapRef"]["name"])["data"]
    for each in of.spec.get("env", []):
        value = each["value"] if "value" in each else f"{of.object['metadata']['name']}-0"  # the field metadata.name
        told[each["name"]] = re.sub(r"\$\((\w+)\)", lambda name: told[name[1]], value)
    return told


def env_file(path: Path) -> dict[str, str]:
    lines = (line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#"))
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """A label selector as the policies here use it; raises ``KeyError`` for an operator that they do not."""
    wanted = selector.get("matchLabels", {})
    ways = {"In": lambda row: labels.get(row["key"]) in row["values"]}
    rows = selector.get("matchExpressions", [])
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        ways[row["operator"]](row) for row in rows
    )


def doors(objects: list[Object], asks: Mapping[str, str], asked: Mapping[str, str], port: int) -> tuple[bool, bool]:
    """Whether a pod with the labels ``asks`` gets out to ``port`` of one with ``asked``, and is let in there."""
    policies = [each["spec"] for each in objects if each["kind"] == "NetworkPolicy"]
    out = _lets(policies, "Egress", "egress", "to", asks, asked, port)
    return out, _lets(policies, "Ingress", "ingress", "from", asked, asks, port)


def may_reach(objects: list[Object], asks: Mapping[str, str], asked: Mapping[str, str], port: int) -> bool:
    return all(doors(objects, asks, asked, port))


def _lets(
    policies: list[Object],
    kind: str,
    rules: str,
    peers: str,
    here: Mapping[str, str],
    there: Mapping[str, str],
    port: int,
) -> bool:
    mine = [each for each in policies if kind in each["policyTypes"] and selects(each["podSelector"], here)]
    rows = [row for policy in mine for row in policy.get(rules, [])]
    by_port = [row for row in rows if port in [each["port"] for each in row.get("ports", [])]]
    near = [row for row in by_port if peers not in row or any(_is_near(peer, there) for peer in row[peers])]
    return not mine or bool(near)


def _is_near(peer: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    return set(peer) == {"podSelector"} and selects(peer["podSelector"], labels)


# ── Compose ──


@functools.cache
def _compose() -> Any:
    return jsonschema_rs.validator_for(json.loads((SCHEMAS / "compose.json").read_text(encoding="utf-8")))


def compose(name: str) -> Object:
    """A Compose file with what it includes; ``unmixed`` without."""
    told = unmixed(name)
    for path in told.pop("include", []):
        for part, rows in unmixed(path).items():
            if isinstance(rows, dict) and not part.startswith("x-"):
                told.setdefault(part, {})
                assert not set(told[part]) & set(rows), f"{name} and {path} name the same {part}"
                told[part] |= rows
    return told


def unmixed(name: str) -> Object:
    (told,) = documents(COMPOSE / name)
    return told


def compose_misfits(name: str) -> list[str]:
    return [
        f"{'/'.join(map(str, each.instance_path))}: {each.message}" for each in _compose().iter_errors(unmixed(name))
    ]


def service_environment(service: Object) -> dict[str, str]:
    given = service.get("env_file", [])
    told: dict[str, str] = {}
    for path in [given] if isinstance(given, str) else given:
        told |= env_file(COMPOSE / path)
    return told | {name: str(value) for name, value in service.get("environment", {}).items()}
