"""Who may import whom, and what no module of the package may do."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import staticgraph as sg
from staticgraph.core import opdef

PACKAGE = Path(sg.__file__).parent
# From the bottom up; a module imports its own package and the layers below, and rooms that
# share a layer do not import each other.
LAYERS = (
    ("errors",),
    ("config",),
    ("core",),
    ("ops",),
    ("autodiff", "passes", "backends"),
    ("runtime",),
    ("inspect", "train", "nn", "io", "compat"),
    ("cli", "demo", "__main__"),
    ("__init__",),
)
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}
TOP = LEVEL["cli"]
FILES = sorted(PACKAGE.rglob("*.py"))
# Modules that only some programs need; config.LazyModule loads them at first use.
HEAVY = (
    "scipy", "networkx", "graphviz", "pygraphviz", "matplotlib", "rich", "sklearn", "llvmlite",
)  # fmt: skip


def _room(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), str(file))


def _imported(tree: ast.Module) -> list[tuple[int, str]]:
    """Line and dotted name of everything that a module imports, absolute names only."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: a relative import"
            found += [(node.lineno, f"{node.module}.{alias.name}") for alias in node.names]
    return found


def _name(file: Path) -> str:
    return str(file.relative_to(PACKAGE))


def _breaks(room: str, imported: str) -> bool:
    parts = imported.split(".")
    if parts[0] != "staticgraph":
        return False
    # `from staticgraph import x` is an import of the room x, or of the surface.
    target = parts[1] if len(parts) > 1 and parts[1] in LEVEL else "__init__"
    if room == target or LEVEL[room] > LEVEL[target]:
        return False
    # The command line, and what it demonstrates, are written as a user would write them.
    return not (LEVEL[room] == TOP and (target == "__init__" or LEVEL[target] == TOP))


@pytest.mark.parametrize("file", FILES, ids=_name)
def test_imports_go_down(file: Path) -> None:
    room = _room(file)
    assert room in LEVEL, f"'{room}' has no place among the layers"
    broken = [
        f"{file}:{line} imports {name}" for line, name in _imported(_tree(file))
        if _breaks(room, name)
    ]  # fmt: skip
    assert broken == []


@pytest.mark.parametrize(
    ("room", "imported", "breaks"),
    [
        ("core", "staticgraph.ops.elementwise", True),
        ("core", "staticgraph.errors.GraphError", False),
        ("errors", "staticgraph.config.check_enabled", True),
        ("passes", "staticgraph.backends.reference", True),
        ("backends", "staticgraph.passes.pipeline", True),
        ("autodiff", "staticgraph.ops.elementwise.add", False),
        ("train", "staticgraph.inspect.render", True),
        ("inspect", "staticgraph.Session", True),
        ("cli", "staticgraph.Session", False),
        ("demo", "staticgraph.runtime.session", False),
        ("runtime", "numpy", False),
    ],
)
def test_the_rule_itself(room: str, imported: str, breaks: bool) -> None:
    assert _breaks(room, imported) is breaks


@pytest.mark.parametrize("file", FILES, ids=_name)
def test_no_import_inside_a_function(file: Path) -> None:
    inside = [
        f"{file}:{inner.lineno}"
        for outer in ast.walk(_tree(file))
        if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for inner in ast.walk(outer)
        if isinstance(inner, ast.Import | ast.ImportFrom)
    ]
    assert inside == []


@pytest.mark.parametrize("file", FILES, ids=_name)
def test_no_pickle_and_no_eval(file: Path) -> None:
    tree = _tree(file)
    modules = {name.split(".")[0] for _, name in _imported(tree)}
    assert modules.isdisjoint({"pickle", "cPickle", "dill", "marshal", "shelve", "joblib"})
    called = {
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert called.isdisjoint({"eval", "exec", "__import__"})
    allowed = [
        keyword.arg
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "allow_pickle"
        and not (isinstance(keyword.value, ast.Constant) and keyword.value.value is False)
    ]
    assert allowed == []


@pytest.mark.parametrize(
    "file", [f for f in FILES if "native" not in f.relative_to(PACKAGE).parts], ids=_name
)
def test_only_the_native_backend_knows_llvm(file: Path) -> None:
    """By import, or by name as `LazyModule` is told it."""
    tree = _tree(file)
    names = [name for _, name in _imported(tree)]
    names += [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    assert [name for name in names if name.split(".")[0] == "llvmlite"] == []


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = f"import sys, staticgraph\nprint([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, cwd=PACKAGE.parent, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("file", [f for f in FILES if _room(f) == "core"], ids=_name)
def test_core_knows_no_op_by_name(file: Path) -> None:
    """Core asks for the role of an op or for what its record says, never which op it is."""
    names = {op.name for op in opdef.registered() if op.role == "compute"}
    compared = [
        f"{file}:{node.lineno}: {side.value}"
        for node in ast.walk(_tree(file))
        if isinstance(node, ast.Compare)
        for side in (node.left, *node.comparators)
        if isinstance(side, ast.Constant) and side.value in names
    ]
    assert compared == []
    looked_up = [
        f"{file}:{node.lineno}"
        for node in ast.walk(_tree(file))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name | ast.Attribute)
        and getattr(node.func, "id", getattr(node.func, "attr", "")) == "get"
        and node.args
        and isinstance(node.args[0], ast.Constant)
        and node.args[0].value in names
    ]
    assert looked_up == []
