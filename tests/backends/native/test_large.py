"""Large straight-line Functions: every stage of making machine code grows as they do, no faster.

Nothing here looks at a clock. Work is counted in calls of functions; of LLVM, whose calls nobody
can count, it is tested that it is never given what makes it slow: blocks of many calls, or long
functions at an effort above the least.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

import staticgraph as sg
from staticgraph.backends.native.compiler import Compilation
from staticgraph.backends.native.ir import Part
from staticgraph.backends.native.program import Options
from staticgraph.core.function import Function
from tests.growth import work


def scalars(count: int) -> sg.Tensor:
    """A chain of scalars, and its derivative."""
    x = sg.placeholder("float32", (), name="x")
    y = x
    for _ in range(count // 4):
        y = sg.sin(y) * 1.01
    return sg.gradients(y, x)[0]


def vectors(count: int) -> sg.Tensor:
    """A chain of arrays whose size only the run knows."""
    y = sg.placeholder("float32", ("n",), name="x")
    for _ in range(count // 2):
        y = sg.sin(y) * 1.01
    return y


def matrices(count: int) -> sg.Tensor:
    """Small products with what follows them, and sums along either axis."""
    x = sg.placeholder("float32", (4, 4), name="x")
    y = x
    for number in range(count // 4):
        axis = number % 2
        y = sg.tanh(sg.matmul(y, x)) + sg.sum(y, axis=axis, keepdims=True)
    return y


def loops(count: int) -> sg.Tensor:
    """A loop with a long body."""
    x = sg.placeholder("float32", (3, 3), name="x")

    def body(i: sg.Tensor, value: sg.Tensor) -> sg.Tensor:
        for _ in range(count // 2):
            value = sg.sin(value) + sg.sum(value)
        return value

    result: sg.Tensor = sg.fori_loop(0, 2, body, x)
    return result


PROGRAMS = pytest.mark.parametrize("program", [scalars, vectors, matrices, loops])


@pytest.fixture(autouse=True)
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    # Passes are verified in other tests; here it would be most of the work.
    monkeypatch.setenv("STATICGRAPH_CHECK", "0")


def function(program: Callable[[int], sg.Tensor], count: int) -> Function:
    with sg.Graph().as_default():
        return sg.optimize(program(count))


def parts(made: Function) -> list[Part]:
    return Compilation(made, Options()).program.module.parts()


@PROGRAMS
def test_writing_code_grows_with_the_program(program: Callable[[int], sg.Tensor]) -> None:
    parts(function(program, 400))
    small, large = function(program, 400), function(program, 3200)
    assert len(large) + sum(map(len, large.bodies())) > 3000
    assert work(lambda: parts(large)) < 8.8 * work(lambda: parts(small))


@PROGRAMS
def test_text_grows_with_the_program(program: Callable[[int], sg.Tensor]) -> None:
    small, large = [
        sum(part.text.count("\n") for part in parts(function(program, count)))
        for count in (400, 3200)
    ]
    assert large < 8.8 * small


@PROGRAMS
def test_no_block_has_many_calls(program: Callable[[int], sg.Tensor]) -> None:
    for part in parts(function(program, 3200)):
        for block in re.split(r"\n\w+:", part.text):
            called = re.findall(r"= call (?!.*@llvm)|^ *call (?!.*@llvm)", block, re.MULTILINE)
            assert len(called) <= 60


def test_the_main_function_calls_through_pointers() -> None:
    # By its name, the same call takes LLVM twice as long.
    for program in (scalars, matrices):
        for part in parts(function(program, 400)):
            _, found, main = part.text.partition("define i32 @sg_main(")
            if found:
                assert (
                    re.findall(r"call \w+ @(?:map|kernel|matmul|sg_alloc|sg_free)\w*\(", main) == []
                )


def test_explain_says_which_effort_a_large_loop_got(graph: sg.Graph) -> None:
    x = sg.placeholder("float32", (), name="x")

    def body(i: sg.Tensor, value: sg.Tensor) -> sg.Tensor:
        for _ in range(3000):
            value = value * 1.01 + x
        return value

    text = sg.Session(graph).explain(sg.fori_loop(0, 2, body, x))
    assert "a function of more than 5000 lines is compiled at level 0: " in text


def test_a_large_program_of_small_matrices_runs(graph: sg.Graph) -> None:
    y = matrices(8_000)
    (x,) = [node.out for node in graph.operations if node.op.name == "placeholder"]
    value = np.full((4, 4), 0.1, np.float32)
    found = sg.Session(graph).run(y, {x: value})
    wanted = sg.Session(graph, backend="reference").run(y, {x: value})
    np.testing.assert_allclose(found, wanted, rtol=1e-3)


def test_only_equal_products_share_a_kernel(graph: sg.Graph) -> None:
    x = sg.placeholder("float32", (8, 8), name="x")
    w = sg.placeholder("float32", (8, 8), name="w")
    row = sg.placeholder("float32", (8,), name="row")
    column = sg.placeholder("float32", (8, 1), name="column")
    scale = sg.placeholder("float32", (), name="scale")
    finished: list[Callable[[sg.Tensor], sg.Tensor]] = [
        lambda p: p, sg.tanh, sg.exp, lambda p: p * 2.0, lambda p: p * 3.0, lambda p: p * scale,
        lambda p: p + row, lambda p: p + column, lambda p: p - row, lambda p: row - p,
        lambda p: sg.clip(p, -1.0, 1.0), lambda p: sg.clip(p, -1.0, 2.0),
        lambda p: sg.tanh(p + row) * column, lambda p: sg.tanh(p + column) * row,
    ]  # fmt: skip
    y = x
    fetches: list[sg.Tensor] = []
    # Every kernel twice, for products of other matrices, and once for a transposed one.
    for finish in [finish for finish in finished for _ in range(3)]:
        transposed = len(fetches) % 3 == 2
        y = finish(sg.matmul(sg.permute_dims(y) if transposed else y, w))
        fetches.append(y)
    random = np.random.default_rng(7)
    shapes: dict[sg.Tensor, tuple[int, ...]] = {
        x: (8, 8), w: (8, 8), row: (8,), column: (8, 1), scale: (),
    }  # fmt: skip
    feed = {tensor: 0.2 * random.standard_normal(shape) for tensor, shape in shapes.items()}
    found = sg.Session(graph).run(fetches, feed)
    wanted = sg.Session(graph, backend="reference").run(fetches, feed)
    for have, want in zip(found, wanted, strict=True):
        np.testing.assert_allclose(have, want, rtol=1e-4, atol=1e-5)
    program = Compilation(sg.optimize(fetches), Options()).program
    products = [name for name in program.kernels if name.startswith("matmul_")]
    assert len(products) == 42
    assert len(set(products)) == 28
