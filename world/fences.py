"""While a run is on, code of ours that touches the real clock, the global chance or a thread raises ``FenceBroken``.

Two hedges. Functions are replaced in their own modules by ones that look at who calls: a caller in ``chimera`` or
``world`` is a breach, the standard library and its friends pass. Names that modules of ours had imported before are
replaced in those modules too, so an alias is no way round. Seeded ``random.Random`` instances are free; threads are
free to nobody. A thread that was there before the run is not of it, and goes by the real clock as ever: the writer of
somebody's ledger may end while a world begins. Everything is put back when the run ends.
"""

import datetime
import os
import random
import secrets
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from chimera.services.stage.loop import DetLoop

OURS: Final = ("chimera", "world")
_CLOCK: Final = (
    "time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time", "sleep",
    "gmtime", "localtime",
)  # fmt: skip
_CHANCE: Final = (
    "random", "randint", "randrange", "choice", "choices", "shuffle", "sample", "uniform", "gauss", "getrandbits",
    "randbytes", "seed", "expovariate", "normalvariate",
)  # fmt: skip
_SECRETS: Final = ("token_bytes", "token_hex", "token_urlsafe", "choice", "randbelow", "randbits")
_FENCED: Final[tuple[tuple[Any, tuple[str, ...]], ...]] = (
    (time, _CLOCK),
    (random, _CHANCE),
    (secrets, _SECRETS),
    (uuid, ("uuid1", "uuid4")),
    (os, ("urandom", "getrandom")),
)


@contextmanager
def fenced(loop: DetLoop) -> Iterator[None]:
    """Every fence up, for as long as the block runs. Breaches are on the record of ``loop``."""
    put_back: list[tuple[Any, str, Any]] = []

    def replace(owner: Any, name: str, new: Any) -> None:
        put_back.append((owner, name, getattr(owner, name)))
        setattr(owner, name, new)

    guards: dict[int, Any] = {}
    try:
        for module, names in _FENCED:
            for name in names:
                if hasattr(module, name):
                    real = getattr(module, name)
                    guards[id(real)] = guard = _guarded(loop, f"{module.__name__}.{name}", real)
                    replace(module, name, guard)
        for kind in (datetime.datetime, datetime.date):
            guards[id(kind)] = _fenced_date(loop, kind)
        for module, name, value in _globals_of_ours():
            if id(value) in guards:
                replace(module, name, guards[id(value)])
        replace(datetime, "datetime", guards[id(datetime.datetime)])
        replace(datetime, "date", guards[id(datetime.date)])
        replace(threading.Thread, "start", _no_thread(loop))
        yield
    finally:
        for owner, name, old in reversed(put_back):
            setattr(owner, name, old)


def _globals_of_ours() -> Iterator[tuple[Any, str, Any]]:
    """Every module-level name of every loaded module of ours, but these fences."""
    for module_name, module in list(sys.modules.items()):
        if _is_ours(module_name) and module_name != __name__:
            for name, value in list(vars(module).items()):
                if not name.startswith("__"):
                    yield module, name, value


def _is_ours(module_name: str) -> bool:
    return module_name.partition(".")[0] in OURS


def _called_by_ours(depth: int) -> bool:
    return _is_ours(sys._getframe(depth + 1).f_globals.get("__name__", ""))


def _guarded(loop: DetLoop, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
    def guard(*args: Any, **kwargs: Any) -> Any:
        if loop.runs_here() and _called_by_ours(1):
            loop.breach(name)
        return real(*args, **kwargs)

    return guard


def _no_thread(loop: DetLoop) -> Callable[..., None]:
    real = threading.Thread.start

    def start(self: threading.Thread) -> None:
        if loop.runs_here():
            loop.breach(f"threading.Thread.start({self.name})")
        real(self)

    return start


def _fenced_date(loop: DetLoop, kind: type[Any]) -> type[Any]:
    """A stand-in for ``datetime`` or ``date`` that is it in all but asking the time."""

    class Meta(type):
        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, kind)

        def __subclasscheck__(cls, subclass: type) -> bool:
            return issubclass(subclass, kind)

    def asker(name: str) -> Any:
        def ask(_: type, *args: Any, **kwargs: Any) -> Any:
            if loop.runs_here() and _called_by_ours(1):
                loop.breach(f"{kind.__name__}.{name}")
            return getattr(kind, name)(*args, **kwargs)

        return classmethod(ask)

    def new(_: type, *args: Any, **kwargs: Any) -> Any:
        return kind(*args, **kwargs)

    members = {name: asker(name) for name in ("now", "utcnow", "today") if hasattr(kind, name)}
    return Meta(kind.__name__, (kind,), {"__new__": new, **members})
