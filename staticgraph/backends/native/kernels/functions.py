"""Functions of many instructions inside kernels: copies of them, or calls of one that is shared."""

from __future__ import annotations

from collections.abc import Sequence

from staticgraph.backends.native.ir import Code
from staticgraph.backends.native.nest import Nest
from staticgraph.backends.native.scalars import Register, Scalars
from staticgraph.core import dtypes
from staticgraph.core.node import Node


class ScalarOptions:
    """How the scalars of a module are written: for which machine, and how strictly."""

    def __init__(self, contract: bool = False, fused: bool = True, scales: bool = False) -> None:
        self.contract = contract
        self.fused = fused
        self.scales = scales

    def builder(self, code: Code, lanes: int) -> Scalars:
        """A builder for registers of `lanes` elements."""
        return Scalars(code, lanes, self.contract, self.fused, self.scales)


# Functions of many instructions: a kernel has so many copies of one, then it calls it.
HEAVY = frozenset(
    (
        "exp", "expm1", "log", "log1p", "sin", "cos", "tan", "tanh", "sigmoid", "softplus", "erf",
        "sigmoid_cross_entropy_with_logits",
        "exp2", "log2", "log10", "logaddexp", "cbrt", "fmod", "remainder", "floor_divide", "asin",
        "acos", "atan", "atan2", "sinh", "cosh", "asinh", "acosh", "atanh", "erfc", "erfinv",
        "xlogy", "lgamma", "digamma", "polygamma", "igamma", "igammac", "xlog1py", "logit", "erfcx",
        "ndtr", "log_ndtr", "ndtri", "i0", "i0e", "i1", "i1e", "betaln", "betainc",
    )
)  # fmt: skip
COPIES = 2


def often_used(nest: Nest) -> set[str]:
    """The functions that a nest computes so often that calls of them are better than copies."""
    counts: dict[str, int] = {}
    phases = nest.phases
    for expression in nest.expressions:
        if expression.node is not None and expression.kind == "map":
            name = expression.node.op.name
            counts[name] = counts.get(name, 0) + phases
    return {name for name, count in counts.items() if name in HEAVY and count > COPIES}


def outlined(
    options: ScalarOptions, builder: Scalars, node: Node, operands: Sequence[Register]
) -> Register:
    """What an op makes of its operands, by a call of a function that is compiled once."""
    code, op = builder.code, node.op
    types = [builder.type(operand.dtype) for operand in operands]
    result = node.out.type.dtype
    names = [dtypes.name(operand.dtype) for operand in operands]
    names += [str(value) for value in node.attrs.values()]
    name = f"map_{op.name}_{'_'.join(names)}_{builder.lanes}"
    if not code.module.has_function(name):
        parameters = [f"{type} %x{number}" for number, type in enumerate(types)]
        body = Code(code.module, name, f"internal {builder.type(result)}", parameters)
        given = [Register(f"%x{n}", operand.dtype) for n, operand in enumerate(operands)]
        assert op.emit is not None
        value: Register = op.emit(options.builder(body, builder.lanes), *given, **node.attrs)
        body.do(f"ret {builder.type(result)} {value.text}")
        code.module.add_function(name, body.text())
    given_text = ", ".join(f"{t} {o.text}" for t, o in zip(types, operands, strict=True))
    # The quick way is for scalars only.
    callee = code.callee(name) if builder.lanes == 1 else f"@{name}"
    made = code.let(f"call {builder.type(result)} {callee}({given_text})")
    code.called()
    return Register(made, result)
