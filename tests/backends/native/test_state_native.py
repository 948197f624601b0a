"""Variables on machine code: updates in place, whatever else reads them, commit all or nothing."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import staticgraph as sg

Array = np.ndarray[Any, Any]
ROOT = Path(sg.__file__).parent.parent
# More than one chunk of a parallel loop, and no multiple of anything.
LARGE = 100_003


def values(count: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).integers(-4, 8, count).astype("float64")


def check(fetches: Any, variables: list[sg.Variable], times: int = 3, rtol: float = 0.0) -> None:
    """The same fetches and the same state as on the reference, after each of several runs."""
    sessions = [sg.Session(backend=backend, seed=3) for backend in ("native", "reference")]
    for _ in range(times):
        for what in (fetches, variables):
            have, want = [session.run(what) for session in sessions]
            for ours, theirs in zip(have, want, strict=True):
                if theirs is not None:
                    np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=rtol, strict=True)


# -- updates that read what they write -------------------------------------------------------------

SHAPES = [(3, 3), (1, 1), (70, 70), (317, 317)]
READERS: dict[str, Callable[[sg.Tensor], sg.Tensor]] = {
    "itself": lambda v: v * 2.0 + 1.0,
    "transposed": lambda v: sg.permute_dims(v) + 1.0,
    "its sum with its transpose": lambda v: v + sg.permute_dims(v),
    "reversed": lambda v: v[::-1] + 1.0,
    "reversed within rows": lambda v: v - v[:, ::-1],
    "its first row": lambda v: v + v[0],
    "its last column": lambda v: v * 0.5 + v[:, -1:],
    "shifted": lambda v: sg.roll(v, 1, axis=0) + v,
    "padded": lambda v: sg.pad(v[1:], ((1, 0), (0, 0))) + v,
    "its sum": lambda v: v - sg.sum(v) / 1024.0,
    "its row sums": lambda v: v - sg.sum(v, axis=1, keepdims=True),
    "its column sums": lambda v: v - sg.sum(v, axis=0),
    "its running sum": lambda v: sg.cumsum(v, axis=0),
    "its product": lambda v: sg.clip(v @ v, -8.0, 8.0),
    "its product with itself turned": lambda v: v + sg.clip(v @ sg.permute_dims(v), -3.0, 3.0),
    "picked rows": lambda v: v + sg.take(v, sg.arange(sg.size(v, 0))[::-1], axis=0),
    "sorted": lambda v: sg.sort(v, axis=0),
    "turned halfway": lambda v: sg.reshape(sg.permute_dims(v), sg.shape(v)),
    "a view of itself": lambda v: v[::-1, ::-1],
    "the transpose itself": lambda v: sg.permute_dims(v),
    "where of both": lambda v: sg.where(sg.permute_dims(v) > v, v, sg.permute_dims(v)),
    "nothing of itself": lambda v: sg.zeros_like(v),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", list(READERS))
def test_an_update_that_reads_its_variable(name: str, shape: tuple[int, int]) -> None:
    v = sg.Variable(values(shape[0] * shape[1]).reshape(shape))
    check([v.assign(READERS[name](v.read()))], [v])


@pytest.mark.parametrize("name", list(READERS))
def test_old_and_new_value_together(name: str) -> None:
    v = sg.Variable(values(70 * 70).reshape(70, 70))
    old = v.read()
    check([old, v.assign(READERS[name](old)), old + 1.0, old[::-1]], [v])


@pytest.mark.parametrize("name", list(READERS))
def test_a_variable_of_unknown_sizes(name: str) -> None:
    x = sg.placeholder_with_default(values(25).reshape(5, 5), (None, None))
    v = sg.Variable(x)
    check([v.assign(READERS[name](v.read()))], [v])


# -- several variables -----------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 5, LARGE])
def test_swaps(count: int) -> None:
    a, b = sg.Variable(values(count)), sg.Variable(values(count, 1))
    old = a.read(), b.read()
    check([a.assign(old[1]), b.assign(old[0])], [a, b])


@pytest.mark.parametrize("count", [1, 5, LARGE])
def test_a_ring_of_three_and_sums(count: int) -> None:
    a, b, c = (sg.Variable(values(count, seed)) for seed in range(3))
    old = [v.read() for v in (a, b, c)]
    check([a.assign(old[1] + 1.0), b.assign(old[2] + old[0]), c.assign(old[0])], [a, b, c])


def test_swaps_of_matrices_that_are_turned() -> None:
    a, b = (sg.Variable(values(70 * 70, seed).reshape(70, 70)) for seed in range(2))
    old = a.read(), b.read()
    check([a.assign(sg.permute_dims(old[1])), b.assign(old[0][::-1])], [a, b])


@pytest.mark.parametrize("count", [1, 5, LARGE])
def test_one_variable_that_several_updates_read(count: int) -> None:
    a, b, c = (sg.Variable(values(count, seed)) for seed in range(3))
    old = a.read()
    updates = [a.assign(old * 0.5), b.assign_add(old), c.assign(sg.sum(old) + c * old)]
    check([*updates, sg.max(old)], [a, b, c], rtol=1e-14)


def test_one_value_for_several_variables() -> None:
    a, b, c = (sg.Variable(values(1000, seed)) for seed in range(3))
    new = a.read() + b.read()
    check([a.assign(new), b.assign(new), c.assign(new)[:3]], [a, b, c])


def test_a_value_that_is_fetched_several_times_beside_an_update() -> None:
    v, x = sg.Variable(values(10)), sg.constant(values(10, 1))
    new, other = v * 2.0 + x, v - x
    check([v.assign(new), other, other, new, new], [v])
    check([other, other, sg.group(v.assign(new)), other], [v])
    check([other, sg.expand_dims(other, 0), v.assign(new), sg.expand_dims(new, 1)], [v])


def test_variables_of_several_dtypes_and_shapes() -> None:
    a = sg.Variable(values(1000).astype("float32"))
    b, c = sg.Variable(values(1000).astype("int32")), sg.Variable(values(1000) > 2)
    d, n = sg.Variable(values(1000).reshape(10, 100)), sg.Variable(1)
    old = [v.read() for v in (a, b, c, d, n)]
    updates = [
        a.assign(sg.cast(old[1], "float32") + 0.5),
        b.assign(sg.cast(old[0], "int32") + sg.cast(old[2], "int32")),
        c.assign(~old[2]),
        d.assign(d + sg.reshape(sg.cast(old[0], "float64"), (10, 100))),
        n.assign_add(1),
    ]
    check(updates, [a, b, c, d, n])


# -- order -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 5, LARGE])
def test_assigns_in_order(count: int) -> None:
    v = sg.Variable(values(count))
    first = v.assign(v * 2.0)
    second = v.assign(first + 1.0)
    with sg.control_dependencies([second]):
        after = v.read()
    check([first, second, after * 3.0, v.read()], [v])
    check([second], [v])


def test_assigns_of_what_branches_and_loops_make() -> None:
    v, w = sg.Variable(values(300)), sg.Variable(values(300, 1))
    a, b = sg.cond(sg.sum(v) > sg.sum(w), lambda: (v.read(), w + 1.0), lambda: (w.read(), v[::-1]))
    total = sg.while_loop(
        lambda i, x: i < 3, lambda i, x: (i + 1, x + w), [0, v.read()]
    )[1]  # fmt: skip
    check([v.assign(a), w.assign(b)], [v, w])
    check([v.assign(total), w.assign(a)], [v, w])
    last, rows = sg.scan(lambda carry, x: (carry + x * v, carry), v.read(), w[:4], reverse=True)
    check([v.assign(sg.clip(last, -8.0, 8.0)), w.assign(rows[2])], [v, w])


# -- optimizers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch", [None, 33])
@pytest.mark.parametrize(
    "make",
    [lambda: sg.train.SGD(0.1), lambda: sg.train.SGD(0.05, momentum=0.9),
     lambda: sg.train.SGD(0.05, 0.8, nesterov=True), lambda: sg.train.Adam(0.01)],
    ids=["plain", "momentum", "nesterov", "adam"],
)  # fmt: skip
def test_steps_of_optimizers(make: Callable[[], Any], batch: int | None, dtype: str) -> None:
    chance = np.random.default_rng(0)

    def weights(*shape: int) -> sg.Variable:
        return sg.Variable((chance.standard_normal(shape) * 0.3).astype(dtype))

    variables = [weights(17, 40), weights(40), weights(40, 5), weights(5)]
    x, labels = sg.placeholder(dtype, (batch, 17)), sg.placeholder("int32", (batch,))
    hidden = sg.tanh(x @ variables[0] + variables[1])
    logits = hidden @ variables[2] + variables[3]
    loss = sg.mean(sg.sparse_softmax_cross_entropy_with_logits(labels, logits))
    step = make().minimize(loss, variables)
    data = chance.standard_normal((33, 17)).astype(dtype)
    feed = {x: data, labels: chance.integers(0, 5, 33)}
    sessions = [sg.Session(backend=backend) for backend in ("native", "reference")]
    tolerance = 3e-5 if dtype == "float32" else 1e-12
    for _ in range(6):
        have, want = [session.run([loss, step], feed)[0] for session in sessions]
        np.testing.assert_allclose(have, want, rtol=tolerance)
    for have, want in zip(*[session.run(variables) for session in sessions], strict=True):
        np.testing.assert_allclose(have, want, rtol=tolerance, atol=tolerance, strict=True)


# -- failures --------------------------------------------------------------------------------------


def _assertion(x: sg.Tensor) -> sg.Tensor:
    return sg.assert_true(sg.sum(x) < 0.0, x, "never")


FAILURES: dict[str, Callable[[sg.Tensor], sg.Tensor]] = {
    "a picked place": lambda x: sg.take(x, sg.cast(x, "int64") + 100_000_000, axis=0),
    "sizes": lambda x: sg.reshape(x, (-1,)) + sg.arange(sg.cast(sg.max(x), "int64") + 7),
    "a reshape": lambda x: sg.reshape(x, sg.stack([sg.size(x) + sg.cast(x[0] > -9.0, "int64"), 1])),
    "a power": lambda x: sg.cast(x, "int32") ** (sg.cast(x, "int32") - 100),
    "in a loop": lambda x: sg.fori_loop(
        0, 3, lambda i, y: y + sg.take(x, i + 1_000_000 * i, axis=0), x
    ),
    "in a branch": lambda x: sg.cond(
        sg.sum(x) > -1e9, lambda: sg.take(x, sg.size(x) + (1 << 40), axis=0), lambda: sg.sum(x)
    ),
    "a number": lambda x: sg.log(sg.sum(x) * 0.0 - 1.0),
}


@pytest.mark.parametrize("count", [5, LARGE])
@pytest.mark.parametrize("name", list(FAILURES))
def test_a_failure_leaves_every_variable_as_it_was(name: str, count: int) -> None:
    v, w = sg.Variable(values(count)), sg.Variable(values(count, 1))
    updates = [v.assign(w * 2.0), w.assign(v + 1.0)]
    failing = [*updates, FAILURES[name](v.read())]
    other = [v.assign(w + sg.sum(sg.cast(FAILURES[name](w.read()), "float64"))), updates[1]]
    errors = []
    for backend in ("native", "reference"):
        session = sg.Session(backend=backend, check_numerics=name == "a number")
        before = session.run([v, w])
        for fetches in (failing, other):
            with pytest.raises(sg.StaticGraphError) as info:
                session.run(fetches)
            errors.append(str(info.value))
            for have, want in zip(session.run([v, w]), before, strict=True):
                np.testing.assert_array_equal(have, want)
        session.run(updates)
        np.testing.assert_array_equal(session.run(v), before[1] * 2.0)
    assert errors[:2] == errors[2:]


def test_a_failed_assertion_leaves_every_variable_as_it_was() -> None:
    v = sg.Variable(values(LARGE))
    with sg.control_dependencies([sg.assert_true(sg.sum(v) < -1.0, "never", [sg.max(v)])]):
        update = v.assign(v * 2.0)
    for backend in ("native", "reference"):
        session = sg.Session(backend=backend)
        before = session.run(v)
        with pytest.raises(sg.StaticGraphError, match="never"):
            session.run(update)
        np.testing.assert_array_equal(session.run(v), before)


@pytest.mark.skipif(sys.platform == "win32", reason="sends signals")
def test_an_interrupt_leaves_every_variable_as_it_was() -> None:
    script = """
        import numpy as np
        import staticgraph as sg
        n = sg.placeholder("int64", ())
        v, w = sg.Variable(np.ones(100_003)), sg.Variable(np.zeros((300, 300)))
        rows = sg.fori_loop(0, n, lambda i, x: sg.tanh(x @ w + v[0]), w.read())
        step = sg.group(w.assign(rows + 1.0), v.assign(v * 2.0 + w[0, 0]))
        session = sg.Session(threads=2)
        session.run(step, {n: 2})
        before = session.run([v, w])
        print("ready", flush=True)
        try:
            session.run(step, {n: 10**12})
        except KeyboardInterrupt:
            after = session.run([v, w])
            print(all((a == b).all() for a, b in zip(after, before)))
            session.run(step, {n: 2})
            print(float(session.run(v[0])))
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], cwd=ROOT, text=True,
        stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "True\n"
        # Twice 1 is 2, and twice that with what was in w is 4 and a number from 1 to 2.
        assert 5.0 <= float(process.stdout.readline()) <= 6.0
        assert process.wait(30) == 0


# -- threads ---------------------------------------------------------------------------------------


def test_readers_see_one_state_while_another_thread_writes() -> None:
    session = sg.Session(threads=2)
    a, b = sg.Variable(np.zeros(LARGE)), sg.Variable(np.zeros((7, 100)))
    step = sg.group(a.assign_add(1.0), b.assign_add(1.0))
    swap = sg.group(a.assign(a * 1.0), b.assign(b[::-1]))
    looks = [[a, b], [sg.min(a), sg.max(a), sg.min(b), sg.max(b)], [a + 0.0, b[::-1]]]
    torn: list[Any] = []

    def write() -> None:
        for _ in range(60):
            session.run(step)
            session.run(swap)

    def read() -> None:
        for number in range(150):
            seen = [np.ravel(part) for part in session.run(looks[number % 3])]
            if any((part != seen[0][0]).any() for part in seen):
                torn.append(seen)

    threads = [threading.Thread(target=work) for work in (write, read, read)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert torn == []
    assert session.run(a)[0] == 60.0


# -- memory ----------------------------------------------------------------------------------------

MEMORY = """
    import resource, sys
    import numpy as np
    import staticgraph as sg
    rows, columns = 5000, 5000
    x = sg.placeholder("float32", (None, rows))
    w = sg.Variable(sg.zeros((rows, columns)))
    y = x @ w
    (slope,) = sg.gradients(sg.sum(y * y) + sg.sum(y), w)
    step = {step}
    session = sg.Session()
    fed = np.ones((4, rows), "float32")
    session.run(w[0, 0])
    call = session.make_callable(step, [x])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(3):
        call(fed)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print((after - before) // 1024)
    print(float(session.run(w[1, 2])))
"""
STEPS = {
    "the product's slope": "w.assign_sub(0.001 * slope)",
    "elementwise": "w.assign(w * 0.5 + 1.0)",
    "an optimizer": "sg.train.SGD(0.001).minimize(sg.sum(y), [w])",
}


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for memory in use")
@pytest.mark.parametrize("name", list(STEPS))
def test_a_large_parameter_needs_no_second_one(name: str) -> None:
    script = textwrap.dedent(MEMORY).format(step=f"sg.group({STEPS[name]})")
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120,
        env={"STATICGRAPH_CHECK": "0", "PATH": ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    grown, value = done.stdout.split()
    # The parameter has 95 MiB.
    assert int(grown) < 50
    assert np.isfinite(float(value))
