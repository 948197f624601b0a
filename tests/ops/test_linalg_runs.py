"""What linear algebra does in a run beyond its samples: failures, threads, sizes, edge cases."""

from __future__ import annotations

import ctypes
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pytest
import scipy.linalg
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
    """Running it raises; the whole message is the lines and, last, a line of this file."""
    with sg.Session(backend=backend) as session, pytest.raises(error) as caught:
        session.run(fetch, feed)
    assert type(caught.value) is error
    have = re.sub(r"  feed at tests/ops/test_linalg_runs.py:\d+", "", str(caught.value))
    *rest, last = have.splitlines()
    assert rest == list(lines)
    assert last.startswith("  created at tests/ops/test_linalg_runs.py:"), last


BAD = np.array([[1.0, 2.0], [2.0, 1.0]])
SINGULAR = np.array([[1.0, 2.0], [2.0, 4.0]])
_X = "  x 'x'  float64[?, ?]"
_BATCH = "  x 'x'  float64[?, ?, ?]"
_MORE = "  adding a small multiple of the unit matrix helps"
_ANY_RANK = f"{_MORE}, or sg.linalg.lstsq and sg.linalg.pinv, which take any rank"


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("size", [2, 20])
@pytest.mark.parametrize("count", [1, 9])
def test_a_matrix_that_is_not_positive_definite(backend: Backend, size: int, count: int) -> None:
    x = _feed(None, None, None)
    value = np.tile(np.eye(size), (count, 1, 1))
    value[-1, :2, :2] = BAD
    _refused(
        linalg.cholesky(x), {x: value}, RunError, backend,
        "cholesky: a matrix is not positive definite", _BATCH,
        f"  matrix [{count - 1}] of the batch of [{count}] is not: all eigenvalues must be above 0",
        f"{_MORE} where rounding alone makes one negative",
    )  # fmt: skip
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
    for called, operand, fetch in (
        ("inv", _X, linalg.inv(x)),
        ("matrix_power", _X, linalg.matrix_power(x, -2)),
        ("solve", _X.replace("x 'x'", "lhs 'x'"), linalg.solve(x, np.ones(size))),
        ("gradients", _X, sg.gradients(linalg.slogdet(x).logabsdet, x)[0]),
    ):
        _refused(
            fetch, {x: value}, RunError, backend, f"{called}: a matrix is singular", operand,
            "  it has a pivot that is exactly 0", _ANY_RANK,
        )  # fmt: skip
    assert sg.Session(backend=backend).run(linalg.det(x), {x: value}) == 0.0


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("size", [2, 20])
def test_a_singular_matrix_of_a_batch_is_named(backend: Backend, size: int) -> None:
    x = _feed(None, None, None, None)
    value = np.tile(np.eye(size), (2, 3, 1, 1))
    value[1, 0, :2, :2] = SINGULAR
    _refused(
        linalg.inv(x), {x: value}, RunError, backend, "inv: a matrix is singular",
        "  x 'x'  float64[?, ?, ?, ?]",
        "  matrix [1, 0] of the batch of [2, 3] has a pivot that is exactly 0", _ANY_RANK,
    )  # fmt: skip


@pytest.mark.parametrize("factor", range(1, 12))
def test_small_matrices_are_singular_where_they_are_in_numpy(factor: int) -> None:
    """The rounding of a product that is not rounded twice would hide it."""
    value = np.array([[0.1, 0.2], [0.3, 0.6]]) * factor / 7
    x = _feed(2, 2)
    raised = []
    for run in (lambda: np.linalg.inv(value), lambda: sg.Session().run(linalg.inv(x), {x: value})):
        try:
            run()
        except (RunError, np.linalg.LinAlgError):
            raised.append(run)
    assert len(raised) in (0, 2)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("size", [2, 20])
def test_a_singular_triangle(backend: Backend, size: int) -> None:
    x, b = _feed(None, None), _feed(None, name="b")
    value = np.eye(size)
    value[1, 1] = 0.0
    with sg.Session(backend=backend) as session, pytest.raises(RunError) as caught:
        session.run(linalg.solve_triangular(x, b), {x: value, b: np.ones(size)})
    have = str(caught.value).splitlines()
    assert have[0] == "solve_triangular: a triangle is singular"
    assert have[1].startswith("  lhs 'x'  float64[?, ?]  feed at tests/ops/test_linalg_runs.py:")
    assert have[3:-1] == [
        "  it has an element on its diagonal that is exactly 0",
        "  unit_diagonal=True takes the diagonal for ones",
    ]
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
        (linalg.eig(x)[1], "eig", "eigenvalues"), (linalg.eigvals(x), "eigvals", "eigenvalues"),
        (linalg.svd(x)[1], "svd", "singular values"),
        (linalg.svdvals(x), "svdvals", "singular values"),
        (linalg.pinv(x), "pinv", "singular values"),
        (linalg.matrix_rank(x), "matrix_rank (in its svdvals)", "singular values"),
    ]:  # fmt: skip
        _refused(
            fetch, {x: value}, RunError, backend, f"{name}: a matrix holds NaN or an infinity",
            _BATCH, f"  matrix [2] of the batch of [4] does, and has no {what}",
            "  sg.where(sg.isfinite(x), x, 0.0) takes them out",
        )  # fmt: skip


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("size", [3, 20])
def test_factors_of_what_is_not_finite_are_not_finite(
    backend: Backend, bad: float, size: int
) -> None:
    x = _feed(None, None)
    value = np.eye(size)
    value[0, 0] = bad
    fetches = [linalg.qr(x).R, linalg.lu(x).U, linalg.det(x), linalg.vector_norm(x)]
    with sg.Session(backend=backend) as session:
        for found in session.run(fetches, {x: value}):
            assert not np.all(np.isfinite(found))


@pytest.mark.parametrize("backend", BACKENDS)
def test_sizes_that_do_not_fit_in_the_run(backend: Backend) -> None:
    x, b = _feed(None, None, None), _feed(None, None, None, name="b")
    wide = np.ones((2, 3, 4))
    of_squares: list[Callable[[Any], Any]] = [linalg.cholesky, linalg.inv, linalg.det]
    of_squares += [linalg.eigvalsh, linalg.eigvals]
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


@pytest.mark.parametrize("backend", BACKENDS)
def test_limits_that_are_not_of_the_batch_in_the_run(backend: Backend) -> None:
    x, rtol = _feed(None, None, None), _feed(None, name="rtol")
    found = linalg.pinv(x, rtol)
    _refused(
        found, {x: np.ones((2, 3, 3)), rtol: np.ones(3)}, ShapeError, backend,
        "pinv: rtol has the shape [3], the batch [2]", _BATCH,
        "  there is one for each matrix: the shapes must be equal, or broadcast to the batch",
    )  # fmt: skip


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
    "eig": lambda x: sg.abs(linalg.eig(x)[1]),
    "lu": lambda x: linalg.lu(x).U,
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
        lambda x: np.linalg.eig(x)[0], np.linalg.eigvals, lambda x: np.vander(x[0], N=4),
        lambda x: np.linalg.tensorsolve(x, np.ones(3)), lambda x: np.linalg.tensorinv(x, ind=1),
        lambda x: np.linalg.outer(x[0], x[1]), lambda x: np.linalg.tensordot(x, x, axes=1),
        lambda x: np.linalg.matmul(x, x), lambda x: np.linalg.vecdot(x, x),
        np.linalg.matrix_transpose, lambda x: np.linalg.qr(x, mode="r"),
        lambda x: np.linalg.svd(x, compute_uv=False),
        lambda x: np.linalg.svd(x, hermitian=True)[1],
        lambda x: np.linalg.pinv(x, hermitian=True),
        lambda x: np.linalg.matrix_rank(x, rtol=0.1),
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


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("scale", [1e-200, 1e-140, 1.0, 1e140, 1e200])
def test_spectra_of_very_large_and_very_small_matrices(backend: Backend, scale: float) -> None:
    x = _feed(None, None)
    value = _numbers.regular(4, 4)
    whole = value + value.T
    fetches = [
        linalg.eigvals(x), linalg.eigh(x).eigenvalues, linalg.svdvals(x), linalg.lu(x).U,
        linalg.matrix_norm(x, ord=2),
    ]  # fmt: skip
    with sg.Session(backend=backend) as session:
        have = session.run(fetches, {x: whole * scale})
        want = session.run(fetches, {x: whole})
    have[0], want[0] = np.sort(have[0].real), np.sort(want[0].real)
    for found, wanted in zip(have, want, strict=True):
        np.testing.assert_allclose(found, wanted * scale, rtol=1e-11)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_condition_of_nothing_is_an_error(backend: Backend) -> None:
    x = _feed(None, None)
    with sg.Session(backend=backend) as session, pytest.raises(RunError) as caught:
        session.run(linalg.cond(x), {x: np.zeros((0, 0))})
    first, last = str(caught.value).splitlines()
    assert first == "cond: a matrix without elements has no condition number"
    assert last.startswith("  created at tests/ops/test_linalg_runs.py:")


@pytest.mark.parametrize("dtype", [sg.float16, sg.bfloat16])
def test_half_precision_is_computed_in_float32(dtype: Any) -> None:
    x = sg.placeholder(dtype, (None, None), name="x")
    value = np.array([[4.0, 1.0], [1.0, 3.0]])
    fetches = [
        linalg.det(x), linalg.inv(x), linalg.cholesky(x), linalg.eigh(x).eigenvalues,
        linalg.svdvals(x), linalg.eigvals(x), linalg.lu(x).U, linalg.qr(x).R, linalg.pinv(x),
    ]  # fmt: skip
    with sg.Session() as session:
        have = session.run(fetches, {x: value.astype(dtype)})
    want = [
        11.0, np.linalg.inv(value), np.linalg.cholesky(value), np.linalg.eigvalsh(value),
        np.linalg.svd(value, compute_uv=False), np.linalg.eigvals(value),
        scipy.linalg.lu(value)[2], np.linalg.qr(value)[1], np.linalg.inv(value),
    ]  # fmt: skip
    # What has one result may be rounded back to half precision.
    loose = {sg.float16: 1e-3, sg.bfloat16: 8e-3}[dtype]
    for found, wanted in zip(have, want, strict=True):
        np.testing.assert_allclose(found.astype(np.complex64), wanted, rtol=loose, atol=loose)
