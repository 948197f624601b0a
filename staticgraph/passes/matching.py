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
from staticgraph.core.opdef import OpDef, get, registered
from staticgraph.errors import CompilerError
from staticgraph.ops.convert import CONSTANT
from staticgraph.passes.common import ORDER_SHOWS_IN_ZEROS
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


class OperandIndex:
    """The variants that ask something of one operand of a root op.

    by_op       by the op that computes the operand
    by_number   by the number that a constant operand is
    arrays      those that ask for a constant that is no scalar
    """

    __slots__ = ("arrays", "by_number", "by_op", "place")

    def __init__(self, place: int) -> None:
        self.place = place
        self.by_op: dict[OpDef, list[Variant]] = {}
        self.by_number: dict[object, list[Variant]] = {}
        self.arrays: list[Variant] = []


class RootIndex:
    """The variants that may apply to nodes of one op, each filed where it asks for most.

    pairs       by the ops of both operands, those that ask something of both
    operands    per operand of which something is asked
    twins       those that ask for two equal operands
    always      the rest
    """

    __slots__ = ("always", "operands", "pairs", "twins")

    def __init__(self) -> None:
        self.pairs: dict[tuple[OpDef, OpDef], list[Variant]] = {}
        self.operands: list[OperandIndex] = []
        self.twins: list[Variant] = []
        self.always: list[Variant] = []

    def add(self, variant: Variant) -> None:
        """Files a variant."""
        operands = variant.pattern.operands
        if len(operands) == 2 and all(isinstance(each, Op | Const | Known) for each in operands):
            for pair in product(*map(_ops_of, operands)):
                self.pairs.setdefault(pair, []).append(variant)
            return
        for kind in (Op, Const, Known):
            for place, operand in enumerate(operands):
                if isinstance(operand, kind):
                    self._file(variant, self._operand(place), operand)
                    return
        if len(operands) == 2 and operands[0] == operands[1]:
            self.twins.append(variant)
        else:
            self.always.append(variant)

    def _operand(self, place: int) -> OperandIndex:
        for operand in self.operands:
            if operand.place == place:
                return operand
        self.operands.append(OperandIndex(place))
        return self.operands[-1]

    def _file(self, variant: Variant, index: OperandIndex, operand: Pattern) -> None:
        if isinstance(operand, Op):
            for name in operand.names:
                index.by_op.setdefault(get(name), []).append(variant)
        elif isinstance(operand, Const):
            index.by_number.setdefault(number_key(operand.number), []).append(variant)
        elif isinstance(operand, Known) and operand.array:
            index.arrays.append(variant)
        else:
            index.by_op.setdefault(CONSTANT, []).append(variant)

    def candidates(self, node: Node, facts: Facts) -> Sequence[Variant]:
        """The variants to try at `node`, in the order of the table."""
        inputs = node.inputs
        found = self.always
        if self.pairs and len(inputs) == 2:
            more = self.pairs.get((inputs[0].node.op, inputs[1].node.op))
            if more:
                found = found + more
        for index in self.operands:
            if index.place >= len(inputs):
                continue
            value = inputs[index.place]
            op = value.node.op
            more = index.by_op.get(op)
            if more:
                found = found + more
            if op is CONSTANT:
                if index.by_number:
                    more = index.by_number.get(facts.number(value))
                    if more:
                        found = found + more
                if index.arrays and value.type.shape != ():
                    found = found + index.arrays
        if self.twins:
            first, second = inputs
            if first is second or first.node.op is second.node.op:
                found = found + self.twins
        return found if len(found) < 2 else sorted(found, key=_place)


_place = attrgetter("place")


def _ops_of(operand: Pattern) -> list[Any]:
    """The ops that compute what fits a pattern that asks for one."""
    return [get(name) for name in operand.names] if isinstance(operand, Op) else [CONSTANT]


class RuleTable:
    """Rules made ready to be matched."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = tuple(rules)
        self.by_root: dict[OpDef, RootIndex] = {}
        for number, rule in enumerate(self.rules):
            _check_ops(rule)
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
                        index = self.by_root[op] = RootIndex()
                    index.add(variant)


def _check_ops(rule: Rule) -> None:
    """Raises CompilerError for an op that does not exist."""
    known = {op.name for op in registered()}
    stack: list[Any] = [rule.pattern, rule.result]
    while stack:
        part = stack.pop()
        if isinstance(part, Op):
            for name in part.names:
                if name != "=" and name not in known:
                    raise CompilerError(
                        f"rule '{rule.name}' speaks of op '{name}', which is not registered"
                    )
            stack.extend(part.operands)


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
    # A pattern does not know whether it will meet floats.
    ops = [get(name) for name in pattern.names]
    return all(each.commutative and each not in ORDER_SHOWS_IN_ZEROS for each in ops)


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
    rest = operands[-1].name if operands and isinstance(operands[-1], Rest) else None
    fixed = operands if rest is None else operands[:-1]
    tests = tuple([_value_test(operand) for operand in fixed])
    count = len(tests)

    def test(node: Node, match: Match) -> bool:
        values = node.inputs
        if rest is not None and len(values) >= count:
            match.rest[rest] = values[count:]
        elif len(values) != count:
            return False
        for place, fits in enumerate(tests):
            if not fits(values[place], match):
                return False
        return attrs is None or attrs(node, match)

    return test


def _value_test(pattern: Pattern) -> Test:
    if isinstance(pattern, Var):
        return _var_test(pattern.name)
    if isinstance(pattern, Const):
        return _const_test(pattern.number)
    if isinstance(pattern, Known):
        return _known_test(pattern)
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


def _known_test(pattern: Known) -> Test:
    name, array = pattern.name, pattern.array

    def test(value: Value, match: Match) -> bool:
        if value.node.op is not CONSTANT or (array and value.type.shape == ()):
            return False
        match.values[name] = value
        match.constants.append(value)
        return True

    return test


def _op_test(pattern: Op) -> Test:
    ops = frozenset([get(name) for name in pattern.names])
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
