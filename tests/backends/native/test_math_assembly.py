"""What the functions become on other machines: whole vectors, no calls, one rounding per step."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from staticgraph.backends.native import jit, targets
from staticgraph.backends.native.scalars import Register, Scalars
from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType
from tests.backends.native.elements import kernel


def product(s: Scalars, x: Register) -> Register:
    """tanh(2 x + 1) * exp(-x * x)"""
    two, one = s.constant(2, x.dtype), s.constant(1, x.dtype)
    bent = s.tanh(s.add(s.multiply(two, x), one))
    return s.multiply(bent, s.exp(s.negative(s.multiply(x, x))))


def instructions(text: str) -> list[str]:
    """The lines of assembly that are instructions."""
    return [line.strip() for line in text.splitlines() if re.match(r"\s+[a-z]", line)]


# Per processor how it writes a register that is a whole vector, and a product.
MACHINES = {
    "znver4": ("%zmm", "vfmadd"),
    "haswell": ("%ymm", "vfmadd"),
    "x86-64": ("%xmm", "mulp"),
    "neoverse-n1": (r"\bv\d+\.[24][sd]", "fmla"),
}


def compiled(emit: Callable[..., Register], dtype: DType, cpu: str, level: int) -> list[str]:
    """The instructions of a kernel that takes two vectors at a time."""
    target = targets.named(cpu)
    lanes = 2 * target.vector_bytes // dtype.itemsize
    text = kernel(emit, (dtype,), dtype, lanes, target.fused)
    return instructions(jit.assembly(text, level, target))


def calls(found: list[str]) -> list[str]:
    """The calls among instructions."""
    return [line for line in found if re.match(r"call|blr?\b", line)]


@pytest.mark.parametrize("level", (0, 2))
@pytest.mark.parametrize("dtype", (dtypes.float32, dtypes.float64), ids=str)
@pytest.mark.parametrize("cpu", MACHINES)
def test_whole_vectors_of_the_machine(cpu: str, dtype: DType, level: int) -> None:
    register, multiply = MACHINES[cpu]
    found = compiled(product, dtype, cpu, level)
    assert calls(found) == []
    products = [line for line in found if line.startswith(multiply)]
    # Two exponentials, each of a polynomial and of a reduction, and two vectors for each step.
    assert len(products) >= 2 * 2 * (6 if dtype == dtypes.float32 else 11)
    assert all(re.search(register, line) for line in products)
    scalar = rf"v?(add|sub|mul|div|fn?m(add|sub)\d+)s{'s' if dtype == dtypes.float32 else 'd'}\b"
    assert [line for line in found if re.match(scalar, line)] == []


@pytest.mark.parametrize("dtype", (dtypes.float32, dtypes.float64), ids=str)
@pytest.mark.parametrize(
    "name",
    (
        "exp", "expm1", "log", "log1p", "tanh", "sigmoid", "erf", "exp2", "log2", "log10", "asin",
        "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh", "erfc", "erfinv",
    ),
)  # fmt: skip
def test_no_processor_needs_a_library(name: str, dtype: DType) -> None:
    def emit(s: Scalars, x: Register) -> Register:
        return getattr(s, name)(x)  # type: ignore[no-any-return]

    for cpu in MACHINES:
        assert calls(compiled(emit, dtype, cpu, 0)) == [], cpu


def test_angles_call_only_for_the_large_ones() -> None:
    found = compiled(lambda s, x: s.sin(x), dtypes.float64, "znver4", 0)
    assert len(calls(found)) == 1


def test_the_code_is_short() -> None:
    # Compile time is what a session starts with; it follows the number of instructions.
    for name, most in (("exp", 38), ("tanh", 42), ("log", 50), ("sin", 64)):
        text = kernel(lambda s, x, name=name: getattr(s, name)(x), (dtypes.float32,),
                      dtypes.float32, 32)  # fmt: skip
        body = text[text.index("@kernel") :].partition("\n}")[0]
        assert len(re.findall(r"^  %v\d+ = ", body, re.M)) <= most, name
