"""Methods and properties of tensors and variables, beside those of NumPy's arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import staticgraph as sg
from tests.messages import whole

Array = np.ndarray[Any, Any]
BACKENDS = ("native", "reference")

REALS = np.array([[2.5, -0.75, 4.0], [1.0, 1.5, -3.0]])
WHOLE = np.array([[7, -3, 0], [2, 5, -8]], np.int32)
COMPLEX = np.array([[1 + 2j, -0.5j, 3.0], [2 - 1j, 0.25, -4 + 4j]])
EMPTY = np.zeros((0, 3), np.float32)
ONE = np.array([[1.5]], np.float32)


def run(tensors: Any, backend: Any) -> Any:
    return sg.Session(backend=backend).run(tensors)


# Calls that mean the same of an array and of a tensor.
CALLS: list[Callable[[Any], Any]] = [
    lambda x: x.T,
    lambda x: x.mT,
    lambda x: x.real,
    lambda x: x.conj(),
    lambda x: x.conjugate(),
    lambda x: x.copy(),
    lambda x: x.flatten(),
    lambda x: x.ravel(),
    lambda x: x.flatten("F"),
    lambda x: x.ravel("F"),
    lambda x: x.astype(x.dtype, copy=False),
    lambda x: x.std(0, ddof=-1),
    lambda x: x.var(axis=1, ddof=-1),
    lambda x: x.reshape(x.size),
    lambda x: x.reshape((x.shape[1], x.shape[0])),
    lambda x: x.transpose(),
    lambda x: x.transpose(1, 0),
    lambda x: x.transpose((1, 0)),
    lambda x: x.transpose(0, 1),
    lambda x: x.sum(),
    lambda x: x.sum(0),
    lambda x: x.sum(axis=1, keepdims=True),
    lambda x: x.prod(1),
    lambda x: x.cumsum(1),
    lambda x: x.cumprod(axis=0),
    lambda x: x.any(),
    lambda x: x.any(axis=1),
    lambda x: x.all(0),
    lambda x: x.repeat(2, axis=1),
    lambda x: x.swapaxes(0, 1),
    lambda x: x[:, :1].squeeze(1),
    lambda x: x.take(np.array([0, 0]), axis=1),
    lambda x: x.diagonal(),
    lambda x: x.diagonal(1),
    lambda x: x.trace(),
    lambda x: x.dot(np.ones((x.shape[1], 2), x.dtype)),
    lambda x: x.nonzero()[1],
    lambda x: x.round(),
]  # fmt: skip
ORDERED: list[Callable[[Any], Any]] = [
    lambda x: x.max(0),
    lambda x: x.min(),
    lambda x: x.argmax(1),
    lambda x: x.argmin(),
    lambda x: x.argsort(),
    lambda x: x.argsort(axis=0),
    lambda x: x.clip(-1, 2),
    lambda x: x.clip(max=1),
    lambda x: x.mean(1),
    lambda x: x.std(),
    lambda x: x.var(axis=0),
    lambda x: divmod(x, 2)[0],
    lambda x: divmod(x, 2)[1],
    lambda x: divmod(5, x)[0],
]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("array", [REALS, WHOLE, COMPLEX, EMPTY, ONE], ids=lambda a: a.dtype.name)
def test_members_are_those_of_arrays(array: Array, backend: str) -> None:
    calls = CALLS + (ORDERED if array.size and array.dtype.kind != "c" else [])
    with np.errstate(all="ignore"):
        expected = [np.asarray(call(array)) for call in calls]
    for x in (sg.constant(array), sg.Variable(array)):
        assert (x.itemsize, x.nbytes) == (array.itemsize, array.nbytes)
        found = run([call(x) for call in calls], backend)
        for number, (have, want) in enumerate(zip(found, expected, strict=True)):
            assert np.shape(have) == want.shape, number
            np.testing.assert_allclose(have, want, rtol=1e-6, atol=1e-7, err_msg=str(number))
            assert np.asarray(have).dtype == want.dtype, number


def test_sizes_that_only_the_run_knows() -> None:
    x = sg.placeholder("float64", (None, None), name="x")
    assert x.nbytes is None
    assert x.itemsize == 8
    tensors = [x.flatten(), x.T, x.transpose(1, 0), x.std(0), x.cumsum(1), x.H, x.trace()]
    found = sg.Session().run(tensors, {x: REALS})
    wanted = [
        REALS.ravel(), REALS.T, REALS.T, REALS.std(0), REALS.cumsum(1), REALS.T, REALS.trace(),
    ]  # fmt: skip
    for have, want in zip(found, wanted, strict=True):
        np.testing.assert_allclose(have, want)


@pytest.mark.parametrize("backend", BACKENDS)
def test_parts_of_complex_numbers(backend: str) -> None:
    cube = np.stack([COMPLEX, 1j * COMPLEX])
    x = sg.constant(cube)
    found = run([x.real, x.imag, x.conj(), x.H], backend)
    wanted = [cube.real, cube.imag, cube.conj(), cube.conj().swapaxes(1, 2)]
    for have, want in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(have, want)
    real = sg.constant(REALS)
    np.testing.assert_array_equal(run(real.H, backend), REALS.T)
    assert real.real is real


def test_sorting_makes_another_tensor() -> None:
    x = sg.constant(REALS)
    ordered, kept = run([x.sort(), x], "native")
    np.testing.assert_array_equal(ordered, np.sort(REALS))
    np.testing.assert_array_equal(kept, REALS)
    places = run(sg.constant([1.0, 2.0, 4.0]).searchsorted([0.5, 2.0, 9.0], "right"), "native")
    assert places.tolist() == [0, 2, 3]


def test_rounding_is_pythons_too() -> None:
    x = sg.constant(REALS * 1.2345)
    found = run([round(x, 2), round(x), x.round(2), x.round(decimals=1)], "native")
    wanted = [(REALS * 1.2345).round(n) for n in (2, 0, 2, 1)]
    for have, want in zip(found, wanted, strict=True):
        np.testing.assert_allclose(have, want, rtol=1e-15)


def test_the_device_is_the_processor() -> None:
    x = sg.constant([1.0])
    assert x.device == "cpu"
    assert x.to_device("cpu") is x
    with pytest.raises(sg.ShapeError) as info:
        x.to_device("gpu")
    assert whole(info) == (
        "to_device: there is no device 'gpu'\n  leave it away, or give 'cpu'\n  at <here>"
    )


def test_a_vector_has_no_matrix_to_transpose() -> None:
    x = sg.placeholder("complex64", (3,), name="x")
    for member in ("mT", "H"):
        with pytest.raises(sg.ShapeError) as info:
            getattr(x, member)
        assert "a matrix has two axes, 'x' has 1" in whole(info, x=x)
        assert "sg.expand_dims adds one" in whole(info, x=x)


def test_derivatives_pass_through_members() -> None:
    x = sg.placeholder("float64", (2, 3), name="x")
    loss = (x.T.reshape(-1).cumsum() * np.arange(6.0)).sum() + x.std() + x.clip(0, 2).prod()
    other = (
        sg.sum(sg.cumsum(sg.reshape(sg.permute_dims(x), -1)) * np.arange(6.0))
        + sg.std(x) + sg.prod(sg.clip(x, 0, 2))
    )  # fmt: skip
    with sg.Session() as session:
        have, want = session.run(sg.gradients(loss, x) + sg.gradients(other, x), {x: abs(REALS)})
    np.testing.assert_allclose(have, want)


UNKNOWN, CONSTANT = "a tensor has no value before a run", "a tensor does not change"
NOWHERE = "a tensor has no memory before a run"
REFUSED = [
    ("item", UNKNOWN, "fetch it and ask the value: session.run(x).item()"),
    ("tolist", UNKNOWN, "fetch it and ask the value: session.run(x).tolist()"),
    ("tobytes", UNKNOWN, "fetch it and ask the value: session.run(x).tobytes()"),
    ("tofile", UNKNOWN, "fetch it and write the value: session.run(x).tofile(file)"),
    ("dump", UNKNOWN, "fetch it and write the value: session.run(x).dump(file)"),
    ("numpy", UNKNOWN, "fetch it: session.run(x) is a NumPy array"),
    ("eval", UNKNOWN, "a session evaluates: session.run(x, feed)"),
    ("fill", CONSTANT, "make another: sg.full_like(x, value)"),
    (
        "put", CONSTANT,
        "make another: sg.where(mask, value, x), or sg.scatter_add(x, indices, updates)",
    ),
    ("resize", CONSTANT, "make another: sg.reshape, sg.pad or x[:n]"),
    (
        "view", NOWHERE,
        "sg.cast(x, dtype) converts the numbers, sg.reshape(x, shape) the shape",
    ),
    (
        "byteswap", NOWHERE,
        "fetch it and swap the bytes of the value: session.run(x).byteswap()",
    ),
    ("setflags", NOWHERE, "the arrays that a run returns belong to you and may be written to"),
]  # fmt: skip


@pytest.mark.parametrize(("member", "problem", "way_out"), REFUSED, ids=[row[0] for row in REFUSED])
def test_what_needs_a_value_or_memory_is_refused(member: str, problem: str, way_out: str) -> None:
    x = sg.placeholder("float32", (None,), name="x")
    with pytest.raises(sg.GraphError) as info:
        getattr(x, member)(0)
    assert whole(info, x=x) == (
        f"{member}: {problem}\n  'x'  float32[?]  placeholder at <x>\n  {way_out}\n  at <here>"
    )
