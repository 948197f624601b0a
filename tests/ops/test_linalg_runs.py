"""What linear algebra does in a run beyond its samples: failures, threads, sizes, edge cases."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pytest
import scipy.linalg.cython_lapack

import staticgraph as sg
from staticgraph.backends.native import jit
from staticgraph.errors import CompilerError, RunError, ShapeError
from staticgraph.ops import linalg

from .samples_linalg_factor import Numbers

Array = np.ndarray[Any, Any]

_numbers = Numbers(14)
Backend = Literal["native", "reference"]
BACKENDS: tuple[Backend, ...] = ("native", "reference")


def _feed(*shape: int | None, name: str = "x") -> sg.Tensor:
    return sg.placeholder("float64", shape, name=name)


def _refused(
    fetch: Any, feed: dict[Any, Any], error: type[Exception], backend: Backend, *lines: str
) -> None:
    """Running it raises; the message begins with the lines, and names a line of this file."""
    with sg.Session(backend=backend) as session, pytest.raises(error) as caught:
        session.run(fetch, feed)
    assert type(caught.value) is error
    have = str(caught.value).splitlines()
    for line in lines:
        assert line in have, have
    assert have[-1].startswith("  created at tests/ops/test_linalg_runs.py:"), have[-1]


BAD = np.array([[1.0, 2.0], [2.0, 1.0]])
SINGULAR = np.array([[1.0, 2.0], [2.0, 4.0]])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("size", [2, 20])
@pytest.mark.parametrize("count", [1, 9])
def test_a_matrix_that_is_not_positive_definite(backend: Backend, size: int, count: int) -> None:
    x = _feed(None, None, None)
    value = np.tile(np.eye(size), (count, 1, 1))
    value[-1, :2, :2] = BAD
    _refused(linalg.cholesky(x), {x: value}, RunError, backend,
             "cholesky: a matrix is not positive definite")  # fmt: skip
    value[-1] = np.nan
    # NumPy's own answer to NaN is NaN.
    found = sg.Session(backend=backend).run(linalg.cholesky(x), {x: value})
    assert np.all(np.isnan(found[-1][np.tril_indices(size)]))
    assert np.all(np.isfinite(found[:-1]))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("size", [2, 20])
def test_a_singular_matrix(backend: Backend, size: int) -> None:
    x = _feed(None, None)
    value = np.eye(size)
    value[:2, :2] = SINGULAR
    for fetch in (linalg.inv(x), linalg.solve(x, np.ones(size))):
        _refused(
            fetch, {x: value}, RunError, backend,
            "solve or inv: a matrix is singular",
            "  a pivot of it is exactly 0; adding a small multiple of the unit matrix helps, or "
            "sg.linalg.lstsq and sg.linalg.pinv, which take any rank",
        )  # fmt: skip
    assert sg.Session(backend=backend).run(linalg.det(x), {x: value}) == 0.0


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("size", [2, 20])
def test_a_singular_triangle(backend: Backend, size: int) -> None:
    x = _feed(None, None)
    value = np.eye(size)
    value[1, 1] = 0.0
    fetch = linalg.solve_triangular(x, np.ones(size))
    _refused(
        fetch, {x: value}, RunError, backend, "solve_triangular: a triangle is singular",
        "  an element of its diagonal is 0; unit_diagonal=True takes the diagonal for ones",
    )  # fmt: skip
    unit = linalg.solve_triangular(x, np.ones(size), unit_diagonal=True)
    np.testing.assert_array_equal(sg.Session(backend=backend).run(unit, {x: value}), np.ones(size))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_has_no_spectrum(backend: Backend, bad: float) -> None:
    x = _feed(None, None, None)
    value = np.tile(np.eye(3), (4, 1, 1))
    value[2, 0, 1] = bad
    for fetch, name, what in [
        (linalg.eigh(x)[0], "eigh", "eigenvalues"), (linalg.eigvalsh(x), "eigvalsh", "eigenvalues"),
        (linalg.svd(x)[1], "svd", "singular values"),
        (linalg.svdvals(x), "svdvals", "singular values"),
    ]:  # fmt: skip
        _refused(fetch, {x: value}, RunError, backend, f"{name}: the {what} did not converge")


@pytest.mark.parametrize("backend", BACKENDS)
def test_sizes_that_do_not_fit_in_the_run(backend: Backend) -> None:
    x, b = _feed(None, None, None), _feed(None, None, None, name="b")
    wide = np.ones((2, 3, 4))
    of_squares: tuple[Callable[[Any], Any], ...]
    of_squares = (linalg.cholesky, linalg.inv, linalg.det, linalg.eigvalsh)
    for function in of_squares:
        with sg.Session(backend=backend) as session, pytest.raises(ShapeError) as caught:
            session.run(function(x), {x: wide})
        assert "x is no square matrix" in str(caught.value)
        # What a call is made of inside is not what it is called.
        assert not str(caught.value).startswith("lu_")
    square = np.tile(np.eye(3), (2, 1, 1))
    solvers: tuple[Callable[[Any, Any], Any], ...] = (linalg.solve, linalg.solve_triangular)
    for solver in solvers:
        with sg.Session(backend=backend) as session:
            with pytest.raises(ShapeError):
                session.run(solver(x, b), {x: square, b: np.ones((2, 4, 1))})
            with pytest.raises(ShapeError):
                session.run(solver(x, b), {x: square, b: np.ones((3, 3, 1))})
            assert session.run(solver(x, b), {x: square, b: np.ones((1, 3, 2))}).shape == (
                2,
                3,
                2,
            )


FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "cholesky": lambda x: linalg.cholesky(x @ sg.matrix_transpose(x) + 3.0 * np.eye(x.shape[-1])),
    "inv": linalg.inv,
    "det": linalg.det,
    "slogdet": lambda x: linalg.slogdet(x)[1],
    "eigh": lambda x: linalg.eigh(x)[1],
    "svd": lambda x: linalg.svd(x)[0],
    "qr": lambda x: linalg.qr(x)[0],
    "pinv": linalg.pinv,
    "expm": linalg.expm,
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("size", [5, 24])
def test_results_do_not_depend_on_the_number_of_threads(name: str, size: int) -> None:
    value = _numbers.regular(70, size, size) * 0.3
    x = _feed(70, size, size)
    result = FUNCTIONS[name](x)
    fetches = [result, sg.gradients(sg.sum(sg.sin(result)), x)[0]]
    found = [sg.Session(threads=threads).run(fetches, {x: value}) for threads in (1, 2, 3)]
    for other in found[1:]:
        for first, second in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(first, second)


def test_one_plan_serves_small_and_large_matrices() -> None:
    x, b = _feed(None, None, None), _feed(None, None, None, name="b")
    call = sg.Session().make_callable(
        [linalg.cholesky(x), linalg.solve_triangular(x, b, lower=True), linalg.solve(x, b)], [x, b]
    )
    for count, size, width in [(2, 3, 1), (5, 16, 9), (1, 17, 2), (3, 40, 20), (40, 1, 3),
                               (0, 3, 2), (2, 0, 2), (2, 3, 0)]:  # fmt: skip
        value, right = _numbers.definite(count, size, size), _numbers.array(count, size, width)
        have = call(value, right)
        np.testing.assert_allclose(have[0], np.linalg.cholesky(value), rtol=1e-12, atol=1e-14)
        want = np.linalg.solve(np.tril(value), right)
        np.testing.assert_allclose(have[1], want, rtol=1e-10, atol=1e-13)
        np.testing.assert_allclose(have[2], np.linalg.solve(value, right), rtol=1e-10, atol=1e-13)


def test_operands_may_lie_in_memory_in_any_way() -> None:
    x = _feed(4, 5, 3, 3)
    turned = sg.flip(sg.permute_dims(x, (1, 0, 3, 2)), 0)[:, ::-1]
    value = _numbers.regular(4, 5, 3, 3)
    moved = np.flip(np.transpose(value, (1, 0, 3, 2)), 0)[:, ::-1]
    definite = turned @ sg.matrix_transpose(turned)
    have = sg.Session().run(
        [linalg.inv(turned), linalg.cholesky(definite), linalg.svdvals(turned),
         linalg.cholesky(definite[:, :, ::-1, ::-1], upper=True)],
        {x: value},
    )  # fmt: skip
    product = moved @ np.swapaxes(moved, -1, -2)
    np.testing.assert_allclose(have[0], np.linalg.inv(moved), rtol=1e-10)
    np.testing.assert_allclose(have[1], np.linalg.cholesky(product), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(have[2], np.linalg.svd(moved, compute_uv=False), rtol=1e-10)
    upper = np.linalg.cholesky(product[:, :, ::-1, ::-1], upper=True)
    np.testing.assert_allclose(have[3], upper, rtol=1e-10, atol=1e-12)


def test_one_matrix_for_many_systems_is_factored_once() -> None:
    x, b = _feed(3, 3), _feed(7, 3, 2, name="b")
    function = sg.optimize([linalg.solve(x, b), linalg.det(x), linalg.inv(x)])
    assert function.count("lu_factor") == 1
    (factored,) = [node for node in function.nodes if node.op.name == "lu_factor"]
    assert factored.outputs[0].type.shape == (3, 3)


def test_the_other_triangle_is_not_read() -> None:
    x = _feed(3, 3)
    value = _numbers.definite(3, 3)
    spoilt = np.tril(value) + np.triu(np.full((3, 3), np.nan), 1)
    have = sg.Session().run(linalg.cholesky(x), {x: spoilt})
    np.testing.assert_allclose(have, np.linalg.cholesky(value), rtol=1e-13)
    have = sg.Session().run(linalg.cholesky(x, upper=True), {x: spoilt.T})
    np.testing.assert_allclose(have, np.linalg.cholesky(value).T, rtol=1e-13)


def test_slopes_of_singular_values_are_finite_for_a_deficient_matrix() -> None:
    x = _feed(3, 3)
    left, values, right = linalg.svd(x)
    again = sg.sum((left * values[..., None, :]) @ right) + sg.sum(values)
    for fetch in (again, linalg.matrix_norm(x, ord="nuc"), sg.sum(linalg.pinv(x))):
        slope = sg.Session().run(sg.gradients(fetch, x)[0], {x: np.outer([1.0, 2, 3], [1.0, 0, 1])})
        assert np.all(np.isfinite(slope))


@pytest.mark.parametrize("p", [None, 2, -2, 1, -1, np.inf, -np.inf, "fro", "nuc"])
def test_the_condition_of_singular_matrices_is_infinite_and_stands_still(p: Any) -> None:
    x = _feed(None, 2, 2)
    number = linalg.cond(x, p)
    value = np.stack([np.zeros((2, 2)), np.diag([3.0, 1.0])])
    found, slope = sg.Session().run([number, sg.gradients(sg.sum(number), x)[0]], {x: value})
    assert found[0] == np.inf
    assert np.isfinite(found[1])
    np.testing.assert_array_equal(slope[0], np.zeros((2, 2)))
    assert np.all(np.isfinite(slope[1]))


@pytest.mark.parametrize(
    ("order", "part"),
    [("fro", 0.0), (1, 0.0), (-1, 0.0), (np.inf, 0.0), (-np.inf, 0.0), (2, 0.5), (-2, 0.5),
     ("nuc", 1.0)],
)  # fmt: skip
def test_slopes_of_norms_of_zeros_are_those_of_the_page(order: Any, part: float) -> None:
    x = _feed(2, 2)
    slope = sg.gradients(linalg.norm(x, ord=order), x)[0]
    found = sg.Session().run(slope, {x: np.zeros((2, 2))})
    np.testing.assert_array_equal(np.abs(found), part * np.eye(2))


def test_numpy_functions_build_the_same() -> None:
    x = _feed(3, 3)
    value = _numbers.definite(3, 3)
    functions: list[Callable[[Any], Any]] = [
        np.linalg.inv, np.linalg.det, np.linalg.cholesky, np.linalg.eigvalsh, np.linalg.svdvals,
        np.linalg.pinv, np.linalg.matrix_rank, np.linalg.cond, np.trace, np.diag, np.diagonal,
        lambda x: np.linalg.norm(x, 1), lambda x: np.linalg.norm(x, axis=0),
        lambda x: np.linalg.slogdet(x)[1], lambda x: np.linalg.solve(x, np.ones(3)),
        lambda x: np.linalg.matrix_power(x, 3), lambda x: np.kron(x, np.ones((2, 1))),
        lambda x: np.linalg.svd(x)[1], lambda x: np.linalg.qr(x)[1],
        lambda x: np.linalg.multi_dot([x, x, x]), lambda x: np.cross(x, np.ones(3)),
        lambda x: np.linalg.vector_norm(x, axis=1, ord=3), np.linalg.matrix_norm,
        lambda x: np.linalg.trace(x, offset=1), lambda x: np.linalg.diagonal(x, offset=-1),
    ]  # fmt: skip
    found = sg.Session().run([function(x) for function in functions], {x: value})
    for function, have in zip(functions, found, strict=True):
        np.testing.assert_allclose(have, function(value), rtol=1e-10, atol=1e-12)


def test_openblas_gets_its_threads_back() -> None:
    library = ctypes.CDLL(scipy.linalg.cython_lapack.__file__)
    if not hasattr(library, "scipy_openblas_get_num_threads"):
        pytest.skip("another library is behind SciPy")
    before = library.scipy_openblas_get_num_threads()
    x = _feed(None, None, None)
    sg.Session().run(linalg.svdvals(x), {x: _numbers.array(50, 20, 20)})
    assert library.scipy_openblas_get_num_threads() == before


def test_an_unknown_function_of_lapack_is_an_error() -> None:
    text = "declare void @lapack_nothing()\ndefine void @f() {\n  call void @lapack_nothing()\n"
    with pytest.raises(CompilerError, match="SciPy's LAPACK has no function nothing"):
        jit.compile_module(f"{text}  ret void\n}}\n")


def test_importing_the_package_imports_no_lapack() -> None:
    code = "import sys, staticgraph; print('scipy.linalg' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


def test_explain_names_what_it_calls() -> None:
    x = _feed(30, 30)
    text = sg.Session().explain(linalg.eigvalsh(x))
    assert "lapack_dsyevd" in text
    assert "Python: never called" in text
