"""A scoring model as a process of its own, on loopback: it answers as the path it is asked by says, well or badly.

``model_at_work`` starts it and ends it by its pid. The paths are ``ANSWERS``; ``/slow/{ms}`` waits, ``/hang`` never
answers, ``/half`` stops in the middle of its body, ``/endless`` never stops sending, ``/redirect`` points at ``/good``,
``/packed`` sends a body that grows when it is unpacked. ``/asked`` tells what was last asked for.
"""

import asyncio
import gzip
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

GOOD: Final = b'{"p": 0.7, "size_mult_ml": 0.5, "version": "gbm-2026-11-20"}'
ANSWERS: Final = {
    "good": GOOD,
    "nan": b'{"p": NaN, "size_mult_ml": 1}',
    "nan-word": b'{"p": "NaN", "size_mult_ml": 1}',
    "snan": b'{"p": 0.5, "size_mult_ml": "sNaN"}',
    "infinity": b'{"p": 0.5, "size_mult_ml": Infinity}',
    "infinity-word": b'{"p": 0.5, "size_mult_ml": "Infinity"}',
    "negative": b'{"p": 0.5, "size_mult_ml": -1}',
    "above-one": b'{"p": 1.0001, "size_mult_ml": 1}',
    "below-zero": b'{"p": -0.0001, "size_mult_ml": 1}',
    "forty-times": b'{"p": 0.5, "size_mult_ml": 40}',
    "gigabyte": b'{"p": 0.5, "size_mult_ml": 1e999999999}',
    "digits": b'{"p": ' + b"1" * 5_000 + b', "size_mult_ml": 1}',
    "true": b'{"p": true, "size_mult_ml": 1}',
    "list": b'{"p": [0.5], "size_mult_ml": 1}',
    "null": b'{"p": null, "size_mult_ml": 1}',
    "one-part": b'{"p": 0.5}',
    "array": b"[0.5, 1]",
    "rubbish": b"\xff\xfe<html>no model here</html>",
    "empty": b"",
    "deep": b"[" * 16_000,
    "long-version": b'{"p": 0.5, "size_mult_ml": 1, "version": "' + b"v" * 65 + b'"}',
    "odd-version": b'{"p": 0.5, "size_mult_ml": 1, "version": {"a": 1}}',
}
STATUSES: Final = {"broken": b"500 Oops", "busy": b"503 Busy", "nothing": b"204 No Content"}


@dataclass
class Model:
    """The process, while it lives."""

    port: int
    process: subprocess.Popen[bytes]

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}/{path}"

    def kill(self) -> None:
        """As -9 does."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def freeze(self) -> None:
        """It keeps its sockets and does nothing, as a process that swaps does."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)


@contextmanager
def model_at_work(port: int = 0) -> Iterator[Model]:
    """``port`` 0: any that is free."""
    command = (sys.executable, str(Path(__file__)), str(port))
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield Model(int(process.stdout.readline()), process)
        finally:
            process.kill()


class _Server:
    def __init__(self) -> None:
        self.asked = b"{}"

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                length = next((line for line in head.lower().split("\r\n") if line.startswith("content-length:")), ":0")
                body = await reader.readexactly(int(length.partition(":")[2]))
                path = head.split(" ")[1].removeprefix("/")
                if path != "asked":
                    self.asked = json.dumps({"head": head, "body": body.decode()}).encode()
                await self._say(path, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def _say(self, path: str, writer: asyncio.StreamWriter) -> None:
        kind, _, argument = path.partition("/")
        if kind == "hang":
            await asyncio.Event().wait()
        elif kind == "slow":
            await asyncio.sleep(int(argument) / 1000)
            writer.write(_whole(GOOD))
        elif kind == "half":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n" + GOOD[:20])
            await writer.drain()
            writer.close()
        elif kind == "endless":
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while True:
                writer.write(b"1000\r\n" + b" " * 4_096 + b"\r\n")
                await writer.drain()
        elif kind == "no-http":
            writer.write(b"SSH-2.0-OpenSSH_9.6\r\n")
        elif kind == "redirect":
            writer.write(_whole(b"", b"307 Elsewhere", b"Location: /good\r\n"))
        elif kind == "packed":
            writer.write(_whole(gzip.compress(GOOD + b" " * 10_000_000), more=b"Content-Encoding: gzip\r\n"))
        elif kind == "huge":
            writer.write(_whole(GOOD + b" " * int(argument)))
        elif kind == "asked":
            writer.write(_whole(self.asked))
        elif kind in STATUSES:
            writer.write(_whole(GOOD if kind != "nothing" else b"", STATUSES[kind]))
        else:
            writer.write(_whole(ANSWERS[kind]))


def _whole(body: bytes, status: bytes = b"200 OK", more: bytes = b"") -> bytes:
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\n%b\r\n%b" % (status, len(body), more, body)


async def _main(port: int) -> None:
    server = await asyncio.start_server(_Server().answer, "127.0.0.1", port)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1])))
