"""Simplification: applies the rule table, operands before users, until nothing applies any more.

Every node is visited once, after its operands have settled. Where a rule applies, the nodes of its
result are settled in turn, and so on to a fixpoint; what does not settle is a CompilerError that
names the rules, never a limit that is reached in silence. New nodes take the name and the line of
the node they replace, so that an error in the run still names what the user wrote.

A rule never changes a dtype, and a shape only into one that is provably the same and at least as
well known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from staticgraph.core.dtypes import COMPLEX
from staticgraph.core.function import Function
from staticgraph.core.graph import describe_mismatch
from staticgraph.core.node import Node, Value, make_node
from staticgraph.core.opdef import NO_ATTRS, Mismatch, get
from staticgraph.core.types import TensorType, compatible, same_shape
from staticgraph.errors import CompilerError
from staticgraph.ops.convert import CONSTANT
from staticgraph.passes.common import Notes, commutes, constant_node, rebuilt
from staticgraph.passes.facts import Facts
from staticgraph.passes.fold import folded
from staticgraph.passes.matching import RuleTable, Variant
from staticgraph.passes.patterns import (
    Attr,
    Chosen,
    Computed,
    Const,
    Full,
    Known,
    Match,
    Op,
    Rest,
    Result,
    Rule,
    Var,
)
from staticgraph.passes.prune import prune
from staticgraph.passes.rules import RULES

# Rewrites that one node may cause; a table that settles needs a handful.
LIMIT = 100

FOLDED = "constant folding"

TABLE = RuleTable(RULES)


def simplify(function: Function, notes: Notes) -> Function:
    """`function` with the rules of the table applied until none applies."""
    return Simplifier(TABLE, notes).run(function)


class Simplifier:
    """One sweep over one Function."""

    def __init__(self, table: RuleTable, notes: Notes) -> None:
        self.table = table
        self.notes = notes
        self.facts = Facts()
        self.nodes: list[Node] = []
        # The rules applied since the sweep came to the node at hand.
        self.applied: list[str] = []

    def run(self, function: Function) -> Function:
        """`function`, simplified; itself where no rule applies."""
        now: dict[Value, Value] = {}
        self.facts = Facts(function.inputs)
        by_root = self.table.by_root
        for node in function.nodes:
            fresh = node
            if now:
                for value in node.inputs:
                    if value in now:
                        fresh = rebuilt(node, tuple([now.get(v, v) for v in node.inputs]))
                        break
            if fresh is node and node.op not in by_root and not node.op.commutative:
                self.nodes.append(node)
                continue
            self.applied.clear()
            values = self._settle(fresh, fresh is not node)
            if values is not node.outputs:
                now.update(zip(node.outputs, values, strict=True))
        if not now:
            return function
        outputs = [now.get(value, value) for value in function.outputs]
        # What the rules left without a user goes now: later passes would count it.
        return prune(function.replace(self.nodes, outputs), self.notes)

    def _settle(self, node: Node, new: bool) -> Sequence[Value]:
        """Appends `node`, or what the rules make of it; returns its results.

        `new` says that no earlier pass has seen the node.
        """
        while True:
            if new and self._is_known(node):
                constants = folded(node, self.notes)
                if constants is not None:
                    self.notes.applied(FOLDED)
                    self.nodes.extend(constants)
                    return [constant.out for constant in constants]
            found = self._rewritten(node)
            if found is None:
                node = _ordered(node)
                self.nodes.append(node)
                return node.outputs
            if not isinstance(found, Node):
                return found
            node, new = found, True

    def _is_known(self, node: Node) -> bool:
        if node.op is CONSTANT:
            return False
        return all(value.node.op is CONSTANT for value in node.inputs)

    def _rewritten(self, node: Node) -> Node | Sequence[Value] | None:
        """The root node of what a rule makes of `node`, or the values it already has."""
        index = self.table.by_root.get(node.op)
        if index is None:
            return None
        for variant in index.candidates(node, self.facts):
            match = Match(node, self.facts)
            if not variant.test(node, match):
                continue
            rule = variant.rule
            if not rule.complex and _any_complex(match):
                continue
            if rule.guard is not None and not rule.guard(match):
                continue
            # Counted before the result is made: making it settles operands, which may not end.
            self.applied.append(rule.name)
            if len(self.applied) > LIMIT:
                raise self._unsettled(node)
            result = self._result(variant, match)
            if result is not None:
                self.notes.applied(rule.name)
                return result
            self.applied.pop()
        return None

    def _unsettled(self, node: Node) -> CompilerError:
        last = list(dict.fromkeys(self.applied[-20:]))
        return CompilerError(
            f"simplify: '{node.name}' ({node.op.name}) did not settle after {LIMIT} rewrites\n"
            f"  the rules that go round: {', '.join(last)}\n"
            "  this is a bug in staticgraph, not in your program"
        )

    # -- results ------------------------------------------------------------------------------

    def _result(self, variant: Variant, match: Match) -> Node | Sequence[Value] | None:
        """The result of a rule, or None where shapes are not provably kept."""
        root = match.root
        template = variant.rule.result
        if isinstance(template, Rest):
            values = match.rest[template.name][: len(root.outputs)]
            kept = all(
                self._keeps(variant, match, old.type, new.type)
                for old, new in zip(root.outputs, values, strict=True)
            )
            return values if kept else None
        made = self._made(variant.rule, template, match)
        new = made.out if isinstance(made, Node) else made
        if not self._keeps(variant, match, root.out.type, new.type):
            return None
        return made if isinstance(made, Node) else (made,)

    def _keeps(self, variant: Variant, match: Match, old: TensorType, new: TensorType) -> bool:
        """Whether a result may stand for what it replaces, by its type."""
        rule = variant.rule
        if new.dtype == old.dtype and same_shape(new.shape, old.shape):
            return True
        scalars = all(constant.type.shape == () for constant in match.constants)
        kept = rule.keeps_shape or (variant.elementwise and scalars)
        if new.dtype != old.dtype or (kept and not compatible(new.shape, old.shape)):
            raise CompilerError(
                f"simplify: rule '{rule.name}' made {new} of '{match.root.name}' {old}\n"
                "  this is a bug in staticgraph, not in your program"
            )
        return kept and _as_well_known(new, old)

    def _made(self, rule: Rule, template: Result, match: Match) -> Node | Value:
        """What a template stands for: a value, or a node that has yet to settle."""
        root = match.root
        if isinstance(template, Var | Known):
            return match.values[template.name]
        if isinstance(template, Chosen):
            return template.choose(match)
        if isinstance(template, Const):
            like = root.out if template.like is None else match.values[template.like.name]
            return constant_node(np.array(template.number, like.type.dtype), root)
        if isinstance(template, Computed):
            return constant_node(template.compute(match), root)
        if isinstance(template, Full):
            shape = root.out.type.shape
            number = constant_node(np.array(template.number, root.out.type.dtype), root)
            if shape == ():
                return number
            self.nodes.append(number)
            return make_node(
                get("broadcast_to"), (number.out,), {"shape": shape}, root.name, root.location
            )
        if isinstance(template, Op):
            return self._applied(rule, template, match)
        raise CompilerError(f"rule '{rule.name}' has {template!r} where one value stands")

    def _applied(self, rule: Rule, template: Op, match: Match) -> Node:
        root = match.root
        operands: list[Value] = []
        for part in template.operands:
            if isinstance(part, Rest):
                operands.extend(match.rest[part.name])
                continue
            made = self._made(rule, part, match)
            operands.append(self._settle(made, True)[0] if isinstance(made, Node) else made)
        if template.names == ("=",):
            op, attrs = root.op, root.attrs
        else:
            op = get(template.names[0])
            attrs = NO_ATTRS
        if template.attrs:
            attrs = {**attrs, **_attrs(template, match)}
        try:
            return make_node(op, operands, attrs, root.name, root.location)
        except Mismatch as mismatch:
            if op is root.op:
                # The rule made known what the run would have found out: the user's error.
                raise describe_mismatch(op, operands, mismatch, root.location) from None
            raise CompilerError(
                f"simplify: rule '{rule.name}' made a {op.name} of '{root.name}' that does not "
                f"type: {mismatch.problem}\n  this is a bug in staticgraph, not in your program"
            ) from None


def _attrs(template: Op, match: Match) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, value in template.attrs:
        if isinstance(value, Attr):
            made[name] = match.attrs[value.name]
        else:
            made[name] = value(match) if callable(value) else value
    return made


def _any_complex(match: Match) -> bool:
    """Whether a value that a pattern was matched with, or the result, is complex."""
    values = (*match.root.outputs, *match.values.values())
    return any(value.type.dtype in COMPLEX for value in values)


def _as_well_known(new: TensorType, old: TensorType) -> bool:
    """Whether `new` says at least as much of the shape as `old`."""
    if old.shape is None:
        return True
    if new.shape is None:
        return False
    return all(
        have == was or was is None or isinstance(have, int)
        for have, was in zip(new.shape, old.shape, strict=True)
    )


def _ordered(node: Node) -> Node:
    """The node with a constant as its second operand, where operands may change places."""
    if not node.op.commutative:
        return node
    first, second = node.inputs
    if first.node.op is not CONSTANT or second.node.op is CONSTANT or not commutes(node):
        return node
    types = tuple([value.type for value in node.outputs])
    return Node(node.op, (second, first), node.attrs, types, node.name, node.location)
