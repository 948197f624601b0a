"""A classifier of handwritten digits. This file is the whole program that a user writes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import staticgraph as sg


class Network(NamedTuple):
    """The tensors of the default graph that a program feeds and fetches."""

    images: sg.Tensor
    labels: sg.Tensor
    loss: sg.Tensor
    accuracy: sg.Tensor
    step: sg.Operation


def load(seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """1,437 images with their labels to train on and 360 to test on, by the names of the feeds."""
    digits = load_digits()
    pixels = (digits.data / 16).astype("float32")
    x, test_x, y, test_y = train_test_split(
        pixels, digits.target, test_size=0.2, stratify=digits.target, random_state=seed
    )
    return {"images": x, "labels": y}, {"images": test_x, "labels": test_y}


def dense(x: sg.Tensor, inputs: int, outputs: int) -> sg.Tensor:
    """A layer of its own weights: x @ weights + bias."""
    spread = (2 / inputs) ** 0.5
    weights = sg.Variable(sg.random.normal((inputs, outputs), stddev=spread), name="weights")
    bias = sg.Variable(sg.zeros(outputs), name="bias")
    return x @ weights + bias


def build() -> Network:
    """Two layers, their loss, and one step of training."""
    images = sg.placeholder("float32", ("batch", 64), name="images")
    labels = sg.placeholder("int64", ("batch",), name="labels")
    with sg.name_scope("hidden"):
        hidden = sg.relu(dense(images, 64, 256))
    with sg.name_scope("scores"):
        scores = dense(hidden, 256, 10)
    with sg.name_scope("loss"):
        wanted = 0.9 * sg.one_hot(labels, 10) + 0.01
        loss = sg.mean(sg.nn.softmax_cross_entropy_with_logits(labels=wanted, logits=scores))
    with sg.name_scope("accuracy"):
        accuracy = sg.mean(sg.cast(sg.argmax(scores, axis=1) == labels, "float32"))
    return Network(images, labels, loss, accuracy, sg.train.Adam(0.001).minimize(loss))


def train(
    network: Network, session: sg.Session, data: dict[str, Any], steps: int, seed: int
) -> Iterator[float]:
    """Trains on random batches of 64 images; gives the loss of each step."""
    rng = np.random.default_rng(seed)
    step = session.make_callable((network.loss, network.step), [network.images, network.labels])
    for _ in range(steps):
        batch = rng.integers(len(data["labels"]), size=64)
        loss, _ = step(data["images"][batch], data["labels"][batch])
        yield float(loss)
