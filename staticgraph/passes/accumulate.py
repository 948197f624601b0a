"""Accumulating: a scan's running sum of matrix products becomes one product behind the scan.

Reverse mode makes such a sum for every weight of a recurrent net. A carry that each step only adds
products to, `c + transpose(a) @ b`, is `c0 + transpose(A) @ B`, where `A` and `B` hold the rows of
all steps one below the other. The carry goes. What was a sequence is taken as it is, anything else
is stacked, once for all the sums that need it.

What is always so:

- The factors are matrices, or vectors made matrices, and keep their shape from step to step.
- Stacks take memory for every step. All those of the scan, with new ones, may take as much as its
  sequences do, or `SMALL` bytes where all sizes are known. So the memory of a run at most doubles,
  a long loop that kept nothing of its steps keeps nothing, and what was refused once is refused
  when the pass comes again.
- A scan that recomputes stays: the user asked for less memory (`checkpoint_every`).
- No step is known to run. Along no steps the product is zero, and nothing behind the scan can fail
  that did not fail in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from staticgraph.core.function import Function, has_effect
from staticgraph.core.node import Node, Value, make_node
from staticgraph.core.opdef import Mismatch, get
from staticgraph.core.types import Dim, TensorType
from staticgraph.ops.convert import CONSTANT
from staticgraph.ops.linalg.products import MATMUL
from staticgraph.ops.loops import SCAN, fits, scan_length
from staticgraph.passes.common import Notes
from staticgraph.passes.regions import Carry, LoopDraft, Rewriter, Row, live_nodes, tried

ACCUMULATED = "sum of products over all steps"

# Bytes that new stacks may take whatever the scan has already.
SMALL = 1 << 20

# They hold no number of their own for each step, whatever their shape says.
VIRTUAL = frozenset(("arange", "broadcast_to"))


def accumulate(function: Function, notes: Notes) -> Function:
    """`function` with running sums of products taken out of its scans."""
    if not any(node.op is SCAN for node in function.nodes):
        return function
    sweep = Rewriter(function)
    for node in function.nodes:
        given = sweep.follow(node)
        summed = _Summed(given) if _qualifies(given) else None
        if summed is None or not summed.run():
            sweep.keep(node, given)
            continue
        sweep.nodes.extend(summed.after)
        sweep.now.update(zip(node.outputs, summed.results, strict=True))
        for _ in range(summed.count):
            notes.applied(ACCUMULATED)
    return sweep.result()


def _qualifies(node: Node) -> bool:
    return node.op is SCAN and node.attrs["carries"] > 0 and not node.attrs["recompute"]


class Factor(NamedTuple):
    """One side of a product: in each step some rows, which are added up over.

    rows        a matrix with its rows along the sum, or a vector, which is one row
    turned      whether `rows` is still to be transposed
    """

    rows: Value
    turned: bool

    @property
    def type(self) -> TensorType:
        """The type of what is stacked."""
        type = self.rows.type
        return type.with_shape((type.shape or ())[::-1]) if self.turned else type


class Product(NamedTuple):
    """One product that is added to a carry."""

    node: Node
    lhs: Factor
    rhs: Factor


class _Summed:
    """One scan without its running sums.

    after       the scan, then what stands behind it
    results     what each result of the scan has become
    """

    def __init__(self, node: Node) -> None:
        self.node = node
        self.draft = draft = LoopDraft(node)
        self.after: list[Node] = []
        self.results: list[Value] = []
        self.count = 0
        self.uses = Counter(value for each in draft.nodes for value in each.inputs)
        self.uses.update(draft.results())
        plain = [given for given in draft.sequences if given.lengths is None]
        self.entries = {g.inside: g.operand for g in plain if _is_stack_of(g.operand, g.inside)}
        self.stacked = {row.value: row for row in draft.rows if not row.joined}
        self.fixed = {given.inside for given in draft.captures}
        self.fixed |= {each.out for each in draft.nodes if each.op is CONSTANT}
        self.turned: dict[Value, Value] = {}
        self.sizes = {d for value in node.inputs for d in value.type.shape or () if d is not None}
        self.length = scan_length([given.operand.type for given in plain])
        self.room = _total(
            [v for v, operand in self.entries.items() if operand.node.op.name not in VIRTUAL]
        )
        self.taken = _total(self.stacked)

    def run(self) -> bool:
        """Makes `after` and `results`; False where the scan stays as it is."""
        draft = self.draft
        carries, rows = list(draft.carries), list(draft.rows)
        sums: dict[int, list[Product]] = {}
        known = -1
        while known < len(sums):
            # What one sum stacks may be what another lacked.
            known = len(sums)
            for carry in carries:
                found = None if id(carry) in sums else self._sum(carry)
                if found is not None:
                    sums[id(carry)] = found
        if not sums:
            return False
        draft.carries = [carry for carry in carries if id(carry) not in sums]
        draft.nodes = live_nodes(draft.nodes, draft.results())[0]
        made: Node | None = None
        if draft.carries or draft.rows:
            made = tried(draft.made)
            if made is None:
                return False
            self.after.append(made)
        elif has_effect(self.node) or not self._equally_long():
            # A node has a result, and what is left of this one would have none.
            return False
        place = {id(item): number for number, item in enumerate((*draft.carries, *draft.rows))}
        outputs = () if made is None else made.outputs
        try:
            for item, old in zip((*carries, *rows), self.node.outputs, strict=True):
                if id(item) in place:
                    self.results.append(outputs[place[id(item)]])
                    continue
                assert isinstance(item, Carry)
                value = item.operand
                for product in sums[id(item)]:
                    value = self._added(value, product, place, outputs)
                if not fits(value.type, old.type):
                    return False
                self.results.append(value)
        except Mismatch:
            return False
        self.count = len(sums)
        return True

    def _equally_long(self) -> bool:
        """Whether sequences that differ in length, an error of the run, are ruled out."""
        sequences = self.draft.sequences
        if any(given.lengths is not None for given in sequences):
            return False
        lengths = {(given.operand.type.shape or (None,))[0] for given in sequences}
        return len(lengths) == 1 and None not in lengths

    # -- what a sum is

    def _sum(self, carry: Carry) -> list[Product] | None:
        """The products that are added to a carry, their factors stacked; None for another carry."""
        if self.uses[carry.inside] != 1:
            return None
        parts: list[Value] = []
        joined = False
        todo = [carry.next]
        while todo:
            value = todo.pop()
            if value is carry.inside:
                joined = True
            elif value.type != carry.inside.type or self.uses[value] != 1:
                return None
            elif value.node.op.name == "add":
                todo.extend(reversed(value.node.inputs))
            else:
                parts.append(value)
        if not joined or not parts:
            return None
        found = [self._product(value) for value in parts]
        products = [product for product in found if product is not None]
        if len(products) < len(parts) or not self._afford(products):
            return None
        for product in products:
            self._stack(product.lhs, product.node)
            self._stack(product.rhs, product.node)
        return products

    def _product(self, value: Value) -> Product | None:
        """A product whose sum over all steps is one product."""
        node = value.node
        if node.op is not MATMUL or any(v.type.ndim != 2 for v in node.inputs):
            return None
        product = Product(node, _factor(node.inputs[0], 1), _factor(node.inputs[1], 0))
        if product.lhs.rows in self.fixed or product.rhs.rows in self.fixed:
            return None
        lhs, rhs = (v.type.shape or () for v in node.inputs)
        if lhs[1] != rhs[0] or not self._known((*lhs, *rhs)):
            return None
        widths = (lhs[0], rhs[1])
        return product if all(isinstance(d, int) and d > 0 for d in widths) else None

    def _known(self, dims: Iterable[Dim]) -> bool:
        """Whether sizes are known in front of the scan, and so the same in each step."""
        return all(isinstance(dim, int) or dim in self.sizes for dim in dims)

    # -- memory

    def _afford(self, products: Sequence[Product]) -> bool:
        """Whether the stacks that the products still need are not too large; takes their room."""
        taken = Counter(self.taken)
        for factor in dict.fromkeys(f for product in products for f in (product.lhs, product.rhs)):
            if not self._at_hand(factor):
                taken.update(_bytes(factor.type))
        steps = self.length if isinstance(self.length, int) else None
        small = steps is not None and not any(taken.keys() - {()}) and steps * taken[()] <= SMALL
        if not small and any(size > self.room[symbols] for symbols, size in taken.items()):
            return False
        self.taken = taken
        return True

    def _at_hand(self, factor: Factor) -> bool:
        if factor.turned:
            return self.turned.get(factor.rows) in self.stacked
        return factor.rows in self.entries or factor.rows in self.stacked

    # -- what becomes of it

    def _stack(self, factor: Factor, node: Node) -> None:
        """Makes the body return what no sequence and no stack holds yet."""
        value = factor.rows
        if factor.turned:
            if value not in self.turned:
                turned = make_node(
                    get("permute_dims"), (value,), {"axes": (1, 0)}, node.name, node.location
                )
                self.draft.nodes.append(turned)
                self.turned[value] = turned.out
            value = self.turned[value]
        if value not in self.entries and value not in self.stacked:
            self.stacked[value] = row = Row(value, self._name(value.node.name))
            self.draft.rows.append(row)

    def _name(self, name: str) -> str:
        taken = {carry.name for carry in self.draft.carries}
        taken.update(row.name for row in self.draft.rows)
        number, fresh = 0, name
        while fresh in taken:
            number += 1
            fresh = f"{name}_{number}"
        return fresh

    def _added(
        self, start: Value, product: Product, place: dict[int, int], outputs: Sequence[Value]
    ) -> Value:
        """Appends one product over all steps, added to `start`."""
        node = product.node

        def apply(name: str, operands: tuple[Value, ...], **attrs: Any) -> Value:
            self.after.append(make_node(get(name), operands, attrs, node.name, node.location))
            return self.after[-1].out

        def flat(factor: Factor) -> Value:
            value = self.turned[factor.rows] if factor.turned else factor.rows
            whole = self.entries.get(value)
            if whole is None:
                whole = outputs[place[id(self.stacked[value])]]
            shape = whole.type.shape or ()
            if len(shape) != 3:
                return whole
            steps, rows, width = shape
            known = isinstance(steps, int) and isinstance(rows, int)
            count = steps * rows if known else None  # type: ignore[operator]
            return apply("reshape", (whole,), shape=(count, width))

        lhs, rhs = flat(product.lhs), flat(product.rhs)
        turned = apply("permute_dims", (lhs,), axes=(1, 0))
        return apply("add", (start, apply("matmul", (turned, rhs))))


def _is_stack_of(sequence: Value, entry: Value) -> bool:
    """Whether as much is known of a sequence as of its entries."""
    shape = sequence.type.shape
    return shape is not None and shape[1:] == entry.type.shape


def _factor(value: Value, axis: int) -> Factor:
    """One side of a product that adds up along `axis`, without what only turns it."""
    while value.node.op.name == "permute_dims" and value.node.attrs["axes"] == (1, 0):
        value, axis = value.node.inputs[0], 1 - axis
    node = value.node
    if node.op.name == "expand_dims" and node.attrs["axes"] == (axis,):
        return Factor(node.inputs[0], False)
    return Factor(value, axis == 1)


def _total(values: Iterable[Value]) -> Counter[tuple[str, ...]]:
    """The bytes of all values, by the symbols they are a multiple of."""
    total = Counter[tuple[str, ...]]()
    for value in values:
        total.update(_bytes(value.type))
    return total


def _bytes(type: TensorType) -> dict[tuple[str, ...], int]:
    """The bytes of a value, by the symbols they are a multiple of; nothing where unknown."""
    size, symbols = type.dtype.itemsize, list[str]()
    if type.shape is None or None in type.shape:
        return {}
    for dim in type.shape:
        if isinstance(dim, int):
            size *= dim
        else:
            symbols.append(str(dim))
    return {tuple(sorted(symbols)): size}
