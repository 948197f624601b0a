"""Optimizers against updates written by hand in NumPy, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import staticgraph as sg
from staticgraph.errors import DTypeError, GradientError, GraphError, RunError, ShapeError

from ..messages import whole

Array = np.ndarray[Any, Any]
Rule = Callable[[Array, Array], Array]


# -- updates by hand --------------------------------------------------------------------------


def plain(rate: float) -> Callable[[], Rule]:
    return lambda: lambda value, slope: value - rate * slope


def momentum(rate: float, kept: float, nesterov: bool) -> Callable[[], Rule]:
    def fresh() -> Rule:
        velocity: list[Any] = [0.0]

        def rule(value: Array, slope: Array) -> Array:
            velocity[0] = kept * velocity[0] + slope
            if nesterov:
                return value - rate * (slope + kept * velocity[0])
            return value - rate * velocity[0]

        return rule

    return fresh


def adam(rate: float, beta1: float, beta2: float, epsilon: float) -> Callable[[], Rule]:
    def fresh() -> Rule:
        state: list[Any] = [0, 0.0, 0.0]

        def rule(value: Array, slope: Array) -> Array:
            state[0] += 1
            state[1] = beta1 * state[1] + (1 - beta1) * slope
            state[2] = beta2 * state[2] + (1 - beta2) * slope**2
            mean = state[1] / (1 - beta1 ** state[0])
            spread = state[2] / (1 - beta2 ** state[0])
            return value - rate * mean / (np.sqrt(spread) + epsilon)

        return rule

    return fresh


CASES: dict[str, tuple[Callable[[], Any], Callable[[], Rule]]] = {
    "plain": (lambda: sg.train.SGD(0.1), plain(0.1)),
    "momentum": (lambda: sg.train.SGD(0.05, momentum=0.9), momentum(0.05, 0.9, False)),
    "nesterov": (lambda: sg.train.SGD(0.05, 0.8, nesterov=True), momentum(0.05, 0.8, True)),
    "adam": (lambda: sg.train.Adam(), adam(0.001, 0.9, 0.999, 1e-8)),
    "adam, other numbers": (
        lambda: sg.train.Adam(0.1, beta1=0.5, beta2=0.9, epsilon=1e-3), adam(0.1, 0.5, 0.9, 1e-3),
    ),
    "adam without memory": (lambda: sg.train.Adam(0.1, beta1=0, beta2=0), adam(0.1, 0, 0, 1e-8)),
}  # fmt: skip

STEPS = 40
DATA = np.random.default_rng(5).standard_normal((STEPS, 8, 3))
TARGETS = np.sin(DATA.sum(axis=2))


def by_hand(fresh: Callable[[], Rule]) -> Iterator[tuple[float, Array, Array]]:
    """Loss before, weights after and bias after each step of a linear regression, in float64."""
    weights, bias = np.array([0.5, -0.25, 1.0]), np.array(0.1)
    for_weights, for_bias = fresh(), fresh()
    for batch, wanted in zip(DATA, TARGETS, strict=True):
        error = batch @ weights + bias - wanted
        loss = float(np.mean(error**2))
        weights = for_weights(weights, 2 * batch.T @ error / len(error))
        bias = for_bias(bias, 2 * np.mean(error))
        yield loss, weights, bias


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES)
def test_against_updates_by_hand(case: str, dtype: str) -> None:
    make, fresh = CASES[case]
    x = sg.placeholder(dtype, (None, 3), name="x")
    target = sg.placeholder(dtype, (None,), name="target")
    weights = sg.Variable([0.5, -0.25, 1.0], dtype, name="weights")
    bias = sg.Variable(0.1, dtype, name="bias")
    loss = sg.mean(sg.square(sg.sum(x * weights, axis=1) + bias - target))
    step = make().minimize(loss)
    session = sg.Session()
    close = {"float32": 2e-4, "float64": 1e-11}[dtype]
    for number, (want, of_weights, of_bias) in enumerate(by_hand(fresh)):
        given = {x: DATA[number].astype(dtype), target: TARGETS[number].astype(dtype)}
        none, have = session.run([step, loss], given)
        assert none is None
        assert have == pytest.approx(want, rel=close, abs=close)
        now = session.run([weights, bias])
        assert [value.dtype for value in now] == [dtype, dtype]
        np.testing.assert_allclose(now[0], of_weights, rtol=close, atol=close)
        np.testing.assert_allclose(now[1], of_bias, rtol=close, atol=close)


@pytest.mark.parametrize("case", CASES)
def test_every_optimizer_finds_the_bottom_of_a_bowl(case: str) -> None:
    x = sg.Variable([3.0, -2.0], "float64", name="x")
    loss = sg.sum((x - np.array([1.0, 2.0])) ** 2 * np.array([0.5, 2.0]))
    optimizer = sg.train.Adam(0.05) if case == "adam" else CASES[case][0]()
    step = optimizer.minimize(loss)
    session = sg.Session()
    for _ in range(600):
        session.run(step)
    np.testing.assert_allclose(session.run(x), [1.0, 2.0], atol=0.06)


def test_the_first_step_of_adam_keeps_its_digits_in_float32() -> None:
    w = sg.Variable(1.0, "float32", name="w")
    step = sg.train.Adam(0.5, beta2=0.9999, epsilon=0.0).minimize(3.0 * w)
    session = sg.Session()
    session.run(step)
    assert session.run(w) == pytest.approx(0.5, rel=1e-6)


# -- the learning rate ------------------------------------------------------------------------


@pytest.mark.parametrize("of_rate", ["float32", "float64"])
@pytest.mark.parametrize("make", [sg.train.SGD, lambda rate: sg.train.SGD(rate, 0.9)])
def test_a_learning_rate_that_is_fed(make: Any, of_rate: str) -> None:
    rate = sg.placeholder(of_rate, (), name="rate")
    w = sg.Variable(1.0, "float32", name="w")
    step = make(rate).minimize(w * 2.0)
    session = sg.Session()
    session.run(step, {rate: 0.25})
    assert session.run(w) == 0.5
    session.run(step, {rate: 0.0})
    assert session.run(w) == 0.5


def test_a_learning_rate_that_follows_a_schedule() -> None:
    count = sg.Variable(0, name="count", trainable=False)
    w = sg.Variable(0.0, "float64", name="w")
    rate = 1.0 / (1.0 + sg.cast(count, "float64"))
    step = sg.train.SGD(rate).minimize(-w)
    both = sg.group(step, count.assign_add(1))
    session = sg.Session()
    for _ in range(4):
        session.run(both)
    assert session.run(w) == pytest.approx(1 + 1 / 2 + 1 / 3 + 1 / 4)


def test_a_learning_rate_that_is_a_variable() -> None:
    rate = sg.Variable(0.5, name="rate", trainable=False)
    w = sg.Variable(1.0, name="w")
    step = sg.train.Adam(rate).minimize(w * w)
    session = sg.Session()
    session.run(step)
    assert session.run(w) == pytest.approx(0.5)


# -- which variables --------------------------------------------------------------------------


def names(pairs: Any) -> list[str]:
    return [variable.name for _, variable in pairs]


def test_by_default_the_trainable_variables_that_the_loss_depends_on() -> None:
    first = sg.Variable(1.0, name="first")
    sg.Variable(1.0, name="elsewhere")
    fixed = sg.Variable(1.0, name="fixed", trainable=False)
    whole_number = sg.Variable(2, name="whole_number")
    second = sg.Variable(1.0, name="second")
    loss = second * first * fixed * sg.cast(whole_number, "float32")
    assert names(sg.train.SGD(0.1).gradients(loss)) == ["first", "second"]
    assert names(sg.train.SGD(0.1).gradients(loss, [second])) == ["second"]
    assert names(sg.train.SGD(0.1).gradients(loss, fixed)) == ["fixed"]


def test_every_read_of_a_variable_counts() -> None:
    w = sg.Variable(1.0, name="w")
    loss = w * 2.0 + w.read() * 3.0
    ((slope, _),) = sg.train.SGD(0.1).gradients(loss)
    assert sg.Session().run(slope) == 5.0


def test_gradients_may_be_changed_on_the_way() -> None:
    w, v = sg.Variable(1.0, name="w"), sg.Variable(1.0, name="v")
    optimizer = sg.train.SGD(1.0)
    pairs = optimizer.gradients(w * 10.0 + v)
    clipped = [(sg.clip(slope, -2.0, 2.0), variable) for slope, variable in pairs]
    step = optimizer.apply([*clipped[:1], (None, v)])
    session = sg.Session()
    assert session.run(step) is None
    assert session.run([w, v]) == [-1.0, 1.0]


def test_gradients_may_be_numbers_and_arrays() -> None:
    w = sg.Variable([1.0, 2.0], name="w")
    v = sg.Variable(1.0, name="v")
    step = sg.train.SGD(1.0).apply([(np.array([1.0, 1.0], np.float32), w), (2.0, v)])
    session = sg.Session()
    session.run(step)
    np.testing.assert_array_equal(session.run(w), [0.0, 1.0])
    assert session.run(v) == -1.0


# -- state ------------------------------------------------------------------------------------


def test_slots_are_variables_of_the_graph(graph: sg.Graph) -> None:
    with sg.name_scope("model"):
        w = sg.Variable(np.ones((2, 3), np.float32), name="w")
    sg.train.Adam(name="optimizer").minimize(sg.sum(w * w))
    slots = {name: v for name, v in graph.variables.items() if name != "model/w"}
    assert list(slots) == [
        "optimizer/model/w/updates",
        "optimizer/model/w/mean",
        "optimizer/model/w/spread",
    ]
    assert [v.trainable for v in slots.values()] == [False] * 3
    assert [str(v.type) for v in slots.values()] == ["int64[]", "float32[2, 3]", "float32[2, 3]"]
    for value in sg.Session().run(list(slots.values())):
        np.testing.assert_array_equal(value, 0)


def test_plain_descent_keeps_nothing(graph: sg.Graph) -> None:
    w = sg.Variable(1.0, name="w")
    sg.train.SGD(0.1).minimize(w * w)
    assert list(graph.variables) == ["w"]


def test_a_variable_of_unknown_shape() -> None:
    initial = sg.placeholder_with_default(np.zeros(3, np.float32), (None,), name="initial")
    w = sg.Variable(initial, name="w")
    step = sg.train.SGD(0.5, momentum=0.5).minimize(sg.sum(w))
    session = sg.Session()
    for _ in range(2):
        session.run(step)
    np.testing.assert_array_equal(session.run(w), [-1.25] * 3)


def test_two_optimizers_keep_apart_and_one_is_shared() -> None:
    w = sg.Variable(0.0, name="w")
    optimizer = sg.train.SGD(1.0, momentum=0.5)
    one, two = optimizer.minimize(w), optimizer.minimize(2.0 * w)
    other = sg.train.SGD(1.0, momentum=0.5).minimize(w)
    session = sg.Session()
    values = []
    for step in (one, two, other):
        session.run(step)
        values.append(float(session.run(w)))
    # The velocity is 1, then 0.5 + 2; that of the other optimizer begins at 0.
    assert values == [-1.0, -3.5, -4.5]


def test_names(graph: sg.Graph) -> None:
    w = sg.Variable(1.0, name="w")
    first = sg.train.SGD(0.1).minimize(w * w)
    with sg.name_scope("train"):
        second = sg.train.SGD(0.1, 0.9).minimize(w * w)
    third = sg.train.SGD(0.1).minimize(w * w)
    assert [op.name for op in (first, second, third)] == [
        "sgd/step",
        "train/sgd/step",
        "sgd_1/step",
    ]
    assert "train/sgd/w/velocity" in graph.variables


# -- runs -------------------------------------------------------------------------------------


def test_a_step_that_fails_changes_nothing(graph: sg.Graph) -> None:
    x = sg.placeholder("float64", (), name="x")
    w, v = sg.Variable(1.0, "float64", name="w"), sg.Variable([2.0, 3.0], "float64", name="v")
    loss = (w * x) ** 2 + sg.sum(v * v)
    pairs = sg.train.Adam(0.1).gradients(loss)
    with sg.control_dependencies([sg.assert_true(x < 10, "x is too large")]):
        step = sg.train.Adam(0.1).apply(pairs)
    session = sg.Session()
    session.run(step, {x: 1.0})
    everything = list(graph.variables.values())
    before = session.run(everything)
    with pytest.raises(RunError, match="x is too large"):
        session.run(step, {x: 100.0})
    for old, new in zip(before, session.run(everything), strict=True):
        np.testing.assert_array_equal(old, new)
    session.run(step, {x: 1.0})
    assert session.run(graph.variables["adam/w/updates"]) == 2


def test_all_updates_read_what_was_before() -> None:
    a, b = sg.Variable(1.0, name="a"), sg.Variable(2.0, name="b")
    step = sg.train.SGD(1.0).minimize(a * b)
    session = sg.Session()
    session.run(step)
    assert session.run([a, b]) == [-1.0, 1.0]


def test_two_steps_in_one_run() -> None:
    w = sg.Variable(8.0, "float64", name="w")
    optimizer = sg.train.SGD(0.25, momentum=0.5)
    first = optimizer.minimize(w * w)
    with sg.control_dependencies([first]):
        again = w.read()
        loss = again * again
        second = optimizer.minimize(loss)
    have = sg.Session().run([second, loss])
    assert have == [None, 16.0]
    session = sg.Session()
    session.run(second)
    # From 8: velocity 16, to 4; velocity 8 + 8, to 0.
    assert session.run(w) == 0.0


def test_two_unordered_steps_on_one_variable_are_refused() -> None:
    w = sg.Variable(1.0, name="w")
    steps = [sg.train.SGD(0.1).minimize(w * w) for _ in range(2)]
    with pytest.raises(GraphError, match="two assigns to variable 'w' have no order"):
        sg.Session().run(steps)


# -- what is refused --------------------------------------------------------------------------


def test_a_loss_that_is_no_scalar() -> None:
    w = sg.Variable([1.0, 2.0], name="w")
    loss = sg.square(w, name="loss")
    with pytest.raises(GradientError) as info:
        sg.train.SGD(0.1).minimize(loss)
    assert whole(info, loss=loss) == (
        "minimize: the loss is not a scalar, its shape is [2]\n"
        "  loss 'loss'  float32[2]  square at <loss>\n"
        "  reduce it first, for example with sg.mean(loss)\n"
        "  at <here>"
    )


def test_a_loss_that_is_no_tensor() -> None:
    with pytest.raises(GradientError) as info:
        sg.train.SGD(0.1).minimize(3.0)
    assert whole(info) == (
        "minimize: the loss is a float, not a tensor\n"
        "  give the scalar Tensor that is to become small\n"
        "  at <here>"
    )


def test_a_loss_of_integers() -> None:
    w = sg.Variable(1, name="w")
    loss = sg.square(w, name="loss")
    with pytest.raises(GradientError) as info:
        sg.train.SGD(0.1).minimize(loss)
    assert whole(info, loss=loss) == (
        "minimize: the loss is int64, which has no derivative\n"
        "  loss 'loss'  int64[]  square at <loss>\n"
        "  compute it from floating variables\n"
        "  at <here>"
    )


def test_a_loss_without_trainable_variables() -> None:
    x = sg.placeholder("float32", (), name="x")
    sg.Variable(1.0, name="elsewhere")
    sg.Variable(1.0, name="fixed", trainable=False)
    loss = sg.square(x, name="loss")
    with pytest.raises(GradientError) as info:
        sg.train.Adam().minimize(loss)
    assert whole(info, loss=loss) == (
        "minimize: the loss depends on no trainable variable\n"
        "  loss 'loss'  float32[]  square at <loss>\n"
        "  trainable variables of the graph: 'elsewhere'\n"
        "  compute the loss from an sg.Variable, or name the variables: "
        "minimize(loss, variables=[...])\n"
        "  at <here>"
    )


def test_many_or_no_trainable_variables_are_listed_shortly(graph: sg.Graph) -> None:
    loss = sg.square(sg.placeholder("float32", (), name="x"))
    with pytest.raises(GradientError, match="trainable variables of the graph: none"):
        sg.train.SGD(0.1).gradients(loss)
    for _ in range(8):
        sg.Variable(1.0, name="w")
    listed = "'w', 'w_1', 'w_2', 'w_3', 'w_4', and 3 more"
    with pytest.raises(GradientError, match=f"trainable variables of the graph: {listed}"):
        sg.train.SGD(0.1).gradients(loss)


def test_a_named_variable_that_the_loss_does_not_depend_on() -> None:
    w, other = sg.Variable(1.0, name="w"), sg.Variable(1.0, name="other")
    loss = sg.square(w, name="loss")
    with pytest.raises(GradientError) as info:
        sg.train.SGD(0.1).minimize(loss, [w, other])
    assert whole(info, loss=loss, other=other) == (
        "minimize: the loss does not depend on variable 'other'\n"
        "  loss 'loss'  float32[]  square at <loss>\n"
        "  variable 'other'  float32[]  variable at <other>\n"
        "  leave it out of the variables, or compute the loss from it\n"
        "  at <here>"
    )


def test_a_named_variable_whose_path_is_cut() -> None:
    w = sg.Variable(1.0, name="w")
    rounded = sg.cast(w, "int32", name="rounded")
    loss = sg.cast(rounded, "float32", name="loss")
    with pytest.raises(GradientError) as info:
        sg.train.SGD(0.1).minimize(loss, w)
    assert whole(info, loss=loss, w=w, rounded=rounded) == (
        "minimize: no derivative passes from the loss to variable 'w'\n"
        "  loss 'loss'  float32[]  cast at <loss>\n"
        "  variable 'w'  float32[]  variable at <w>\n"
        "  'rounded' (cast, at <rounded>) lies between and its result is int32\n"
        "  leave it out of the variables, or compute the loss from it\n"
        "  at <here>"
    )


def test_what_cannot_be_updated() -> None:
    w = sg.Variable(1.0, name="w")
    loss = sg.square(w)
    read = w.read(name="now")
    with pytest.raises(GraphError) as info:
        sg.train.SGD(0.1).minimize(loss, [read])
    assert whole(info, read=read) == (
        "minimize: only a Variable can be updated\n"
        "  given 'now'  float32[]  variable at <read>\n"
        "  give the sg.Variable itself\n"
        "  at <here>"
    )
    with pytest.raises(GraphError) as info:
        sg.train.SGD(0.1).apply([(loss, "w")])  # type: ignore[list-item]
    assert whole(info) == (
        "apply: only a Variable can be updated\n"
        "  given str\n"
        "  give the sg.Variable itself\n"
        "  at <here>"
    )
    whole_number = sg.Variable(1, name="whole_number")
    with pytest.raises(GradientError, match="variable 'whole_number' is int64"):
        sg.train.SGD(0.1).minimize(loss, [whole_number])


def test_no_variables_no_pairs_and_no_gradients() -> None:
    w = sg.Variable(1.0, name="w")
    with pytest.raises(GradientError) as info:
        sg.train.SGD(0.1).minimize(sg.square(w), [])
    assert whole(info) == (
        "minimize: the list of variables is empty\n"
        "  name the variables to update, or leave the list out for all trainable ones\n"
        "  at <here>"
    )
    for pairs in ([], [(None, w)]):
        with pytest.raises(GradientError) as info:
            sg.train.SGD(0.1).apply(pairs)
        assert whole(info) == (
            "apply: there is no gradient to apply\n"
            "  give pairs of a gradient and its variable, with at least one gradient\n"
            "  at <here>"
        )


def test_a_variable_that_stands_twice() -> None:
    w = sg.Variable(1.0, name="w")
    optimizer = sg.train.SGD(0.1)
    with pytest.raises(GradientError) as info:
        optimizer.apply([(1.0, w), (2.0, w)])
    assert whole(info) == (
        "apply: variable 'w' stands twice\n"
        "  a step updates each variable once; add its gradients up first\n"
        "  at <here>"
    )
    with pytest.raises(GradientError, match="gradients: variable 'w' stands twice"):
        optimizer.gradients(sg.square(w), [w, w])


def test_gradients_that_do_not_fit() -> None:
    w = sg.Variable([1.0, 2.0], name="w")
    narrow = sg.constant([1.0, 2.0, 3.0], name="narrow")
    wide = sg.constant([1.0, 2.0], "float64", name="wide")
    with sg.Graph().as_default():
        foreign = sg.constant([1.0, 2.0], name="foreign")
    for gradient, problem, error in (
        (narrow, "differs from its variable in shape", ShapeError),
        (wide, "differs from its variable in dtype", DTypeError),
        (foreign, "belongs to another graph than its variable", GraphError),
    ):
        with pytest.raises(error) as info:
            sg.train.SGD(0.1).apply([(gradient, w)])
        assert whole(info, w=w, gradient=gradient) == (
            f"apply: a gradient {problem}\n"
            f"  gradient '{gradient.name}'  {gradient.type}  constant at <gradient>\n"
            "  variable 'w'  float32[2]  variable at <w>\n"
            "  give what optimizer.gradients(loss) returned, or tensors of the same types\n"
            "  at <here>"
        )


def test_pairs_that_are_none() -> None:
    w = sg.Variable(1.0, name="w")
    with pytest.raises(GradientError) as info:
        sg.train.SGD(0.1).apply([w])  # type: ignore[list-item]
    assert whole(info) == (
        "apply: a Variable is no pair of a gradient and its variable\n"
        "  give what optimizer.gradients(loss) returned\n"
        "  at <here>"
    )


def test_learning_rates_that_mean_nothing() -> None:
    for rate in (-0.1, float("nan"), float("inf"), "fast", None, True):
        with pytest.raises(GraphError) as info:
            sg.train.SGD(rate)
        assert whole(info) == (
            f"sgd: learning_rate is {rate!r}\n  give a number of at least 0\n  at <here>"
        )
    vector = sg.placeholder("float32", (2,), name="vector")
    with pytest.raises(ShapeError) as shape_info:
        sg.train.SGD(vector)
    assert whole(shape_info, vector=vector) == (
        "sgd: the learning rate is not a scalar\n"
        "  learning_rate 'vector'  float32[2]  placeholder at <vector>\n"
        "  give one number, or a scalar tensor\n"
        "  at <here>"
    )
    count = sg.placeholder("int32", (), name="count")
    with pytest.raises(DTypeError) as dtype_info:
        sg.train.Adam(count)
    assert whole(dtype_info, count=count) == (
        "adam: the learning rate is int32\n"
        "  learning_rate 'count'  int32[]  placeholder at <count>\n"
        "  give a float, or a floating tensor\n"
        "  at <here>"
    )


def test_numbers_out_of_range() -> None:
    for make, role, value in (
        (lambda: sg.train.SGD(0.1, momentum=1.0), "sgd: momentum", 1.0),
        (lambda: sg.train.Adam(beta1=-0.5), "adam: beta1", -0.5),
        (lambda: sg.train.Adam(beta2=1), "adam: beta2", 1),
    ):
        with pytest.raises(GraphError) as info:
            make()
        assert str(info.value).startswith(
            f"{role} is {value!r}\n  give a number of at least 0 and below 1\n  at tests/train/"
        )
    with pytest.raises(GraphError, match="adam: epsilon is -1"):
        sg.train.Adam(epsilon=-1)
    with pytest.raises(GraphError) as info:
        sg.train.SGD(0.1, nesterov=True)
    assert whole(info) == (
        "sgd: nesterov=True without momentum\n"
        "  give a momentum above 0, for example 0.9\n"
        "  at <here>"
    )
    assert sg.train.SGD(np.float32(0.5)).learning_rate == 0.5
    assert sg.train.SGD(0).learning_rate == 0.0
