"""What brings activations to a common size, and what leaves some of them out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.graph import Tensor
from staticgraph.core.opdef import Mismatch
from staticgraph.core.types import format_shape
from staticgraph.ops import elementwise as ew
from staticgraph.ops.axes import refuse
from staticgraph.ops.convert import cast, in_one_graph, promote
from staticgraph.ops.half import rounded_once
from staticgraph.ops.random.arguments import names_told
from staticgraph.ops.random.parameters import fit, limited
from staticgraph.ops.random.words import unit
from staticgraph.ops.reduction import mean as mean_of
from staticgraph.ops.reduction import sum as sum_of
from staticgraph.ops.sizes import read_sizes, shape_of
from staticgraph.ops.variance import var

Axis = int | Sequence[int] | None


def moments(
    x: Any, axis: Axis = None, keepdims: bool = False, *, name: str | None = None
) -> tuple[Tensor, Tensor]:
    """The mean and the variance of `x` along `axis`: an int, several, or None for all.

    The variance is that of the elements at hand, not an estimate of another: ``mean((x - m)**2)``.
    Raises ShapeError for an axis that `x` does not have.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.nn.moments(sg.constant([[1.0, 3.0], [4.0, 8.0]]), axis=1))
    (array([2., 6.], dtype=float32), array([1., 4.], dtype=float32))
    """
    (tensor,) = promote((x,), floating=True)
    half = tensor.dtype if tensor.dtype in dtypes.HALF else None
    wide = cast(tensor, dtypes.float32) if half else tensor
    axes = tuple(axis) if isinstance(axis, list) else axis
    found = (mean_of(wide, axes, keepdims), var(wide, axes, keepdims=keepdims))
    mean, variance = [cast(each, half or each.dtype, name) for each in found]
    return mean, variance


def batch_normalization(
    x: Any,
    mean: Any,
    variance: Any,
    offset: Any = None,
    scale: Any = None,
    epsilon: float = 1e-3,
    *,
    name: str | None = None,
) -> Tensor:
    """``(x - mean) / sqrt(variance + epsilon) * scale + offset``, elementwise.

    All broadcast with `x`. `offset` and `scale` are left out where they are None; `moments` gives
    the others. Source: Ioffe and Szegedy, arXiv:1502.03167.

    >>> import staticgraph as sg
    >>> x = sg.constant([[1.0, 3.0], [4.0, 8.0]])
    >>> mean, variance = sg.nn.moments(x, axis=0)
    >>> sg.Session().run(sg.nn.batch_normalization(x, mean, variance, epsilon=0.0))
    array([[-1., -1.],
           [ 1.,  1.]], dtype=float32)
    """
    given = [part for part in (scale, offset) if part is not None]

    def made(x: Tensor, mean: Tensor, variance: Tensor, *given: Tensor, name: str | None) -> Tensor:
        factor = ew.reciprocal(ew.sqrt(variance + epsilon))
        factor = factor if scale is None else factor * given[0]
        last = name if offset is None else None
        product = ew.multiply(x - mean, factor, name=last)
        return product if offset is None else ew.add(product, given[-1], name=name)

    return rounded_once(made, (x, mean, variance, *given), name)


def layer_norm(
    x: Any,
    scale: Any = None,
    offset: Any = None,
    axis: Axis = -1,
    epsilon: float = 1e-5,
    *,
    name: str | None = None,
) -> Tensor:
    """`x` brought to mean 0 and variance 1 along `axis`, times `scale`, plus `offset`.

    scale, offset   tensors that broadcast with `x`; left out where they are None
    epsilon         is added to the variance

    Raises ShapeError for an axis that `x` does not have. Source: Ba, Kiros and Hinton,
    arXiv:1607.06450.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.nn.layer_norm(sg.constant([[1.0, 3.0], [4.0, 8.0]]), epsilon=0.0))
    array([[-1.,  1.],
           [-1.,  1.]], dtype=float32)
    """
    given = [part for part in (scale, offset) if part is not None]

    def made(x: Tensor, *given: Tensor, name: str | None) -> Tensor:
        mean, variance = moments(x, axis, keepdims=True)
        scaled = given[0] if scale is not None else None
        shift = given[-1] if offset is not None else None
        return batch_normalization(x, mean, variance, shift, scaled, epsilon, name=name)

    return rounded_once(made, (x, *given), name)


def rms_norm(
    x: Any, scale: Any = None, axis: Axis = -1, epsilon: float = 1e-6, *, name: str | None = None
) -> Tensor:
    """``x / sqrt(mean(x**2) + epsilon)`` along `axis`, times `scale` where it is given.

    Raises ShapeError for an axis that `x` does not have. Source: Zhang and Sennrich,
    arXiv:1910.07467.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.nn.rms_norm(sg.constant([1.0, 7.0]), epsilon=0.0))
    array([0.2, 1.4], dtype=float32)
    """
    given = [part for part in (scale,) if part is not None]

    def made(x: Tensor, *given: Tensor, name: str | None) -> Tensor:
        axes = tuple(axis) if isinstance(axis, list) else axis
        size = mean_of(ew.square(x), axes, keepdims=True)
        factor = ew.reciprocal(ew.sqrt(size + epsilon))
        return ew.multiply(x, factor * given[0] if given else factor, name=name)

    return rounded_once(made, (x, *given), name)


def l2_normalize(
    x: Any, axis: Axis = None, epsilon: float = 1e-12, *, name: str | None = None
) -> Tensor:
    """``x / sqrt(max(sum(x**2), epsilon))`` along `axis`: vectors of length 1.

    A vector of zeros stays one. Raises ShapeError for an axis that `x` does not have.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.nn.l2_normalize(sg.constant([[3.0, 4.0], [0.0, 0.0]]), axis=1))
    array([[0.6, 0.8],
           [0. , 0. ]], dtype=float32)
    """

    def made(x: Tensor, name: str | None) -> Tensor:
        axes = tuple(axis) if isinstance(axis, list) else axis
        size = ew.maximum(sum_of(ew.square(x), axes, keepdims=True), epsilon)
        return ew.multiply(x, ew.reciprocal(ew.sqrt(size)), name=name)

    return rounded_once(made, (x,), name)


def l2_loss(x: Any, *, name: str | None = None) -> Tensor:
    """``sum(x**2) / 2``, a scalar.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.nn.l2_loss(sg.constant([3.0, 4.0])))
    np.float32(12.5)
    """

    def made(x: Tensor, name: str | None) -> Tensor:
        return ew.multiply(sum_of(ew.square(x)), 0.5, name=name)

    return rounded_once(made, (x,), name)


@names_told
@in_one_graph
def dropout(x: Any, rate: Any = 0.5, shape: Any = None, *, name: str | None = None) -> Tensor:
    """Each element of `x` with probability `rate` 0, else itself divided by ``1 - rate``.

    rate    a number from 0 to 1, or a scalar tensor; the expectation of the result is `x`, save
            for 1, which leaves nothing
    shape   a shape that broadcasts to that of `x`: what stands for several elements drops or keeps
            them together; the shape of `x` when not given

    Leave it out where nothing is trained, or give a `rate` of 0. Derivatives flow to the elements
    that are kept. Raises ShapeError for a rate that is known to be none, RunError in a run. Source:
    Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, JMLR 15 (2014).

    >>> import staticgraph as sg
    >>> kept = sg.Session(seed=1).run(sg.nn.dropout(sg.ones((1000,)), 0.2))
    >>> sorted(set(kept.tolist()))
    [0.0, 1.25]
    """
    (tensor,) = promote((x,), floating=True)
    with tensor.graph.as_default():
        (share,) = promote((rate,), floating=True)
        if share.type.ndim not in (0, None):
            refuse("dropout", (tensor, share), Mismatch(
                f"rate has shape {format_shape(share.type.shape)}", "give one number for all of x"
            ), ("x", "rate"))  # fmt: skip
        share = limited("dropout", "rate", share, "probability")
        target = shape_of(tensor) if shape is None else read_sizes("dropout", shape)
        kept = ew.greater_equal(unit(tensor.graph, target, dtypes.float32), fit(share, target))
        if target.shape != tensor.type.shape:
            kept = fit(kept, shape_of(tensor))
        factor = cast(1.0 / (1.0 - cast(share, dtypes.float64)), _wide(tensor))
        grown = cast(cast(tensor, _wide(tensor)) * factor, tensor.dtype)
        return ew.where(kept, grown, ew.zero_of(grown), name=name or "dropout")


def _wide(x: Tensor) -> np.dtype[Any]:
    """The dtype that elements are scaled in."""
    return dtypes.float32 if x.dtype in dtypes.HALF else x.dtype
