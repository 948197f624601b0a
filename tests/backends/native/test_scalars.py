"""Every emit rule against the reference of its op: all dtypes, all lane counts, edge values."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from staticgraph.backends.native.scalars import Register, Scalars
from staticgraph.core import dtypes, opdef
from staticgraph.core.dtypes import DType
from staticgraph.core.opdef import Mismatch, OpDef
from staticgraph.core.types import TensorType
from tests.backends.native.elements import Array, Rule, kernel

LANES = (1, 4, 8, 16, 32, 64)
# Ops whose result may differ from the reference in the last places; test_math_* measure them.
ROUNDED = frozenset(
    (
        "exp",
        "expm1",
        "log",
        "log1p",
        "pow",
        "sin",
        "cos",
        "tan",
        "tanh",
        "sigmoid",
        "softplus",
        "erf",
        "exp2",
        "log2",
        "log10",
        "logaddexp",
        "cbrt",
        "hypot",
        "asin",
        "acos",
        "atan",
        "atan2",
        "sinh",
        "cosh",
        "asinh",
        "acosh",
        "atanh",
        "erfc",
        "erfinv",
        "xlogy",
        "lgamma",
        "digamma",
        "polygamma",
        "normal_quantile",
        "igamma",
        "igammac",
        "xlog1py",
        "erfcx",
        "ndtr",
        "log_ndtr",
        "ndtri",
        "logit",
        "i0",
        "i0e",
        "i1",
        "i1e",
        "betaln",
        "betainc",
        "sigmoid_cross_entropy_with_logits",
    )
)
# Ops that move the parts of complex numbers, or add them: these have the reference's bits.
PART_BY_PART = frozenset(
    (
        "real", "imag", "conj", "complex", "add", "subtract", "negative", "round", "where",
        "identity", "stop_gradient", "guard", "equal", "not_equal", "isnan", "isinf", "isfinite",
    )
)  # fmt: skip
# These refuse most operands and give the others back: tests/ops/test_random*.py has both sides.
GUARDS = frozenset(("random_domain", "random_span"))
OPS = [op for op in opdef.registered() if op.elementwise and op.name not in {"cast", *GUARDS}]

# Half precision is no arithmetic: tests/ops/test_half.py has its conversions, bit by bit.
WIDE = [dtype for dtype in dtypes.ALL if dtype not in dtypes.HALF]


def edge_values(dtype: DType) -> Array:
    """Values of `dtype` at which something could go wrong, and ordinary ones."""
    if dtype == dtypes.bool_:
        return np.array([False, True])
    if dtype in dtypes.INTEGER:
        info = np.iinfo(dtype)
        values = {info.min, info.min + 1, info.max, info.max - 1, info.max // 3, 0, 1, 2, 3, 7, 100}
        if dtype in dtypes.SIGNED:
            values |= {-1, -2, -3, -7, -100, info.min // 3}
        return np.array(sorted(values), dtype)
    if dtype in dtypes.COMPLEX:
        parts = [0.0, -0.0, 1e-8, 0.5, -1.5, 7.3, -40.0, 1e5, np.inf, -np.inf, np.nan]
        return np.array([complex(*pair) for pair in itertools.product(parts, repeat=2)], dtype)
    tiny = np.finfo(dtype).tiny
    small = [0.0, tiny, tiny / 2, float(np.finfo(dtype).smallest_subnormal), 1e-8, 0.1, 0.5]
    large = [1.0, 1.5, 2.0, 2.5, 3.0, 7.3, 80.0, 1e6, 2.0**23 + 1, 2.0**30, np.finfo(dtype).max]
    positive = np.array([*small, *large, np.inf], dtype)
    return np.concatenate([positive, -positive, np.array([np.nan], dtype)])


def signatures(op: OpDef) -> list[tuple[DType, ...]]:
    """The combinations of operand dtypes to test."""
    if isinstance(op.dtypes, frozenset):
        return [(d,) * len(op.operands) for d in WIDE if d in op.dtypes]
    if op.name == "ldexp":
        return [(d, dtypes.int32) for d in WIDE if d in dtypes.FLOATING]
    return [(dtypes.bool_, d, d) for d in WIDE]


def attributes(op: OpDef) -> list[dict[str, Any]]:
    """The attributes to test an op with."""
    if op.attrs == ("dtype",):
        return [{"dtype": dtypes.float32}, {"dtype": dtypes.float64}]
    if op.attrs == ("order",):
        return [{"order": 1}, {"order": 2}]
    assert op.attrs == (), f"no attributes are known for {op.name}"
    return [{}]


def grid(signature: tuple[DType, ...]) -> list[Array]:
    """Every combination of edge values, an array per operand."""
    rows = list(itertools.product(*[edge_values(dtype) for dtype in signature]))
    return [np.array([row[index] for row in rows], dtype) for index, dtype in enumerate(signature)]


def assert_same(name: str, result: Array, expected: Array, operands: list[Array]) -> None:
    """Equal bits but for NaN, whose sign and payload mean nothing; close for rounded ops.

    What infinite parts make of a complex number in a formula is not compared, nor what overflows:
    tests/ops/test_complex.py says what they do.
    """
    expected = np.asarray(expected)
    assert result.dtype == expected.dtype
    if result.dtype in dtypes.COMPLEX and (name in PART_BY_PART or name.startswith("cast")):
        assert_same(name, result.real, expected.real, operands)
        assert_same(name, result.imag, expected.imag, operands)
        return
    if any(o.dtype in dtypes.COMPLEX for o in operands) and not (
        name in PART_BY_PART or name.startswith("cast")
    ):
        given = np.all([np.isfinite(o) for o in np.broadcast_arrays(*operands)], axis=0)
        size = np.abs(expected)
        within = given & (size < np.finfo(result.dtype).max / 4)
        with np.errstate(all="ignore"):
            close = np.abs(result - expected) <= 4e-6 * size + 4 * np.finfo(result.dtype).tiny
        same = np.where(within, close, True)
    elif result.dtype not in dtypes.FLOATING:
        same = result == expected
    else:
        same = (result == expected) & (np.signbit(result) == np.signbit(expected))
        same |= np.isnan(result) & np.isnan(expected)
        if name in ROUNDED:
            same |= np.isclose(result, expected, rtol=3e-6, atol=0)
    wrong = np.flatnonzero(~same)
    shown = [
        f"{name}({', '.join(str(o[i]) for o in operands)}) = {result[i]}, not {expected[i]}"
        for i in wrong[:8]
    ]
    assert not shown, f"{len(wrong)} wrong: " + "; ".join(shown)


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
@pytest.mark.parametrize("lanes", (1, 16))
def test_emit_rules_agree_with_the_reference(op: OpDef, lanes: int) -> None:
    for signature, attrs in itertools.product(signatures(op), attributes(op)):
        operands = grid(signature)
        if signature[-1] in dtypes.COMPLEX and len(signature) == 2:
            # Few enough that both operands have every part.
            operands = [operand[::7] for operand in operands]
        if op.name == "pow" and signature[0] in dtypes.SIGNED:
            allowed = operands[1] >= 0
            operands = [operand[allowed] for operand in operands]
        if op.name == "igammac":
            # Where it is subnormal as its first operand is, it is the difference of two such.
            allowed = ~(np.abs(operands[0]) < np.finfo(signature[0]).tiny) | (operands[0] == 0)
            operands = [operand[allowed] for operand in operands]
        if op.name == "betainc":
            # Of an x half way between two subnormal numbers a rounding before decides; of a tiny b
            # SciPy loses the small results.
            for index in (1, 2):
                tiny = np.abs(operands[index]) <= np.finfo(signature[index]).tiny
                allowed = ~tiny | (operands[index] == 0)
                operands = [operand[allowed] for operand in operands]
        types = tuple(TensorType(dtype, (1,)) for dtype in signature)
        (result,) = opdef.infer_types(op, types, attrs)
        rule = Rule(op.emit, signature, result.dtype, lanes, **attrs)  # type: ignore[arg-type]
        assert op.reference is not None
        with np.errstate(all="ignore"):
            expected = op.reference(*operands, **attrs)
            if op.name == "pow" and signature[0] == dtypes.complex64:
                # NumPy's loses digits; the rule computes in complex128.
                wide = [operand.astype(np.complex128) for operand in operands]
                expected = op.reference(*wide).astype(np.complex64)
        assert_same(op.name, rule(*operands), expected, operands)
        assert not rule.failed


@pytest.mark.parametrize("lanes", (1, 16))
@pytest.mark.parametrize("source", WIDE, ids=str)
def test_casts_agree_with_numpy_also_where_c_does_not_say(source: DType, lanes: int) -> None:
    values = edge_values(source)
    if source in dtypes.FLOATING:
        powers = 2.0 ** np.array([7, 8, 15, 16, 31, 32, 63, 64])
        near = [np.nextafter(powers.astype(source), source.type(to)) for to in (0, np.inf)]
        fractions = np.array([127.5, 128.5, 255.9, 256.9, 32767.5, 65535.9], source)
        many = np.concatenate([values, powers.astype(source), *near, fractions])
        values = np.concatenate([many, -many])
    cast = opdef.get("cast")
    for dtype in WIDE:
        if source in dtypes.COMPLEX and dtype in dtypes.NUMERIC:
            continue
        rule = Rule(cast.emit, (source,), dtype, lanes, dtype=dtype)  # type: ignore[arg-type]
        with np.errstate(all="ignore"):
            # One by one: NumPy's own vectors give other numbers for some that do not fit.
            expected = np.concatenate([value.astype(dtype) for value in values.reshape(-1, 1)])
        assert_same(f"cast to {dtype}", rule(values), expected, [values])


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("dtype", (dtypes.int8, dtypes.uint16, dtypes.int32, dtypes.int64), ids=str)
def test_integer_division_at_every_lane_count(dtype: DType, lanes: int) -> None:
    generator = np.random.default_rng(5)
    info = np.iinfo(dtype)
    lhs = generator.integers(info.min, info.max, 4096, dtype, endpoint=True)
    rhs = generator.integers(info.min, info.max, 4096, dtype, endpoint=True)
    rhs >>= generator.integers(0, 8 * dtype.itemsize, 4096).astype(dtype)
    for name, reference in (("floor_divide", np.floor_divide), ("remainder", np.remainder)):
        rule = Rule(opdef.get(name).emit, (dtype, dtype), dtype, lanes)  # type: ignore[arg-type]
        with np.errstate(all="ignore"):
            assert_same(name, rule(lhs, rhs), reference(lhs, rhs), [lhs, rhs])


@pytest.mark.parametrize("divisor", (-7, -1, 0, 1, 3, 8))
@pytest.mark.parametrize("name", ("floor_divide", "remainder"))
def test_known_divisors(name: str, divisor: int) -> None:
    values = edge_values(dtypes.int32)

    def emit(s: Scalars, x: Register) -> Register:
        return getattr(s, name)(x, s.constant(divisor, x.dtype))  # type: ignore[no-any-return]

    with np.errstate(all="ignore"):
        expected = getattr(np, name)(values, np.int32(divisor))
    for lanes in (1, 8):
        rule = Rule(emit, (dtypes.int32,), dtypes.int32, lanes)
        assert_same(name, rule(values), expected, [values])


@pytest.mark.parametrize("exponent", (0, 1, 2, 3, 10, 31))
def test_known_exponents_need_no_loop(exponent: int) -> None:
    values = edge_values(dtypes.int64)

    def emit(s: Scalars, x: Register) -> Register:
        return s.pow(x, s.constant(exponent, x.dtype))

    rule = Rule(emit, (dtypes.int64,), dtypes.int64, 8)
    assert_same("pow", rule(values), values**exponent, [values])
    assert rule.text.count("br ") == 2


def test_a_negative_integer_power_is_reported() -> None:
    rule = Rule(opdef.get("pow").emit, (dtypes.int32,) * 2, dtypes.int32, 8)  # type: ignore[arg-type]
    exponents = np.arange(20, dtype=np.int32)
    assert list(rule(np.full(20, 2, np.int32), exponents)) == [2**k for k in range(20)]
    assert not rule.failed
    exponents[11] = -1
    rule(np.full(20, 2, np.int32), exponents)
    assert rule.failed
    with pytest.raises(Mismatch):
        opdef.get("pow").reference(np.full(20, 2, np.int32), exponents)


def test_conditions_that_fail_add_up() -> None:
    def emit(s: Scalars, x: Register) -> Register:
        s.fail_if(s.less(x, s.constant(-1, x.dtype)))
        s.fail_if(s.greater(x, s.constant(1, x.dtype)))
        return x

    rule = Rule(emit, (dtypes.float32,), dtypes.float32, 4)
    for value, fails in ((0.0, False), (-2.0, True), (2.0, True)):
        rule(np.array([0, value, 0, 0, 0], np.float32))
        assert rule.failed is fails


def test_only_contraction_marks_what_may_round_once() -> None:
    def emit(s: Scalars, x: Register, y: Register, z: Register) -> Register:
        return s.add(s.multiply(x, y), z)

    operands = (dtypes.float32,) * 3
    strict = kernel(emit, operands, dtypes.float32, 4)
    contracted = kernel(emit, operands, dtypes.float32, 4, contract=True)
    assert "contract" not in strict
    assert contracted.count("contract <4 x float>") == 2
    assert contracted.replace("contract ", "") == strict


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("dtype", WIDE, ids=str)
def test_constants_fill_every_lane_and_are_known(dtype: DType, lanes: int) -> None:
    s = Scalars(None, lanes)  # type: ignore[arg-type]
    constant = s.constant(1, dtype)
    parts = 2 if dtype in dtypes.COMPLEX else 1
    assert constant.text.startswith("splat (") == (lanes > 1 and parts == 1)
    if parts == 2:
        assert constant.text.count(", ") == 2 * lanes - 1
    assert s.known(constant) == (1 if dtype in dtypes.INTEGER else None)
    assert s.known(Register("%v1", dtype)) is None


def test_bits_of_floats() -> None:
    for dtype in (dtypes.float32, dtypes.float64):
        values = edge_values(dtype)

        def emit(s: Scalars, x: Register, dtype: DType = dtype) -> Register:
            return s.from_bits(s.bitwise_xor(s.bits(x), s.constant(0, s.bits(x).dtype)), dtype)

        same = Rule(emit, (dtype,), dtype, 4)(values)
        assert same.tobytes() == values.tobytes()
