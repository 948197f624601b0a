"""Activations of two parts, normalisations, weighted losses and dropout."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pytest
import scipy.special

import staticgraph as sg
from staticgraph.ops import nn
from tests.ops.checks import check_derivatives
from tests.ops.refusing import refused
from tests.ops.sample_types import Sample

Array = np.ndarray[Any, Any]
Backend = Literal["native", "reference"]
BACKENDS: tuple[Backend, ...] = ("native", "reference")

# Called with words that it does not know.
dropout: Any = nn.dropout

_random = np.random.default_rng(3)
_X = _random.normal(size=(3, 4))
_ROW = _random.uniform(0.5, 1.5, 4)
_COLUMN = _random.uniform(0.5, 1.5, (3, 1))


def _normal(x: Array, axis: Any, epsilon: float) -> Array:
    mean = x.mean(axis, keepdims=True)
    return np.asarray((x - mean) / np.sqrt(x.var(axis, keepdims=True) + epsilon))


# What is built, its operands, and its meaning in NumPy.
CASES: dict[str, tuple[Callable[..., Any], tuple[Array, ...], Callable[..., Any]]] = {
    "glu": (nn.glu, (_X,), lambda x: x[:, :2] * scipy.special.expit(x[:, 2:])),
    "glu of rows": (
        lambda x: nn.glu(x, axis=0), (_X[:2],), lambda x: x[:1] * scipy.special.expit(x[1:])
    ),
    "crelu": (nn.crelu, (_X,), lambda x: np.concatenate([x.clip(0), (-x).clip(0)], -1)),
    "moments": (lambda x: nn.moments(x, 1)[1], (_X,), lambda x: x.var(1)),
    "moments of all": (lambda x: nn.moments(x, keepdims=True)[0], (_X,),
                       lambda x: x.mean(keepdims=True)),
    "moments of two": (lambda x: nn.moments(x, [0, 1])[1], (_X,), lambda x: x.var()),
    "batch_normalization": (
        lambda x, m, v, o, s: nn.batch_normalization(x, m, v, o, s, 0.1),
        (_X, _ROW, _ROW + 1, _COLUMN, _ROW - 2),
        lambda x, m, v, o, s: (x - m) / np.sqrt(v + 0.1) * s + o,
    ),
    "batch_normalization without a scale": (
        lambda x, m, v, o: nn.batch_normalization(x, m, v, o), (_X, _ROW, _ROW, _COLUMN),
        lambda x, m, v, o: (x - m) / np.sqrt(v + 1e-3) + o,
    ),
    "layer_norm": (
        nn.layer_norm, (_X, _ROW, _COLUMN), lambda x, s, o: _normal(x, -1, 1e-5) * s + o
    ),
    "layer_norm of two axes": (
        lambda x: nn.layer_norm(x, axis=(0, 1), epsilon=0.5), (_X,),
        lambda x: _normal(x, (0, 1), 0.5),
    ),
    "layer_norm with an offset": (
        lambda x, o: nn.layer_norm(x, offset=o), (_X, _ROW), lambda x, o: _normal(x, -1, 1e-5) + o
    ),
    "rms_norm": (
        nn.rms_norm, (_X, _ROW),
        lambda x, s: x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6) * s,
    ),
    "l2_normalize": (
        lambda x: nn.l2_normalize(x, 1), (_X,), lambda x: x / np.linalg.norm(x, axis=1)[:, None]
    ),
    "l2_loss": (nn.l2_loss, (_X,), lambda x: (x**2).sum() / 2),
    "weighted_cross_entropy": (
        nn.weighted_cross_entropy_with_logits, (_random.uniform(size=(3, 4)), 5 * _X, _ROW),
        lambda z, x, w: -w * z * scipy.special.log_expit(x)
        - (1 - z) * scipy.special.log_expit(-x),
    ),
}  # fmt: skip


def _run(backend: Backend, build: Callable[..., Any], arrays: Any, known: bool) -> Any:
    shapes = [array.shape if known else (None,) * array.ndim for array in arrays]
    fed = [sg.placeholder(array.dtype, shape) for array, shape in zip(arrays, shapes, strict=True)]
    return sg.Session(backend=backend).run(build(*fed), dict(zip(fed, arrays, strict=True)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("case", CASES)
def test_values(case: str, backend: Backend, dtype: str) -> None:
    build, arrays, meaning = CASES[case]
    arrays = tuple([array.astype(dtype) for array in arrays])
    wanted = meaning(*[array.astype("float64") for array in arrays])
    for known in (True, False) if "glu" not in case else (True,):
        found = _run(backend, build, arrays, known)
        assert found.dtype == dtype
        tolerance = 5e-6 if dtype == "float32" else 1e-12
        np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("case", CASES)
def test_derivatives_to_second_order(case: str) -> None:
    build, arrays, meaning = CASES[case]

    def shaped(*operands: Any) -> Any:
        # The halves of an axis need its size.
        if "glu" in case:
            operands = (sg.reshape(operands[0], arrays[0].shape),)
        return build(*operands)

    op = build(*map(sg.constant, arrays)).node.op.name
    check_derivatives(Sample(op, shaped, arrays, meaning, wrt=tuple(range(len(arrays)))))


@pytest.mark.parametrize("shape", [(0, 4), (3, 0), (1, 1)])
def test_empty_and_single(shape: tuple[int, ...]) -> None:
    x = np.ones(shape, np.float32)
    for build in (nn.layer_norm, nn.rms_norm, nn.l2_normalize, nn.crelu, nn.dropout, nn.mish):
        made = build(sg.constant(x))
        assert sg.Session().run(made).shape == made.shape


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize(
    "function",
    [nn.silu, nn.gelu, nn.elu, nn.selu, nn.celu, nn.leaky_relu, nn.relu6, nn.mish, nn.softsign,
     nn.hard_silu, nn.hard_sigmoid, nn.hard_tanh, nn.log_sigmoid, nn.layer_norm, nn.rms_norm,
     nn.l2_normalize, nn.glu],
)  # fmt: skip
def test_half_precision_is_rounded_once(function: Any, dtype: str) -> None:
    x = sg.cast(sg.constant(_X * 3), dtype)
    session = sg.Session()
    made = function(x)
    assert made.dtype == dtype
    wide = sg.cast(function(sg.cast(x, "float32")), dtype)
    found, wanted = session.run([sg.cast(made, "float32"), sg.cast(wide, "float32")])
    np.testing.assert_array_equal(found, wanted)


def test_sums_of_half_precision_do_not_overflow_on_the_way() -> None:
    x = sg.constant(np.full(4096, 200.0, np.float16))
    assert sg.Session().run(nn.rms_norm(x))[0] == 1.0
    assert [float(each) for each in sg.Session().run(nn.moments(x))] == [200.0, 0.0]


@pytest.mark.parametrize(
    ("function", "wanted"),
    [
        (nn.relu6, [(0.0, 0.0), (6.0, 0.0), (3.0, 1.0)]),
        (nn.hard_sigmoid, [(-3.0, 0.0), (3.0, 0.0), (0.0, 1 / 6)]),
        (nn.hard_tanh, [(-1.0, 1.0), (1.0, 1.0), (2.0, 0.0)]),
        (nn.selu, [(0.0, 1.7580993408473766)]),
        (lambda x: nn.celu(x, 3.0), [(0.0, 1.0)]),
        (lambda x: nn.elu(x, 3.0), [(0.0, 3.0)]),
        (nn.softsign, [(0.0, 1.0)]),
        (nn.leaky_relu, [(0.0, 0.01)]),
        (nn.gelu, [(0.0, 0.5), (-1e4, 0.0), (1e4, 1.0)]),
        (nn.mish, [(0.0, 0.6), (-1e4, 0.0), (1e4, 1.0)]),
    ],
)
def test_slopes_at_the_kinks_and_far_out(function: Any, wanted: Any) -> None:
    x = sg.constant(np.array([point for point, _ in wanted]))
    (slope,) = sg.gradients(sg.sum(function(x)), x)
    (curve,) = sg.gradients(sg.sum(slope), x, unconnected="zero")
    first, second = sg.Session().run([slope, curve])
    np.testing.assert_allclose(first, [value for _, value in wanted], rtol=1e-12, atol=1e-300)
    assert np.all(np.isfinite(second))


@pytest.mark.parametrize(
    "function", [nn.relu6, nn.hard_tanh, nn.hard_sigmoid, nn.selu, nn.celu, nn.mish, nn.softsign]
)
def test_nan_stays(function: Any) -> None:
    assert np.isnan(sg.Session().run(function(sg.constant(np.nan))))


def test_aliases() -> None:
    assert nn.swish is nn.silu and nn.hard_swish is nn.hard_silu
    assert nn.one_hot is sg.one_hot and nn.logsumexp is sg.logsumexp


# -- dropout ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_dropout(backend: Backend, dtype: str) -> None:
    x = sg.cast(sg.placeholder("float32", (None, 100), name="x"), dtype)
    made = nn.dropout(x, 0.25)
    assert made.dtype == dtype
    found = sg.Session(backend=backend, seed=1).run(
        sg.cast(made, "float64"), {"x": np.full((100, 100), 3.0)}
    )
    kept = found != 0
    assert abs(kept.mean() - 0.75) < 0.02
    np.testing.assert_allclose(found[kept], 4.0, rtol=0)


def test_dropout_of_whole_rows_and_its_derivative() -> None:
    x = sg.placeholder("float64", (None, 5), name="x")
    made = nn.dropout(x, 0.5, (sg.size(x, 0), 1))
    (slope,) = sg.gradients(sg.sum(made), x)
    values, slopes = sg.Session(seed=2).run([made, slope], {x: np.ones((200, 5))})
    np.testing.assert_array_equal(values, slopes)
    assert set(map(tuple, values.tolist())) == {(0.0,) * 5, (2.0,) * 5}


def test_rates_at_the_ends() -> None:
    x = sg.constant(np.array([1.0, -2.0, np.inf]))
    rate = sg.placeholder("float32", (), name="rate")
    session = sg.Session()
    for given, fed in ((0.0, {}), (rate, {rate: 0.0})):
        made = nn.dropout(x, given)
        np.testing.assert_array_equal(session.run(made, fed), [1.0, -2.0, np.inf])
    made = nn.dropout(x, rate)
    (slope,) = sg.gradients(sg.sum(made), x)
    np.testing.assert_array_equal(session.run([made, slope], {rate: 1.0}), np.zeros((2, 3)))


# -- refusals -----------------------------------------------------------------------------------


def _x(*shape: int | None) -> Any:
    return sg.placeholder("float32", shape, name="x")


@pytest.mark.parametrize(
    ("call", "error", "wanted"),
    [
        (lambda: nn.glu(_x(2, 3)), sg.ShapeError,
         "glu: the size of axis 1 is 3\n  x 'x'  float32[2, 3]  placeholder at <line>\n"
         "  it must be even, to have two halves\n  created at <line>"),
        (lambda: nn.glu(_x(None)), sg.ShapeError,
         "glu: the size of axis 0 is not known\n  x 'x'  float32[?]  placeholder at <line>\n"
         "  it must be even, to have two halves\n  created at <line>"),
        (lambda: nn.glu(_x(4), 1), sg.ShapeError,
         "glu: 'x' has no axis 1\n  x 'x'  float32[4]  placeholder at <line>\n"
         "  it has axes -1 to 0\n  created at <line>"),
        (lambda: nn.dropout(_x(4), 1.5), sg.ShapeError,
         "dropout: rate 1.5 is not between 0 and 1\n  at <line>"),
        (lambda: dropout(_x(4), keep_prob=0.5), TypeError,
         "dropout: there is no argument keep_prob\n"
         "  it is 1 - rate\n  it takes x, rate, shape, name\n  at <line>"),
        (lambda: dropout(_x(4), noise_shape=(1,)), TypeError,
         "dropout: there is no argument noise_shape\n"
         "  what is called noise_shape elsewhere is shape here\n"
         "  it takes x, rate, shape, name\n  at <line>"),
    ],
)  # fmt: skip
def test_refusals(call: Callable[[], Any], error: type[Exception], wanted: str) -> None:
    assert refused(call, error) == wanted


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_rate_that_a_run_refuses(backend: Backend) -> None:
    rate = sg.placeholder("float64", (), name="rate")
    made = nn.dropout(sg.constant([1.0]), rate)
    with pytest.raises(sg.RunError, match=r"^dropout: rate 2 is not between 0 and 1\n"):
        sg.Session(backend=backend).run(made, {rate: 2.0})
