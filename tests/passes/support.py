"""What the tests of passes share: bitwise comparison, golden files, arrays with special values."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

import staticgraph as sg
from staticgraph.backends.reference import ReferenceExecutable, evaluate
from staticgraph.core.function import Function
from staticgraph.core.text import format_function, parse
from staticgraph.core.verify import verify
from staticgraph.passes.common import Notes
from staticgraph.passes.simplify import simplify

GOLDEN = Path(__file__).parent / "golden"

_FLOATS = [
    0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -3.25, 1e-3, 7.0, 88.0, -104.0, 1e-30, 3e30, -3e38,
    np.inf, -np.inf, np.nan, 1e-40, -1e-45, 6.1e-5,
]  # fmt: skip


def run(function: Function, inputs: Sequence[Any]) -> list[np.ndarray[Any, Any]]:
    """The results of a Function by the reference backend."""
    return [np.asarray(result) for result in ReferenceExecutable(function)(inputs)]


def simplified(function: Function, notes: Notes | None = None) -> Function:
    """A Function after the rules alone, verified."""
    after = simplify(function, notes or Notes(evaluate))
    verify(after, "simplify")
    return after


def assert_same_bits(have: Any, want: Any) -> None:
    """Equal dtype, shape and bits; every NaN equals every NaN."""
    have, want = np.asarray(have), np.asarray(want)
    assert (have.dtype, have.shape) == (want.dtype, want.shape)
    if have.dtype.kind == "f":
        nan = np.isnan(want)
        assert np.array_equal(np.isnan(have), nan), (have, want)
        have, want = np.where(nan, 0, have), np.where(nan, 0, want)
        assert np.array_equal(np.signbit(have), np.signbit(want)), (have, want)
    assert np.array_equal(have, want), (have, want)


def check_golden(name: str, before: Function, after: Function) -> None:
    """Compares both texts with the golden file; STATICGRAPH_BLESS=1 rewrites it.

    The file parses back to both Functions.
    """
    text = f"{_plain(before)}\n# becomes\n\n{_plain(after)}"
    path = GOLDEN / f"{name}.ir"
    if os.environ.get("STATICGRAPH_BLESS") == "1":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.exists(), f"{path.name} is missing; STATICGRAPH_BLESS=1 writes it"
    assert text == path.read_text(encoding="utf-8")
    first, second = text.split("# becomes\n\n")
    assert parse(first) == before
    assert parse(second) == after


def _plain(function: Function) -> str:
    """The text without comments, which would name lines of the tests."""
    lines = format_function(function).splitlines()
    return "\n".join(line.split("  # ")[0].rstrip() for line in lines) + "\n"


def arrays(dtype: Any, shape: tuple[int, ...]) -> st.SearchStrategy[np.ndarray[Any, Any]]:
    """Arrays rich in what rules get wrong: NaN, infinities, -0.0, subnormals, extreme integers."""
    dtype = np.dtype(dtype)
    count = int(np.prod(shape))
    element: st.SearchStrategy[Any]
    if dtype.kind == "f":
        element = st.sampled_from(_FLOATS) | st.floats(
            width=32, allow_nan=False, min_value=-100, max_value=100
        )
    elif dtype.kind == "b":
        element = st.booleans()
    else:
        limits = np.iinfo(dtype)
        low, high = int(limits.min), int(limits.max)
        element = st.sampled_from([low, high, 0, 1]) | st.integers(max(low, -9), 9)

    def build(values: list[Any]) -> np.ndarray[Any, Any]:
        with np.errstate(all="ignore"):
            return np.array(values, dtype).reshape(shape)

    return st.lists(element, min_size=count, max_size=count).map(build)


def extracted(result: Any) -> Function:
    """The Function of tensors, as written."""
    return sg.extract(result)
