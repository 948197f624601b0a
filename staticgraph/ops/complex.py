"""Complex numbers taken apart and put together: real, imag, conj, complex.

What holds for derivatives of everything complex in this package: the adjoint of ``z = x + iy`` is
``dL/dx + i dL/dy`` for the real L that is differentiated, so a step against it makes L smaller. A
holomorphic op multiplies adjoints with the conjugate of its derivative, which reverse mode sees to
for all of them in one place (autodiff/reverse.py). The ops here are linear over the real numbers
only, so their rules are the adjoints of maps of pairs (x, y).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from staticgraph.core.dtypes import COMPLEX, FLOATING, part_of, to_complex
from staticgraph.core.graph import Operation, Tensor
from staticgraph.core.opdef import (
    LINEAR,
    NO_ATTRS,
    Attrs,
    OpDef,
    OperandVjp,
    Types,
    register,
)
from staticgraph.core.types import TensorType
from staticgraph.ops.convert import as_tensor, cast, promote, scalar
from staticgraph.ops.elementwise.record import infer_same


def _infer_part(types: Types, attrs: Attrs) -> TensorType:
    return types[0].with_dtype(part_of(types[0].dtype))


def _infer_complex(types: Types, attrs: Attrs) -> TensorType:
    both = infer_same(types, attrs)
    return both.with_dtype(to_complex(both.dtype))


def _reference_complex(real: Any, imag: Any) -> Any:
    # Not real + 1j * imag: an infinite imaginary part would make NaN of the real one.
    parts = np.broadcast_arrays(real, imag)
    result = np.empty(parts[0].shape, to_complex(parts[0].dtype))
    result.real, result.imag = parts
    return result


def _elementwise(
    called: str,
    operands: tuple[str, ...],
    dtypes: frozenset[np.dtype[Any]],
    reference: Callable[..., Any],
    infer: Callable[[Types, Attrs], TensorType],
    vjp: Sequence[OperandVjp],
    doc: str,
) -> OpDef:
    """Registers an op that is linear over the real numbers."""
    return register(
        OpDef(
            called,
            operands=operands,
            infer=infer,
            reference=reference,
            doc=doc,
            vjp=tuple(vjp),
            jvp=LINEAR,
            dtypes=dtypes,
            elementwise=True,
            emit=lambda s, *parts: getattr(s, called)(*parts),
            linear=True,
        )
    )


def _vjp_imag(node: Operation, adjoint: Tensor) -> Tensor:
    return _made(COMPLEX_OF, scalar(adjoint.graph, 0, adjoint.dtype), adjoint)


REAL = _elementwise(
    "real", ("x",), COMPLEX, np.real, _infer_part,
    [lambda node, adjoint: cast(adjoint, node.inputs[0].dtype)],
    "The real part of a complex number, elementwise.",
)  # fmt: skip
IMAG = _elementwise(
    "imag", ("x",), COMPLEX, np.imag, _infer_part, [_vjp_imag],
    "The imaginary part of a complex number, elementwise; a real number.",
)  # fmt: skip
CONJ = _elementwise(
    "conj", ("x",), COMPLEX, np.conjugate, infer_same,
    [lambda node, adjoint: conjugated(adjoint)],
    "The complex conjugate, elementwise: the imaginary part changes its sign.",
)  # fmt: skip
COMPLEX_OF = _elementwise(
    "complex", ("real", "imag"), FLOATING, _reference_complex, _infer_complex,
    [
        lambda node, adjoint: _made(REAL, adjoint),
        lambda node, adjoint: _made(IMAG, adjoint),
    ],
    "The complex number of two real ones, elementwise: ``real + i imag``.",
)  # fmt: skip


def _made(op: OpDef, *operands: Tensor, name: str | None = None) -> Tensor:
    return operands[0].node.graph.add(op, operands, NO_ATTRS, name).outputs[0]


def conjugated(x: Tensor) -> Tensor:
    """The conjugate of a tensor; itself where it is real, and the operand of a conjugate."""
    if x.type.dtype not in COMPLEX:
        return x
    if x.node.op is CONJ:
        return x.node.inputs[0]
    return _made(CONJ, x)


def real(x: Any, *, name: str | None = None) -> Tensor:
    """The real part of `x`, elementwise: float32 of complex64, float64 of complex128.

    A real `x` is its own real part, whatever its dtype. The result has the shape of the operand.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.real([1 + 2j, 3.0]))
    array([1., 3.], dtype=float32)
    """
    tensor = as_tensor(x)
    return _made(REAL, tensor, name=name) if tensor.type.dtype in COMPLEX else tensor


def imag(x: Any, *, name: str | None = None) -> Tensor:
    """The imaginary part of `x`, elementwise: float32 of complex64, float64 of complex128.

    Raises DTypeError for a real `x`, as the standard has it.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.imag([1 + 2j, 3.0]))
    array([2., 0.], dtype=float32)
    """
    return _made(IMAG, as_tensor(x), name=name)


def conj(x: Any, *, name: str | None = None) -> Tensor:
    """The complex conjugate of `x`, elementwise: the imaginary part changes its sign.

    A real `x` is its own conjugate. The result has the shape and the dtype of the operand.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.conj([1 + 2j, 3.0]))
    array([1.-2.j, 3.-0.j], dtype=complex64)
    """
    tensor = as_tensor(x)
    return _made(CONJ, tensor, name=name) if tensor.type.dtype in COMPLEX else tensor


def complex(real: Any, imag: Any, *, name: str | None = None) -> Tensor:
    """The complex numbers ``real + i imag``, elementwise.

    real, imag  real numbers; they promote to one floating dtype and broadcast to one shape

    complex64 of float32, complex128 of float64; integers are taken in floating point. Infinities
    and NaN of one part leave the other as it is, which the sum would not. Raises DTypeError for
    operands that are complex already and ShapeError for shapes that do not broadcast.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.complex([1.0, 2.0], 0.5))
    array([1.+0.5j, 2.+0.5j], dtype=complex64)
    """
    return _made(COMPLEX_OF, *promote((real, imag), floating=True), name=name)
