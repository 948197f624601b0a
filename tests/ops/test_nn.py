"""What the sample table cannot say of softmax and the losses: masks, dtypes, runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.special

import staticgraph as sg
from staticgraph.errors import RunError, ShapeError
from staticgraph.ops import nn, reduction


def _run(fetches: Any, feed: Any = None) -> Any:
    with sg.Session() as session:
        return session.run(fetches, feed)


@pytest.mark.parametrize("function", (nn.softmax, nn.log_softmax))
def test_type_and_attribute(function: Callable[..., sg.Tensor]) -> None:
    x = sg.placeholder("float32", ("batch", None))
    assert function(x).type == x.type
    assert dict(function(x).node.attrs) == {"axis": 1}
    assert function(sg.placeholder("int8", (2,))).dtype == sg.float32


@pytest.mark.parametrize("function", (nn.softmax, nn.log_softmax))
def test_a_masked_row_has_no_derivative(function: Callable[..., sg.Tensor]) -> None:
    x = sg.constant(np.array([[-np.inf, -np.inf], [1.0, 2.0]]))
    weights = np.array([3.0, 5.0])
    taken = sg.where(sg.constant([[False], [True]]), function(x), 0.0) * weights
    clean = sg.constant(np.array([1.0, 2.0]))
    (slope,) = sg.gradients(reduction.sum(taken), x)
    (alone,) = sg.gradients(reduction.sum(function(clean) * weights), clean)
    (curve,) = sg.gradients(reduction.sum(slope * slope), x)
    (alone_curve,) = sg.gradients(reduction.sum(alone * alone), clean)
    first, expected, second, bent = _run([slope, alone, curve, alone_curve])
    np.testing.assert_allclose(first, [[0.0, 0.0], expected])
    np.testing.assert_allclose(second, [[0.0, 0.0], bent])


def test_a_class_that_is_masked_out_costs_nothing() -> None:
    logits = sg.constant(np.array([[0.0, -np.inf, 1.0]]))
    labels = sg.constant(np.array([[0.25, 0.0, 0.75]]))
    dense = nn.softmax_cross_entropy_with_logits(labels, logits)
    (slope,) = sg.gradients(reduction.sum(dense), logits)
    (curve,) = sg.gradients(reduction.sum(slope * slope), logits)
    loss, first, second = _run([dense, slope, curve])
    chances = scipy.special.softmax([0.0, 1.0])
    np.testing.assert_allclose(loss, -0.25 * np.log(chances[:1]) - 0.75 * np.log(chances[1:]))
    np.testing.assert_allclose(first, [[chances[0] - 0.25, 0.0, chances[1] - 0.75]])
    assert np.all(np.isfinite(second))


def test_the_losses_agree() -> None:
    logits = sg.constant(np.array([[2.0, -1.0, 0.5], [0.0, 0.0, 9.0]]))
    dense = nn.softmax_cross_entropy_with_logits([[0, 0, 1], [1, 0, 0]], logits)
    sparse = nn.sparse_softmax_cross_entropy_with_logits([2, 0], logits)
    (of_dense,) = sg.gradients(reduction.sum(dense), logits)
    (of_sparse,) = sg.gradients(reduction.sum(sparse), logits)
    values = _run([dense, sparse, of_dense, of_sparse])
    np.testing.assert_allclose(values[0], values[1])
    np.testing.assert_allclose(values[2], values[3])


@pytest.mark.parametrize("labels", [[0, 1], [False, True], np.array([0, 1], np.int64)])
def test_labels_do_not_widen_the_loss(labels: Any) -> None:
    logits = sg.placeholder("float32", (2,))
    assert nn.softmax_cross_entropy_with_logits(labels, logits).dtype == sg.float32
    assert nn.sigmoid_cross_entropy_with_logits(labels, logits).dtype == sg.float32


def test_labels_of_a_wider_dtype_do() -> None:
    logits = sg.placeholder("float32", (2,))
    labels = np.array([0.5, 0.5])
    assert nn.softmax_cross_entropy_with_logits(labels, logits).dtype == sg.float64
    assert nn.sigmoid_cross_entropy_with_logits(labels, logits).dtype == sg.float64


def test_a_loss_is_one_node() -> None:
    logits = sg.placeholder("float32", (None, 3))
    labels = sg.placeholder("int64", (None,))
    before = len(logits.graph)
    loss = nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    assert len(logits.graph) == before + 1
    assert loss.type.shape == logits.type.shape[:1]


def test_a_certain_class_costs_exactly_zero() -> None:
    logits = sg.constant([0.0, 1000.0])
    losses = _run(
        [
            nn.sparse_softmax_cross_entropy_with_logits(1, logits),
            nn.softmax_cross_entropy_with_logits([0, 1], logits),
        ]
    )
    assert [np.signbit(loss) for loss in losses] == [False, False]
    assert losses == [0.0, 0.0]


def test_a_small_loss_keeps_its_digits() -> None:
    logits = sg.constant([20.0, -20.0])
    loss = _run(nn.sigmoid_cross_entropy_with_logits([1, 0], logits))
    np.testing.assert_allclose(loss, np.log1p(np.exp(-20.0)), rtol=1e-6)


@pytest.mark.parametrize("label", [3, -1])
def test_a_label_that_is_no_class(label: int) -> None:
    logits = sg.placeholder("float32", (None, 3), name="logits")
    labels = sg.placeholder("int64", (None,), name="labels")
    loss = nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    with sg.Session() as session:
        with pytest.raises(RunError) as caught:
            session.run(loss, {logits: np.zeros((2, 3)), labels: [0, label]})
        np.testing.assert_allclose(
            session.run(loss, {logits: np.zeros((2, 3)), labels: [0, 2]}), np.log([3.0, 3.0])
        )
    assert str(caught.value) == (
        f"sparse_softmax_cross_entropy_with_logits: label {label} at [1] is no class\n"
        f"  logits 'logits'  float32[?, 3]  feed at {logits.node.location.short}\n"
        f"  labels 'labels'  int64[?]  feed at {labels.node.location.short}\n"
        "  there are 3 classes, from 0 to 2\n"
        f"  created at {loss.node.location}"
    )


@pytest.mark.parametrize("sparse", [False, True])
def test_rows_that_differ_in_the_run(sparse: bool) -> None:
    logits = sg.placeholder("float32", (None, 3), name="logits")
    if sparse:
        labels = sg.placeholder("int64", (None,), name="labels")
        loss = nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        fed, kind = np.zeros(3, np.int64), "int64[?]"
    else:
        labels = sg.placeholder("float32", (None, 3), name="labels")
        loss = nn.softmax_cross_entropy_with_logits(labels, logits)
        fed, kind = np.zeros((3, 3)), "float32[?, 3]"
    with pytest.raises(ShapeError) as caught, sg.Session() as session:
        session.run(loss, {logits: np.zeros((2, 3)), labels: fed})
    assert str(caught.value) == (
        f"{loss.node.op.name}: shapes do not fit in this run\n"
        f"  logits 'logits'  float32[?, 3]  feed at {logits.node.location.short}\n"
        f"  labels 'labels'  {kind}  feed at {labels.node.location.short}\n"
        f"  in this run: logits [2, 3], labels {list(fed.shape)}\n"
        f"  created at {loss.node.location}"
    )


@pytest.mark.parametrize(
    ("function", "at_zero"),
    [(nn.silu, 0.5), (nn.gelu, 0.5), (nn.leaky_relu, 0.01), (nn.elu, 1.0), (nn.relu, 0.0)],
)
def test_activations_at_their_kink_and_far_out(
    function: Callable[..., sg.Tensor], at_zero: float
) -> None:
    x = sg.constant(np.array([0.0, 1e4]))
    (slope,) = sg.gradients(reduction.sum(function(x)), x)
    (curve,) = sg.gradients(reduction.sum(slope), x, unconnected="zero")
    first, second = _run([slope, curve])
    np.testing.assert_allclose(first, [at_zero, 1.0])
    assert np.all(np.isfinite(second))
