"""Which tests carry a mark, read from the source of ``tests`` without importing it.

A mark counts where it stands above a test, its class, or in a module's ``pytestmark``. Its arguments are constants.
"""

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TypeGuard

ROOT = Path(__file__).resolve().parents[1]
TESTS = ROOT / "tests"


def tests_by_mark(name: str) -> dict[str, list[str]]:
    """Node ids by the mark's argument (as text), files in order of their path."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for path, tree in _sources():
        for node, arguments in _marked(tree, name):
            for argument in arguments:
                found[argument][f"{path.relative_to(ROOT)}::{node}"] = None
    return {argument: list(nodes) for argument, nodes in found.items()}


@cache
def _sources() -> tuple[tuple[Path, ast.Module], ...]:
    """Read once: several pages are drawn from them."""
    return tuple((path, ast.parse(path.read_text(encoding="utf-8"))) for path in sorted(TESTS.rglob("test_*.py")))


def _marked(tree: ast.Module, name: str) -> Iterator[tuple[str, list[str]]]:
    whole = [argument for node in tree.body for argument in _of_module(node, name)]
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            shared = whole + _arguments(node.decorator_list, name)
            for inner in filter(_is_test, node.body):
                yield f"{node.name}::{inner.name}", shared + _arguments(inner.decorator_list, name)
        elif _is_test(node):
            yield node.name, whole + _arguments(node.decorator_list, name)


def _is_test(node: ast.stmt) -> TypeGuard[ast.FunctionDef | ast.AsyncFunctionDef]:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")


def _of_module(node: ast.stmt, name: str) -> list[str]:
    named = isinstance(node, ast.Assign) and any(
        isinstance(target, ast.Name) and target.id == "pytestmark" for target in node.targets
    )
    if not named or not isinstance(node, ast.Assign):
        return []
    several = node.value.elts if isinstance(node.value, ast.List | ast.Tuple) else [node.value]
    return _arguments(several, name)


def _arguments(decorators: list[ast.expr], name: str) -> list[str]:
    found = []
    for each in decorators:
        if isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute) and each.func.attr == name:
            found += [str(argument.value) for argument in each.args if isinstance(argument, ast.Constant)]
    return found
