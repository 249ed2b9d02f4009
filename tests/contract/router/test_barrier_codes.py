"""Every barrier's code has a status of its own: what keeps entries back is not the caller's mistake."""

import ast
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import chimera.services.router as rooms
from chimera.wire.failures import STATUSES

NOTICES = "notice"  # levels that only tell


def levels() -> Iterator[tuple[str, str]]:
    """File and code of each ``barriers.level(code, ...)``; a name stands for the module's constant."""
    for path in sorted(Path(next(iter(rooms.__path__))).glob("*.py")):
        tree = ast.parse(path.read_text())
        constants = {
            node.target.id: node.value.value
            for node in tree.body
            if isinstance(node, ast.AnnAssign)
            and isinstance(node.target, ast.Name)
            and isinstance(node.value, ast.Constant)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and node.args and _is_level(node.func):
                code = node.args[0]
                if isinstance(code, ast.Constant):
                    yield path.name, str(code.value)
                elif isinstance(code, ast.Name) and code.id in constants:
                    yield path.name, str(constants[code.id])


def _is_level(called: ast.expr) -> bool:
    if isinstance(called, ast.Name):
        return called.id == "level"
    barriers = isinstance(called, ast.Attribute) and called.attr == "level"
    return barriers and NOTICES not in ast.unparse(called)


def test_each_is_answered_as_ours_and_not_as_the_callers_mistake() -> None:
    found = dict(map(reversed, levels()))  # type: ignore[arg-type]  # pairs, the other way round
    assert len(found) > 12, "the walk finds them"
    ours = (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.CONFLICT)
    assert {code: place for code, place in found.items() if STATUSES.get(code) not in ours} == {}
