"""Rules of truth values, comparisons, choices and bits. All of them keep every bit."""

from __future__ import annotations

from staticgraph.core.dtypes import SIGNED
from staticgraph.passes.guards import (
    all_of,
    bool_operand,
    bools,
    floats,
    known_shape,
    no_complex,
    no_floats,
    of_dtypes,
)
from staticgraph.passes.patterns import Const, Full, Rule, of_complex, op, variables

x, y, z, condition = variables("x y z condition")

NOT = (
    Rule("not of not", op("logical_not", op("logical_not", x)), x, "the truth flips twice"),
    Rule("not of equal", op("logical_not", op("equal", x, y)), op("not_equal", x, y),
         "NaN is not equal to itself, so this holds for it too"),
    Rule("not of not equal", op("logical_not", op("not_equal", x, y)), op("equal", x, y),
         "NaN is not equal to itself, so this holds for it too"),
    Rule("not of less", op("logical_not", op("less", x, y)), op("greater_equal", x, y),
         "integers are totally ordered (NaN is not)", guard=no_floats),
    Rule("not of less equal", op("logical_not", op("less_equal", x, y)), op("greater", x, y),
         "integers are totally ordered (NaN is not)", guard=no_floats),
    Rule("not of greater", op("logical_not", op("greater", x, y)), op("less_equal", x, y),
         "integers are totally ordered (NaN is not)", guard=no_floats),
    Rule("not of greater equal", op("logical_not", op("greater_equal", x, y)), op("less", x, y),
         "integers are totally ordered (NaN is not)", guard=no_floats),
    Rule("and of nots", op("logical_and", op("logical_not", x), op("logical_not", y)),
         op("logical_not", op("logical_or", x, y)),
         "A. De Morgan's law"),
    Rule("or of nots", op("logical_or", op("logical_not", x), op("logical_not", y)),
         op("logical_not", op("logical_and", x, y)),
         "A. De Morgan's law"),
    Rule("xor of nots", op("logical_xor", op("logical_not", x), op("logical_not", y)),
         op("logical_xor", x, y),
         "the truth flips twice"),
    Rule("bitwise not of not", op("bitwise_invert", op("bitwise_invert", x)), x,
         "every bit flips twice"),
)  # fmt: skip

AND_OR = (
    Rule("and itself", op("logical_and", x, x), x, "x & x is x"),
    Rule("or itself", op("logical_or", x, x), x, "x | x is x"),
    Rule("xor itself", op("logical_xor", x, x), Full(0), "x ^ x is false", guard=known_shape),
    Rule("and true", op("logical_and", x, Const(1)), x, "x & true is x"),
    Rule("and false", op("logical_and", x, Const(0)), Full(0), "x & false is false",
         guard=known_shape),
    Rule("or false", op("logical_or", x, Const(0)), x, "x | false is x"),
    Rule("or true", op("logical_or", x, Const(1)), Full(1), "x | true is true",
         guard=known_shape),
    Rule("xor false", op("logical_xor", x, Const(0)), x, "x ^ false is x"),
    Rule("xor true", op("logical_xor", x, Const(1)), op("logical_not", x), "x ^ true is ~x"),
    Rule("and not itself", op("logical_and", x, op("logical_not", x)), Full(0),
         "nothing holds and does not", guard=known_shape),
    Rule("or not itself", op("logical_or", x, op("logical_not", x)), Full(1),
         "everything holds or does not", guard=known_shape),
    Rule("and absorbs or", op("logical_and", x, op("logical_or", x, y)), x,
         "where x holds, x | y holds"),
    Rule("or absorbs and", op("logical_or", x, op("logical_and", x, y)), x,
         "where x & y holds, x holds"),
)  # fmt: skip

BITS = (
    Rule("bitwise and itself", op("bitwise_and", x, x), x, "x & x is x"),
    Rule("bitwise or itself", op("bitwise_or", x, x), x, "x | x is x"),
    Rule("bitwise xor itself", op("bitwise_xor", x, x), Full(0), "x ^ x is 0",
         guard=known_shape),
    Rule("bitwise and zero", op("bitwise_and", x, Const(0)), Full(0), "x & 0 is 0",
         guard=known_shape),
    Rule("bitwise or zero", op("bitwise_or", x, Const(0)), x, "x | 0 is x"),
    Rule("bitwise xor zero", op("bitwise_xor", x, Const(0)), x, "x ^ 0 is x"),
    Rule("bitwise and ones", op("bitwise_and", x, Const(-1)), x, "x & ~0 is x",
         guard=of_dtypes(SIGNED)),
    Rule("bitwise xor ones", op("bitwise_xor", x, Const(-1)), op("bitwise_invert", x),
         "x ^ ~0 is ~x", guard=of_dtypes(SIGNED)),
)  # fmt: skip

COMPARISONS = (
    Rule("equal to true", op("equal", x, Const(1)), x, "a bool says itself", guard=bool_operand),
    Rule("equal to false", op("equal", x, Const(0)), op("logical_not", x),
         "a bool says itself or its opposite", guard=bool_operand),
    Rule("not equal to false", op("not_equal", x, Const(0)), x,
         "a bool says itself", guard=bool_operand),
    Rule("not equal to true", op("not_equal", x, Const(1)), op("logical_not", x),
         "a bool says itself or its opposite", guard=bool_operand),
    Rule("truth of a cast bool", op("not_equal", op("cast", x), Const(0)), x,
         "true became 1 and false 0", guard=bool_operand),
    Rule("class of negative or abs",
         op(("isnan", "isinf", "isfinite"), op(("negative", "abs"), x)), op("=", x),
         "NaN and infinities keep their class under a change of sign", guard=no_complex),
    Rule("equal to itself", op("equal", x, x), Full(1), "only NaN differs from itself",
         guard=all_of(no_floats, known_shape)),
    Rule("not equal to itself", op("not_equal", x, x), op("isnan", x),
         "only NaN differs from itself", guard=floats),
    Rule("not equal to itself, integers", op("not_equal", x, x), Full(0),
         "only NaN differs from itself", guard=all_of(no_floats, known_shape)),
    Rule("ordered against itself", op(("less", "greater"), x, x), Full(0),
         "nothing is below itself", guard=known_shape),
    Rule("ordered or equal to itself", op(("less_equal", "greater_equal"), x, x), Full(1),
         "integers equal themselves (NaN does not)", guard=all_of(no_floats, known_shape)),
)  # fmt: skip

CHOICES = (
    Rule("where true", op("where", Const(1), x, y), x, "the condition always holds"),
    Rule("where false", op("where", Const(0), x, y), y, "the condition never holds"),
    Rule("where and false", op("where", op("logical_and", condition, Const(0)), x, y), y,
         "the condition never holds"),
    Rule("where or true", op("where", op("logical_or", condition, Const(1)), x, y), x,
         "the condition always holds"),
    Rule("where both the same", op("where", condition, x, x), x, "both branches are the same"),
    Rule("where not", op("where", op("logical_not", condition), x, y),
         op("where", condition, y, x),
         "the branches change places"),
    Rule("where within the first branch", op("where", condition, op("where", condition, x, z), y),
         op("where", condition, x, y),
         "where the first branch is taken, the condition holds"),
    Rule("where within the second branch", op("where", condition, x, op("where", condition, z, y)),
         op("where", condition, x, y),
         "where the second branch is taken, the condition does not hold"),
    Rule("where of truth", op("where", condition, Const(1), Const(0)), condition,
         "a bool chosen by a bool is that bool", guard=bools),
    Rule("where of falsehood", op("where", condition, Const(0), Const(1)),
         op("logical_not", condition),
         "a bool chosen by a bool is that bool or its opposite", guard=bools),
)  # fmt: skip

# After the rules that give a bool, which a cast would not improve.
CASTS = (
    Rule("where one or zero", op("where", condition, Const(1), Const(0)),
         op("cast", condition, dtype=lambda match: match.root.out.type.dtype),
         "true becomes 1 and false 0", guard=lambda match: not bools(match)),
)  # fmt: skip

RULES = of_complex(*NOT, *AND_OR, *BITS, *COMPARISONS, *CHOICES, *CASTS)
