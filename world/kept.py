"""What long runs found, kept line by line, so that a run that was stopped goes on where it was.

Invariants: a file is of one state of the code (a digest of every source file is its name), so what another program
found is never counted; a line that was not written to its end is not there.
Outside the simulated runs: files are allowed here.
"""

from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

import chimera
from chimera.trading.value import Value

T = TypeVar("T", bound=Value)


@cache
def code() -> str:
    """A digest of the product and of this package: two records of one digest are of one program."""
    digest = blake2b(digest_size=8)
    for root in (Path(chimera.__file__).parent, Path(__file__).parent):
        for path in sorted(root.rglob("*.py")):
            digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


class Kept(Generic[T]):
    """All that was found of one kind, in one folder."""

    def __init__(self, kind: type[T], place: Path) -> None:
        self._kind = kind
        self.path = place / f"{code()}.jsonl"

    def read(self) -> list[T]:
        """In the order in which it was added."""
        if not self.path.exists():
            return []
        return [msgspec.json.decode(each, type=self._kind) for each in self.path.read_bytes().split(b"\n")[:-1]]

    def add(self, found: T) -> None:
        """One line more, at once."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab+") as file:
            if file.tell():
                whole = self.path.read_bytes()
                file.truncate(whole.rfind(b"\n") + 1)
            file.write(msgspec.json.encode(found) + b"\n")
