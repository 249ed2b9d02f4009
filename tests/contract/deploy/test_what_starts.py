"""What a process of ours does by starting alone: it dumps no memory, and what it imports asks and writes nothing."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

HOOK = """
import sys
WATCHED = {"socket.connect", "socket.bind", "socket.getaddrinfo", "subprocess.Popen", "os.system", "os.remove"}
seen = []
def hook(event, args):
    if event in WATCHED or (event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+")):
        seen.append((event, str(args)[:200]))
sys.dont_write_bytecode = True
sys.addaudithook(hook)
"""


def said(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize(
    "module",
    ["chimera.services.router.main", "chimera.services.strategy.main", "chimera.services.alerts.main",
     "chimera.services.console.main", "chimera.cli.main"],
)  # fmt: skip
def test_importing_a_service_asks_no_network_and_writes_no_file(module: str) -> None:
    assert said(f"{HOOK}\nimport {module}\nprint(seen)") == "[]"


def test_the_hook_sees_what_it_watches() -> None:
    assert "socket.bind" in said(f"{HOOK}\nimport socket\nsocket.socket().bind(('127.0.0.1', 0))\nprint(seen)")
    assert "open" in said(f"{HOOK}\nimport tempfile\ntempfile.TemporaryFile('w')\nprint(seen)")


def test_where_requests_are_signed_few_libraries_are_at_work() -> None:
    """Ours, the standard library's, and these."""
    program = """
import sys
before = set(sys.modules)
import chimera.adapters.binance.sign
print(sorted({name.split(".")[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names)))
"""
    assert set(eval(said(program))) <= {"chimera", "cryptography", "_cffi_backend", "_openssl", "msgspec"}  # noqa: S307 - our own


def test_the_memory_of_a_service_is_never_dumped() -> None:
    program = """
import resource
from chimera.services import serving
async def main():
    return resource.getrlimit(resource.RLIMIT_CORE)
print(serving.run(main))
"""
    assert said(program) == "(0, 0)"
