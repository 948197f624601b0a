"""What the functions become on other machines: whole vectors, no calls, one rounding per step."""

from __future__ import annotations

import re

import pytest

from staticgraph.backends.native.scalars import Register, Scalars
from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType
from tests.backends.native.elements import assembly, kernel

LINUX, ARM = "x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"


def product(s: Scalars, x: Register) -> Register:
    """tanh(2 x + 1) * exp(-x * x)"""
    two, one = s.constant(2, x.dtype), s.constant(1, x.dtype)
    bent = s.tanh(s.add(s.multiply(two, x), one))
    return s.multiply(bent, s.exp(s.negative(s.multiply(x, x))))


def instructions(text: str) -> list[str]:
    """The lines of assembly that are instructions."""
    return [line.strip() for line in text.splitlines() if re.match(r"\s+[a-z]", line)]


# Triple, processor, bytes of a vector, fused; the register of a vector, and a fused instruction.
MACHINES = [
    (LINUX, "znver4", 64, True, "zmm", "vfmadd"),
    (LINUX, "haswell", 32, True, "ymm", "vfmadd"),
    (LINUX, "x86-64", 16, False, "xmm", "mulp"),
    (ARM, "generic", 16, True, "v", "fmla"),
]


@pytest.mark.parametrize("dtype", (dtypes.float32, dtypes.float64), ids=str)
@pytest.mark.parametrize(
    ("triple", "cpu", "width", "fused", "register", "multiply"),
    MACHINES,
    ids=[machine[1] for machine in MACHINES],
)
def test_whole_vectors_of_the_machine(
    triple: str, cpu: str, width: int, fused: bool, register: str, multiply: str, dtype: DType
) -> None:
    lanes = 2 * width // dtype.itemsize
    text = assembly(kernel(product, (dtype,), dtype, lanes, fused), triple, cpu)
    found = instructions(text)
    assert not [line for line in found if re.match(r"call|bl\b", line)]
    products = [line for line in found if line.startswith(multiply)]
    # Two exponentials, each of a polynomial and of a reduction, and two vectors for each step.
    assert len(products) >= 2 * 2 * (6 if dtype == dtypes.float32 else 11)
    kind = (
        rf"\bv\d+\.{4 if dtype == dtypes.float32 else 2}[sd]" if triple == ARM else f"%{register}"
    )
    assert all(re.search(kind, line) for line in products)
    suffix = "s" if dtype == dtypes.float32 else "d"
    scalar = rf"v?(add|sub|mul|div|fn?m(add|sub)\d+)s{suffix}\b"
    assert not [line for line in found if re.match(scalar, line)]


@pytest.mark.parametrize("dtype", (dtypes.float32, dtypes.float64), ids=str)
@pytest.mark.parametrize("name", ("exp", "expm1", "log", "log1p", "tanh", "sigmoid", "erf"))
def test_no_target_needs_a_library(name: str, dtype: DType) -> None:
    def emit(s: Scalars, x: Register) -> Register:
        return getattr(s, name)(x)  # type: ignore[no-any-return]

    for triple, cpu, width, fused, _, _ in MACHINES:
        text = kernel(emit, (dtype,), dtype, width // dtype.itemsize, fused)
        found = instructions(assembly(text, triple, cpu))
        assert not [line for line in found if re.match(r"call|bl\b", line)], cpu


def test_angles_call_only_for_the_large_ones() -> None:
    text = kernel(lambda s, x: s.sin(x), (dtypes.float64,), dtypes.float64, 8)
    found = instructions(assembly(text, LINUX, "znver4"))
    assert len([line for line in found if line.startswith("call")]) == 1


def test_the_code_is_short() -> None:
    # Compile time is what a session starts with; it follows the number of instructions.
    for name, most in (("exp", 38), ("tanh", 42), ("log", 50), ("sin", 64)):
        text = kernel(lambda s, x, name=name: getattr(s, name)(x), (dtypes.float32,),
                      dtypes.float32, 32)  # fmt: skip
        body = text[text.index("@kernel") :].partition("\n}")[0]
        assert len(re.findall(r"^  %v\d+ = ", body, re.M)) <= most, name
