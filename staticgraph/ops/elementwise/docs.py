"""Docstrings of the functions that elementwise records make: what they take, and an example.

The meaning comes from the record. The examples stand here, one line an op, and run in the tests.
"""

from __future__ import annotations

import textwrap

from staticgraph.core import dtypes
from staticgraph.core.opdef import OpDef

# Per op: a call, and what its value looks like.
EXAMPLES: dict[str, tuple[str, str]] = {
    "add": ("sg.add([1.0, 2.0], 10.0)", "array([11., 12.], dtype=float32)"),
    "subtract": ("sg.subtract([1.0, 2.0], 10.0)", "array([-9., -8.], dtype=float32)"),
    "multiply": ("sg.multiply([1.0, 2.0], 10.0)", "array([10., 20.], dtype=float32)"),
    "divide": ("sg.divide([1, 3], 2)", "array([0.5, 1.5])"),
    "floor_divide": ("sg.floor_divide([-7, 7], 2)", "array([-4,  3])"),
    "remainder": ("sg.remainder([-7, 7], 2)", "array([1, 1])"),
    "negative": ("sg.negative([1.0, -2.0])", "array([-1.,  2.], dtype=float32)"),
    "pow": ("sg.pow([2.0, 3.0], 2.0)", "array([4., 9.], dtype=float32)"),
    "square": ("sg.square([2.0, -3.0])", "array([4., 9.], dtype=float32)"),
    "reciprocal": ("sg.reciprocal([2.0, -4.0])", "array([ 0.5 , -0.25], dtype=float32)"),
    "abs": ("sg.abs([2.0, -3.0])", "array([2., 3.], dtype=float32)"),
    "sign": ("sg.sign([2.0, 0.0, -3.0])", "array([ 1.,  0., -1.], dtype=float32)"),
    "maximum": ("sg.maximum([1.0, 5.0], 2.0)", "array([2., 5.], dtype=float32)"),
    "minimum": ("sg.minimum([1.0, 5.0], 2.0)", "array([1., 2.], dtype=float32)"),
    "floor": ("sg.floor([1.5, -1.5])", "array([ 1., -2.], dtype=float32)"),
    "ceil": ("sg.ceil([1.5, -1.5])", "array([ 2., -1.], dtype=float32)"),
    "round": ("sg.round([0.5, 1.5, 2.4])", "array([0., 2., 2.], dtype=float32)"),
    "trunc": ("sg.trunc([1.5, -1.5])", "array([ 1., -1.], dtype=float32)"),
    "exp": ("sg.exp([0.0, 1.0])", "array([1.    , 2.7183], dtype=float32)"),
    "expm1": ("sg.expm1([0.0, 1.0])", "array([0.    , 1.7183], dtype=float32)"),
    "log": ("sg.log([1.0, 10.0])", "array([0.    , 2.3026], dtype=float32)"),
    "log1p": ("sg.log1p([0.0, 1.0])", "array([0.    , 0.6931], dtype=float32)"),
    "sqrt": ("sg.sqrt([4.0, 2.0])", "array([2.    , 1.4142], dtype=float32)"),
    "rsqrt": ("sg.rsqrt([4.0, 0.25])", "array([0.5, 2. ], dtype=float32)"),
    "sin": ("sg.sin([0.0, 1.0])", "array([0.    , 0.8415], dtype=float32)"),
    "cos": ("sg.cos([0.0, 1.0])", "array([1.    , 0.5403], dtype=float32)"),
    "tan": ("sg.tan([0.0, 1.0])", "array([0.    , 1.5574], dtype=float32)"),
    "tanh": ("sg.tanh([0.0, 1.0])", "array([0.    , 0.7616], dtype=float32)"),
    "sigmoid": ("sg.sigmoid([0.0, 2.0])", "array([0.5   , 0.8808], dtype=float32)"),
    "softplus": ("sg.softplus([0.0, 200.0])", "array([  0.6931, 200.    ], dtype=float32)"),
    "relu": ("sg.relu([-1.0, 2.0])", "array([0., 2.], dtype=float32)"),
    "erf": ("sg.erf([0.0, 0.5])", "array([0.    , 0.5205], dtype=float32)"),
    "equal": ("sg.equal([1, 2], [1, 3])", "array([ True, False])"),
    "not_equal": ("sg.not_equal([1, 2], [1, 3])", "array([False,  True])"),
    "less": ("sg.less([1, 2], 2)", "array([ True, False])"),
    "less_equal": ("sg.less_equal([1, 2], 1)", "array([ True, False])"),
    "greater": ("sg.greater([1, 2], 1)", "array([False,  True])"),
    "greater_equal": ("sg.greater_equal([1, 2], 2)", "array([False,  True])"),
    "logical_and": ("sg.logical_and([True, True], [True, False])", "array([ True, False])"),
    "logical_or": ("sg.logical_or([True, False], False)", "array([ True, False])"),
    "logical_xor": ("sg.logical_xor([True, False], True)", "array([False,  True])"),
    "logical_not": ("sg.logical_not([True, False])", "array([False,  True])"),
    "bitwise_and": ("sg.bitwise_and([5, 6], 3)", "array([1, 2])"),
    "bitwise_or": ("sg.bitwise_or([5, 6], 3)", "array([7, 7])"),
    "bitwise_xor": ("sg.bitwise_xor([5, 6], 3)", "array([6, 5])"),
    "bitwise_invert": ("sg.bitwise_invert([0, 5])", "array([-1, -6])"),
    "isnan": ("sg.isnan([1.0, float('nan'), float('inf')])", "array([False,  True, False])"),
    "isinf": ("sg.isinf([1.0, float('nan'), float('inf')])", "array([False, False,  True])"),
    "isfinite": ("sg.isfinite([1.0, float('nan'), float('inf')])", "array([ True, False, False])"),
    "exp2": ("sg.exp2([0.5, 3.0])", "array([1.4142, 8.    ], dtype=float32)"),
    "log2": ("sg.log2([8.0, 10.0])", "array([3.    , 3.3219], dtype=float32)"),
    "log10": ("sg.log10([1000.0, 2.0])", "array([3.   , 0.301], dtype=float32)"),
    "logaddexp": ("sg.logaddexp([0.0, 200.0], 0.0)", "array([  0.6931, 200.    ], dtype=float32)"),
    "cbrt": ("sg.cbrt([8.0, -2.0])", "array([ 2.    , -1.2599], dtype=float32)"),
    "hypot": ("sg.hypot([3.0, 1.0], [4.0, 1.0])", "array([5.    , 1.4142], dtype=float32)"),
    "fmod": ("sg.fmod([-7, 7], 2)", "array([-1,  1])"),
    "copysign": ("sg.copysign([1.0, -2.0], -0.0)", "array([-1., -2.], dtype=float32)"),
    "nextafter": (
        "sg.nextafter(sg.constant([1.0, 1.0], 'float64'), [2.0, 1.0])",
        "array([1., 1.])",
    ),
    "signbit": ("sg.signbit([1.0, -0.0])", "array([False,  True])"),
    "bitwise_left_shift": ("sg.bitwise_left_shift([1, 3], 2)", "array([ 4, 12])"),
    "bitwise_right_shift": ("sg.bitwise_right_shift([5, -5], 1)", "array([ 2, -3])"),
    "asin": ("sg.asin([0.0, 1.0])", "array([0.    , 1.5708], dtype=float32)"),
    "acos": ("sg.acos([1.0, 0.0])", "array([0.    , 1.5708], dtype=float32)"),
    "atan": ("sg.atan([0.0, 1.0])", "array([0.    , 0.7854], dtype=float32)"),
    "atan2": ("sg.atan2([1.0, -1.0], -1.0)", "array([ 2.3562, -2.3562], dtype=float32)"),
    "sinh": ("sg.sinh([0.0, 1.0])", "array([0.    , 1.1752], dtype=float32)"),
    "cosh": ("sg.cosh([0.0, 1.0])", "array([1.    , 1.5431], dtype=float32)"),
    "asinh": ("sg.asinh([0.0, 1.0])", "array([0.    , 0.8814], dtype=float32)"),
    "acosh": ("sg.acosh([1.0, 2.0])", "array([0.   , 1.317], dtype=float32)"),
    "atanh": ("sg.atanh([0.0, 0.5])", "array([0.    , 0.5493], dtype=float32)"),
    "erfc": ("sg.erfc([0.0, 0.5])", "array([1.    , 0.4795], dtype=float32)"),
    "erfinv": ("sg.erfinv([0.0, 0.5])", "array([0.    , 0.4769], dtype=float32)"),
    "xlogy": ("sg.xlogy([0.0, 2.0], [0.0, 3.0])", "array([0.    , 2.1972], dtype=float32)"),
    "lgamma": ("sg.lgamma([1.0, 5.0])", "array([0.    , 3.1781], dtype=float32)"),
    "igamma": ("sg.igamma([1.0, 3.0], 2.0)", "array([0.8647, 0.3233], dtype=float32)"),
    "igammac": ("sg.igammac([1.0, 3.0], 2.0)", "array([0.1353, 0.6767], dtype=float32)"),
    "xlog1py": ("sg.xlog1py([0.0, 2.0], [-1.0, 2.0])", "array([0.    , 2.1972], dtype=float32)"),
    "erfcx": ("sg.erfcx([0.0, 100.0])", "array([1.    , 0.0056], dtype=float32)"),
    "ndtr": ("sg.ndtr([0.0, 1.0])", "array([0.5   , 0.8413], dtype=float32)"),
    "log_ndtr": ("sg.log_ndtr([0.0, -20.0])", "array([  -0.6931, -203.9172], dtype=float32)"),
    "ndtri": ("sg.ndtri([0.5, 0.975])", "array([0.  , 1.96], dtype=float32)"),
    "logit": ("sg.logit([0.5, 0.75])", "array([0.    , 1.0986], dtype=float32)"),
    "i0": ("sg.i0([0.0, 1.0])", "array([1.    , 1.2661], dtype=float32)"),
    "i0e": ("sg.i0e([0.0, 100.0])", "array([1.    , 0.0399], dtype=float32)"),
    "i1": ("sg.i1([0.0, 1.0])", "array([0.    , 0.5652], dtype=float32)"),
    "i1e": ("sg.i1e([0.0, 100.0])", "array([0.    , 0.0397], dtype=float32)"),
    "betaln": ("sg.betaln([1.0, 2.0], 3.0)", "array([-1.0986, -2.4849], dtype=float32)"),
    "digamma": ("sg.digamma([1.0, 2.0])", "array([-0.5772,  0.4228], dtype=float32)"),
}

# Their last digits differ from one processor to the next.
_ROUNDED = frozenset(
    {
        "exp", "expm1", "log", "log1p", "sqrt", "rsqrt", "sin", "cos", "tan", "tanh", "sigmoid",
        "softplus", "erf", "exp2", "log2", "log10", "logaddexp", "cbrt", "hypot", "asin", "acos",
        "atan", "atan2", "sinh", "cosh", "asinh", "acosh", "atanh", "erfc", "erfinv", "xlogy",
        "lgamma", "digamma", "igamma", "igammac", "xlog1py", "erfcx", "ndtr", "log_ndtr", "ndtri",
        "logit", "i0", "i0e", "i1", "i1e", "betaln",
    }
)  # fmt: skip


def docstring(op: OpDef) -> str:
    """The docstring of the function that makes nodes of `op`."""
    taken = textwrap.fill(f"{_taken(op)} {_result(op)}", 92)
    parts = [textwrap.fill(op.doc, 92), taken]
    if op.name in EXAMPLES:
        call, value = EXAMPLES[op.name]
        shown = ".round(4)" if op.name in _ROUNDED else ""
        parts.append(f">>> import staticgraph as sg\n>>> sg.Session().run({call}){shown}\n{value}")
    return "\n\n".join(parts)


# Functions whose integers stay integers.
_WHOLE = frozenset({"ceil", "floor", "round", "trunc"})

_KINDS = {
    dtypes.ANY: "any dtype",
    dtypes.COMPUTED: "any dtype",
    dtypes.REAL: "any real dtype",
    dtypes.ARITHMETIC: "any numeric dtype",
    dtypes.NUMERIC: "any real numeric dtype",
    dtypes.INTEGER: "an integer dtype",
    dtypes.BOOL: "dtype bool",
}


def _taken(op: OpDef) -> str:
    allowed = op.operand_dtypes(0)
    names = " and ".join(op.operands)
    if allowed in (dtypes.FLOATING, dtypes.INEXACT):
        kind = "any dtype" if allowed == dtypes.INEXACT else "any real dtype"
        computed = "bools" if op.name in _WHOLE else "integers and bools"
        return f"Takes {names} of {kind}; {computed} are computed in floating point."
    other = "" if allowed in (dtypes.ANY, dtypes.COMPUTED) else "; raises DTypeError for another"
    kind = "an integer dtype or bool" if op.name.startswith("bitwise_") else _KINDS[allowed]
    if op.name.endswith("_shift"):
        kind = _KINDS[allowed]
    return f"Takes {names} of {kind}{other}."


def _result(op: OpDef) -> str:
    if len(op.operands) == 1:
        return "The result has the shape of the operand."
    return (
        "They promote to one dtype and broadcast to one shape; raises ShapeError where they do not."
    )
