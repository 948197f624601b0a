"""Optimizers in the body of a loop: many steps in one run are the same steps run one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import staticgraph as sg

XS = np.linspace(-1, 1, 12, dtype=np.float32).reshape(6, 2)
YS = (XS @ np.array([1.5, -0.5], np.float32)).astype(np.float32)


def _loss(w: Any, b: Any) -> Any:
    return sg.mean(sg.square(sg.matmul(sg.constant(XS), w) + b - YS))


@pytest.mark.parametrize(
    "make",
    [
        lambda: sg.train.SGD(0.1),
        lambda: sg.train.SGD(0.1, momentum=0.9, nesterov=True),
        lambda: sg.train.Adam(0.05),
    ],
)
def test_steps_in_a_loop_are_the_steps_one_by_one(make: Callable[[], Any]) -> None:
    results = []
    for looped in (True, False):
        with sg.Graph().as_default():
            w, b = sg.Variable([0.5, 0.5], name="w"), sg.Variable(0.25, name="b")
            optimizer = make()

            def step(i: Any, _: Any, w: Any = w, b: Any = b, optimizer: Any = optimizer) -> Any:
                return optimizer.minimize(_loss(w, b))

            session = sg.Session()
            if looped:
                session.run(sg.fori_loop(0, 20, step, None))
            else:
                once = step(None, None)
                for _ in range(20):
                    session.run(once)
            results.append(session.run([w, b]))
    for have, want in zip(*results, strict=True):
        np.testing.assert_array_equal(have, want)
