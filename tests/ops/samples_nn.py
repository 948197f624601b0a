"""Samples of ops/nn/: values from SciPy, and from plain formulas in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special
import scipy.stats

import staticgraph as sg
from staticgraph.errors import DTypeError, ShapeError
from staticgraph.ops import nn

from .sample_types import Refusal, Sample

Array = np.ndarray[Any, Any]

_random = np.random.default_rng(11)
ROWS = _random.normal(0.0, 2.0, (3, 4)).astype(np.float32)
CUBE = _random.normal(0.0, 2.0, (2, 3, 4))
LARGE = np.array([[1000.0, 999.0, -1000.0], [0.0, -2000.0, 1.0]])
MASKED = np.array([[0.5, -np.inf, 1.0], [-np.inf, 2.0, -np.inf]])
NONE = np.ones((0, 3), np.float32)
INT8 = np.array([[1, 2, 3], [4, 0, -4]], np.int8)
# Away from 0, where some activations have a kink.
REALS = np.array([[-2.3, -0.7, 0.4], [1.2, 1.9, 3.3]], np.float32)


def _rounded(formula: Callable[..., Any], integers: type = np.float32) -> Callable[..., Any]:
    """A formula in float64, rounded to the dtype that the op computes in."""

    def expected(x: Array, *others: Any, **arguments: Any) -> Any:
        dtype = x.dtype if x.dtype.kind == "f" else integers
        return np.asarray(formula(x.astype(np.float64), *others, **arguments)).astype(dtype)

    return expected


def _softmaxes(function: Callable[..., Any], expected: Callable[..., Any]) -> list[Sample]:
    cases: list[tuple[str, Array, dict[str, Any]]] = [
        ("rows", ROWS, {}),
        ("columns", ROWS, {"axis": 0}),
        ("middle", CUBE, {"axis": -2}),
        ("vector", ROWS[0], {}),
        ("size one", CUBE[:, :, :1], {}),
        ("empty rows", NONE, {}),
        ("empty columns", NONE, {"axis": 0}),
        ("large", LARGE, {}),
        ("masked", MASKED, {}),
        ("int8", INT8, {}),
    ]
    return [
        Sample(
            function.__name__,
            lambda x, arguments=arguments: function(x, **arguments),
            (array,),
            lambda x, arguments=arguments: _rounded(expected)(x, **{"axis": -1, **arguments}),
            wrt=(0,) if array.dtype.kind == "f" and label != "masked" else (),
            label=label,
        )
        for label, array, arguments in cases
    ]


def _along_rows(function: Callable[..., Any]) -> Callable[..., Any]:
    """SciPy's function, which does not take empty axes."""

    def expected(x: Array, axis: int) -> Any:
        return function(x, axis=axis) if x.size else x

    return expected


def _cross_entropy(labels: Array, logits: Array, axis: int = -1) -> Any:
    dtype = np.result_type(labels, logits) if labels.dtype.kind == "f" else logits.dtype
    scores = logits.astype(np.float64)
    logs = scores - np.logaddexp.reduce(scores, axis=axis, keepdims=True)
    # xlogy is 0 where its first argument is 0.
    return np.sum(-scipy.special.xlogy(labels, np.exp(logs)), axis=axis).astype(dtype) + 0.0


def _probabilities(*shape: int) -> Array:
    return _random.dirichlet(np.ones(shape[-1]), shape[:-1])


def _selu(x: Array) -> Any:
    scale, alpha = 1.0507009873554805, 1.6732632423543772
    return scale * np.where(x > 0, x, alpha * np.expm1(x))


_ONE_HOT = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0]])

_SPARSE: list[tuple[str, Array, Array]] = [
    ("rows", np.array([3, 0, 1]), ROWS),
    ("cube", np.array([[3, 0, 1], [2, 2, 0]], np.int8), CUBE),
    ("vector", np.array(2, np.uint8), ROWS[0]),
    ("one class", np.array([0, 0], np.int32), CUBE[:, 0, :1]),
    ("no rows", np.zeros(0, np.int64), NONE),
    ("large", np.array([0, 1]), LARGE),
]


def _sparse(labels: Array, logits: Array) -> Any:
    flat = logits.reshape(-1, logits.shape[-1]).astype(np.float64)
    losses = [
        np.logaddexp.reduce(row) - row[label]
        for label, row in zip(labels.ravel(), flat, strict=True)
    ]
    return np.array(losses).reshape(labels.shape).astype(logits.dtype)


def _sigmoid_cross_entropy(labels: Array, logits: Array) -> Any:
    dtype = np.result_type(labels, logits) if labels.dtype.kind == "f" else logits.dtype
    scores = logits.astype(np.float64)
    labels = labels.astype(np.float64)
    losses = -labels * scipy.special.log_expit(scores)
    losses -= (1.0 - labels) * scipy.special.log_expit(-scores)
    return losses.astype(dtype)


def _activation(
    op: str,
    function: Callable[..., Any],
    expected: Callable[..., Any],
    label: str = "",
    **arguments: Any,
) -> list[Sample]:
    return [
        Sample(
            op,
            lambda x: function(x, **arguments),
            (array,),
            lambda x: _rounded(expected)(x, **arguments),
            wrt=(0,) if array.dtype.kind == "f" else (),
            label=f"{label or function.__name__} {kind}",
            tolerance=3e-6,
        )
        for kind, array in (("reals", REALS), ("empty", NONE), ("int8", INT8))
    ]


SAMPLES: list[Sample] = [
    *_softmaxes(nn.softmax, _along_rows(scipy.special.softmax)),
    *_softmaxes(nn.log_softmax, _along_rows(scipy.special.log_softmax)),
    *[
        Sample(
            "softmax_cross_entropy_with_logits",
            lambda labels, logits, arguments=arguments: nn.softmax_cross_entropy_with_logits(
                labels, logits, **arguments
            ),
            (labels, logits),
            lambda labels, logits, arguments=arguments: _cross_entropy(
                labels, logits, **arguments
            ),
            wrt=wrt,
            label=label,
            tolerance=1e-5 if logits.dtype == np.float32 else None,
        )
        for label, labels, logits, wrt, arguments in (
            ("rows", _probabilities(3, 4).astype(np.float32), ROWS, (0, 1), {}),
            ("columns", _probabilities(3, 4).astype(np.float32), ROWS, (0, 1), {"axis": 0}),
            ("cube", _probabilities(2, 3, 4), CUBE, (0, 1), {"axis": 1}),
            ("not normalised", 3.0 * _probabilities(3, 4), ROWS, (0, 1), {}),
            ("vector", _probabilities(4), ROWS[0].astype(np.float64), (0, 1), {}),
            ("no rows", NONE, NONE, (0, 1), {}),
            ("large", _ONE_HOT[::-1].copy(), LARGE, (1,), {}),
            ("masked", _ONE_HOT, MASKED, (), {}),
            ("int8 labels", INT8, ROWS[:2, :3], (1,), {}),
            ("bool labels", _ONE_HOT > 0, ROWS[:2, :3], (1,), {}),
        )
    ],
    *[
        Sample(
            "sparse_softmax_cross_entropy_with_logits",
            nn.sparse_softmax_cross_entropy_with_logits,
            (labels, logits),
            _sparse,
            wrt=(1,),
            label=label,
            tolerance=1e-5 if logits.dtype == np.float32 else None,
        )
        for label, labels, logits in _SPARSE
    ],
    *[
        Sample(
            "sigmoid_cross_entropy_with_logits",
            nn.sigmoid_cross_entropy_with_logits,
            (labels, logits),
            _sigmoid_cross_entropy,
            wrt=wrt,
            label=label,
        )
        for label, labels, logits, wrt in (
            ("rows", _probabilities(3, 4).astype(np.float32), ROWS, (0, 1)),
            ("broadcast", _probabilities(4), CUBE, (0, 1)),
            ("one label", np.array(0.25), CUBE, (0, 1)),
            ("zero", np.array([0.0, 0.5, 1.0]), np.zeros(3), (0, 1)),
            ("large", np.array([1.0, 0.0, 1.0, 0.0]), np.array([40.0, -40.0, -800.0, 800.0]), (1,)),
            ("empty", NONE, NONE, (0, 1)),
            ("bool labels", np.array([True, False, True, False]), ROWS, (1,)),
        )
    ],
    *_activation("multiply", nn.silu, lambda x: x * scipy.special.expit(x)),
    *_activation("erf", nn.gelu, lambda x: x * scipy.stats.norm.cdf(x)),
    *_activation(
        "tanh", nn.gelu,
        lambda x, approximate: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
        "approximate gelu", approximate=True,
    ),
    *_activation(
        "where", nn.leaky_relu, lambda x, negative_slope: np.maximum(x, negative_slope * x),
        negative_slope=0.2,
    ),
    *_activation("where", nn.selu, _selu),
    *_activation(
        "expm1", nn.celu, lambda x, alpha: np.where(x > 0, x, alpha * np.expm1(x / alpha)),
        alpha=1.5,
    ),
    *_activation("where", nn.relu6, lambda x: np.clip(x, 0, 6)),
    *_activation("divide", nn.hard_sigmoid, lambda x: np.clip(x + 3, 0, 6) / 6),
    *_activation("multiply", nn.hard_silu, lambda x: x * np.clip(x + 3, 0, 6) / 6),
    *_activation("where", nn.hard_tanh, lambda x: np.clip(x, -1, 1)),
    *_activation("softplus", nn.log_sigmoid, scipy.special.log_expit),
    *_activation("tanh", nn.mish, lambda x: x * np.tanh(np.log1p(np.exp(x)))),
    *_activation("abs", nn.softsign, lambda x: x / (1 + np.abs(x))),
    *_activation(
        "expm1", nn.elu, lambda x, alpha: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))),
        alpha=1.5,
    ),
]  # fmt: skip


# -- refusals ---------------------------------------------------------------------------------


def _x(shape: Any = (2, 3), dtype: str = "float32") -> sg.Tensor:
    return sg.placeholder(dtype, shape, name="x")


def _z(shape: Any, dtype: str = "float32") -> sg.Tensor:
    return sg.placeholder(dtype, shape, name="z")


def _softmax_message(op: str, problem: str, way_out: str, shape: str = "[2, 3]") -> str:
    return (
        f"{op}: {problem}\n"
        f"  x 'x'  float32{shape}  placeholder at {{here}}\n"
        f"  {way_out}\n"
        "  created at {here}: {line}"
    )


def _loss_message(
    op: str, problem: str, way_out: str, logits: str = "float32[2, 3]", labels: str = "float32[2]"
) -> str:
    return (
        f"{op}: {problem}\n"
        f"  logits 'x'  {logits}  placeholder at {{here}}\n"
        f"  labels 'z'  {labels}  placeholder at {{here}}\n"
        f"  {way_out}\n"
        "  created at {here}: {line}"
    )


_DENSE = "softmax_cross_entropy_with_logits"
_CLASSES = "sparse_softmax_cross_entropy_with_logits"
_RANK = "declare the shape, with None for sizes that are open: placeholder(dtype, (None, 3))"

REFUSALS: list[Refusal] = [
    *[
        refusal
        for function in (nn.softmax, nn.log_softmax)
        for refusal in (
            Refusal(
                function.__name__, lambda function=function: function(_x(), axis=2), ShapeError,
                _softmax_message(function.__name__, "'x' has no axis 2", "it has axes -2 to 1"),
                "no such axis",
            ),
            Refusal(
                function.__name__, lambda function=function: function(_x(())), ShapeError,
                _softmax_message(
                    function.__name__, "'x' has no axis -1", "it is a scalar and has no axis", "[]"
                ),
                "scalar",
            ),
            Refusal(
                function.__name__, lambda function=function: function(_x(None)), ShapeError,
                _softmax_message(
                    function.__name__, "the rank of 'x' is not known", _RANK, "[...]"
                ),
                "rank",
            ),
            Refusal(
                function.__name__, lambda function=function: function(_x(), (0, 1)), ShapeError,
                _softmax_message(function.__name__, "(0, 1) is no axis", "axis may be an int"),
                "two axes",
            ),
        )
    ],
    Refusal(
        _DENSE, lambda: nn.softmax_cross_entropy_with_logits(_z((2,)), _x()), ShapeError,
        _loss_message(
            _DENSE, "labels have shape [2], logits [2, 3]",
            "give one probability per logit; for class numbers use "
            "sparse_softmax_cross_entropy_with_logits",
        ),
        "class numbers",
    ),
    Refusal(
        _DENSE, lambda: nn.softmax_cross_entropy_with_logits(_z((2,)), _x(), axis=2), ShapeError,
        _loss_message(_DENSE, "'x' has no axis 2", "it has axes -2 to 1"), "no such axis",
    ),
    Refusal(
        _CLASSES, lambda: nn.sparse_softmax_cross_entropy_with_logits(_z((3,), "int64"), _x()),
        ShapeError,
        _loss_message(
            _CLASSES, "labels have shape [3], the rows of logits [2]",
            "give one class number per row; for probabilities use "
            "softmax_cross_entropy_with_logits", labels="int64[3]",
        ),
        "rows",
    ),
    Refusal(
        _CLASSES, lambda: nn.sparse_softmax_cross_entropy_with_logits(_z((2,)), _x()), DTypeError,
        _loss_message(
            _CLASSES, "does not take float32",
            "labels may be int8, int16, int32, int64, uint8, uint16, uint32, uint64; "
            "sg.cast(x, dtype) converts",
        ),
        "floats",
    ),
    Refusal(
        _CLASSES, lambda: nn.sparse_softmax_cross_entropy_with_logits(_z((), "int64"), _x(())),
        ShapeError,
        _loss_message(
            _CLASSES, "logits is a scalar", "its last axis holds the classes", "float32[]",
            "int64[]",
        ),
        "scalar",
    ),
    Refusal(
        _CLASSES, lambda: nn.sparse_softmax_cross_entropy_with_logits(_z((2,), "int64"), _x(None)),
        ShapeError,
        _loss_message(
            _CLASSES, "the rank of 'x' is not known", _RANK, "float32[...]", "int64[2]"
        ),
        "rank",
    ),
    Refusal(
        "sigmoid_cross_entropy_with_logits",
        lambda: nn.sigmoid_cross_entropy_with_logits(_z((2,)), _x()), ShapeError,
        "sigmoid_cross_entropy_with_logits: shapes do not broadcast\n"
        "  labels 'z'  float32[2]  placeholder at {here}\n"
        "  logits 'x'  float32[2, 3]  placeholder at {here}\n"
        "  axis -1: 2 and 3 must be equal, or one of them 1\n"
        "  created at {here}: {line}",
        "shapes",
    ),
]  # fmt: skip
