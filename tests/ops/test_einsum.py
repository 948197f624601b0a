"""Einstein summation against NumPy's and against loops: forms, orders, derivatives, messages."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import staticgraph as sg
from staticgraph.errors import DTypeError, ShapeError, StaticGraphError
from staticgraph.ops.einsum import UNKNOWN_SIZE, einsum
from tests.ops.refusing import refused

Array = np.ndarray[Any, Any]

# Subscripts and the shapes of the operands.
CASES: list[tuple[Any, ...]] = [
    ("ij,jk->ik", (2, 3), (3, 4)),
    ("ij,jk", (2, 3), (3, 4)),
    ("ij,jk->ki", (2, 3), (3, 4)),
    ("ba,cb", (2, 3), (4, 2)),
    ("ii", (3, 3)),
    ("ii->i", (3, 3)),
    ("ii->i", (0, 0)),
    ("ijj->ji", (2, 3, 3)),
    ("iij->j", (3, 3, 2)),
    ("iii->i", (3, 3, 3)),
    ("ij->", (2, 3)),
    ("ij->ji", (2, 3)),
    ("ji", (2, 3)),
    ("", ()),
    (",ij->ji", (), (2, 3)),
    ("i,i", (3,), (3,)),
    ("i,i", (0,), (0,)),
    ("i,j->ij", (3,), (4,)),
    ("i,j->ji", (3,), (4,)),
    ("bi,bi->b", (2, 3), (2, 3)),
    ("ij,j->i", (2, 3), (3,)),
    ("j,ij", (3,), (2, 3)),
    ("ij,jk->ik", (2, 0), (0, 4)),
    ("ij,jk->ik", (1, 1), (1, 1)),
    ("bij,bjk->bik", (2, 3, 4), (2, 4, 5)),
    ("bij,bjk->ikb", (2, 3, 4), (2, 4, 5)),
    ("ibj,jbk->kib", (3, 2, 4), (4, 2, 5)),
    ("...ij,...jk->...ik", (2, 3, 4), (2, 4, 5)),
    ("...ij,jk", (6, 2, 3, 4), (4, 5)),
    ("ij...,jk...->ik...", (3, 4, 2), (4, 5, 2)),
    ("...,...->...", (2, 3), (3,)),
    ("i...->...", (2, 3)),
    ("...", (2, 3)),
    ("ijk,ljk->il", (2, 3, 4), (5, 3, 4)),
    ("ijk,lkj->il", (2, 3, 4), (5, 4, 3)),
    ("kij,jlk->li", (4, 2, 3), (3, 5, 4)),
    ("abcd,cdef->abef", (2, 3, 4, 5), (4, 5, 2, 3)),
    ("abcd,cdef->efab", (2, 3, 4, 5), (4, 5, 2, 3)),
    ("abcd,ecbf->adef", (2, 3, 4, 5), (2, 4, 3, 7)),
    ("ij,jk->i", (2, 3), (3, 4)),
    ("ij,kl->", (2, 3), (3, 4)),
    ("iji,jk->k", (2, 3, 2), (3, 4)),
    ("i,i,i->i", (3,), (3,), (3,)),
    ("ij,jk,kl->il", (2, 3), (3, 4), (4, 5)),
    ("ij,ik,il->jkl", (2, 3), (2, 4), (2, 5)),
    ("a,ab,abc->abc", (2,), (2, 3), (2, 3, 4)),
    ("bqd,bkd,bkv->bqv", (2, 3, 4), (2, 5, 4), (2, 5, 6)),
    ("ea,fb,abcd,gc,hd->efgh", (2, 2), (2, 3), (2, 3, 4, 5), (3, 4), (2, 5)),
]


def _values(shapes: Any, dtype: str = "float64") -> list[Array]:
    random = np.random.default_rng(7)
    return [random.integers(-4, 5, shape).astype(dtype) for shape in shapes]


def _run(backend: Any, arrays: list[Array], build: Any, known: bool = True) -> Any:
    with sg.Graph().as_default(), sg.Session(backend=backend) as session:
        operands = [
            sg.placeholder(array.dtype, array.shape if known else (None,) * array.ndim)
            for array in arrays
        ]
        result = build(*operands)
        value = session.run(result, dict(zip(operands, arrays, strict=True)))
    assert result.ndim == np.ndim(value)
    assert not known or result.shape == np.shape(value)
    assert result.dtype == value.dtype
    return value


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]} {case[1:]}")
def test_values(case: Any, backend: str) -> None:
    subscripts, *shapes = case
    arrays = _values(shapes)
    wanted = np.einsum(subscripts, *arrays)
    for known, optimize in itertools.product((True, False), (True, False)):
        value = _run(
            backend, arrays, lambda *x, o=optimize: einsum(subscripts, *x, optimize=o), known
        )
        np.testing.assert_array_equal(value, wanted)
        assert np.shape(value) == np.shape(wanted)


@st.composite
def _calls(draw: Any) -> tuple[str, list[tuple[int, ...]]]:
    """Subscripts and shapes that fit."""
    sizes = {label: draw(st.integers(0, 3)) for label in "abcd"}
    terms = draw(st.lists(st.text("abcd", max_size=3), min_size=1, max_size=4))
    present = sorted(set("".join(terms)))
    output = draw(st.none() | st.permutations(present).map(tuple))
    text = ",".join(terms)
    if output is not None:
        text += "->" + "".join(output[: draw(st.integers(0, len(present)))])
    return text, [tuple(sizes[label] for label in term) for term in terms]


@settings(max_examples=200, deadline=None)
@given(_calls(), st.booleans(), st.sampled_from(["int8", "uint32", "float64"]))
def test_any_subscripts(call: Any, known: bool, dtype: str) -> None:
    subscripts, shapes = call
    arrays = _values(shapes, dtype)
    wanted = np.einsum(subscripts, *arrays)
    value = _run("reference", arrays, lambda *x: einsum(subscripts, *x), known)
    np.testing.assert_array_equal(value, wanted)
    assert value.dtype == wanted.dtype


def test_a_sum_of_three_products_by_loops() -> None:
    a, b, c = _values([(2, 3), (3, 2), (2, 4)])
    wanted = np.zeros((4, 2))
    for i, j, k, m in itertools.product(range(2), range(3), range(2), range(4)):
        wanted[m, i] += a[i, j] * b[j, k] * c[k, m]
    value = _run("native", [a, b, c], lambda *x: einsum("ij,jk,km->mi", *x))
    np.testing.assert_array_equal(value, wanted)


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_the_form_with_lists(backend: str) -> None:
    x, y = _values([(2, 3, 4), (4, 3, 5)])
    for rest in ([[2, 0]], []):
        wanted = np.einsum(x, [0, 1, 3], y, [3, 1, 2], *rest)
        value = _run(backend, [x, y], lambda x, y, r=rest: einsum(x, [0, 1, 3], y, [3, 1, 2], *r))
        np.testing.assert_array_equal(value, wanted)
    wanted = np.einsum(x, [..., 30], y[:, 0], [30, 2], [..., 2])
    value = _run(backend, [x, y[:, 0]], lambda x, y: einsum(x, [..., 30], y, [30, 2], [..., 2]))
    np.testing.assert_array_equal(value, wanted)


def test_labels_of_lists_are_sorted_as_numbers() -> None:
    x = _values([(2, 3)])[0]
    np.testing.assert_array_equal(
        _run("reference", [x], lambda x: einsum(x, [10, 9])), np.einsum(x, [10, 9])
    )


@pytest.mark.parametrize(
    ("subscripts", "shapes"),
    [
        ("ij,ij->ij", [(1, 3), (2, 3)]),
        ("ij,jk->ik", [(2, 1), (3, 4)]),
        ("ij,ij->", [(1, 3), (2, 1)]),
        ("i,i,i->i", [(1,), (3,), (1,)]),
        ("...i,...i->...", [(2, 1, 3), (4, 3)]),
        ("...i,...j->...ij", [(1,), (5, 3)]),
    ],
)
def test_axes_of_size_1_broadcast(subscripts: str, shapes: Any) -> None:
    arrays = _values(shapes)
    wanted = np.einsum(subscripts, *arrays)
    for backend in ("native", "reference"):
        value = _run(backend, arrays, lambda *x: einsum(subscripts, *x))
        np.testing.assert_array_equal(value, wanted)


def test_an_axis_of_size_1_broadcasts_along_one_of_unknown_size() -> None:
    x, y = sg.placeholder("float64", (1, 3)), sg.placeholder("float64", ("rows", 3))
    result = einsum("ij,ij->ij", x, y)
    assert result.shape == ("rows", 3)


@pytest.mark.parametrize(
    "optimize",
    [True, False, "auto", "optimal", "dp", "greedy", "branch-all", "branch-2", "branch-1",
     [(1, 2), (0, 1)], ["einsum_path", (0, 2), (0, 1)], ((0, 1, 2),), [(0,), (0, 1), (0, 1)]],
)  # fmt: skip
def test_every_order_gives_the_same(optimize: Any) -> None:
    arrays = _values([(2, 3), (3, 4), (4, 5)])
    value = _run("native", arrays, lambda *x: einsum("ij,jk,kl->li", *x, optimize=optimize))
    np.testing.assert_array_equal(value, np.einsum("ij,jk,kl->li", *arrays))


def test_a_path_of_numpy_is_an_order() -> None:
    arrays = _values([(2, 30), (30, 4), (4, 5)])
    path, _ = np.einsum_path("ij,jk,kl->il", *arrays, optimize="optimal")
    value = _run("native", arrays, lambda *x: einsum("ij,jk,kl->il", *x, optimize=path))
    np.testing.assert_array_equal(value, np.einsum("ij,jk,kl->il", *arrays))


def _products(result: Any) -> list[tuple[Any, ...]]:
    """The shapes of the operands of each matrix product, in the order of the graph."""
    return [
        tuple([operand.type.shape for operand in node.inputs])
        for node in sg.extract(result).nodes
        if node.op.name == "matmul"
    ]


def test_the_cheaper_order_is_taken() -> None:
    x, y = sg.placeholder("float32", (100, 100)), sg.placeholder("float32", (100, 2))
    assert _products(einsum("ij,jk,kl->il", x, x, y)) == [((100, 100), (100, 2))] * 2
    result = einsum("ij,jk,kl->il", x, x, y, optimize=False)
    assert _products(result) == [((100, 100), (100, 100)), ((100, 100), (100, 2))]


def test_sizes_that_only_the_run_knows_count_as_stated() -> None:
    # (x y) z costs i j k + i k l products, x (y z) costs j k l + i j l: i is what decides.
    y = sg.placeholder("float32", (UNKNOWN_SIZE, UNKNOWN_SIZE))
    open_rows = sg.placeholder("float32", (None, UNKNOWN_SIZE))
    few, many = [sg.placeholder("float32", (UNKNOWN_SIZE, size)) for size in (8, 1000)]
    assert open_rows.type.shape is not None
    rows = open_rows.type.shape[0]
    assert _products(einsum("ij,jk,kl->il", open_rows, y, many))[0][0][0] == rows
    assert _products(einsum("ij,jk,kl->il", open_rows, y, few))[0][1] == (UNKNOWN_SIZE, 8)


def test_no_axis_is_moved_that_a_product_reads_where_it_is() -> None:
    x, y = sg.placeholder("float32", (5, 3, 4)), sg.placeholder("float32", (5, 7))
    names = [node.op.name for node in sg.extract(einsum("ijk,il->jkl", x, y)).nodes]
    # The neighbours j and k are merged before they are moved: no elements need to be copied.
    assert names.index("reshape") < names.index("permute_dims") < names.index("matmul")


def test_the_result_of_an_elementwise_product_needs_no_product_of_matrices() -> None:
    x = sg.placeholder("float32", (5, 3))
    assert _products(einsum("ij,ij,i->ij", x, x, x[:, 0])) == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]} {case[1:]}")
def test_gradients(case: Any) -> None:
    """The adjoint of an operand is an einsum of the others; the second derivative by difference."""
    subscripts, *shapes = case
    arrays = _values(shapes)
    weights = np.random.default_rng(1).normal(size=np.einsum(subscripts, *arrays).shape)

    def loss(*operands: Any) -> Any:
        return sg.sum(einsum(subscripts, *operands) * weights)

    def slopes(*operands: Any) -> Any:
        return list(sg.gradients(loss(*operands), list(operands)))

    with sg.Graph().as_default(), sg.Session() as session:
        operands = [sg.placeholder("float64", array.shape) for array in arrays]
        found = session.run(slopes(*operands), dict(zip(operands, arrays, strict=True)))
    for place, (array, slope) in enumerate(zip(arrays, found, strict=True)):
        # A sum of products is linear in each operand that stands once.
        direction = np.random.default_rng(place).normal(size=array.shape)
        moved = [direction if at == place else other for at, other in enumerate(arrays)]
        np.testing.assert_allclose(
            np.sum(slope * direction),
            np.sum(np.einsum(subscripts, *moved) * weights),
            rtol=1e-10, atol=1e-10,
        )  # fmt: skip


def test_second_derivatives_in_both_modes() -> None:
    x, y, z = _values([(2, 3), (3, 4), (4, 2)])
    with sg.Graph().as_default(), sg.Session() as session:
        a, b, c = [sg.placeholder("float64", v.shape) for v in (x, y, z)]
        total = einsum("ij,jk,ki", a * a, b, c)
        (slope,) = sg.gradients(total, a)
        (twice,) = sg.gradients(sg.sum(slope * x), a)
        (tangent,) = sg.jvp(slope, [a], [sg.constant(x)])
        values = session.run([slope, twice, tangent], {a: x, b: y, c: z})
    other = np.einsum("jk,ki->ij", y, z)
    np.testing.assert_allclose(values[0], 2 * x * other)
    np.testing.assert_allclose(values[1], 2 * x * other)
    np.testing.assert_allclose(values[2], 2 * x * other)


def test_dtypes_are_kept_and_promoted() -> None:
    small, wide = np.full((2, 100), 100, np.int8), np.ones((100,), np.float32)
    value = _run("native", [small], lambda x: einsum("ij->i", x))
    assert value.dtype == np.int8
    np.testing.assert_array_equal(value, np.einsum("ij->i", small))
    mixed = _run("native", [small, wide], lambda x, y: einsum("ij,j", x, y))
    assert mixed.dtype == np.einsum("ij,j", small, wide).dtype


def test_numbers_and_lists_are_operands() -> None:
    x = sg.constant([[1.0, 2.0], [3.0, 4.0]])
    assert sg.Session().run(einsum("ij,j,->i", x, [1, 2], 10)).tolist() == [50.0, 110.0]


def test_numpy_einsum_takes_tensors() -> None:
    arrays = _values([(2, 3), (3, 4)])
    for build in (
        lambda x, y: np.einsum("ij,jk->ki", x, y),
        lambda x, y: np.einsum("ij,jk->ki", x, y, optimize=True),
        lambda x, y: np.einsum(x, [0, 1], y, [1, 2], [2, 0]),
    ):
        np.testing.assert_array_equal(_run("native", arrays, build), (arrays[0] @ arrays[1]).T)
    with pytest.raises(StaticGraphError) as caught:
        x: Any = sg.placeholder("float32", (2, 3))
        np.einsum("ij->ji", x, out=np.zeros((3, 2)))
    assert "numpy.einsum: takes no out=... with tensors" in str(caught.value)


def test_the_name_is_that_of_the_result() -> None:
    x = sg.placeholder("float32", (2, 3))
    assert einsum("ij->ji", x, name="turned").name == "turned"


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(
    ("shapes", "axes"),
    [
        ([(3, 4), (3, 4)], 2),
        ([(3, 4), (4, 3)], ([0, 1], [1, 0])),
        ([(2, 3, 4), (5, 3, 2)], ([0, 1], [2, 1])),
        ([(2, 3, 4), (3, 5)], ([1], [0])),
        ([(0, 3), (3, 0)], ([1], [0])),
        ([(3,), (4,)], 0),
    ],
)
def test_tensordot_is_a_contraction(shapes: Any, axes: Any, known: bool) -> None:
    arrays = _values(shapes)
    wanted = np.tensordot(arrays[0], arrays[1], axes=axes)
    for backend in ("native", "reference"):
        value = _run(backend, arrays, lambda x, y: sg.tensordot(x, y, axes=axes), known)
        np.testing.assert_array_equal(value, wanted)


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize("shapes", [[(2, 6), (3, 4)], [(5, 2, 6), (3, 4)], [(2, 6), (2, 5)]])
def test_tensordot_compares_sizes_in_the_run(shapes: Any, backend: str) -> None:
    with pytest.raises(ShapeError):
        _run(backend, _values(shapes), lambda x, y: sg.tensordot(x, y), known=False)


@pytest.mark.parametrize("subscripts", ["ij,jk->ik", "bi,bi->b", "ii->i", "ij,jk,kl->il"])
def test_complex_numbers(subscripts: str) -> None:
    terms = subscripts.partition("->")[0].split(",")
    arrays = [
        x + 1j * y for x, y in zip(*[_values([(3,) * len(t) for t in terms])] * 2, strict=True)
    ]
    wanted = np.einsum(subscripts, *arrays)
    for backend in ("native", "reference"):
        value = _run(backend, arrays, lambda *x: einsum(subscripts, *x))
        np.testing.assert_allclose(value, wanted)


# -- what is refused --------------------------------------------------------------------------


def _placeholders(*shapes: Any) -> list[Any]:
    return [
        sg.placeholder("float32", shape, name=n) for shape, n in zip(shapes, "xyz", strict=False)
    ]


def _refused(subscripts: Any, *operands: Any, **options: Any) -> str:
    with pytest.raises(ShapeError) as caught:
        einsum(subscripts, *operands, **options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("subscripts", "shapes", "options", "problem", "way_out"),
    [
        ("ij,jk", [(2, 3), (4, 5)], {}, "label j has two sizes",
         "it is 3 in operand 0 and 4 in operand 1; they must be equal, or one of them 1"),
        ("ii", [(2, 3)], {}, "label i has two sizes",
         "it is 2 in operand 0 and 3 in operand 0; they must be equal, or one of them 1"),
        ("...i,...i", [(2, 3), (4, 3)], {}, "an axis of '...' has two sizes",
         "it is 2 in operand 0 and 4 in operand 1; they must be equal, or one of them 1"),
        ("i", [(2, 3)], {}, "the term of operand 0 has 1 labels for 2 axes",
         "give one label per axis; '...' stands for further axes"),
        ("ijk...", [(2, 3)], {}, "the term of operand 0 has 3 labels for 2 axes",
         "give one label per axis; '...' stands for further axes"),
        ("ij->ik", [(2, 3)], {}, "label k of the result is of no operand",
         "give it to an operand"),
        ("ij->ii", [(2, 3)], {}, "label i stands twice in the result", "name every axis once"),
        ("i...->i", [(2, 3)], {}, "the axes of '...' are missing in the result",
         "put '...' behind '->', or sum over them"),
        ("ij->ji", [(2, 3)], {"optimize": "fast"},
         "optimize='fast' is no search for an order",
         "there are auto, optimal, dp, greedy, branch-all, branch-2, branch-1"),
        ("ij->ji", [(2, 3)], {"optimize": [(0, 1)]},
         "optimize=[(0, 1)] is no order of contractions",
         "give True, False, the name of a search, or steps that leave one operand: each names "
         "positions, and its product goes to the end: [(0, 1), (0, 1)]"),
    ],
)  # fmt: skip
def test_what_does_not_fit_the_operands(
    subscripts: str, shapes: Any, options: Any, problem: str, way_out: str
) -> None:
    operands = _placeholders(*shapes)
    told = _refused(subscripts, *operands, **options)
    listed = "".join(
        f"  operand {place} '{x.name}'  {x.type}  placeholder at {x.node.location.short}\n"
        for place, x in enumerate(operands)
    )
    assert told.startswith(
        f"einsum: {problem}\n  subscripts '{subscripts}'\n{listed}  {way_out}\n"
        "  at tests/ops/test_einsum.py:"
    )


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (("ij,jk", [[1.0]]),
         "einsum: the subscripts have 2 terms for 1 operands\n"
         "  subscripts 'ij,jk'\n  give one term per operand, parted by commas\n"),
        (("i1", [[1.0]]),
         "einsum: '1' is no label of an axis\n  subscripts 'i1'\n  labels are letters; '...' "
         "stands for further axes, ',' parts the operands, '->' leads to the result\n"),
        (("i.", [[1.0]]),
         "einsum: '.' is no label of an axis\n  subscripts 'i.'\n  labels are letters; '...' "
         "stands for further axes, ',' parts the operands, '->' leads to the result\n"),
        (([[1.0]],),
         "einsum: there are no subscripts\n  begin with a text: einsum(\"ij,jk->ik\", x, y), or "
         "put a list of labels behind each operand: einsum(x, [0, 1], y, [1, 2], [0, 2])\n"),
        (([[1.0]], [0, -1]),
         "einsum: -1 is no label of an axis\n  a list behind an operand holds ints that are not "
         "negative, and at most one Ellipsis; a text comes first: einsum(\"ij,jk\", x, y)\n"),
    ],
)  # fmt: skip
def test_what_is_no_notation(arguments: Any, wanted: str) -> None:
    assert _refused(*arguments).startswith(wanted)


def test_a_rank_that_is_not_known() -> None:
    told = _refused("ij", sg.placeholder("float32", None, name="x"))
    assert told.startswith("einsum: the rank of 'x' is not known\n  subscripts 'ij'\n")


def test_bool_is_refused() -> None:
    with pytest.raises(DTypeError) as caught:
        einsum("ij->i", sg.placeholder("bool", (2, 3), name="x"))
    assert str(caught.value).startswith("einsum: the operands are bool\n  subscripts 'ij->i'\n")
    assert "convert them: sg.cast(x, 'int64')" in str(caught.value)


_EQUAL = "; they must be equal"


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize(
    ("subscripts", "shapes", "label", "sizes"),
    [
        ("ij,jk->ik", [(2, 3), (4, 5)], "label j", "3 in operand 0 and 4 in operand 1"),
        ("ij,jk->ik", [(2, 3), (1, 5)], "label j", "3 in operand 0 and 1 in operand 1"),
        ("ijk,jk->i", [(2, 2, 6), (3, 4)], "label j", "2 in operand 0 and 3 in operand 1"),
        ("ijk,jkl->il", [(5, 2, 6), (3, 4, 2)], "label j", "2 in operand 0 and 3 in operand 1"),
        ("ijk,kjl->il", [(5, 2, 6), (4, 2, 2)], "label k", "6 in operand 0 and 4 in operand 1"),
        ("ij,ij->ij", [(2, 3), (4, 3)], "label i", "2 in operand 0 and 4 in operand 1"),
        ("ij,ij->j", [(2, 3), (2, 4)], "label j", "3 in operand 0 and 4 in operand 1"),
        ("bij,bjk->bik", [(2, 3, 4), (3, 4, 5)], "label b", "2 in operand 0 and 3 in operand 1"),
        ("...i,...i", [(2, 3), (4, 3)], "an axis of '...'", "2 in operand 0 and 4 in operand 1"),
        ("ij,jk,kl->il", [(2, 3), (3, 4), (5, 6)], "label k", "4 in operand 1 and 5 in operand 2"),
        ("ij,jk,il->kl", [(2, 3), (3, 4), (5, 6)], "label i", "2 in operand 0 and 5 in operand 2"),
        ("ii->i", [(3, 2)], "label i", "3 and 2 in operand 0, which has it twice"),
        ("kii->k", [(4, 3, 2)], "label i", "3 and 2 in operand 0, which has it twice"),
    ],
)
def test_sizes_that_differ_in_the_run(
    subscripts: str, shapes: Any, label: str, sizes: str, backend: str
) -> None:
    def call() -> None:
        _run(backend, _values(shapes), lambda *x: einsum(subscripts, *x), known=False)

    told = refused(call, ShapeError).splitlines()
    assert told[:2] == [
        f"einsum: {label} has two sizes in this run", f"  subscripts '{subscripts}'",
    ]  # fmt: skip
    assert [line.split()[:2] for line in told[2:-2]] == [
        ["operand", str(place)] for place in range(len(shapes))
    ]
    assert told[-2:] == [f"  it is {sizes}{_EQUAL}", "  created at <line>"]


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_operands_keep_their_places_in_messages(backend: Any) -> None:
    """A multiplication may be rewritten with its operands in the other order."""
    x, y = [sg.placeholder("float64", (None,), name=name) for name in "xy"]
    for first, second, sizes in ((x, y, (2, 3)), (y, x, (3, 2))):
        with pytest.raises(ShapeError) as caught:
            product = sg.einsum("i,i->i", first, second)
            sg.Session(backend=backend).run(product, {x: [1.0] * 2, y: [1.0] * 3})
        assert f"  it is {sizes[0]} in operand 0 and {sizes[1]} in operand 1;" in str(caught.value)


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_of_merged_axes_the_open_one_is_named(backend: Any) -> None:
    x = sg.placeholder("float64", (5, None, 4), name="x")
    y = sg.placeholder("float64", (None, 4, 2), name="y")

    def call() -> None:
        product = sg.einsum("ijk,jkl->il", x, y)
        fed = {x: np.ones((5, 6, 4)), y: np.ones((3, 4, 2))}
        sg.Session(backend=backend).run(product, fed)

    assert refused(call, ShapeError) == (
        "einsum: label j has two sizes in this run\n"
        "  subscripts 'ijk,jkl->il'\n"
        "  operand 0 'x'  float64[5, ?, 4]  placeholder at <line>\n"
        "  operand 1 'y'  float64[?, 4, 2]  placeholder at <line>\n"
        "  it is 6 in operand 0 and 3 in operand 1; they must be equal\n"
        "  created at <line>"
    )
