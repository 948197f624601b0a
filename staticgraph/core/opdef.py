"""The op record and its registry: everything that is known of an op stands in one place.

An `OpDef` says how an op is named, typed, evaluated in NumPy and differentiated. Ops are
registered when `staticgraph.ops` is imported; a record that lacks something is refused then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType
from staticgraph.core.elements import Emit
from staticgraph.core.types import TensorType
from staticgraph.errors import CompilerError, DTypeError, ShapeError, StaticGraphError

if TYPE_CHECKING:
    from staticgraph.core.graph import Operation, Tensor

Attrs = Mapping[str, Any]
Types = tuple[TensorType, ...]
Infer = Callable[[Types, Attrs], "TensorType | Types"]
# None means that nothing flows: the derivative is zero for these operands and attributes.
OperandVjp = Callable[["Operation", "Tensor"], "Tensor | None"]
JointVjp = Callable[["Operation", Sequence["Tensor | None"]], "Sequence[Tensor | None]"]
NumberedVjp = Callable[["Operation", "Tensor", int], "Tensor | None"]
JvpRule = Callable[["Operation", Sequence["Tensor | None"]], "Tensor | Sequence[Tensor | None]"]

NO_ATTRS: Attrs = {}

Role = Literal[
    "compute",  # an ordinary op, with a reference meaning
    "placeholder",  # fed, or else an error
    "default",  # fed, or else its operand
    "read",  # the value of a variable
    "assign",  # its operand becomes the value of a variable
    "key",  # the key of the run, from which random numbers are drawn
    "group",  # nothing but control edges
    "parameter",  # an input of a Function
]


class Marker:
    """A word that stands in a record where a rule would: its name is its meaning."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


# No derivative exists and none passes: comparisons, argmax, shapes. A path through it is no path.
NOT_DIFFERENTIABLE = Marker("NOT_DIFFERENTIABLE")
# The derivative is zero wherever it exists: floor, sign. The path counts, its adjoint is zero.
ZERO_DERIVATIVE = Marker("ZERO_DERIVATIVE")
# The op is linear in its differentiable operands: it maps tangents as it maps values.
LINEAR = Marker("LINEAR")
# The Jacobian is diagonal: the vjp of each operand also maps its tangent (elementwise ops).
DIAGONAL = Marker("DIAGONAL")
# Forward mode transposes the vjp, which is linear in the adjoint (one more reverse sweep).
TRANSPOSED = Marker("TRANSPOSED")
# The op holds Functions, and its derivative is made of theirs (autodiff/control.py).
REGIONS = Marker("REGIONS")

# Machine code leaves the machine: Python does the work of the op, and `Session.explain` says so.
HOST_CALL = Marker("HOST_CALL")


@dataclass(frozen=True, slots=True)
class Joint:
    """A vjp that computes the adjoints of all operands at once, from those of all results."""

    rule: JointVjp


@dataclass(frozen=True, slots=True)
class Numbered:
    """A vjp for any number of operands: called with the number of the operand that is wanted."""

    rule: NumberedVjp


class Mismatch(Exception):
    """Raised by `infer`: what does not fit, without the names and lines the builder adds.

    spoken   for an op that speaks for a function: the name of that function, then what it calls
             each operand, "" for one that the message leaves out
    """

    def __init__(
        self,
        problem: str,
        *details: str,
        error: type[StaticGraphError] = ShapeError,
        spoken: tuple[str, ...] = (),
    ) -> None:
        super().__init__(problem)
        self.problem, self.details, self.error = problem, details, error
        self.spoken = spoken


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class OpDef:
    """All that is known of one op.

    name        the op's name, also the name of its public function
    operands    one name per operand; a last name that ends in ``*`` stands for any number
    infer       types and attributes of the operands to the type (or types) of the results
    reference   the meaning in NumPy: called with arrays, and the attributes by keyword
    dtypes      the dtypes an operand may have: one set for all operands, or one set each
    vjp         one rule per operand (None: that operand has no derivative), or Joint, Numbered
    jvp         LINEAR, DIAGONAL, TRANSPOSED or a rule from tangents to the result's tangent
    attrs       names of the attributes, in the order in which they are printed
    optional    those of them that a node may lack
    elementwise every result element depends on one (broadcast) element of each operand
    emit        machine code of an elementwise op: called with a builder, an element per operand,
                and the attributes by keyword, it gives the element of the result
    commutative the two operands may change places
    linear      no vjp of it multiplies the adjoint with a value of the run, so none can turn a
                zero adjoint into NaN
    selects     a vjp of it puts zeros where an operand was not chosen (where, relu, slicing)
    by_value    it selects by comparing its operands, so that a NaN is never what it drops (relu)
    holomorphic its vjp rules multiply with derivatives as if all numbers were real: of complex ones
                reverse mode conjugates the adjoint before and after. An op that is neither linear
                nor holomorphic (abs) says False, and its rules give the adjoint itself
    spread      for ops that are neither elementwise nor linear: maps the adjoint of the result onto
                the shape of operand 0, zero exactly where the operand's adjoint must be zero; it
                holds for every operand of that shape
    masked_vjp  for ops that add up products (matmul): the rules behind a node that drops NaN
    effect      it does something visible (print, assert): never removed, merged or reordered
    native      HOST_CALL where machine code has to call Python; None: it is machine code itself
    doc         the docstring of the op
    title       what messages call it, where the public function has another name
    """

    name: str
    operands: tuple[str, ...]
    infer: Infer
    reference: Callable[..., Any] | None
    doc: str
    vjp: tuple[OperandVjp | None, ...] | Joint | Numbered | Marker
    jvp: Marker | JvpRule
    dtypes: frozenset[DType] | tuple[frozenset[DType], ...] = dtypes.ANY
    attrs: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    elementwise: bool = False
    emit: Emit | None = None
    commutative: bool = False
    linear: bool = False
    selects: bool = False
    by_value: bool = False
    holomorphic: bool = True
    spread: Callable[[Operation, Tensor], Tensor] | None = None
    masked_vjp: tuple[OperandVjp, ...] | None = None
    effect: bool = False
    native: Marker | None = None
    role: Role = "compute"
    title: str = ""
    # Types already inferred, for elementwise ops without attributes: a pure function's memory.
    memo: dict[Types, Types] = field(default_factory=dict)

    @property
    def called(self) -> str:
        """What messages call the op: the name of its public function."""
        return self.title or self.name

    @property
    def variadic(self) -> bool:
        """Whether the last operand name stands for any number of operands."""
        return bool(self.operands) and self.operands[-1].endswith("*")

    def operand_name(self, index: int) -> str:
        """The name of operand `index`, for messages."""
        if self.variadic and index >= len(self.operands) - 1:
            return f"{self.operands[-1][:-1]}[{index - len(self.operands) + 1}]"
        return self.operands[index]

    def operand_dtypes(self, index: int) -> frozenset[DType]:
        """The dtypes that operand `index` may have."""
        if isinstance(self.dtypes, frozenset):
            return self.dtypes
        return self.dtypes[min(index, len(self.dtypes) - 1)]

    def operand_vjp(self, index: int) -> bool:
        """Whether operand `index` has a derivative."""
        if isinstance(self.vjp, tuple):
            return self.vjp[index] is not None
        return self.vjp is not NOT_DIFFERENTIABLE

    def __repr__(self) -> str:
        return f"<OpDef {self.name}>"


_REGISTRY: dict[str, OpDef] = {}
_MEMO_LIMIT = 4096


def register(op: OpDef) -> OpDef:
    """Adds a record to the registry; refuses one that is incomplete or whose name is taken."""
    if op.name in _REGISTRY:
        raise CompilerError(f"op '{op.name}' is registered twice")
    if not op.doc.strip():
        raise CompilerError(f"op '{op.name}' has no docstring")
    if op.role == "compute" and op.reference is None:
        raise CompilerError(f"op '{op.name}' has no reference meaning")
    if op.elementwise and op.emit is None:
        raise CompilerError(f"op '{op.name}' is elementwise and has no emit rule")
    if isinstance(op.vjp, tuple) and len(op.vjp) != len(op.operands):
        raise CompilerError(f"op '{op.name}' has {len(op.vjp)} vjp rules for {op.operands}")
    if isinstance(op.vjp, tuple) and op.variadic:
        raise CompilerError(f"op '{op.name}' takes any number of operands; use Numbered or Joint")
    _REGISTRY[op.name] = op
    return op


def get(name: str) -> OpDef:
    """The record of the op called `name`; KeyError when there is none."""
    return _REGISTRY[name]


def conversion() -> OpDef:
    """The op that changes a dtype: what stores in half precision computes through it."""
    return _REGISTRY["cast"]


def registered() -> Iterator[OpDef]:
    """Every record, in order of registration."""
    return iter(list(_REGISTRY.values()))


def infer_types(op: OpDef, types: Types, attrs: Attrs) -> Types:
    """The result types of `op`, always a tuple; raises Mismatch.

    Elementwise ops remember what they inferred, since most nodes of a model repeat a few types.
    """
    remember = op.elementwise and not attrs
    if remember:
        known = op.memo.get(types)
        if known is not None:
            return known
    _check_arity(op, len(types))
    for index, given in enumerate(types):
        allowed = op.operand_dtypes(index)
        if given.dtype not in allowed:
            raise Mismatch(
                f"does not take {dtypes.name(given.dtype)}",
                f"{op.operand_name(index)} may be {dtypes.names(_taken(allowed))}; "
                f"{_way_to(allowed, given.dtype)}",
                error=DTypeError,
            )
    result = op.infer(types, attrs)
    results = (result,) if isinstance(result, TensorType) else result
    if remember:
        if len(op.memo) >= _MEMO_LIMIT:
            op.memo.clear()
        op.memo[types] = results
    return results


def _taken(allowed: frozenset[DType]) -> frozenset[DType]:
    """The dtypes that a user may give: half precision goes wherever float32 does."""
    return allowed | dtypes.HALF if dtypes.float32 in allowed else allowed


def _way_to(allowed: frozenset[DType], given: DType) -> str:
    """How an operand gets one of the dtypes that are allowed."""
    if given not in dtypes.COMPLEX or allowed <= dtypes.BOOL:
        return "sg.cast(x, dtype) converts"
    # No cast drops an imaginary part.
    number = "sg.real(x), sg.imag(x) or sg.abs(x) gives a real number"
    return number if allowed & dtypes.FLOATING else f"{number}, which sg.cast converts"


def _check_arity(op: OpDef, count: int) -> None:
    if op.variadic:
        fits = count >= len(op.operands) - 1
    else:
        fits = count == len(op.operands)
    if not fits:
        raise CompilerError(f"op '{op.name}' takes {op.operands}, was given {count} operands")
