"""How a service's process lives: one event loop with its HTTP face and its work, until asked to stop.

Invariants: it listens on one socket that was bound before anything else began, so a port in use is a sentence and not
a traceback; SIGINT and SIGTERM end it within two seconds, whoever is still connected; when the work fails, the face
goes too and the failure is raised. uvicorn's own signal handling stays off: one place decides about stopping.
"""

import asyncio
import errno
import gc
import json
import os
import signal
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, TypeVar

import uvicorn
from starlette.types import ASGIApp

from chimera.services.access.door import Tls
from chimera.services.heads import BoundedHeads
from chimera.services.outlet import say
from chimera.trading.errors import ChimeraError

GRACE_S: Final = 1  # for open requests and streams
KEEP_ALIVE_S: Final = 75  # longer than usual clients keep a connection: no order meets one that has just been closed
STOP_S: Final = 1.5  # for the whole HTTP face
YOUNG_MOST: Final = 10_000  # objects made, net, before the collector looks at the young: 14 times Python's usual
HARD_EXIT_S: Final = 10.0  # from the signal: whoever hangs is ended as by kill -9, which recovery knows
_POLL_S: Final = 0.005

T = TypeVar("T")
Ready = Callable[[str], None]  # told the address, once it answers


class PortInUse(ChimeraError):
    """Somebody else listens there."""

    def __init__(self, service: str, host: str, port: int) -> None:
        super().__init__(
            f"port {port} on {host} is in use, and {service} needs it: another Chimera may be running (chimera doctor"
            f" tells), or another program holds it (ss -ltnp 'sport = :{port}' names it). Stop it, or choose another"
            f" port for {service}: `chimera up --help` names the options and their variables."
        )
        self.port = port


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(service: str, host: str, port: int) -> socket.socket:
    """A bound, listening socket (``port`` 0: any free one); raises ``PortInUse``."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen(128)
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(service, host, port) from error
        raise
    bound.setblocking(False)
    return bound


def address_of(bound: socket.socket, *, scheme: str = "http") -> str:
    """``http://host:port`` of a listening socket."""
    host, port = bound.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _encrypted(tls: Tls) -> dict[str, Any]:
    """uvicorn's words for it; a client without a certificate of the CA is turned away in the handshake."""
    told: dict[str, Any] = {"ssl_certfile": tls.cert, "ssl_keyfile": tls.key}
    if tls.client_ca is not None:
        told |= {"ssl_ca_certs": str(tls.client_ca), "ssl_cert_reqs": ssl.CERT_REQUIRED}
    return told


def told_to_stop() -> asyncio.Event:
    """Set by SIGINT or SIGTERM, from now on; the process ends ``HARD_EXIT_S`` after the first of them at the latest."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def told() -> None:
        if not stop.is_set():
            hard = threading.Timer(HARD_EXIT_S, _hard_exit)
            hard.daemon = True
            hard.start()
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told)
    return stop


def told_to_look() -> asyncio.Event:
    """Set by each SIGHUP from now on, which would end the process else."""
    look = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, look.set)
    return look


def _hard_exit() -> None:
    """Some task does not heed its end. Nothing is lost: what counts is on disk before it is told."""
    say(f"chimera: not ended {HARD_EXIT_S:g} s after it was told to: ended hard")
    os._exit(1)


def say_ready(service: str, **about: Any) -> None:
    """One JSON line on stdout: whoever started this process may wait for it."""
    say(json.dumps({"event": "ready", "service": service, **about}), aloud=True)


async def serve_app(
    app: ASGIApp,
    bound: socket.socket,
    work: Coroutine[Any, Any, None],
    *,
    stop: asyncio.Event,
    ready: Ready | None = None,
    tls: Tls | None = None,
) -> None:
    """Serve ``app`` on ``bound`` and run ``work`` until ``stop``, or until either ends; raises what it raised."""
    config = uvicorn.Config(
        app,
        access_log=False,
        log_config=None,
        lifespan="off",
        timeout_graceful_shutdown=GRACE_S,
        timeout_keep_alive=KEEP_ALIVE_S,
        ws="none",
        http=BoundedHeads,
        **({} if tls is None else _encrypted(tls)),
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[bound]), name="http")
    working = asyncio.create_task(work, name="work")
    stopping = asyncio.create_task(stop.wait(), name="stop")
    try:
        while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn tells nobody
            await asyncio.sleep(_POLL_S)
        if ready is not None and server.started:
            ready(address_of(bound, scheme="http" if tls is None else "https"))
        await asyncio.wait({serving, working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        server.should_exit = True
        await asyncio.wait({serving}, timeout=STOP_S)
        await end(serving)
        await end(working)
        bound.close()
    for task in (working, serving):
        if not task.cancelled():
            task.result()


async def run_until(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    """Run ``work`` until it ends or ``stop`` is set; raises what it raised."""
    working = asyncio.create_task(work, name="work")
    stopping = asyncio.create_task(stop.wait(), name="stop")
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        await end(working)
    if not working.cancelled():
        working.result()


async def end(task: asyncio.Task[Any]) -> None:
    """Cancel a task and see it end; what it raised stays with it."""
    task.cancel()
    await asyncio.wait({task})


def _freeze_imports() -> None:
    """What importing has made stays for the life of the process: the collector, for which everything stands still while
    it looks, need not look at it again. A quarter of a million objects took it a tenth of a second, mid-trade."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_MOST)


def run(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """``asyncio.run`` on uvloop where there is one; the memory, which has keys in it, is never dumped to a disk."""
    with suppress(ImportError, OSError, ValueError):
        import resource  # noqa: PLC0415 - absent on Windows

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _freeze_imports()
    factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    if sys.platform != "win32":
        with suppress(ImportError):
            import uvloop  # noqa: PLC0415 - absent where there is no wheel

            factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main())
