"""What must be atomic: Lua files beside this one, each with its keys declared and all of them in one slot."""

import hashlib
from collections.abc import Sequence
from importlib.resources import files
from typing import Any, Final

from redis.exceptions import NoScriptError

from chimera.adapters.redis.clients import Raw
from chimera.adapters.redis.slots import same_slot


class Script:
    """A Lua file beside this one, sent by its digest and in full where a server has not seen it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.text = files(__package__).joinpath("lua", f"{name}.lua").read_text("ascii")
        self.digest = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()

    async def run(self, client: Raw, keys: Sequence[str], *arguments: str | int | bytes) -> Any:
        try:
            return await client.execute_command(*self.words(keys, *arguments))
        except NoScriptError:
            return await client.execute_command("EVAL", self.text, len(keys), *keys, *arguments)

    def words(self, keys: Sequence[str], *arguments: str | int | bytes) -> tuple[str | int | bytes, ...]:
        """The command that runs it where it has been seen."""
        return ("EVALSHA", self.digest, len(keys), *same_slot(keys), *arguments)


PUBLISH_MANY: Final = Script("publish_many_v3")
READ: Final = Script("read_v2")
RECLAIM: Final = Script("reclaim_v2")
PROLONG: Final = Script("prolong_v1")
RELEASE: Final = Script("release_v1")
CLAIM_DUE: Final = Script("claim_due_v1")
HAND_BACK: Final = Script("hand_back_v1")
LAY: Final = Script("lay_v1")
