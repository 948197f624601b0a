"""Rules that round differently, nowhere worse and somewhere better: each says where.

They also save the overflow in between: the right sides are finite wherever the value itself is. One
is finite only where the sum of adjoints is that both sides contain: the slope of log of softmax.
"""

from __future__ import annotations

from staticgraph.passes.guards import complex_numbers, inexact, like_the_root, sign_is_clear
from staticgraph.passes.patterns import Attr, Const, Exactness, Rule, op, variables

x, y = variables("x y")
axis, keepdims = Attr("axis"), Attr("keepdims")

BETTER = Exactness.MORE_ACCURATE

LOGARITHMS = (
    Rule("log of softmax", op("log", op("softmax", x, axis=axis)),
         op("log_softmax", x, axis=axis),
         "a small probability underflows to 0 and its log to -inf; log_softmax stays finite",
         BETTER, keeps_shape=True),
    Rule("log of sum of exp",
         op("log", op("sum", op("exp", x), axis=axis, keepdims=keepdims)),
         op("logsumexp", x, axis=axis, keepdims=keepdims),
         "exp overflows above 88 in float32, 709 in float64; logsumexp does not",
         BETTER, keeps_shape=True),
    Rule("log of sigmoid", op("log", op("sigmoid", x)),
         op("negative", op("softplus", op("negative", x))),
         "sigmoid underflows to 0 and its log to -inf; softplus stays finite", BETTER),
    Rule("log of one minus sigmoid", op("log", op("subtract", Const(1), op("sigmoid", x))),
         op("negative", op("softplus", x)),
         "1 - sigmoid(x) cancels for large x and its log is -inf; softplus stays finite", BETTER),
    Rule("log1p of minus sigmoid", op("log1p", op("negative", op("sigmoid", x))),
         op("negative", op("softplus", x)),
         "1 - sigmoid(x) cancels for large x and its log is -inf; softplus stays finite", BETTER),
    Rule("log of one plus", op("log", op("add", x, Const(1))), op("log1p", x),
         "1 + x drops the digits of a small x; log1p keeps them", BETTER),
    Rule("log of one minus", op("log", op("subtract", Const(1), x)),
         op("log1p", op("negative", x)),
         "1 - x drops the digits of a small x; log1p keeps them", BETTER),
    Rule("log1p of exp", op("log1p", op("exp", x)), op("softplus", x),
         "exp overflows for large x; softplus does not", BETTER),
)  # fmt: skip

EXPONENTIALS = (
    Rule("exp minus one", op("subtract", op("exp", x), Const(1)), op("expm1", x),
         "exp(x) - 1 cancels for small x; expm1 does not", BETTER),
    Rule("exp plus minus one", op("add", op("exp", x), Const(-1)), op("expm1", x),
         "exp(x) - 1 cancels for small x; expm1 does not", BETTER),
    Rule("one minus exp", op("subtract", Const(1), op("exp", x)),
         op("negative", op("expm1", x)),
         "1 - exp(x) cancels for small x; expm1 does not", BETTER),
    Rule("logistic function",
         op("reciprocal", op("add", op("exp", op("negative", x)), Const(1))),
         op("sigmoid", x),
         "exp(-x) overflows on the way for very negative x, and every step rounds", BETTER),
    Rule("logistic function, mirrored", op("reciprocal", op("add", op("exp", x), Const(1))),
         op("sigmoid", op("negative", x)),
         "exp(x) overflows on the way for large x, and every step rounds", BETTER),
)  # fmt: skip

POWERS = (
    Rule("pow of two", op("pow", x, Const(2)), op("square", x),
         "a product is correctly rounded, a power within one unit", BETTER, guard=inexact,
         complex=True),
    Rule("pow of minus one", op("pow", x, Const(-1)), op("reciprocal", x),
         "a quotient is correctly rounded, a power within one unit", BETTER, guard=inexact,
         complex=True),
    Rule("pow of one half", op("pow", x, Const(0.5)), op("sqrt", x),
         "a root is correctly rounded, a power within one unit; they differ at -0.0 and -inf, "
         "which x is not", BETTER, guard=sign_is_clear),
    Rule("divide by reciprocal", op("divide", x, op("reciprocal", y)), op("multiply", x, y),
         "the reciprocal overflows for subnormal numbers, and rounds once more", BETTER),
    Rule("sqrt of square", op("sqrt", op("square", x)), op("abs", x),
         "the square overflows or underflows where the absolute value does not", BETTER),
)  # fmt: skip

# Written out, a product with 1 + 0i multiplies each part with 0 and adds that to the other.
UNITS = (
    Rule("multiply by one, complex", op("multiply", x, Const(1)), x,
         "an infinite part times the 0 of the one would make NaN of the other", BETTER,
         guard=complex_numbers, complex=True),
    Rule("multiply by minus one, complex", op("multiply", x, Const(-1)), op("negative", x),
         "an infinite part times the 0 of the one would make NaN of the other", BETTER,
         guard=complex_numbers, complex=True),
    Rule("divide by one, complex", op("divide", x, Const(1)), x,
         "an infinite part times the 0 of the one would make NaN of the other", BETTER,
         guard=complex_numbers, complex=True),
)  # fmt: skip

SIGMOID = op("sigmoid", x)
REST = op("subtract", Const(1), SIGMOID)
SOFTMAX = op("softmax", x, axis=axis)
SHARE = op("multiply", SOFTMAX, op("divide", y, SOFTMAX))

# The derivative of a logarithm divides by what the derivative of its operand multiplies with; where
# that underflows, 0 / 0 makes a NaN of a slope that is plain. So a loss whose value the rules above
# keep finite has gradients that are finite as well.
SLOPES = (
    Rule("slope of log of sigmoid",
         op("multiply", op("divide", y, SIGMOID), op("multiply", SIGMOID, REST)),
         op("multiply", y, op("sigmoid", op("negative", x))),
         "sigmoid(x) cancels; where it underflows the quotient is NaN", BETTER),
    Rule("slope of log of sigmoid, alone",
         op("multiply", op("reciprocal", SIGMOID), op("multiply", SIGMOID, REST)),
         op("sigmoid", op("negative", x)),
         "sigmoid(x) cancels; where it underflows the quotient is NaN", BETTER),
    Rule("slope of log of one minus sigmoid",
         op("multiply", op("negative", op("divide", y, REST)), op("multiply", SIGMOID, REST)),
         op("negative", op("multiply", y, SIGMOID)),
         "1 - sigmoid(x) cancels; where it is 0 the quotient is NaN", BETTER),
    Rule("slope of log of one minus sigmoid, negated",
         op("multiply", op("divide", y, REST), op("multiply", SIGMOID, REST)),
         op("multiply", y, SIGMOID),
         "1 - sigmoid(x) cancels; where it is 0 the quotient is NaN", BETTER),
    Rule("slope of log of one minus sigmoid, alone",
         op("multiply", op("negative", op("reciprocal", REST)), op("multiply", SIGMOID, REST)),
         op("negative", SIGMOID),
         "1 - sigmoid(x) cancels; where it is 0 the quotient is NaN", BETTER),
    Rule("slope of log of one plus exp",
         op("multiply", op("divide", y, op("add", op("exp", x), Const(1))), op("exp", x)),
         op("multiply", y, op("sigmoid", x)),
         "where exp(x) overflows the quotient is NaN", BETTER),
    Rule("slope of log of one plus exp, alone",
         op("multiply", op("sigmoid", op("negative", x)), op("exp", x)),
         op("sigmoid", x),
         "where exp(x) overflows the product is NaN", BETTER),
    Rule("slope of log of softmax",
         op("subtract", SHARE,
            op("multiply", SOFTMAX, op("sum", SHARE, axis=Attr("along"), keepdims=keepdims))),
         op("subtract", y,
            op("multiply", SOFTMAX, op("sum", y, axis=Attr("along"), keepdims=keepdims))),
         "softmax(x) cancels; where it underflows the quotient is NaN", BETTER,
         guard=like_the_root("y")),
)  # fmt: skip

RULES = (*LOGARITHMS, *EXPONENTIALS, *POWERS, *UNITS, *SLOPES)
