"""Complex functions at infinities, NaN and zeros: the special cases of the Array API standard.

Written from the text of 2024.12, as pairs of parts; a ``~`` marks a part whose sign is left open.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import staticgraph as sg

# The real and imaginary part given, and those of the result.
CASES = {
    "acos": """
        0 0 => pi/2 -0
        -0 0 => pi/2 -0
        0 nan => pi/2 nan
        1.5 inf => pi/2 -inf
        1.5 nan => nan nan
        -inf 1.5 => pi -inf
        inf 1.5 => 0 -inf
        -inf inf => 3*pi/4 -inf
        inf inf => pi/4 -inf
        inf nan => nan ~inf
        -inf nan => nan ~inf
        nan 1.5 => nan nan
        nan inf => nan -inf
        nan nan => nan nan
    """,
    "acosh": """
        0 0 => 0 pi/2
        -0 0 => 0 pi/2
        1.5 inf => inf pi/2
        0 nan => nan ~pi/2
        1.5 nan => nan nan
        -inf 1.5 => inf pi
        inf 1.5 => inf 0
        -inf inf => inf 3*pi/4
        inf inf => inf pi/4
        inf nan => inf nan
        -inf nan => inf nan
        nan 1.5 => nan nan
        nan inf => inf nan
        nan nan => nan nan
    """,
    "asinh": """
        0 0 => 0 0
        1.5 inf => inf pi/2
        1.5 nan => nan nan
        inf 1.5 => inf 0
        inf inf => inf pi/4
        inf nan => inf nan
        nan 0 => nan 0
        nan 1.5 => nan nan
        nan inf => ~inf nan
        nan nan => nan nan
    """,
    "atanh": """
        0 0 => 0 0
        0 nan => 0 nan
        1 0 => inf 0
        1.5 inf => 0 pi/2
        1.5 nan => nan nan
        inf 1.5 => 0 pi/2
        inf inf => 0 pi/2
        inf nan => 0 nan
        nan 1.5 => nan nan
        nan 1e30 => nan nan
        nan inf => ~0 pi/2
        nan nan => nan nan
    """,
    "cosh": """
        0 0 => 1 0
        0 inf => nan ~0
        0 nan => nan ~0
        1.5 inf => nan nan
        1.5 nan => nan nan
        inf 0 => inf 0
        inf 2 => -inf inf
        inf inf => inf nan
        inf nan => inf nan
        nan 0 => nan ~0
        nan 1.5 => nan nan
        nan nan => nan nan
    """,
    "exp": """
        0 0 => 1 0
        -0 0 => 1 0
        1.5 inf => nan nan
        1.5 nan => nan nan
        -1e30 nan => nan nan
        inf 0 => inf 0
        -inf 2 => -0 0
        -inf -2 => -0 -0
        inf 2 => -inf inf
        -inf inf => ~0 ~0
        inf inf => ~inf nan
        -inf nan => ~0 ~0
        inf nan => ~inf nan
        nan 0 => nan 0
        nan 1.5 => nan nan
        nan nan => nan nan
    """,
    "expm1": """
        0 0 => 0 0
        -0 0 => 0 0
        1.5 inf => nan nan
        1.5 nan => nan nan
        -1e30 nan => nan nan
        inf 0 => inf 0
        -inf 2 => -1 0
        -inf -2 => -1 -0
        inf 2 => -inf inf
        -inf inf => -1 ~0
        inf inf => ~inf nan
        -inf nan => -1 ~0
        inf nan => ~inf nan
        nan 0 => nan 0
        nan 1.5 => nan nan
        nan nan => nan nan
    """,
    "sinh": """
        0 0 => 0 0
        0 inf => ~0 nan
        0 nan => ~0 nan
        1.5 inf => nan nan
        1.5 nan => nan nan
        inf 0 => inf 0
        inf 2 => -inf inf
        inf inf => ~inf nan
        inf nan => ~inf nan
        nan 0 => nan 0
        nan 1.5 => nan nan
        nan nan => nan nan
    """,
    "tanh": """
        0 0 => 0 0
        1.5 inf => nan nan
        1.5 nan => nan nan
        1e30 inf => nan nan
        inf 1 => 1 0
        inf 2 => 1 0
        inf -2 => 1 -0
        -inf 2 => -1 0
        inf inf => 1 ~0
        inf nan => 1 ~0
        nan 0 => nan 0
        nan 1.5 => nan nan
        nan nan => nan nan
    """,
}


def _number(text: str) -> float:
    names = {"inf": math.inf, "nan": math.nan, "pi": math.pi}
    sign = -1.0 if text.startswith("-") else 1.0
    return sign * float(eval(text.lstrip("-"), names))


def _agrees(found: float, wanted: str, tolerance: float) -> bool:
    value = _number(wanted.lstrip("~"))
    if math.isnan(value):
        return math.isnan(found)
    if wanted.startswith("~"):
        return abs(found) == value or math.isclose(abs(found), value, rel_tol=tolerance)
    if math.copysign(1.0, found) != math.copysign(1.0, value):
        return False
    return found == value or math.isclose(found, value, rel_tol=tolerance)


def _run(function: Any, given: Any, backend: Any) -> Any:
    """In a vector long enough for whole registers, and its first elements alone."""
    with sg.Graph().as_default() as graph:
        x = sg.placeholder(given.dtype, (None,), name="x")
        y = function(x)
    session = sg.Session(graph=graph, backend=backend)
    found = session.run(y, {x: np.tile(given, 5)}).reshape(5, -1)
    np.testing.assert_array_equal(found[0], found[4])
    return found[0]


@pytest.mark.parametrize("backend", ["reference", "native"])
@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
@pytest.mark.parametrize("name", CASES)
def test_special_values(name: str, dtype: str, backend: str) -> None:
    lines = [line.split() for line in CASES[name].strip().split("\n")]
    given = np.array([complex(_number(line[0]), _number(line[1])) for line in lines], dtype)
    # 1e30 + 0j as a product of parts would make NaN of infinities.
    given.real, given.imag = [[_number(line[part]) for line in lines] for part in (0, 1)]
    found = _run(getattr(sg, name), given, backend)
    tolerance = 4 * float(np.finfo(dtype).eps)
    wrong = [
        f"{' '.join(line)}: {one}"
        for line, one in zip(lines, found.tolist(), strict=True)
        if not _agrees(one.real, line[3], tolerance) or not _agrees(one.imag, line[4], tolerance)
    ]
    assert wrong == []


@pytest.mark.parametrize("backend", ["reference", "native"])
@pytest.mark.parametrize("name", ["acos", "acosh", "asinh", "atanh", "cosh", "exp", "sinh"])
def test_conjugated_numbers_give_conjugated_results(name: str, backend: str) -> None:
    parts = [0.0, 1.5, -1.5, 1e30, math.inf, -math.inf, math.nan]
    given = np.array([complex(a, b) for a in parts for b in parts], np.complex128)
    above = _run(getattr(sg, name), given, backend)
    below = np.conj(_run(getattr(sg, name), np.conj(given), backend))
    np.testing.assert_array_equal(above, below)


@pytest.mark.parametrize("backend", ["reference", "native"])
def test_one_divided_by_a_complex_number_keeps_the_sign_of_a_zero(backend: str) -> None:
    given = np.array([1 + 0j, 2 - 0j, -4 + 0j])
    found = _run(lambda x: (1 + 0j) / x, given, backend)
    wanted = (1 + 0j) / given
    np.testing.assert_array_equal(np.signbit(found.imag), np.signbit(wanted.imag))
    np.testing.assert_array_equal(found, wanted)
