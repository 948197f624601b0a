"""Every example in a docstring runs, and every public name has one."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import staticgraph as sg


def _modules() -> list[str]:
    walked = pkgutil.walk_packages(sg.__path__, "staticgraph.")
    # Importing a __main__ would run it.
    return ["staticgraph", *[m.name for m in walked if not m.name.endswith("__main__")]]


@pytest.mark.parametrize("name", _modules())
def test_examples_run(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    module = importlib.import_module(name)
    runner = doctest.DocTestRunner(verbose=False)
    for example in doctest.DocTestFinder(exclude_empty=True).find(module, name):
        example.globs.update(sg=sg, np=np)
        with sg.Graph().as_default():
            runner.run(example)
    results = runner.summarize(verbose=False)
    assert results.failed == 0, capsys.readouterr().out


def _public() -> list[tuple[str, Any]]:
    """The functions and classes of the surface, those of public namespaces included."""
    found: list[tuple[str, Any]] = []
    namespaces: list[tuple[str, ModuleType]] = [("sg", sg)]
    while namespaces:
        prefix, module = namespaces.pop()
        for name in module.__all__:
            thing = getattr(module, name)
            if isinstance(thing, ModuleType):
                namespaces.append((f"{prefix}.{name}", thing))
            elif inspect.isclass(thing) or inspect.isroutine(thing):
                found.append((f"{prefix}.{name}", thing))
    return found


def _is_exempt(thing: Any) -> bool:
    """Errors are shown by docs/errors.md instead."""
    return inspect.isclass(thing) and issubclass(thing, BaseException)


def test_every_public_name_has_an_example() -> None:
    parser = doctest.DocTestParser()
    lacking = [
        name
        for name, thing in _public()
        if not _is_exempt(thing) and not parser.get_examples(inspect.getdoc(thing) or "")
    ]
    assert lacking == []
