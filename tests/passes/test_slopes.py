"""Gradients of losses that are written with a plain logarithm: finite where the loss is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import special

import staticgraph as sg

SCORES = np.array([-200.0, -3.0, 0.0, 3.0, 200.0], "float32")


@pytest.mark.parametrize("weight", [1.0, 2.0])
@pytest.mark.parametrize(
    ("loss", "slope"),
    [
        (lambda z: sg.log(sg.sigmoid(z)), lambda z: special.expit(-z)),
        (lambda z: sg.log(1.0 - sg.sigmoid(z)), lambda z: -special.expit(z)),
        (lambda z: sg.log(1.0 + sg.exp(z)), special.expit),
    ],
)
def test_logarithms_of_probabilities(
    loss: Callable[[sg.Tensor], sg.Tensor],
    slope: Callable[[np.ndarray], np.ndarray],
    weight: float,
) -> None:
    z = sg.placeholder("float32", (None,), name="z")
    (found,) = sg.gradients(sg.sum(weight * loss(z)), z)
    expected = weight * slope(SCORES.astype("float64"))
    np.testing.assert_allclose(
        sg.Session().run(found, {z: SCORES}), expected, rtol=1e-6, atol=1e-44
    )


def test_the_logarithm_of_a_softmax() -> None:
    z = sg.placeholder("float32", (None, 5), name="z")
    truth = sg.placeholder("float32", (None, 5), name="truth")
    loss = -sg.mean(sg.sum(truth * sg.log(sg.softmax(z)), axis=-1))
    (found,) = sg.gradients(loss, z)
    labels = np.eye(5, dtype="float32")[[0, 4]]
    scores = np.stack([SCORES, SCORES])
    expected = (special.softmax(scores.astype("float64"), axis=-1) - labels) / 2
    given = sg.Session().run(found, {z: scores, truth: labels})
    np.testing.assert_allclose(given, expected, rtol=1e-6, atol=1e-12)
