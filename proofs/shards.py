"""A Redis Cluster on this machine: three masters with a replica each, on loopback, and the blows it takes.

Formed by commands alone (no ``redis-cli``), in about three seconds. Each server ends with this process. Debian's
``redis-server`` where there is one, else the embedded server's binary: both speak the same.
"""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from redis import Redis, RedisError
from redis.crc import key_slot

from chimera.adapters.embedded.server import dying_with_us, find_server

MASTERS: Final = 3
SLOTS: Final = 16384
NODE_TIMEOUT_MS: Final = 1000  # a master that is silent for so long is voted out; Redis itself says 15 s
PATIENCE_S: Final = 30.0
ATTEMPTS: Final = 3
_POLL_S: Final = 0.02


class PortTakenError(Exception):
    """Between our choice of a port and its server's, somebody else had it."""


class Node:
    """One server. What it held is in its folder, and it comes back with that."""

    def __init__(self, folder: Path, port: int, *options: str) -> None:
        self.port = port
        folder.mkdir(parents=True)
        self._command = (
            shutil.which("redis-server") or str(find_server()),
            *("--bind", "127.0.0.1", "--port", str(port)),
            *("--dir", str(folder), "--logfile", str(folder / "log"), "--save", ""),
            *("--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy", "noeviction"),
            *options,
        )
        self._process: subprocess.Popen[bytes] | None = None
        self._link: Any = Redis(port=port, socket_timeout=5)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        self._process = subprocess.Popen(dying_with_us(self._command), stdin=subprocess.DEVNULL)

    def ask(self, *words: Any) -> Any:
        return self._link.execute_command(*words)

    @property
    def cluster(self) -> dict[str, str]:
        """How it sees the whole."""
        return dict(self.ask("CLUSTER INFO"))

    @property
    def replication(self) -> dict[str, Any]:
        """Whose it is."""
        return dict(self.ask("INFO", "replication"))

    @property
    def id(self) -> str:
        return str(self.ask("CLUSTER MYID"), "ascii")

    @property
    def ended(self) -> bool:
        return self._process is not None and self._process.poll() is not None

    def answers(self) -> bool:
        with suppress(RedisError, OSError):
            return bool(self.ask("PING"))
        return False

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL, and gone."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def close(self) -> None:
        self._link.close()
        if self._process is not None and self._process.poll() is None:
            self.thaw()
            self.kill()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            os.kill(self._process.pid, number)


class Shards:
    """The six of them; made by ``shards``."""

    def __init__(self, folder: Path, node_timeout_ms: int) -> None:
        ports = free_ports(4 * MASTERS)
        self._bus_ports = dict(zip(ports[::2], ports[1::2], strict=True))
        self.nodes = [
            Node(folder / f"n{number}", port, *_clustered(bus_port, node_timeout_ms))
            for number, (port, bus_port) in enumerate(self._bus_ports.items())
        ]

    @property
    def addresses(self) -> str:
        """As a ``*_REDIS_ADDRESSES`` names them."""
        return ",".join(node.address for node in self.nodes)

    def form(self) -> None:
        """From six empty servers."""
        for node in self.nodes:
            node.start()
        first, masters = self.nodes[0], self.nodes[:MASTERS]
        until(lambda: all(node.answers() for node in self.nodes) or self._ended())
        if self._ended():
            raise PortTakenError
        for number, node in enumerate(self.nodes):
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            if node is not first:
                node.ask("CLUSTER", "MEET", "127.0.0.1", first.port, self._bus_ports[first.port])
        for number, node in enumerate(masters):
            node.ask("CLUSTER", "ADDSLOTSRANGE", number * SLOTS // MASTERS, (number + 1) * SLOTS // MASTERS - 1)
        until(lambda: all(node.cluster["cluster_known_nodes"] == "6" for node in self.nodes))
        for master, replica in zip(masters, self.nodes[MASTERS:], strict=True):
            _heeded(replica, "CLUSTER", "REPLICATE", master.id)
        until(self.whole)

    def _ended(self) -> bool:
        return any(node.ended for node in self.nodes)

    def whole(self) -> bool:
        """Each node answers, all agree on whose the slots are, and each replica has all that its master has."""
        with suppress(RedisError, OSError):
            views = {tuple(sorted(_owners(node).items())) for node in self.nodes}
            return (
                len(views) == 1
                and len({*_owners(self.nodes[0]).values()}) == MASTERS
                and all(map(_settled, self.nodes))
            )
        return False

    async def until_whole(self, within_s: float = PATIENCE_S) -> None:
        await _until(self.whole, within_s)

    def master_of(self, key: str) -> Node:
        """Whose the key is, as most of the nodes that answer see it."""
        slot, votes = key_slot(key.encode()), list[int]()
        for node in self.nodes:
            with suppress(RedisError, OSError):
                votes += [port for (low, high), port in _owners(node).items() if low <= slot <= high]
        return self._on(max(votes, key=votes.count))

    def replica_of(self, master: Node) -> Node:
        [found] = [
            node for node in self.nodes if node is not master and node.replication.get("master_port") == master.port
        ]
        return found

    # ── blows ──

    async def fail_over(self, key: str, how: str = "") -> None:
        """The replica takes over while its master lives: ``CLUSTER FAILOVER``; ``how``: FORCE, TAKEOVER."""
        master = self.master_of(key)
        replica = self.replica_of(master)
        replica.ask("CLUSTER", "FAILOVER", *how.split())
        await _until(lambda: self.master_of(key) is replica)

    async def lose(self, key: str, *, behind_s: float = 0.0) -> Node:
        """The key's master is killed; returns it once its replica has taken over.

        ``behind_s``: for so long the replica was away before, and lacks what its master acknowledged meanwhile.
        """
        master = self.master_of(key)
        if behind_s:
            replica = self.replica_of(master)
            replica.kill()
            await asyncio.sleep(behind_s)
            master.kill()
            replica.start()
        else:
            master.kill()
        await self.until_given_way(key, master)
        return master

    async def freeze(self, key: str, for_s: float) -> None:
        """The key's master stops and goes on as if nothing had been."""
        master = self.master_of(key)
        master.freeze()
        await asyncio.sleep(for_s)
        master.thaw()

    async def move_slowly(self, key: str, pause_s: float) -> None:
        """The key's slot, in steps: about to go, one key gone, all keys gone, gone."""
        slot = key_slot(key.encode())
        source, target = self.begin_move(slot)
        await asyncio.sleep(pause_s)
        self.move_keys(slot, source, target, at_most=1)
        await asyncio.sleep(pause_s)
        while self.move_keys(slot, source, target):
            pass
        await asyncio.sleep(pause_s)
        self.end_move(slot, source, target)

    def move_slot(self, slot: int) -> None:
        """With all that is in it, at once."""
        source, target = self.begin_move(slot)
        while self.move_keys(slot, source, target):
            pass
        self.end_move(slot, source, target)

    async def restart(self) -> None:
        """All of them killed, and begun anew on what their files hold."""
        for node in self.nodes:
            node.kill()
        for node in self.nodes:
            node.start()
        await self.until_whole()

    async def until_followed(self, master: Node) -> Node:
        """Its replica, once that has all that the master has acknowledged by now: it follows a moment later."""
        replica, so_far = self.replica_of(master), master.replication["master_repl_offset"]
        await _until(lambda: replica.replication.get("slave_repl_offset", 0) >= so_far)
        return replica

    async def until_given_way(self, key: str, master: Node) -> None:
        others = [node for node in self.nodes if node is not master]
        slot = key_slot(key.encode())

        def others_agree() -> bool:
            with suppress(RedisError, OSError):
                return all(
                    port != master.port
                    for node in others
                    for (low, high), port in _owners(node).items()
                    if low <= slot <= high
                )
            return False

        await _until(others_agree)

    def begin_move(self, slot: int) -> tuple[Node, Node]:
        """From its master to another, whose keys go one by one: ASK where one has gone already."""
        source = self.master_of_slot(slot)
        target = next(node for node in self.nodes if _is_master(node) and node is not source)
        target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", source.id)
        source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", target.id)
        return source, target

    def move_keys(self, slot: int, source: Node, target: Node, at_most: int = SLOTS) -> int:
        """How many went."""
        keys: list[bytes] = source.ask("CLUSTER", "GETKEYSINSLOT", slot, at_most)
        if keys:
            source.ask("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)
        return len(keys)

    def end_move(self, slot: int, source: Node, target: Node) -> None:
        """MOVED from now on."""
        for node in (target, source, *(node for node in self.nodes if node not in (target, source))):
            if _is_master(node):
                node.ask("CLUSTER", "SETSLOT", slot, "NODE", target.id)

    def master_of_slot(self, slot: int) -> Node:
        [port] = [port for (low, high), port in _owners(self.nodes[0]).items() if low <= slot <= high]
        return self._on(port)

    def close(self) -> None:
        for node in self.nodes:
            node.close()

    def _on(self, port: int) -> Node:
        [found] = [node for node in self.nodes if node.port == port]
        return found


def _clustered(bus_port: int, node_timeout_ms: int) -> tuple[str, ...]:
    return (
        *("--cluster-enabled", "yes", "--cluster-port", str(bus_port)),
        *("--cluster-node-timeout", str(node_timeout_ms), "--cluster-require-full-coverage", "no"),
        *("--cluster-replica-validity-factor", "0", "--repl-diskless-sync-delay", "0"),
    )


def _owners(node: Node) -> dict[tuple[int, int], int]:
    """Ranges of slots and the port of their master, as this node sees it."""
    return {(low, high): int(master[1]) for low, high, master, *_ in node.ask("CLUSTER SLOTS")}


def _is_master(node: Node) -> bool:
    return str(node.replication["role"]) == "master"


def _settled(node: Node) -> bool:
    told = node.replication
    if node.cluster["cluster_state"] != "ok":
        return False
    return str(told["role"]) == "master" or str(told["master_link_status"]) == "up"


def _heeded(node: Node, *words: Any) -> None:
    """Asked again until it is done: a node must have heard of the one that it is told of."""

    def once() -> bool:
        with suppress(RedisError):
            return bool(node.ask(*words))
        return False

    until(once)


def free_ports(count: int) -> list[int]:
    """Of loopback, each another."""
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def until(true: Callable[[], bool], within_s: float = PATIENCE_S) -> None:
    end_s = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end_s, f"not within {within_s:g} s"
        time.sleep(_POLL_S)


async def _until(true: Callable[[], bool], within_s: float = PATIENCE_S) -> None:
    async with asyncio.timeout(within_s):
        while not await asyncio.to_thread(true):  # noqa: ASYNC110 - other processes
            await asyncio.sleep(_POLL_S)


@contextmanager
def shards(folder: Path, *, node_timeout_ms: int = NODE_TIMEOUT_MS) -> Iterator[Shards]:
    """They run, and take everything."""
    for attempt in range(ATTEMPTS):
        made = Shards(folder / str(attempt), node_timeout_ms)
        try:
            made.form()
        except PortTakenError:
            made.close()
            continue
        except BaseException:  # interrupted, too: nobody else would end its servers
            made.close()
            raise
        try:
            yield made
        finally:
            made.close()
        return
    raise PortTakenError


@contextmanager
def alone(folder: Path) -> Iterator[Node]:
    """One server that is no Cluster."""
    for attempt in range(ATTEMPTS):
        node = Node(folder / str(attempt), free_ports(1)[0])
        try:
            node.start()
            until(lambda node=node: node.answers() or node.ended)  # type: ignore[misc]  # a default binds it
            if not node.ended:
                yield node
                return
        finally:
            node.close()
    raise PortTakenError
