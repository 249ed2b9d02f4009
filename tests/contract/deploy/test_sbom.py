"""The bill of materials says what the lock pins, each file with its hash, and the same for the same lock."""

import json
import tomllib

import pytest

from tools import sbom

LOCK = sbom.LOCK.read_bytes()
TOLD = sbom.document(LOCK)


def test_every_package_and_every_file_of_the_lock_is_in_it_with_its_hash() -> None:
    locked = {
        (package["name"], package["version"], file["hash"].removeprefix("sha256:"))
        for package in tomllib.loads(LOCK.decode())["package"]
        for file in (*([package["sdist"]] if "sdist" in package else ()), *package.get("wheels", ()))
    }
    told = {
        (part["name"], part["version"], each["content"])
        for part in TOLD["components"]
        for place in part["externalReferences"]
        for each in place["hashes"]
    }

    assert told == locked
    assert len(locked) > 1_000


def test_what_runs_is_told_from_what_only_tests() -> None:
    scopes = {part["name"]: part["scope"] for part in TOLD["components"]}

    assert {scopes[name] for name in ("aiohttp", "cryptography", "msgspec", "starlette")} == {"required"}
    assert scopes["python-arango-async"] == "optional"
    assert {scopes[name] for name in ("pytest", "ruff", "ccxt")} == {"excluded"}


def test_every_reference_leads_to_a_part_and_none_is_told_twice() -> None:
    refs = [part["bom-ref"] for part in TOLD["components"]] + [TOLD["metadata"]["component"]["bom-ref"]]

    assert len(refs) == len(set(refs))
    assert {row["ref"] for row in TOLD["dependencies"]} == set(refs)
    assert {ref for row in TOLD["dependencies"] for ref in row["dependsOn"]} <= set(refs)
    assert TOLD["bomFormat"] == "CycloneDX"
    assert TOLD["serialNumber"].startswith("urn:uuid:")


def test_the_same_lock_says_the_same_and_another_has_another_number() -> None:
    assert json.dumps(sbom.document(LOCK)) == json.dumps(TOLD)
    assert sbom.document(LOCK + b"\n# another\n")["serialNumber"] != TOLD["serialNumber"]


def test_a_file_without_a_hash_is_refused() -> None:
    changed = LOCK.replace(b', hash = "sha256:', b', other = "sha256:', 1)

    with pytest.raises(ValueError, match="without a SHA-256"):
        sbom.document(changed)
