"""The standard's special cases of real floating-point functions, written from its text.

A line is a condition on one pair of operands and the result there. Where the standard allows two
results (floor_divide at infinities, which may follow Python) there is no line.
"""

from __future__ import annotations

import math
from typing import Any

# What holds of many functions: NaN in, NaN out; zeros keep their sign; so do infinities.
_NAN = "isnan(x) => nan"
_ZERO = "x == 0 => x"
_INFINITE = "isinf(x) => x"
_WHOLE = "isinf(x) or x == round(x) => x"

UNARY: dict[str, tuple[str, ...]] = {
    "abs": (_NAN, "x == 0 => 0.0", "x == -inf => inf", "x == inf => inf"),
    "acos": (_NAN, "x > 1 => nan", "x < -1 => nan", "x == 1 => 0.0"),
    "acosh": (_NAN, "x < 1 => nan", "x == 1 => 0.0", "x == inf => inf"),
    "asin": (_NAN, "x > 1 => nan", "x < -1 => nan", _ZERO),
    "asinh": (_NAN, _ZERO, _INFINITE),
    "atan": (_NAN, _ZERO, "x == inf => pi / 2", "x == -inf => -pi / 2"),
    "atanh": (_NAN, "abs(x) > 1 => nan", "x == 1 => inf", "x == -1 => -inf", _ZERO),
    **dict.fromkeys(("ceil", "floor", "round", "trunc"), (_NAN, _WHOLE)),
    "cos": (_NAN, "x == 0 => 1.0", "isinf(x) => nan"),
    "cosh": (_NAN, "x == 0 => 1.0", "isinf(x) => inf"),
    "exp": (_NAN, "x == 0 => 1.0", "x == inf => inf", "x == -inf => 0.0"),
    "expm1": (_NAN, _ZERO, "x == inf => inf", "x == -inf => -1.0"),
    **dict.fromkeys(
        ("log", "log2", "log10"),
        (_NAN, "x < 0 => nan", "x == 0 => -inf", "x == 1 => 0.0", "x == inf => inf"),
    ),
    "log1p": (_NAN, "x < -1 => nan", "x == -1 => -inf", _ZERO, "x == inf => inf"),
    "reciprocal": (_NAN, "isinf(x) => copysign(0.0, x)", "x == 0 => copysign(inf, x)"),
    "round": (_NAN, _WHOLE, "x == 2.5 => 2.0", "x == 0.5 => 0.0", "x == -0.5 => -0.0"),
    "sign": (_NAN, "x < 0 => -1.0", "x > 0 => 1.0", "x == 0 => 0.0 * abs(x)"),
    "signbit": ("x == 0 => copysign(1.0, x) < 0", "isinf(x) => x < 0", "x > 0 => False"),
    "sin": (_NAN, _ZERO, "isinf(x) => nan"),
    "sinh": (_NAN, _ZERO, _INFINITE),
    "sqrt": (_NAN, "x < 0 => nan", _ZERO, "x == inf => inf"),
    "square": (_NAN, "x == 0 => 0.0", "isinf(x) => inf"),
    "tan": (_NAN, _ZERO, "isinf(x) => nan"),
    "tanh": (_NAN, _ZERO, "x == inf => 1.0", "x == -inf => -1.0"),
    "isnan": ("isnan(x) => True", "not isnan(x) => False"),
    "isinf": ("isinf(x) => True", "not isinf(x) => False"),
    "isfinite": ("isfinite(x) => True", "not isfinite(x) => False"),
}

_EITHER_NAN = "isnan(x) or isnan(y) => nan"
_SIGN = "copysign(1.0, x) * copysign(1.0, y)"
_NO_ORDER = "isnan(x) or isnan(y) => False"

BINARY: dict[str, tuple[str, ...]] = {
    "add": (
        _EITHER_NAN, "isinf(x) and y == -x => nan", "isinf(x) and y == x => x",
        "isinf(x) and isfinite(y) => x", "isfinite(x) and isinf(y) => y",
        "x == 0 and y == 0 => -0.0 if minus(x) and minus(y) else 0.0",
        "x == 0 and y != 0 => y", "x != 0 and y == 0 => x",
        "isfinite(x) and x != 0 and y == -x => 0.0",
    ),
    "subtract": (
        _EITHER_NAN, "isinf(x) and y == x => nan", "isinf(x) and isfinite(y) => x",
        "isfinite(x) and isinf(y) => -y", "isfinite(x) and x != 0 and y == x => 0.0",
    ),
    "multiply": (
        _EITHER_NAN, "isinf(x) and y == 0 => nan", "x == 0 and isinf(y) => nan",
        f"isinf(x) and abs(y) > 0 => {_SIGN} * inf", f"abs(x) > 0 and isinf(y) => {_SIGN} * inf",
        f"x == 0 and isfinite(y) => {_SIGN} * 0.0",
    ),
    "divide": (
        _EITHER_NAN, "isinf(x) and isinf(y) => nan", "x == 0 and y == 0 => nan",
        f"x == 0 and abs(y) > 0 => {_SIGN} * 0.0",
        f"isfinite(x) and x != 0 and y == 0 => {_SIGN} * inf",
        f"isinf(x) and isfinite(y) => {_SIGN} * inf", f"isfinite(x) and isinf(y) => {_SIGN} * 0.0",
    ),
    "floor_divide": (
        _EITHER_NAN, "isinf(x) and isinf(y) => nan", "x == 0 and y == 0 => nan",
        f"x == 0 and isfinite(y) and y != 0 => {_SIGN} * 0.0",
        f"isfinite(x) and x != 0 and y == 0 => {_SIGN} * inf",
        "isfinite(x) and x > 0 and y == inf => 0.0", "isfinite(x) and x < 0 and y == -inf => 0.0",
    ),
    "remainder": (
        _EITHER_NAN, "isinf(x) => nan", "y == 0 => nan",
        "x == 0 and abs(y) > 0 => copysign(0.0, y)",
        "isfinite(x) and x * y > 0 and isinf(y) => x",
        "isfinite(x) and x * y < 0 and isinf(y) => y",
        "isfinite(x) and isfinite(y) and y != 0 => copysign(x % y, y)",
    ),
    "pow": (
        "x != 1 and isnan(y) => nan", "y == 0 => 1.0", "isnan(x) and y != 0 => nan",
        "abs(x) > 1 and y == inf => inf", "abs(x) > 1 and y == -inf => 0.0",
        "abs(x) == 1 and isinf(y) => 1.0", "x == 1 and not isnan(y) => 1.0",
        "abs(x) < 1 and y == inf => 0.0", "abs(x) < 1 and y == -inf => inf",
        "x == inf and y > 0 => inf", "x == inf and y < 0 => 0.0",
        "x == -inf and y > 0 => -inf if odd(y) else inf",
        "x == -inf and y < 0 => -0.0 if odd(y) else 0.0",
        "x == 0 and y > 0 => x if odd(y) else 0.0",
        "x == 0 and y < 0 => copysign(inf, x) if odd(y) else inf",
        "x < 0 and isfinite(x) and isfinite(y) and y != round(y) => nan",
    ),
    "atan2": (
        _EITHER_NAN, "x > 0 and y == 0 => pi / 2", "x < 0 and y == 0 => -pi / 2",
        "x == 0 and (y > 0 or y == 0 and not minus(y)) => x",
        "x == 0 and (y < 0 or y == 0 and minus(y)) => copysign(pi, x)",
        "isfinite(x) and x != 0 and y == inf => copysign(0.0, x)",
        "isfinite(x) and x != 0 and y == -inf => copysign(pi, x)",
        "isinf(x) and isfinite(y) => copysign(pi / 2, x)",
        "isinf(x) and y == inf => copysign(pi / 4, x)",
        "isinf(x) and y == -inf => copysign(3 * pi / 4, x)",
    ),
    "copysign": (
        "not isnan(x) and not isnan(y) => copysign(x, y)", "isnan(x) => nan",
    ),
    "hypot": (
        "isinf(x) or isinf(y) => inf", "isnan(x) and isfinite(y) => nan",
        "isfinite(x) and isnan(y) => nan", "x == 0 => abs(y)", "y == 0 => abs(x)",
    ),
    "logaddexp": (
        _EITHER_NAN, "x == inf and not isnan(y) => inf", "not isnan(x) and y == inf => inf",
    ),
    "maximum": (_EITHER_NAN, "x > y => x", "x < y => y"),
    "minimum": (_EITHER_NAN, "x > y => y", "x < y => x"),
    "nextafter": (
        _EITHER_NAN, "x == 0 and y == 0 => y",
    ),
    "equal": (_NO_ORDER, "isinf(x) and x == y => True", "x == 0 and y == 0 => True"),
    "not_equal": ("isnan(x) or isnan(y) => True", "x == 0 and y == 0 => False"),
    "less": (_NO_ORDER, "x == -inf and isfinite(y) => True"),
    "less_equal": (_NO_ORDER, "x == 0 and y == 0 => True"),
    "greater": (_NO_ORDER, "x == inf and isfinite(y) => True"),
    "greater_equal": (_NO_ORDER, "x == 0 and y == 0 => True"),
}  # fmt: skip

# What the lines may call; NumPy is not among it, so that this is a witness of its own.
NAMES: dict[str, Any] = {
    "nan": math.nan,
    "inf": math.inf,
    "pi": math.pi,
    "isnan": math.isnan,
    "isinf": math.isinf,
    "isfinite": math.isfinite,
    "copysign": math.copysign,
    "abs": abs,
    "minus": lambda number: math.copysign(1.0, number) < 0,
    "odd": lambda number: number % 2 == 1,
    "round": lambda number: number if math.isinf(number) or math.isnan(number) else round(number),
}


def agrees(found: Any, wanted: Any, tolerance: float) -> bool:
    """Whether a result is the one of a line: zeros by their sign, others as rounded."""
    if isinstance(wanted, bool):
        return bool(found) is wanted
    if math.isnan(wanted) or math.isinf(wanted) or wanted == 0:
        if math.isnan(wanted):
            return math.isnan(found)
        return bool(found == wanted) and math.copysign(1.0, found) == math.copysign(1.0, wanted)
    return bool(abs(found - wanted) <= tolerance * abs(wanted))
