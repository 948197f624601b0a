"""From the rows of the rule table to something fast: an index by root op and by one operand.

A rule is tried at a node only where the op of the node and, for most rules, the op or the number of
one operand already fit; so a node that no rule speaks of costs a few dictionary look-ups,
however long the table is. Where several rules fit, the one that stands first in the table is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from operator import attrgetter
from typing import Any

from staticgraph.core.function import attr_key
from staticgraph.core.node import Node, Value
from staticgraph.core.opdef import OpDef, get
from staticgraph.errors import CompilerError
from staticgraph.ops.convert import CONSTANT
from staticgraph.passes.facts import Facts, number_key
from staticgraph.passes.patterns import Attr, Const, Known, Match, Op, Pattern, Rest, Rule, Var

# Whether a value fits a part of a pattern; what it stands for is written into the match.
Test = Callable[[Value, Match], bool]


@dataclass(frozen=True, slots=True)
class Variant:
    """A rule with the operands of its commutative ops in one of their orders.

    place         of the rule in the table, then of the variant in the rule
    elementwise   both sides are elementwise over the same variables: shapes are kept
    """

    rule: Rule
    place: tuple[int, int]
    pattern: Op
    test: Callable[[Node, Match], bool]
    elementwise: bool


class RootIndex:
    """The variants that may apply to nodes of one op."""

    __slots__ = ("always", "by_number", "by_op", "numbers")

    def __init__(self, operands: int) -> None:
        self.by_op: list[dict[OpDef, list[Variant]]] = [{} for _ in range(operands)]
        self.by_number: list[dict[object, list[Variant]]] = [{} for _ in range(operands)]
        self.always: list[Variant] = []
        # Whether any variant asks for a number.
        self.numbers = False

    def add(self, variant: Variant) -> None:
        """Files a variant under the operand that tells most."""
        operands = variant.pattern.operands
        for index, operand in enumerate(operands):
            if isinstance(operand, Op):
                for name in operand.names:
                    self.by_op[index].setdefault(get(name), []).append(variant)
                return
        for index, operand in enumerate(operands):
            if isinstance(operand, Const):
                self.numbers = True
                key = number_key(operand.number)
                self.by_number[index].setdefault(key, []).append(variant)
                return
        for index, operand in enumerate(operands):
            if isinstance(operand, Known):
                self.by_op[index].setdefault(CONSTANT, []).append(variant)
                return
        self.always.append(variant)

    def candidates(self, node: Node, facts: Facts) -> Sequence[Variant]:
        """The variants to try at `node`, in the order of the table."""
        found: list[Variant] | None = None
        for value, by_op, by_number in zip(
            node.inputs, self.by_op, self.by_number, strict=False
        ):
            op = value.node.op
            more = by_op.get(op)
            if more:
                found = more if found is None else found + more
            if op is CONSTANT and by_number:
                more = by_number.get(facts.number(value))
                if more:
                    found = more if found is None else found + more
        if found is None:
            return self.always
        if self.always:
            found = found + self.always
        return found if len(found) == 1 else sorted(found, key=_place)


_place = attrgetter("place")


class RuleTable:
    """Rules made ready to be matched."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = tuple(rules)
        self.by_root: dict[OpDef, RootIndex] = {}
        for number, rule in enumerate(self.rules):
            for order, pattern in enumerate(_orders(rule.pattern)):
                variant = Variant(
                    rule,
                    (number, order),
                    pattern,
                    _node_test(pattern),
                    _is_elementwise(rule, pattern),
                )
                for name in pattern.names:
                    op = get(name)
                    index = self.by_root.get(op)
                    if index is None:
                        index = self.by_root[op] = RootIndex(len(op.operands))
                    index.add(variant)


# -- variants ---------------------------------------------------------------------------------


def _orders(pattern: Pattern) -> list[Any]:
    """The pattern with the operands of its commutative ops in every order that differs."""
    if not isinstance(pattern, Op):
        return [pattern]
    choices = [_orders(operand) for operand in pattern.operands]
    found = []
    for operands in product(*choices):
        found.append(Op(pattern.names, operands, pattern.attrs, pattern.label))
        if len(operands) == 2 and operands[0] != operands[1] and _may_commute(pattern):
            swapped = (operands[1], operands[0])
            found.append(Op(pattern.names, swapped, pattern.attrs, pattern.label))
    return list(dict.fromkeys(found))


def _may_commute(pattern: Op) -> bool:
    return all(get(name).commutative for name in pattern.names)


def _is_elementwise(rule: Rule, pattern: Op) -> bool:
    """Whether both sides are elementwise over the same variables, so that shapes are equal.

    Constants that the pattern names and the result does not are scalars, which the engine checks.
    """
    if not isinstance(rule.result, Op | Var):
        return False
    wanted = _leaves(pattern)
    given = _leaves(rule.result)
    return wanted is not None and given is not None and wanted == given


def _leaves(pattern: Any) -> set[str] | None:
    """The variables of an elementwise tree; None where some op is not elementwise."""
    found: set[str] = set()
    stack = [pattern]
    while stack:
        item = stack.pop()
        if isinstance(item, Var):
            found.add(item.name)
        elif isinstance(item, Op):
            if item.names != ("=",) and not all(get(name).elementwise for name in item.names):
                return None
            stack.extend(item.operands)
        elif isinstance(item, Rest):
            return None
    return found


# -- tests ------------------------------------------------------------------------------------


def _node_test(pattern: Op) -> Callable[[Node, Match], bool]:
    """Whether operands and attributes of a node, whose op is known to fit, fit a pattern."""
    attrs = _attrs_test(pattern)
    operands = pattern.operands
    rest = operands[-1] if operands and isinstance(operands[-1], Rest) else None
    fixed = operands[:-1] if rest is not None else operands
    tests = tuple([_value_test(operand) for operand in fixed])
    count = len(tests)

    def test(node: Node, match: Match) -> bool:
        values = node.inputs
        if rest is None:
            if len(values) != count:
                return False
        elif len(values) < count:
            return False
        else:
            match.rest[rest.name] = values[count:]
        if attrs is not None and not attrs(node, match):
            return False
        return all(fits(value, match) for value, fits in zip(values, tests, strict=False))

    return test


def _value_test(pattern: Pattern) -> Test:
    if isinstance(pattern, Var):
        return _var_test(pattern.name)
    if isinstance(pattern, Const):
        return _const_test(pattern.number)
    if isinstance(pattern, Known):
        return _known_test(pattern.name)
    if isinstance(pattern, Op):
        return _op_test(pattern)
    raise CompilerError(f"a pattern has {pattern!r} where one operand stands")


def _var_test(name: str) -> Test:
    def test(value: Value, match: Match) -> bool:
        known = match.values.get(name)
        if known is None:
            match.values[name] = value
            return True
        return known is value or match.facts.same(known, value)

    return test


def _const_test(number: float) -> Test:
    key = number_key(number)

    def test(value: Value, match: Match) -> bool:
        if value.node.op is not CONSTANT or match.facts.number(value) != key:
            return False
        match.constants.append(value)
        return True

    return test


def _known_test(name: str) -> Test:
    def test(value: Value, match: Match) -> bool:
        if value.node.op is not CONSTANT:
            return False
        match.values[name] = value
        match.constants.append(value)
        return True

    return test


def _op_test(pattern: Op) -> Test:
    ops = tuple([get(name) for name in pattern.names])
    fits = _node_test(pattern)
    label = pattern.label

    def test(value: Value, match: Match) -> bool:
        node = value.node
        if node.op not in ops or value.index or not fits(node, match):
            return False
        if label is not None:
            match.values[label] = value
        return True

    return test


def _attrs_test(pattern: Op) -> Callable[[Node, Match], bool] | None:
    if not pattern.attrs:
        return None

    def test(node: Node, match: Match) -> bool:
        for name, wanted in pattern.attrs:
            have = node.attrs[name]
            if not isinstance(wanted, Attr):
                if attr_key(have) != attr_key(wanted):
                    return False
            elif wanted.name not in match.attrs:
                match.attrs[wanted.name] = have
            elif attr_key(match.attrs[wanted.name]) != attr_key(have):
                return False
        return True

    return test
