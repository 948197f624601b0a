"""The standard's special cases, on both backends, in both widths, one element after the other."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from . import eager
from .calls import Array
from .elementwise_calls import values_of
from .special_cases import BINARY, NAMES, UNARY, agrees


def _wrong(name: str, lines: tuple[str, ...], dtype: str, operands: int) -> list[str]:
    values = values_of(dtype)
    grid = list(itertools.product(values.tolist(), repeat=operands))
    columns = [Array(np.array(column, dtype)) for column in zip(*grid, strict=True)]
    found = getattr(eager, name)(*columns).value
    tolerance = 4 * float(np.finfo(dtype).eps)
    wrong = []
    for line in lines:
        condition, _, result = line.partition(" => ")
        met = 0
        for place, numbers in enumerate(grid):
            at: dict[str, Any] = NAMES | dict(zip("xy", numbers, strict=False))
            if eval(condition, at):
                met += 1
                if not agrees(found[place].item(), eval(result, at), tolerance):
                    wrong.append(f"{name}{numbers} is {found[place]}, but {line}")
        assert met, f"nothing meets {line}"
    return wrong


@pytest.mark.parametrize("backend", ["reference", "native"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", [*UNARY, *BINARY])
def test_special_cases(
    name: str, dtype: str, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATICGRAPH_CONFORMANCE_BACKEND", backend)
    lines, operands = (UNARY[name], 1) if name in UNARY else (BINARY[name], 2)
    assert _wrong(name, lines, dtype, operands) == []
