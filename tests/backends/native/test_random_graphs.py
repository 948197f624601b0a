"""Random programs on machine code and on the reference: the same results, the same errors."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import staticgraph as sg
from tests.backends.native.agreement import Agreement, outcome
from tests.backends.native.random_programs import DTYPES, Program

Array = np.ndarray[Any, Any]
# Beyond these, whole numbers are no longer exact.
_EXACT = {np.dtype("float32"): 2.0**22, np.dtype("float64"): 2.0**50}
# Fetches before the derivatives; see Program.fetches.
_VALUES = 4


def grown(chance: Random, dtype: str, smooth: bool, most: int = 16) -> Program:
    """A program of up to `most` steps."""
    program = Program(chance, dtype, smooth)
    for _ in range(chance.randrange(2, most)):
        program.grow()
    return program


def close(have: Array, want: Array, what: str) -> None:
    """Equal but for the last digits of the largest number."""
    finite = np.abs(want[np.isfinite(want)]) if want.dtype.kind == "f" else np.zeros(0)
    scale = max(1.0, float(np.max(finite, initial=0.0)))
    np.testing.assert_allclose(
        have, want, rtol=1e-9, atol=1e-9 * scale, strict=True, err_msg=what
    )  # fmt: skip


def same(have: Array, want: Array, what: str) -> None:
    """Equal bit for bit, where numbers are exact."""
    if want.dtype.kind == "f" and float(np.max(np.abs(want), initial=0)) > _EXACT[want.dtype]:
        return
    np.testing.assert_array_equal(have, want, strict=True, err_msg=what)
    if want.dtype.kind == "f":
        number = ~np.isnan(want)
        np.testing.assert_array_equal(
            np.signbit(have)[number], np.signbit(want)[number], err_msg=f"signs of {what}"
        )


def agree(runs: Sequence[Any], arrays: Sequence[Array], names: Sequence[str], exact: int) -> bool:
    """Compares the results for these arrays, the first `exact` ones exactly; False for an error."""
    have, want = [outcome(run, arrays) for run in runs]
    if isinstance(have, str) or isinstance(want, str):
        assert have == want
        return False
    for number, (ours, theirs) in enumerate(zip(have, want, strict=True)):
        if theirs is not None:
            compare = same if number < exact else close
            compare(np.asarray(ours), np.asarray(theirs), f"{number}: {names[number]}")
    return True


def check_program(chance: Random, smooth: bool, most: int = 16) -> None:
    """A program with its derivatives, for the sizes it was made with and for others."""
    dtype = "float64" if smooth else chance.choice(DTYPES)
    with sg.Graph().as_default():
        program = grown(chance, dtype, smooth, most)
        fetches = program.fetches(derivatives=dtype == "float64")
        try:
            runs = Agreement(fetches, program.feeds).runs
        except sg.ShapeError:
            # Sizes that constants decide do not fit; the pipeline finds that out.
            return
        names = [str(fetch) for fetch in fetches]
        for arrays in (program.tried, program.arrays(chance, ones=True)):
            agree(runs, arrays, names, 0 if smooth else _VALUES)


def check_state(chance: Random, smooth: bool) -> None:
    """A program that updates variables, several times."""
    dtype = "float64" if smooth else chance.choice(DTYPES)
    with sg.Graph().as_default():
        program = Program(chance, dtype, smooth)
        variables = program.add_variables()
        for _ in range(chance.randrange(1, 10)):
            program.grow()
        fetches = [*program.updates(variables), *program.fetches(derivatives=smooth)]
        if chance.random() < 0.5:
            fetches = fetches[: len(variables) + 1]
        if chance.random() < 0.5:
            fetches[: len(variables)] = [sg.group(*fetches[: len(variables)])]
        try:
            both = Agreement(fetches, program.feeds)
        except sg.ShapeError:
            return
        names = [str(fetch) for fetch in fetches]
        exact = 0 if smooth else len(fetches)
        for _ in range(3):
            if not agree(both.runs, program.tried, names, exact):
                break
            have, want = [session.run(variables) for session in both.sessions]
            for ours, theirs in zip(have, want, strict=True):
                (close if smooth else same)(ours, theirs, "a variable")


def bounded(count: int) -> Any:
    """Settings of a property that is the same in every run of the tests."""
    return settings(
        max_examples=count, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck), phases=(Phase.generate,),
    )  # fmt: skip


SEEDS = st.integers(0, 1 << 40)


@pytest.mark.parametrize("smooth", [False, True], ids=["exact", "smooth"])
@bounded(30)
@given(seed=SEEDS)
def test_programs(smooth: bool, seed: int) -> None:
    check_program(Random(seed), smooth)


@pytest.mark.parametrize("smooth", [False, True], ids=["exact", "smooth"])
@bounded(4)
@given(seed=SEEDS)
def test_large_programs(smooth: bool, seed: int) -> None:
    check_program(Random(seed), smooth, most=60)


@pytest.mark.parametrize("smooth", [False, True], ids=["exact", "smooth"])
@bounded(20)
@given(seed=SEEDS)
def test_programs_that_update_variables(smooth: bool, seed: int) -> None:
    check_state(Random(seed), smooth)
