"""Which build runs: the version, and a digest of the sources as they lie here."""

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path

import chimera

_DIGITS = 12


@cache
def build() -> str:
    """As ``0.1.0+5f2c8a91b0d4``: processes that say the same run the same code, however it was installed."""
    root = Path(chimera.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(f"{path.relative_to(root).as_posix()}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return f"{version('chimera')}+{digest.hexdigest()[:_DIGITS]}"
