"""Cut what the tests of ``deploy`` need out of two packages of schemas, and write it beside this file.

By hand, when a Kubernetes kind is added or a version moves, in an environment of its own (the first takes 110 MB):
``pip install kubernetes-validate check-jsonschema && python cut.py``. Kept are the strict schemas of the kinds below,
of about the oldest Kubernetes that the manifests need, and the Compose specification's; without descriptions, and a
null is no value.
"""

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

VERSION: Final = "1.30.0"
KINDS: Final = (
    "apps.v1.Deployment", "apps.v1.StatefulSet", "batch.v1.Job", "core.v1.ConfigMap", "core.v1.Namespace",
    "core.v1.Secret", "core.v1.Service", "core.v1.ServiceAccount", "networking.v1.NetworkPolicy",
    "policy.v1.PodDisruptionBudget",
)  # fmt: skip
HERE: Final = Path(__file__).parent


def bare(schema: Any, *, names: bool = False) -> Any:
    """Without descriptions and extensions; ``names``: the keys are properties' names, which all stay."""
    if isinstance(schema, list):
        return [bare(each) for each in schema if each != "null"]
    if not isinstance(schema, dict):
        return schema
    kept = {key: each for key, each in schema.items() if names or not (key == "description" or key.startswith("x-"))}
    return {key: bare(each, names=not names and key in ("properties", "$defs")) for key, each in kept.items()}


def kubernetes() -> dict[str, Any]:
    """The kinds' definitions, and all that they refer to."""
    folder = files("kubernetes_validate") / "kubernetes-json-schema" / f"v{VERSION}-local-strict"
    every = json.loads((folder / "_definitions.json").read_text("utf-8"))["$defs"]
    kept: dict[str, Any] = {}
    wanted = [f"io.k8s.api.{kind}" for kind in KINDS]
    while wanted:
        name = wanted.pop()
        if name not in kept:
            kept[name] = bare(every[name])
            wanted += re.findall(r'"#/\$defs/([^"]+)"', json.dumps(kept[name]))
    return kept


def write(name: str, schema: dict[str, Any], part: str) -> None:
    """One definition a line, so that a new version can be read as a difference."""
    lines = [f'"{key}": {json.dumps(each, sort_keys=True)}' for key, each in sorted(schema.pop(part).items())]
    head = "".join(f'"{key}": {json.dumps(each, sort_keys=True)},\n' for key, each in sorted(schema.items()))
    (HERE / name).write_text("{\n" + head + f'"{part}": {{\n' + ",\n".join(lines) + "\n}\n}\n", encoding="utf-8")


if __name__ == "__main__":
    write(
        "kubernetes.json", {"$comment": f"Kubernetes {VERSION}, Apache-2.0; by cut.py", "$defs": kubernetes()}, "$defs"
    )
    compose = files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    told = bare(json.loads(compose.read_text("utf-8")))
    write("compose.json", told | {"$comment": "The Compose Specification, Apache-2.0; by cut.py"}, "$defs")
