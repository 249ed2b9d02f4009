"""Copies of the ledgers in one file, and back: what ``chimera backup`` and ``chimera restore`` do.

Invariants: a copy is of one moment, S4's before S3's, so that S3's knows of every intent that S4's knows; its manifest
says of when and of whom it is, and no secret; nothing is put back of which a single byte is other than it was, into
another account or environment, or over a ledger in use; what stood there is kept beside it; and a ledger of S4's that
was put back says so itself, so that S4 trades only after the venue has spoken (ADR 50).
"""

import hashlib
import io
import os
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Final

import msgspec

from chimera.adapters.embedded import copying, schema
from chimera.adapters.embedded.lock import ProcessLock
from chimera.services.clock import SystemClock
from chimera.trading.errors import NewerSchema, Refused, StoreUnavailable
from chimera.trading.ids import AccountId
from chimera.trading.money import Millis
from chimera.trading.value import Value
from chimera.wire import codec, keys

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
S3, S4 = "s3", "s4"
ORDER: Final = (S4, S3)
CHUNK: Final = 1 << 20
MANIFEST_MAX: Final = 1 << 16  # bytes
OWNERS_ALONE: Final = 0o600
BESIDE: Final = ("", "-wal", "-shm")  # what a ledger's file has beside it

SETTINGS: Final = "S4_LEDGER_PATH, S3_LEDGER_PATH"

Ledgers = Mapping[str, Path]  # by service


class Whose(Value, tag=False):
    """Of which account, where. ``key_mark`` tells one API key from another and none of them; empty: not known."""

    account: AccountId
    environment: str
    key_mark: str = ""


class Copy(Value, tag=False):
    """One ledger in it. ``schema_version``: the newest of which a document in it may be."""

    service: str
    layout: int
    schema_version: int
    size: int  # bytes
    sha256: str


class Manifest(Value, tag=False):
    """What stands first in the file."""

    format: int
    program: str
    at_ms: Millis  # UTC: when the copying began, by the clock of the machine that did it
    whose: Whose
    copies: tuple[Copy, ...]

    @property
    def services(self) -> frozenset[str]:
        return frozenset(copy.service for copy in self.copies)


def key_mark(api_key: str) -> str:
    return hashlib.sha256(f"chimera key mark:{api_key}".encode()).hexdigest()[:12] if api_key else ""


# ── made and looked at ──


def make(out: Path, named: Ledgers, whose: Whose) -> Manifest:
    """One file with a copy of each that is there; ``out`` must not be there.

    Raises ``Refused`` where none is, ``StoreUnavailable`` or ``NewerSchema``.
    """
    at_ms = SystemClock().now_ms()
    if out.exists():
        raise StoreUnavailable(f"{out} is there already; name another file")
    if not (ledgers := {service: path for service, path in named.items() if path.exists()}):
        raise Refused(
            "NO_LEDGER", "there is nothing here to copy", field="ledgers", value=_places(named) or "in ArangoDB",
            accepted=f"the settings of S4 and S3 ({SETTINGS}), or --state with what `chimera up` keeps",
        )  # fmt: skip
    out.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=out.parent, prefix=".chimera-backup-") as beside:
        copies = [_copied(service, ledgers[service], Path(beside)) for service in ORDER if service in ledgers]
        manifest = Manifest(format=FORMAT, program=version("chimera"), at_ms=at_ms, whose=whose, copies=tuple(copies))
        whole = Path(beside) / "whole"
        with _only_ours(whole) as file, tarfile.open(fileobj=file, mode="w") as tar:
            _add(tar, MANIFEST, io.BytesIO(msgspec.json.format(codec.encode(manifest))), at_ms)
            for copy in copies:
                with (Path(beside) / copy.service).open("rb") as content:
                    _add(tar, _name(copy.service), content, at_ms)
        whole.rename(out)
        schema.make_name_durable(out.parent)
    return check(out)


def check(file: Path) -> Manifest:
    """What is in it, every byte read and every copy opened. Raises ``StoreUnavailable`` or ``NewerSchema``."""
    with TemporaryDirectory(prefix="chimera-check-") as beside:
        return _verified(file, Path(beside))


# ── put back ──


def word_for(manifest: Manifest, ledgers: Ledgers, whose: Whose) -> tuple[str, tuple[str, ...]]:
    """What a person has to type, and why: one for each thing that would be lost, or may be wrong; empty: nothing.

    Raises ``Refused`` for what no word allows.
    """
    ours, theirs = (each.but(key_mark="") for each in (whose, manifest.whose))
    if ours != theirs:
        raise Refused(
            "OTHER_ACCOUNT",
            f"this copy is of account {theirs.account} on {theirs.environment}; the settings are of {ours.account} on"
            f" {ours.environment}",
            field="environment", value=theirs.environment, accepted=f"a copy of {ours.account} on {ours.environment}",
        )  # fmt: skip
    if manifest.at_ms > SystemClock().now_ms():
        raise Refused("CLOCK", "this copy was made later than this machine's clock says it is; set the clock first")
    why = [_standing(service, path, manifest.at_ms) for service, path in ledgers.items() if path.exists()]
    if whose.key_mark and manifest.whose.key_mark and whose.key_mark != manifest.whose.key_mark:
        why.append("the API key is not the one of then: was it renewed, or is it another account's?")
    if not why:
        return "", ()
    stat = [f"{path}:{path.stat().st_size}:{path.stat().st_mtime_ns}" for path in ledgers.values() if path.exists()]
    seen = "|".join([codec.encode(manifest).decode(), whose.key_mark, *stat])
    return hashlib.sha256(seen.encode()).hexdigest()[:6], tuple(why)


def put_back(file: Path, ledgers: Ledgers, whose: Whose, *, confirm: str | None) -> tuple[Manifest, dict[str, str]]:
    """The ledgers named, out of ``file``; what was there, by where it is kept now.

    Raises ``Refused`` (with the word to type, or for good), ``StoreUnavailable`` (in use; not what it was),
    ``NewerSchema``.
    """
    with ExitStack() as held:
        for path in ledgers.values():
            lock = ProcessLock.take(path.with_name(path.name + ".lock"), guards=f"the ledger {path}")
            held.callback(lock.release)
        room = next(iter(ledgers.values())).parent
        beside = Path(held.enter_context(TemporaryDirectory(dir=room, prefix=".chimera-restore-")))
        manifest = _verified(file, beside)
        missing = sorted(set(ledgers) - manifest.services)
        if missing:
            raise Refused(
                "NOT_FOUND", f"{file} has no ledger of {', '.join(missing)}", field="file", value=str(file),
                accepted=f"--only {min(manifest.services)}" if manifest.services else "a backup with a ledger in it",
            )  # fmt: skip
        word, why = word_for(manifest, ledgers, whose)
        if word and confirm != word:
            told = f"{'; '.join(why)}. To put the copy in its place, send the same with --confirm {word}"
            raise Refused("CONFIRM", told, field="confirm", value=confirm, accepted=word)
        at_ms = SystemClock().now_ms()
        kept: dict[str, str] = {}
        for service, path in ledgers.items():
            fresh = _ready(beside / service, path, service, manifest, at_ms)
            kept |= _set_aside(path, at_ms)
            fresh.rename(path)
            schema.make_name_durable(path.parent)
    return manifest, kept


def restored_note(at_ms: Millis, backup_ms: Millis) -> dict[str, object]:
    """The row by which S4 knows: ``services.router.restoring`` reads it."""
    return {"at_ms": at_ms, "backup_ms": backup_ms}


# ── how ──


def _places(ledgers: Ledgers) -> str:
    return ", ".join(str(path) for path in ledgers.values())


def _copied(service: str, path: Path, beside: Path) -> Copy:
    to = beside / service
    copying.copy_live(path, to)
    os.chmod(to, OWNERS_ALONE)
    with to.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    return Copy(
        service=service,
        layout=copying.layout_of(to),
        schema_version=codec.SCHEMA_VERSION,
        size=to.stat().st_size,
        sha256=digest,
    )


def _verified(file: Path, beside: Path) -> Manifest:
    """Unpacked, and each copy opened: a file of its own by its service's name."""
    manifest = _unpacked(file, beside)
    for copy in manifest.copies:
        layout = copying.layout_of(beside / copy.service)
        if layout != copy.layout:
            raise StoreUnavailable(f"{file}: {copy.service} has layout {layout}, its manifest says {copy.layout}")
    return manifest


def _unpacked(file: Path, beside: Path) -> Manifest:
    """Each copy as a file of its own by its service's name, compared with the manifest as it is read."""
    if not file.is_file():
        raise StoreUnavailable(f"there is no file {file}")
    try:
        with tarfile.open(file, mode="r:") as tar:
            manifest = _manifest(file, tar)
            for copy in manifest.copies:
                _unpack(file, tar, copy, beside / copy.service)
    except (OSError, tarfile.TarError) as error:
        raise StoreUnavailable(f"{file} is no backup of Chimera's, or not all of it: {error}") from error
    return manifest


def _manifest(file: Path, tar: tarfile.TarFile) -> Manifest:
    member = tar.next()
    content = tar.extractfile(member) if member is not None and member.name == MANIFEST else None
    if content is None:
        raise StoreUnavailable(f"{file} is no backup of Chimera's: it does not begin with {MANIFEST}")
    try:
        told = msgspec.json.decode(content.read(MANIFEST_MAX))
        if told["format"] > FORMAT:
            raise NewerSchema(f"{file} is of format {told['format']}, newer than {FORMAT}, the newest this build reads")
        manifest = msgspec.convert(told, Manifest)
    except (msgspec.MsgspecError, KeyError, TypeError) as wrong:
        raise StoreUnavailable(f"{file}: its manifest cannot be read: {wrong}") from wrong
    for copy in manifest.copies:
        codec.check_version(copy.schema_version)
        if copy.service not in ORDER or copy.layout > len(schema.LAYOUTS):
            raise NewerSchema(f"{file}: {copy.service} has layout {copy.layout}, newer than this build reads")
    return manifest


def _unpack(file: Path, tar: tarfile.TarFile, copy: Copy, to: Path) -> None:
    member = tar.getmember(_name(copy.service)) if _name(copy.service) in tar.getnames() else None
    content = tar.extractfile(member) if member is not None else None
    if content is None:
        raise StoreUnavailable(f"{file}: {_name(copy.service)} is missing")
    digest = hashlib.sha256()
    with _only_ours(to) as out:
        while chunk := content.read(CHUNK):
            digest.update(chunk)
            out.write(chunk)
    if digest.hexdigest() != copy.sha256:
        raise StoreUnavailable(f"{file}: {_name(copy.service)} is not what was copied: its SHA-256 differs")


def _ready(unpacked: Path, path: Path, service: str, manifest: Manifest, at_ms: Millis) -> Path:
    """Beside where it is to stand, so that it appears there in one step; S4's says what it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.restoring")
    for end in BESIDE:
        fresh.with_name(fresh.name + end).unlink(missing_ok=True)
    with unpacked.open("rb") as content, _only_ours(fresh) as out:
        while chunk := content.read(CHUNK):
            out.write(chunk)
    if service == S4:
        note = restored_note(at_ms, manifest.at_ms)
        copying.note(fresh, keys.CONTROLS, keys.restored_row(manifest.whose.account), note)
    return fresh


def _set_aside(path: Path, at_ms: Millis) -> dict[str, str]:
    kept = path.with_name(f"{path.name}.before-{at_ms}")
    was_there = path.exists()
    for end in BESIDE:
        part = path.with_name(path.name + end)
        if part.exists():
            part.rename(kept.with_name(kept.name + end))
    return {str(path): str(kept)} if was_there else {}


def _standing(service: str, path: Path, backup_ms: Millis) -> str:
    """What is in the way, and whether it knows more than the copy."""
    parts = (path.with_name(path.name + end) for end in BESIDE[:2])
    written_ms = max(round(part.stat().st_mtime * 1000) for part in parts if part.exists())
    newer = f"written {(written_ms - backup_ms) // 1000} s after the copy" if written_ms > backup_ms else "older"
    return f"{service}'s ledger {path} is there, {newer}"


@contextmanager
def _only_ours(path: Path) -> Iterator[IO[bytes]]:
    """A new file for its owner's eyes, on the disk when it is closed."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, OWNERS_ALONE)
    with os.fdopen(descriptor, "w+b") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def _add(tar: tarfile.TarFile, name: str, content: IO[bytes], at_ms: Millis) -> None:
    member = tarfile.TarInfo(name)
    member.size = content.seek(0, os.SEEK_END)
    member.mtime, member.mode = at_ms // 1000, OWNERS_ALONE
    content.seek(0)
    tar.addfile(member, content)


def _name(service: str) -> str:
    return f"{service}.sqlite"
