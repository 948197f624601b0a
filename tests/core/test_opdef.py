"""The op record and its registry: what is incomplete is refused when it is registered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from staticgraph.core import dtypes, opdef
from staticgraph.core.opdef import (
    NOT_DIFFERENTIABLE,
    Joint,
    Mismatch,
    Numbered,
    OpDef,
    infer_types,
    register,
)
from staticgraph.core.types import TensorType
from staticgraph.errors import CompilerError, DTypeError, ShapeError

F32 = TensorType(dtypes.float32, (2,))


@pytest.fixture(autouse=True)
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A registry that forgets what a test adds."""
    monkeypatch.setattr(opdef, "_REGISTRY", dict(opdef._REGISTRY))
    yield


def _op(name: str = "sample", **changes: Any) -> OpDef:
    made = OpDef(
        name,
        operands=("x", "y"),
        infer=lambda types, attrs: types[0],
        reference=lambda x, y: x,
        doc="A sample.",
        vjp=(None, None),
        jvp=NOT_DIFFERENTIABLE,
    )
    return replace(made, **changes)


def test_a_record_is_found_by_name() -> None:
    op = register(_op())
    assert opdef.get("sample") is op
    assert list(opdef.registered())[-1] is op
    assert repr(op) == "<OpDef sample>"
    with pytest.raises(KeyError):
        opdef.get("absent")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "exp"}, "op 'exp' is registered twice"),
        ({"doc": "  "}, "op 'sample' has no docstring"),
        ({"elementwise": True}, "op 'sample' is elementwise and has no emit rule"),
        ({"reference": None}, "op 'sample' has no reference meaning"),
        ({"vjp": (None,)}, "op 'sample' has 1 vjp rules for ('x', 'y')"),
        (
            {"operands": ("x", "rest*")},
            "op 'sample' takes any number of operands; use Numbered or Joint",
        ),
    ],
)
def test_incomplete_records_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(CompilerError) as caught:
        register(_op(**changes))
    assert str(caught.value) == message


def test_only_what_computes_needs_a_meaning() -> None:
    assert register(_op(role="placeholder", reference=None)).reference is None


def test_operands_are_named() -> None:
    op = _op(operands=("x", "rest*"), vjp=Numbered(lambda node, adjoint, index: None))
    assert op.variadic
    assert [op.operand_name(index) for index in range(3)] == ["x", "rest[0]", "rest[1]"]
    assert not _op().variadic
    assert _op().operand_name(1) == "y"


def test_dtypes_are_one_set_or_one_each() -> None:
    assert _op(dtypes=dtypes.FLOATING).operand_dtypes(1) == dtypes.FLOATING
    op = _op(dtypes=(dtypes.BOOL, dtypes.INTEGER), operands=("x", "rest*"))
    assert [op.operand_dtypes(index) for index in range(3)] == [
        dtypes.BOOL, dtypes.INTEGER, dtypes.INTEGER,
    ]  # fmt: skip


def test_which_operands_have_a_derivative() -> None:
    rule = _op(vjp=(lambda node, adjoint: adjoint, None))
    assert (rule.operand_vjp(0), rule.operand_vjp(1)) == (True, False)
    assert not _op(vjp=NOT_DIFFERENTIABLE).operand_vjp(0)
    assert _op(vjp=opdef.ZERO_DERIVATIVE).operand_vjp(0)
    assert _op(vjp=Joint(lambda node, adjoints: [])).operand_vjp(1)


def test_types_are_inferred_as_a_tuple() -> None:
    assert infer_types(_op(), (F32, F32), {}) == (F32,)
    two = _op(infer=lambda types, attrs: types)
    assert infer_types(two, (F32, F32), {}) == (F32, F32)


def test_the_number_of_operands_is_checked() -> None:
    for op, count, message in (
        (_op(), 1, "op 'sample' takes ('x', 'y'), was given 1 operands"),
        (_op(), 3, "op 'sample' takes ('x', 'y'), was given 3 operands"),
        (_op(operands=("x", "y*")), 0, "op 'sample' takes ('x', 'y*'), was given 0 operands"),
    ):
        with pytest.raises(CompilerError) as caught:
            infer_types(op, (F32,) * count, {})
        assert str(caught.value) == message
    infer_types(_op(operands=("x", "y*")), (F32,), {})


def test_dtypes_are_checked_per_operand() -> None:
    op = _op(dtypes=(dtypes.FLOATING, dtypes.BOOL))
    with pytest.raises(Mismatch) as caught:
        infer_types(op, (F32, F32), {})
    assert caught.value.error is DTypeError
    assert caught.value.problem == "does not take float32"
    assert caught.value.details == ("y may be bool; sg.cast(x, dtype) converts",)


@pytest.mark.parametrize(
    ("allowed", "taken", "way"),
    [
        (
            dtypes.FLOATING,
            dtypes.REAL_FLOATING,
            "sg.real(x), sg.imag(x) or sg.abs(x) gives a real number",
        ),
        (
            dtypes.UNSIGNED,
            dtypes.UNSIGNED,
            "sg.real(x), sg.imag(x) or sg.abs(x) gives a real number, which sg.cast converts",
        ),
        (dtypes.BOOL, dtypes.BOOL, "sg.cast(x, dtype) converts"),
    ],
)
def test_what_complex_operands_are_told_to_do_works(allowed: Any, taken: Any, way: str) -> None:
    op = _op(dtypes=allowed)
    with pytest.raises(Mismatch) as caught:
        infer_types(op, (TensorType(dtypes.complex64, ()), F32), {})
    assert caught.value.details == (f"x may be {dtypes.names(taken)}; {way}",)


def test_a_mismatch_is_a_shape_error_unless_it_says_otherwise() -> None:
    assert Mismatch("problem").error is ShapeError
    assert str(Mismatch("problem", "detail")) == "problem"


def test_elementwise_ops_remember_what_they_inferred(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def infer(types: Any, attrs: Any) -> TensorType:
        calls.append(types)
        return types[0]  # type: ignore[no-any-return]

    op = _op(infer=infer, elementwise=True)
    for _ in range(3):
        infer_types(op, (F32, F32), {})
    assert len(calls) == 1
    infer_types(op, (F32, F32), {"axis": 1})
    infer_types(op, (F32, F32), {"axis": 1})
    assert len(calls) == 3
    # The memory is bounded: a graph of ever new shapes does not fill it.
    monkeypatch.setattr(opdef, "_MEMO_LIMIT", 4)
    for size in range(20):
        known = TensorType(dtypes.float32, (size,))
        assert infer_types(op, (known, known), {}) == (known,)
        assert len(op.memo) <= 4


def test_markers_show_their_names() -> None:
    assert repr(NOT_DIFFERENTIABLE) == "NOT_DIFFERENTIABLE"
    assert repr(opdef.LINEAR) == "LINEAR"
