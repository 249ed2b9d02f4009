"""``make sbom``: what ``uv.lock`` pins, as a CycloneDX document with every file's SHA-256 (``build/sbom.json``).

Read from the lock alone, so it needs no network, says what would be installed, and is the same for the same lock. What
runs is ``required``, what an extra brings ``optional``, what only builds or tests ``excluded``.
"""

import json
import sys
import tomllib
import uuid
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
LOCK: Final = ROOT / "uv.lock"
OUT: Final = ROOT / "build" / "sbom.json"
OURS: Final = "chimera"
_NAMESPACE: Final = uuid.UUID("6f3d0d4e-6f0a-5d8e-9a57-0c8f1f0f5b54")  # drawn once

Package = Mapping[str, Any]


def document(lock: bytes) -> dict[str, Any]:
    """CycloneDX 1.6. Raises ``ValueError`` for a package with a file that has no hash."""
    packages: list[Package] = tomllib.loads(lock.decode())["package"]
    ours = next(each for each in packages if each["name"] == OURS)
    others = [each for each in packages if each["name"] != OURS]
    scopes = _scopes(ours, others)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, lock.decode())}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application", "name": OURS, "version": ours["version"], "bom-ref": _ref(ours),
                "purl": _ref(ours), "licenses": [{"license": {"id": "Apache-2.0"}}],
            }
        },
        "components": [_component(each, scopes[each["name"]]) for each in others],
        "dependencies": [
            {"ref": _ref(each), "dependsOn": sorted({_ref(found) for found in _needed(each, packages)})}
            for each in packages
        ],
    }  # fmt: skip


def _component(package: Package, scope: str) -> dict[str, Any]:
    files = [*([package["sdist"]] if "sdist" in package else []), *package.get("wheels", ())]
    if not files or not all(str(each.get("hash", "")).startswith("sha256:") for each in files):
        raise ValueError(f"{package['name']} {package['version']}: a file without a SHA-256")
    return {
        "type": "library",
        "name": package["name"],
        "version": package["version"],
        "bom-ref": _ref(package),
        "purl": _ref(package),
        "scope": scope,
        "externalReferences": [
            {
                "type": "distribution",
                "url": each["url"],
                "hashes": [{"alg": "SHA-256", "content": each["hash"].removeprefix("sha256:")}],
            }
            for each in files
        ],
    }


def _scopes(ours: Package, others: Iterable[Package]) -> dict[str, str]:
    by_name: dict[str, list[Package]] = {}
    for each in others:
        by_name.setdefault(each["name"], []).append(each)
    run = _reached(_names(ours.get("dependencies", ())), by_name)
    extras = [name for group in ours.get("optional-dependencies", {}).values() for name in _names(group)]
    optional = _reached(extras, by_name)
    return {name: "required" if name in run else "optional" if name in optional else "excluded" for name in by_name}


def _reached(names: Iterable[str], by_name: Mapping[str, list[Package]]) -> set[str]:
    """These, and whatever they need, with the extras that somebody asks of it: one more is better than one less."""
    found: set[str] = set()
    left = list(names)
    while left:
        name = left.pop()
        if name in found or name not in by_name:
            continue
        found.add(name)
        for package in by_name[name]:
            left += _names(package.get("dependencies", ()))
            left += [inner for group in package.get("optional-dependencies", {}).values() for inner in _names(group)]
    return found


def _needed(package: Package, packages: Iterable[Package]) -> Iterator[Package]:
    groups = [package.get("dependencies", ()), *package.get("optional-dependencies", {}).values()]
    groups += package.get("dev-dependencies", {}).values()
    wanted = {name for group in groups for name in _names(group)}
    return (each for each in packages if each["name"] in wanted)


def _names(group: Iterable[Mapping[str, Any]]) -> list[str]:
    return [str(each["name"]) for each in group]


def _ref(package: Package) -> str:
    return f"pkg:pypi/{package['name']}@{package['version']}"


if __name__ == "__main__":
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(document(LOCK.read_bytes()), indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(f"wrote {OUT.relative_to(ROOT)}\n")
