"""How exact the elementary functions are: the largest error of each, in units in the last place.

    python -m tests.benchmarks.accuracy [--write] [--quick] [name ...]

float64 is measured at ten million numbers per function, against NumPy in `numpy.longdouble`, which
must have the 64 bits of x86's extended precision; what NumPy lacks is a series there (precise.py).
Functions of two operands are measured at ten million pairs in either dtype. float32 is measured
twice: one number in 64 against NumPy or SciPy in float64, and every number against the same
function in float64, which the other measurement found to be right to some 2**-52. An error is the
distance to the exact result by the distance between floats there, so correct rounding is 0.5.
``--write`` puts the table into docs/accuracy.md; ``--quick`` leaves out most of it.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from staticgraph.backends.native.scalars import Register, Scalars
from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType
from staticgraph.ops.special.normal import log_ndtr, logit
from tests.backends.native.elements import Array, Rule
from tests.benchmarks import precise

PAGE = Path(__file__).parents[2] / "docs" / "accuracy.md"
BEGIN, END = "<!-- measured -->", "<!-- end -->"
SAMPLES = 10_000_000
# So large that its arrays stay in the cache.
BLOCK = 1 << 17
LANES = {dtypes.float32: 32, dtypes.float64: 16}
HIGHER: dict[DType, Any] = {dtypes.float32: np.float64, dtypes.float64: np.longdouble}


class Function(NamedTuple):
    """A function to measure: its emit rule, and its meaning in arrays of higher precision."""

    emit: Callable[..., Register]
    meaning: Callable[..., Array]
    operands: int = 1


def logistic(x: Array) -> Array:
    """1 / (1 + exp(-x)) without overflow."""
    small = np.exp(-np.abs(x))
    result: Array = np.where(x < 0, small, 1) / (1 + small)
    return result


FUNCTIONS: dict[str, Function] = {
    "exp": Function(lambda s, x: s.exp(x), np.exp),
    "expm1": Function(lambda s, x: s.expm1(x), np.expm1),
    "log": Function(lambda s, x: s.log(x), np.log),
    "log1p": Function(lambda s, x: s.log1p(x), np.log1p),
    "tanh": Function(lambda s, x: s.tanh(x), np.tanh),
    "sigmoid": Function(lambda s, x: s.sigmoid(x), logistic),
    "softplus": Function(
        lambda s, x: s.softplus(x),
        lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))),
    ),
    "erf": Function(lambda s, x: s.erf(x), precise.error_function),
    "sin": Function(lambda s, x: s.sin(x), np.sin),
    "cos": Function(lambda s, x: s.cos(x), np.cos),
    "tan": Function(lambda s, x: s.tan(x), np.tan),
    "rsqrt": Function(
        lambda s, x: s.divide(s.constant(1, x.dtype), s.sqrt(x)), lambda x: 1 / np.sqrt(x)
    ),
    "pow": Function(lambda s, x, y: s.pow(x, y), np.power, operands=2),
    "exp2": Function(lambda s, x: s.exp2(x), np.exp2),
    "log2": Function(lambda s, x: s.log2(x), np.log2),
    "log10": Function(lambda s, x: s.log10(x), np.log10),
    "cbrt": Function(lambda s, x: s.cbrt(x), np.cbrt),
    "asin": Function(lambda s, x: s.asin(x), np.arcsin),
    "acos": Function(lambda s, x: s.acos(x), np.arccos),
    "atan": Function(lambda s, x: s.atan(x), np.arctan),
    "sinh": Function(lambda s, x: s.sinh(x), np.sinh),
    "cosh": Function(lambda s, x: s.cosh(x), np.cosh),
    "asinh": Function(lambda s, x: s.asinh(x), np.arcsinh),
    "acosh": Function(lambda s, x: s.acosh(x), np.arccosh),
    "atanh": Function(lambda s, x: s.atanh(x), np.arctanh),
    "atan2": Function(lambda s, y, x: s.atan2(y, x), np.arctan2, operands=2),
    "hypot": Function(lambda s, x, y: s.hypot(x, y), np.hypot, operands=2),
    # Of numbers of both signs the result may be any small difference.
    "logaddexp": Function(
        lambda s, x, y: s.logaddexp(s.abs(x), s.abs(y)),
        lambda x, y: np.logaddexp(np.abs(x), np.abs(y)),
        operands=2,
    ),
    "erfc": Function(lambda s, x: s.erfc(x), precise.complement),
    "erfinv": Function(lambda s, x: s.erfinv(x), precise.inverse_error),
    # Of negative numbers the results are small between poles, where the error is that of 1.
    "lgamma": Function(lambda s, x: s.lgamma(s.abs(x)), lambda x: precise.gamma_logarithm(abs(x))),
    "digamma": Function(lambda s, x: s.digamma(s.abs(x)), lambda x: precise.digamma(abs(x))),
    "trigamma": Function(lambda s, x: s.polygamma(s.abs(x), 1), lambda x: precise.trigamma(abs(x))),
    "erfcx": Function(lambda s, x: s.erfcx(x), precise.scaled_complement),
    "ndtr": Function(lambda s, x: s.ndtr(x), precise.normal),
    "log_ndtr": Function(log_ndtr.op.emit, precise.normal_logarithm),
    "ndtri": Function(lambda s, p: s.ndtri(p), precise.normal_inverse),
    "logit": Function(logit.op.emit, precise.logarithm_of_odds),
    **{
        name: Function(
            lambda s, x, kind=kind: s.modified_bessel(x, *kind),
            lambda x, kind=kind: precise.modified_bessel(x, *kind),
        )
        for name, kind in (
            ("i0", (0, False)),
            ("i0e", (0, True)),
            ("i1", (1, False)),
            ("i1e", (1, True)),
        )
    },
}

# Per range the largest error, and the operands where it is.
Worst = list[tuple[float, Any]]

# Ranges of the size of the operand, of which each has a column.
RANGES = ((0.0, 2.0**-10), (2.0**-10, 1.0), (1.0, 32.0), (32.0, 2.0**20), (2.0**20, np.inf))


def errors(result: Array, exact: Array) -> Array:
    """The errors of `result` in units in its last place; infinite where NaN is wrong."""
    info = np.finfo(result.dtype)
    with np.errstate(all="ignore"):
        if exact.dtype == np.float64:
            # The bits of the exponent alone are the power of two below.
            power = (exact.view(np.uint64) & np.uint64(0x7FF << 52)).view(np.float64)
            unit = np.maximum(power, float(info.tiny)) * 2.0**-info.nmant
        else:
            _, exponent = np.frexp(exact)
            exponent = np.maximum(exponent - 1, info.minexp) - info.nmant
            unit = np.ldexp(exact.dtype.type(1), exponent)
        found: Array = (np.abs(result - exact) / unit).astype(np.float64)
        # Infinity and NaN are looked at one by one.
        odd = np.flatnonzero(~(found < 1e6))
        rounded = exact[odd].astype(result.dtype)
    same = (rounded == result[odd]) | (np.isnan(rounded) & np.isnan(result[odd]))
    found[odd] = np.where(same, 0.0, np.inf)
    return found


def samples(
    function: Function, dtype: DType, step: int, block: int = BLOCK
) -> Iterator[tuple[Array, ...]]:
    """Blocks of operands: every float32 (or one in `step`), else random ones of many kinds."""
    generator = np.random.default_rng(11)
    if function.operands == 1 and dtype == dtypes.float32:
        for begin in range(0, 1 << 32, block * step):
            bits = np.arange(begin, begin + block * step, step, dtype=np.uint64)
            if step > 1:
                bits += generator.integers(0, step, bits.size, dtype=np.uint64)
            yield (bits.astype(np.uint32).view(np.float32),)
        return
    for number in range(max(SAMPLES // step // block, len(KINDS))):
        yield tuple(
            _drawn(generator, dtype, (number + operand) % len(KINDS), block)
            for operand in range(function.operands)
        )


# What numbers are drawn: of any exponent; of ordinary size; near 0; near 1; near multiples of pi/2.
KINDS: tuple[Callable[[np.random.Generator, int], Array], ...] = (
    lambda g, count: np.empty(0),
    lambda g, count: g.uniform(-50, 50, count),
    lambda g, count: g.standard_normal(count) * 2.0 ** g.uniform(-30, 2, count),
    lambda g, count: 1 + g.standard_normal(count) * 2.0 ** g.uniform(-40, 0, count),
    lambda g, count: np.floor(2.0 ** g.uniform(0, 40, count)) * (math.pi / 2),
)


def _drawn(generator: np.random.Generator, dtype: DType, kind: int, count: int) -> Array:
    """Random numbers of a kind; any exponent is any pattern of bits."""
    if kind == 0:
        integers: DType = np.dtype(f"u{dtype.itemsize}")
        most = np.iinfo(integers).max
        return generator.integers(0, most, count, integers, endpoint=True).view(dtype)
    return KINDS[kind](generator, count).astype(dtype)


def measure(name: str, dtype: DType, step: int = 1, block: int = BLOCK, **options: Any) -> Worst:
    """Per range the largest error and the operands where it is; `options` are those of `Rule`."""
    function = FUNCTIONS[name]
    rule = Rule(function.emit, (dtype,) * function.operands, dtype, LANES[dtype], **options)
    worst: Worst = [(0.0, None)] * len(RANGES)
    for operands in samples(function, dtype, step, block):
        with np.errstate(all="ignore"):
            exact = function.meaning(*[operand.astype(HIGHER[dtype]) for operand in operands])
        _keep_worst(worst, errors(rule(*operands), exact), operands)
    return worst


def sweep(name: str) -> Worst:
    """`measure` for every float32, against the same function in float64."""
    function = FUNCTIONS[name]

    def emit(s: Scalars, x: Register) -> Register:
        return _error(s, function.emit(s, x), function.emit(s, s.cast(x, dtypes.float64)))

    rule = Rule(emit, (dtypes.float32,), dtypes.float32, LANES[dtypes.float32])
    worst: Worst = [(0.0, None)] * len(RANGES)
    for operands in samples(function, dtypes.float32, 1):
        _keep_worst(worst, rule(*operands), operands)
    return worst


def _error(s: Scalars, result: Register, exact: Register) -> Register:
    """`errors` in machine code."""
    wide, whole = dtypes.float64, dtypes.int64
    power = s.from_bits(s.bitwise_and(s.bits(exact), s.constant(0x7FF << 52, whole)), wide)
    smallest = s.constant(float(np.finfo(np.float32).tiny), wide)
    unit = s.multiply(s.maximum(power, smallest), s.constant(2.0**-23, wide))
    distance = s.abs(s.subtract(s.cast(result, wide), exact))
    error = s.cast(s.divide(distance, unit), dtypes.float32)
    rounded = s.cast(exact, dtypes.float32)
    infinite = s.logical_and(s.isinf(result), s.equal(result, rounded))
    same = s.logical_or(infinite, s.logical_and(s.isnan(result), s.isnan(rounded)))
    error = s.where(s.isnan(error), s.constant(np.inf, dtypes.float32), error)
    return s.where(same, s.constant(0, dtypes.float32), error)


def _keep_worst(worst: Worst, found: Array, operands: tuple[Array, ...]) -> None:
    """Puts the largest errors in place of smaller ones, range by range."""
    size = np.abs(operands[0])
    smallest, largest = np.fmin.reduce(size), np.fmax.reduce(size)
    for column, (low, high) in enumerate(RANGES):
        if largest < low or smallest >= high:
            continue
        within = found
        if smallest < low or not largest < high:
            within = np.where((size >= low) & (size < high), found, 0.0)
        place = int(np.argmax(within))
        if within[place] > worst[column][0]:
            worst[column] = (float(within[place]), tuple(o[place] for o in operands))


def measured(name: str, dtype: DType, quick: bool) -> Worst:
    """The worst that any measurement of a function finds."""
    every = dtype == dtypes.float32 and FUNCTIONS[name].operands == 1
    worst = measure(name, dtype, 64 if quick or every else 1)
    if every and not quick:
        both = zip(worst, sweep(name), strict=True)
        worst = [max(pair, key=lambda entry: entry[0]) for pair in both]
    return worst


def main() -> None:
    """Measures, prints, and with ``--write`` writes the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(FUNCTIONS))
    parser.add_argument("--write", action="store_true", help="put the table into docs/accuracy.md")
    parser.add_argument("--quick", action="store_true", help="take one number in 64")
    given = parser.parse_args()
    if np.finfo(np.longdouble).nmant < 63:
        sys.exit("numpy.longdouble is no wider than float64 on this machine")
    rows = []
    print(HEAD)
    for dtype in (dtypes.float32, dtypes.float64):
        for name in given.names:
            worst = measured(name, dtype, given.quick)
            shown = " | ".join(f"{error:.2f}" for error, _ in worst)
            rows.append(f"| {name} | {dtype} | {shown} |")
            print(rows[-1], max(worst, key=lambda pair: pair[0])[1], flush=True)
    if given.write:
        write(rows)


def write(rows: list[str]) -> None:
    """Puts the table between the marks of the page."""
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    table = "\n".join(rows)
    PAGE.write_text(f"{before}{BEGIN}\n{HEAD}\n{table}\n{END}{after}", encoding="utf-8")


HEAD = (
    "| function | dtype | below 2^-10 | to 1 | to 32 | to 2^20 | above |\n"
    "| --- | --- | --- | --- | --- | --- | --- |"
)

if __name__ == "__main__":
    main()
