"""The language in which rewrite rules are written: patterns, results and the rows of the table.

A pattern is a tree of `Op` over `Var` (anything; the same name twice means the same value), `Const`
(a constant whose elements all are this number), `Known` (any constant) and `Rest` (all operands
that are left). A result is a tree of the same, of `Computed` and `Full` where a constant is
computed, and of `Chosen`. Attributes in a pattern are literals or `Attr` variables, in a result
also functions of the match.

Everything here is data and changes nothing; passes/matching.py reads it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from staticgraph.core.node import Node, Value
from staticgraph.passes.facts import Facts


@dataclass(frozen=True, slots=True)
class Var:
    """Any value. Used twice in a pattern: the same value, or the same op on the same operands."""

    name: str


@dataclass(frozen=True, slots=True)
class Const:
    """A constant with at least one element, all of them this number; 0.0 is not -0.0.

    In a result: the scalar, in the dtype of the rewritten node, or in that of the value `like`.
    """

    number: float
    like: Var | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """Any constant, or with `array` any that is no scalar; `Computed` can compute with it."""

    name: str
    array: bool = False


@dataclass(frozen=True, slots=True)
class Rest:
    """All operands that are left. As a result: one value for each result of the node."""

    name: str


@dataclass(frozen=True, slots=True)
class Attr:
    """An attribute; used twice in a pattern: the same value."""

    name: str


@dataclass(frozen=True, slots=True)
class Op:
    """An op on operands; several names mean any of them.

    In a result, the name ``=`` repeats the op and the attributes of the rewritten node.
    """

    names: tuple[str, ...]
    operands: tuple[Pattern, ...]
    attrs: tuple[tuple[str, Any], ...] = ()
    # In a pattern: the name under which the result may use the matched value.
    label: str | None = None

    def called(self, label: str) -> Op:
        """This pattern, whose value the result may use as ``Var(label)``."""
        return Op(self.names, self.operands, self.attrs, label)


@dataclass(frozen=True, slots=True)
class Computed:
    """In a result: a constant computed from the match."""

    compute: Callable[[Match], Any]


@dataclass(frozen=True, slots=True)
class Chosen:
    """In a result: a value that the match leads to."""

    choose: Callable[[Match], Value]


@dataclass(frozen=True, slots=True)
class Full:
    """In a result: this number everywhere, in dtype and shape of the rewritten node."""

    number: float


Pattern = Var | Const | Known | Rest | Op
Result = Var | Const | Known | Rest | Op | Computed | Chosen | Full


def op(names: str | tuple[str, ...], *operands: Any, **attrs: Any) -> Op:
    """A pattern or a result: the op called `names` (or any of them) on `operands`.

    >>> op("add", Var("x"), op("negative", Var("y"))).names
    ('add',)
    """
    listed = (names,) if isinstance(names, str) else names
    return Op(listed, operands, tuple(attrs.items()))


class Match:
    """What a pattern was found to stand for, for guards and results to read."""

    __slots__ = ("attrs", "constants", "facts", "rest", "root", "values")

    def __init__(self, root: Node, facts: Facts) -> None:
        self.root = root
        self.facts = facts
        self.values: dict[str, Value] = {}
        self.attrs: dict[str, Any] = {}
        self.rest: dict[str, tuple[Value, ...]] = {}
        # The constants that `Const` and `Known` stand for.
        self.constants: list[Value] = []

    def __getitem__(self, name: str) -> Value:
        return self.values[name]


Guard = Callable[[Match], bool]


class Exactness(Enum):
    """What a rule does to the numbers."""

    # The same bits; only the sign and payload of a NaN may differ.
    EXACT = "exact"
    # Another rounding, nowhere worse and somewhere better.
    MORE_ACCURATE = "more accurate"
    # The same products, added up in the order of a larger matrix product.
    REORDERED = "sums reordered"


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table: `pattern` becomes `result` wherever `guard` holds.

    complex       it holds for complex numbers as well; another is not tried where one of its values
                  is complex
    keeps_shape   the result has the shape of what it replaces for a reason that types cannot show;
                  otherwise the engine demands a proof from the types, or from both sides being
                  elementwise over the same operands
    reason        why both sides are the same, or in what the right side is better
    """

    name: str
    pattern: Op
    result: Result
    reason: str
    exactness: Exactness = Exactness.EXACT
    guard: Guard | None = None
    keeps_shape: bool = False
    complex: bool = False


def of_complex(*rules: Rule) -> tuple[Rule, ...]:
    """The rules, which hold for complex numbers as well."""
    return tuple([replace(rule, complex=True) for rule in rules])


def variables(names: str) -> tuple[Var, ...]:
    """One `Var` for each word."""
    return tuple([Var(name) for name in names.split()])
