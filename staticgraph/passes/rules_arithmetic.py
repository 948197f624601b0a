"""Rules of arithmetic that keep every bit: signs, ones, zeros where they are harmless, integers.

For floats x * 0, x - x, x / x and x + 0 stay as they are: NaN, infinities and -0.0 would not
survive. Integers compute modulo a power of two, where all of these hold.
"""

from __future__ import annotations

import numpy as np

from staticgraph.passes.guards import (
    all_of,
    floats,
    integers,
    known_shape,
    power_of_two,
    sign_is_clear,
    signed,
    small_constant,
    whole_numbers,
)
from staticgraph.passes.patterns import (
    Computed,
    Const,
    Full,
    Known,
    Match,
    Rule,
    op,
    variables,
)

x, y, z, rounded = variables("x y z rounded")
c, d = Known("c"), Known("d")

_ROUNDINGS = ("floor", "ceil", "round", "trunc")


def _negated(match: Match) -> object:
    return np.negative(match["c"].node.attrs["value"])


def _inverse(match: Match) -> object:
    return np.reciprocal(match["c"].node.attrs["value"])


def _combined(function: np.ufunc) -> Computed:
    """Both constants as one."""
    return Computed(
        lambda match: function(match["c"].node.attrs["value"], match["d"].node.attrs["value"])
    )


SIGNS = (
    Rule("double negation", op("negative", op("negative", x)), x,
         "the sign bit flips twice", complex=True),
    Rule("add negative", op("add", x, op("negative", y)), op("subtract", x, y),
         "a - b is defined as a + (-b)", complex=True),
    Rule("subtract negative", op("subtract", x, op("negative", y)), op("add", x, y),
         "a - b is defined as a + (-b)", complex=True),
    Rule("multiply negatives", op("multiply", op("negative", x), op("negative", y)),
         op("multiply", x, y),
         "the sign of a product is the exclusive or of two signs"),
    Rule("divide negatives", op("divide", op("negative", x), op("negative", y)),
         op("divide", x, y),
         "the sign of a quotient is the exclusive or of two signs"),
    Rule("multiply negative by constant", op("multiply", op("negative", x), c),
         op("multiply", x, Computed(_negated)),
         "the sign moves into the constant", guard=small_constant),
    Rule("negative of multiply by constant", op("negative", op("multiply", x, c)),
         op("multiply", x, Computed(_negated)),
         "the sign moves into the constant", guard=small_constant),
    Rule("divide negative by constant", op("divide", op("negative", x), c),
         op("divide", x, Computed(_negated)),
         "the sign moves into the constant", guard=small_constant),
    Rule("negative of divide by constant", op("negative", op("divide", x, c)),
         op("divide", x, Computed(_negated)),
         "the sign moves into the constant", guard=small_constant),
    Rule("negative of constant divided", op("negative", op("divide", c, x)),
         op("divide", Computed(_negated), x),
         "the sign moves into the constant", guard=small_constant),
    Rule("square of negative", op("square", op("negative", x)), op("square", x),
         "a square does not depend on the sign"),
    Rule("square of abs", op("square", op("abs", x)), op("square", x),
         "a square does not depend on the sign"),
    Rule("abs of negative", op("abs", op("negative", x)), op("abs", x),
         "an absolute value does not depend on the sign",
         guard=signed, complex=True),
    Rule("abs of abs", op("abs", op("abs", x)), op("abs", x),
         "the sign bit is clear already"),
    Rule("abs of positive", op("abs", x), x,
         "the sign bit is clear already", guard=sign_is_clear),
    Rule("relu of relu", op("relu", op("relu", x)), op("relu", x),
         "there is nothing negative left"),
    Rule("relu of positive", op("relu", x), x,
         "there is nothing negative and no -0.0", guard=sign_is_clear),
    Rule("cos of negative", op("cos", op("negative", x)), op("cos", x),
         "the cosine is even, and so is its implementation"),
    Rule("cos of abs", op("cos", op("abs", x)), op("cos", x),
         "the cosine is even, and so is its implementation"),
)  # fmt: skip

ONES_AND_ZEROS = (
    Rule("multiply by one", op("multiply", x, Const(1)), x, "x * 1 is x"),
    Rule("multiply by minus one", op("multiply", x, Const(-1)), op("negative", x),
         "x * -1 flips the sign"),
    Rule("divide by one", op("divide", x, Const(1)), x, "x / 1 is x"),
    Rule("divide by minus one", op("divide", x, Const(-1)), op("negative", x),
         "x / -1 flips the sign"),
    Rule("divide by power of two", op("divide", x, c), op("multiply", x, Computed(_inverse)),
         "both round the same real number, and a product is cheaper", guard=power_of_two),
    Rule("one divided", op("divide", Const(1), x), op("reciprocal", x),
         "the reciprocal is 1 / x"),
    Rule("reciprocal of sqrt", op("reciprocal", op("sqrt", x)), op("rsqrt", x),
         "rsqrt is 1 / sqrt(x), with both roundings", complex=True),
    Rule("pow of one", op("pow", x, Const(1)), x, "x ** 1 is x", complex=True),
    Rule("pow of zero", op("pow", x, Const(0)), Full(1),
         "x ** 0 is 1, for NaN too", guard=known_shape, complex=True),
    Rule("pow of two, integers", op("pow", x, Const(2)), op("square", x),
         "x ** 2 is x * x modulo a power of two", guard=integers),
    Rule("multiply by itself", op("multiply", x, x), op("square", x),
         "the square is x * x", complex=True),
    Rule("add negative zero", op("add", x, Const(-0.0)), x,
         "x + -0.0 is x, for -0.0 too (x + 0.0 is not)"),
    Rule("subtract zero", op("subtract", x, Const(0.0)), x,
         "x - 0.0 is x, for -0.0 too", complex=True),
    Rule("add zero to positive", op("add", x, Const(0.0)), x,
         "x + 0.0 is x where x is no -0.0", guard=sign_is_clear),
    Rule("subtract from negative zero", op("subtract", Const(-0.0), x), op("negative", x),
         "-0.0 - x is -x, for zeros too (0.0 - x is not)", guard=floats),
)  # fmt: skip

INTEGERS = (
    Rule("add zero, integers", op("add", x, Const(0)), x, "there is no -0", guard=integers),
    Rule("subtract from zero, integers", op("subtract", Const(0), x), op("negative", x),
         "there is no -0", guard=integers),
    Rule("multiply by zero, integers", op("multiply", x, Const(0)), Full(0),
         "there is no NaN and no infinity", guard=all_of(integers, known_shape)),
    Rule("subtract itself, integers", op("subtract", x, x), Full(0),
         "there is no NaN and no infinity", guard=all_of(integers, known_shape)),
    Rule("negative of subtract, integers", op("negative", op("subtract", x, y)),
         op("subtract", y, x),
         "there is no -0", guard=integers),
    Rule("add then subtract, integers", op("subtract", op("add", x, y), y), x,
         "sums wrap around and come back", guard=integers),
    Rule("subtract then add, integers", op("add", op("subtract", x, y), y), x,
         "differences wrap around and come back", guard=integers),
    Rule("add constants, integers", op("add", op("add", x, c), d),
         op("add", x, _combined(np.add)),
         "integers add in any order", guard=integers),
    Rule("multiply by constants, integers", op("multiply", op("multiply", x, c), d),
         op("multiply", x, _combined(np.multiply)),
         "integers multiply in any order", guard=integers),
    Rule("floor divide by one, integers", op("floor_divide", x, Const(1)), x,
         "x // 1 is x", guard=integers),
    Rule("remainder of one, integers", op("remainder", x, Const(1)), Full(0),
         "x % 1 is 0", guard=all_of(integers, known_shape)),
)  # fmt: skip

IDEMPOTENT = (
    Rule("rounding of rounded", op(_ROUNDINGS, op(_ROUNDINGS, x).called("rounded")),
         rounded,
         "it has no fraction already"),
    Rule("rounding of integers", op(_ROUNDINGS, op("cast", x).called("rounded")),
         rounded,
         "it has no fraction already", guard=whole_numbers),
    Rule("sign of sign", op("sign", op("sign", x)), op("sign", x),
         "the sign of -1, 0, 1 or NaN is itself"),
    Rule("maximum with itself", op("maximum", x, x), x, "both are the same"),
    Rule("minimum with itself", op("minimum", x, x), x, "both are the same"),
    Rule("maximum with zero", op("maximum", x, Const(0.0)), op("relu", x),
         "relu is that maximum, in that order"),
    Rule("maximum, then minimum", op("minimum", op("maximum", x, y), z), op("clip", x, y, z),
         "clip is that minimum of that maximum"),
)  # fmt: skip

RULES = (*ONES_AND_ZEROS, *SIGNS, *INTEGERS, *IDEMPOTENT)
