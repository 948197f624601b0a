"""Every result is the same bit for bit, whatever the number of threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import staticgraph as sg

Array = np.ndarray[Any, Any]
THREADS = (1, 2, 3, 8)
Make = Callable[[sg.Tensor], Any]


def data(*shape: int, dtype: str = "float32") -> Array:
    return np.random.default_rng(7).standard_normal(shape).astype(dtype)


def _scan(x: sg.Tensor) -> Any:
    w = sg.constant(data(300, 300) * 0.05)
    return sg.scan(lambda h, row: (sg.tanh(h @ w + row), sg.sum(h)), x[:300, :300], x[:9, :300])


def _sgd(x: sg.Tensor) -> Any:
    v = sg.Variable(data(1001, 33))
    loss = sg.sum(sg.softmax(x[:, :1001] @ v) ** 2)
    with sg.control_dependencies([sg.train.Adam(0.1).minimize(loss, [v])]):
        return [loss, v.read()]


INDICES = np.random.default_rng(3).integers(0, 1201, 5000)
LARGE: dict[str, Make] = {
    "sum": sg.sum,
    "sum of rows": lambda x: sg.sum(x, axis=1),
    "sum of columns": lambda x: sg.sum(x, axis=0),
    "all three": lambda x: [sg.sum(x * x), sg.sum(x * x, axis=0), sg.sum(x * x, axis=1)],
    "mean and variance": lambda x: [sg.mean(x), sg.var(x, axis=0), sg.std(x, axis=-1)],
    "product": lambda x: sg.prod(1.0 + 1e-6 * x),
    "places": lambda x: [sg.argmax(x, axis=0), sg.argmin(x, axis=1), sg.argmax(sg.reshape(x, -1))],
    "softmax": sg.softmax,
    "softmax of columns": lambda x: sg.softmax(x, axis=0),
    "logsumexp": lambda x: [sg.logsumexp(x, axis=-1), sg.logsumexp(x)],
    "elementwise": lambda x: sg.tanh(2.0 * x + 1.0) * sg.exp(-x * x),
    "slope": lambda x: sg.gradients(sg.sum(sg.tanh(2.0 * x + 1.0) * sg.exp(-x * x)), x),
    "square product": lambda x: x[:, :1201] @ x[:, :1201],
    "product with its transpose": lambda x: sg.tanh(sg.permute_dims(x) @ x + x[0]),
    "skinny product": lambda x: x @ sg.permute_dims(x[:7]),
    "matrix times vector": lambda x: [x @ x[0], x[:, 0] @ x],
    "dot": lambda x: sg.reshape(x, -1) @ sg.reshape(x, -1),
    "batched products": lambda x: sg.matmul(
        sg.reshape(x[:1200, :1200], (40, 30, 1200)), sg.reshape(x[:1200, :1200], (40, 1200, 30))
    ),
    "scan": _scan,
    "running sums": lambda x: [sg.cumsum(x, axis=0), sg.cumsum(x, axis=1)],
    "picked": lambda x: sg.take(x, INDICES, axis=0),
    "picked elements": lambda x: x[INDICES, INDICES[::-1]],
    "added rows": lambda x: sg.scatter_add(x, INDICES, sg.take(x, INDICES, axis=0)),
    "slope of picked": lambda x: sg.gradients(sg.sum(sg.take(x, INDICES, axis=0) ** 2), x),
    "random": lambda x: [sg.random.normal(sg.shape(x)), sg.random.uniform((100_003,))],
    "sorted": lambda x: [sg.sort(x, axis=0), sg.argsort(x, axis=1)],
    "moved": lambda x: [sg.permute_dims(x) + 0.0, sg.roll(x, 3, axis=0), sg.concat([x, x], axis=1)],
    "a step of Adam": _sgd,
}  # fmt: skip


@pytest.mark.parametrize("math", ["strict", "contract"])
@pytest.mark.parametrize("name", list(LARGE))
def test_results_do_not_depend_on_threads(name: str, math: str) -> None:
    x = sg.placeholder("float32", (None, None))
    made = LARGE[name](x)
    fetches = list(made) if isinstance(made, list | tuple) else [made]
    array = data(1201, 1203)
    results = []
    for threads in THREADS:
        session = sg.Session(backend="native", threads=threads, seed=11, math=math)
        for _ in range(2):
            run = session.run(fetches, {x: array})
            results.append([np.asarray(value).tobytes() for value in run])
        if "random" not in name and "Adam" not in name:
            assert results[-1] == results[-2]
    assert results[0::2] == [results[0]] * len(THREADS)
    assert results[1::2] == [results[1]] * len(THREADS)


@pytest.mark.parametrize("count", [0, 1, 65_535, 65_536, 65_537, 1_000_003, 3_000_001])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int8"])
def test_sums_of_many_chunks(count: int, dtype: str) -> None:
    x = sg.placeholder(dtype, (None,))
    fetches = [sg.sum(x), sg.max(sg.concat([x, x[:1] * 0, [0]], 0)), sg.any(x > 100)]
    array = (data(count) * 10).astype(dtype)
    results = [
        sg.Session(backend="native", threads=threads).run(fetches, {x: array})
        for threads in THREADS
    ]
    assert results == [results[0]] * len(THREADS)
    want = sg.Session(backend="reference").run(fetches, {x: array})
    np.testing.assert_allclose(results[0][0], want[0], rtol=1e-3, atol=1.0)
    assert results[0][1:] == want[1:]
