"""redis-py's Cluster client with a way of asking of our own: one command goes to one node, once.

The driver learns the map of slots and keeps the connections. What it does where that map is old was measured and read
(8.1.0), and does not bear orders: it follows MOVED by itself, so that a record could overtake those that the former
master lost; it sends ASKING on whichever connection is free, and the command on another; where one node breaks off it
may close the connections to all, under other tasks' commands; and it asks one master where the keys of an XREADGROUP
are, so that all wait while that one is away. Here MOVED is learned and raised, ASK is followed on one connection, and
what breaks off has the map learned anew; ``patience`` tries again.

Invariant: between ``where`` and the sending of a command to that node the task does not wait, so nobody moves the map
in between. ``mapped`` is called after each change of it.

It knows only commands that name one slot, and those sent to a node by name.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, Self

from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.cluster import PRIMARY
from redis.crc import key_slot
from redis.exceptions import (
    AskError,
    BusyLoadingError,
    ClusterDownError,
    MaxConnectionsError,
    MovedError,
    SlotNotCoveredError,
)
from redis.exceptions import ConnectionError as NotConnected
from redis.exceptions import TimeoutError as Silent

LEARN_EVERY_S: Final = 0.1  # the map, while a node is away: each time all connections are made anew
_STREAMS: Final = b"STREAMS"  # the keys of a reading come after this word


class ClusterClient(RedisCluster):
    """Made by ``clients.client``."""

    def __init__(self, nodes: Sequence[ClusterNode], **settings: Any) -> None:
        super().__init__(startup_nodes=list(nodes), require_full_coverage=False, **settings)
        self.mapped: Callable[[], None] = lambda: None
        self._learning = asyncio.Lock()
        self._learned_s = 0.0
        self._broke_off: str | None = None

    async def initialize(self, *_: Any, **__: Any) -> Self:
        """Learn the map of slots where it is not known, or not known to be true. Raises as a command does."""
        if self._initialize:
            async with self._learning:
                if self._initialize:
                    await self.nodes_manager.initialize(last_failed_node_name=self._broke_off)
                    self._initialize, self._learned_s = False, time.monotonic()
                    self.mapped()
        return self

    async def aclose(self) -> None:
        self._initialize = True
        await self.nodes_manager.aclose()
        await self.nodes_manager.aclose("startup_nodes")

    def where(self, key: str) -> str:
        """Host and port of the master whose the key is, as the map has it; "" where that is not known."""
        return self.where_slot(key_slot(key.encode()))

    def where_slot(self, slot: int) -> str:
        nodes = self.nodes_manager.slots_cache.get(slot)
        return nodes[0].name if nodes else ""

    def shards(self) -> list[int]:
        """A slot of each: whoever its master is, its slots stay together in a fail-over."""
        first = {nodes[0].name: slot for slot, nodes in reversed(self.nodes_manager.slots_cache.items()) if nodes}
        return sorted(first.values())

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """``target_nodes``: the name of a node; without it the command must have a key."""
        await self.initialize()
        named = options.pop("target_nodes", None)
        node = self._node(named) if named is not None else self._owner(_key_of(args))
        try:
            return await node.execute_command(*args, **options)
        except MovedError as moved:
            await self._follow(moved)
            raise
        except AskError as asked:
            return await self._ask(asked, args, options)
        except MaxConnectionsError:  # ours, and no fault of the node's
            raise
        except (NotConnected, Silent, ClusterDownError, OSError) as error:
            if not isinstance(error, BusyLoadingError):
                await node.disconnect_free_connections()
            self._doubt(node.name)
            raise

    # ── how ──

    def _node(self, name: str) -> ClusterNode:
        node = self.nodes_manager.get_node(node_name=name)
        if node is None:
            raise NotConnected(f"{name} is no node of this Cluster any more")
        return node

    def _owner(self, key: str | bytes) -> ClusterNode:
        nodes = self.nodes_manager.slots_cache.get(slot := key_slot(key.encode() if isinstance(key, str) else key))
        if not nodes:
            self._doubt(None)
            raise SlotNotCoveredError(f"no master has slot {slot}")
        return nodes[0]

    def _doubt(self, broke_off: str | None) -> None:
        """The map may be old: it is learned anew before the next command, from another node first."""
        self._broke_off = broke_off
        if time.monotonic() - self._learned_s >= LEARN_EVERY_S:
            self._initialize = True

    async def _follow(self, moved: MovedError) -> None:
        if moved.slot_id in self.nodes_manager.slots_cache and moved.host:
            await self.nodes_manager.move_slot(moved)
            self.mapped()
        else:
            self._initialize = True

    async def _ask(self, asked: AskError, args: Sequence[Any], options: dict[str, Any]) -> Any:
        """The key has gone before its slot. There it is given to whoever said ASKING just before."""
        node = self._neighbour(asked)
        connection = node.acquire_connection()
        try:
            await node.disconnect_if_needed(connection)
            await connection.send_command("ASKING")
            await connection.read_response()
            await connection.send_packed_command(connection.pack_command(*args))
            return await node.parse_response(connection, args[0], **options)
        finally:
            try:
                await node.disconnect_if_needed(connection)
            finally:
                node.release(connection)

    def _neighbour(self, asked: AskError) -> ClusterNode:
        """One that may be new: no map has it before it has a slot."""
        manager = self.nodes_manager
        node = manager.get_node(host=asked.host, port=asked.port)
        if node is None:
            node = ClusterNode(asked.host, asked.port, PRIMARY, **manager.connection_kwargs)
            manager.set_nodes(manager.nodes_cache, {node.name: node})
        return node


def _key_of(args: Sequence[Any]) -> str | bytes:
    """The first key of a command of ours."""
    match args[0]:
        case "EVAL" | "EVALSHA":
            key = args[3]
        case "XREAD" | "XREADGROUP":
            key = args[args.index(_STREAMS) + 1]
        case _:
            key = args[1]
    return key if isinstance(key, (str, bytes)) else str(key)
