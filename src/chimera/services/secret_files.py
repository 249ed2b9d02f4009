"""Secrets that come from files: ``NAME_FILE`` in place of ``NAME``, in a file that only its owner may read."""

import stat
from collections.abc import Iterable, MutableMapping
from pathlib import Path
from typing import Final

SUFFIX: Final = "_FILE"
OTHERS: Final = 0o077  # the bits of everybody but the owner


def read_secret_files(given: MutableMapping[str, str], names: Iterable[str]) -> list[str]:
    """Puts what the files say in ``given`` in place of their names; every fault, in a sentence without the secret."""
    faults: list[str] = []
    for name in names:
        path = given.pop(name + SUFFIX, None)
        if path is None:
            continue
        if name in given:
            faults.append(f"{name} and {name}{SUFFIX} are both set")
            continue
        try:
            if stat.S_IMODE(Path(path).stat().st_mode) & OTHERS:
                faults.append(f"{name}{SUFFIX}: others may read {path}; chmod 600 it")
            given[name] = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as wrong:
            why = wrong.strerror if isinstance(wrong, OSError) else "is not text"
            faults.append(f"{name}{SUFFIX}: {path}: {why}")
    return faults
