"""Lines of code by package group against the rough sizes we meant to keep (``make size``). Standard library only.

First what is shipped, then what stands beside it. A line counts when it is not blank. Also listed, of what is shipped
and of the world that tries it: files past 400 lines and functions past 60, where a second idea is usually waiting.
Exit 0 always: these are sizes to look at, not limits.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "chimera"
GROUPS: dict[str, tuple[tuple[str, ...], int | None]] = {
    "trading": (("trading",), 1500),
    "decide": (("decide",), 1800),
    "admit+route+protect+execute+reconcile": (("admit", "route", "protect", "execute", "reconcile"), 4500),
    "simulate": (("simulate",), 3500),
    "tape": (("tape",), 1000),
    "wire": (("wire",), 1000),
    "ports+client": (("ports", "client"), None),
    "adapters": (("adapters",), 3500),
    "tca+learn+backtest": (("tca", "learn", "backtest"), None),
    "services+cli": (("services", "cli"), 5000),
}
BESIDE = ("world", "proofs", "tools", "tests")
FILE_MAX, FUNCTION_MAX = 400, 60


def lines_of(path: Path) -> int:
    return sum(bool(line.strip()) for line in path.read_text(encoding="utf-8").splitlines())


def long_functions(path: Path) -> Iterator[tuple[str, int]]:
    """Name and length in lines, docstring included, decorators not."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
            length = node.end_lineno - node.lineno + 1
            if length > FUNCTION_MAX:
                yield f"{shown(path)}:{node.lineno} {node.name}", length


def shown(path: Path) -> Path:
    return path.relative_to(PACKAGE if path.is_relative_to(PACKAGE) else ROOT)


def main() -> int:
    files = sorted(PACKAGE.rglob("*.py"))
    print(f"{'group':40} {'lines':>6} {'rough':>6}")
    for group, (packages, rough) in GROUPS.items():
        size = sum(lines_of(path) for path in files if path.relative_to(PACKAGE).parts[0] in packages)
        past = " past it" if rough is not None and size > rough else ""
        print(f"{group:40} {size:6} {rough if rough is not None else '-':>6}{past}")
    print(f"{'all that is shipped':40} {sum(map(lines_of, files)):6}")
    for folder in BESIDE:
        print(f"{'beside it, ' + folder + '/':40} {sum(map(lines_of, (ROOT / folder).rglob('*.py'))):6}")
    for path in [*files, *sorted((ROOT / "world").rglob("*.py"))]:
        length = len(path.read_text(encoding="utf-8").splitlines())
        if length > FILE_MAX:
            print(f"file past {FILE_MAX}: {shown(path)} has {length} lines")
        for name, lines in long_functions(path):
            print(f"function past {FUNCTION_MAX}: {name} has {lines} lines")
    return 0


if __name__ == "__main__":
    sys.exit(main())
