"""Choosing among several tensors by conditions or numbers, and entries by a condition.

What is not chosen has no part in the result and gets a derivative of 0, whatever its own is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.graph import Tensor
from staticgraph.core.opdef import Mismatch
from staticgraph.core.types import format_shape
from staticgraph.errors import DTypeError, ShapeError
from staticgraph.ops import elementwise as ew
from staticgraph.ops.axes import known_rank, one_axis, refuse
from staticgraph.ops.control import identity
from staticgraph.ops.convert import as_tensor, cast, in_one_graph, is_tensor_like, promote
from staticgraph.ops.filling import in_dtype_of, is_row
from staticgraph.ops.grids import broadcast_arrays, moveaxis
from staticgraph.ops.indexing import gather
from staticgraph.ops.looping import map_fn
from staticgraph.ops.requiring import require
from staticgraph.ops.searching import flatnonzero
from staticgraph.ops.shaping import broadcast_like, flattened, permute_dims, reshape
from staticgraph.ops.sizes import dim_of, refusal, size_or_dim

# -- among tensors ----------------------------------------------------------------------------


@in_one_graph
def select(
    condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0, *, name: str | None = None
) -> Tensor:
    """The elements of the first choice whose condition holds, of `default` where none does.

    condlist     bools, or bool tensors
    choicelist   as many tensors or numbers
    default      a number or a tensor

    All broadcast together; choices and default promote to one dtype. Raises ShapeError for lists of
    different lengths or empty ones, DTypeError for conditions that are no bools.

    >>> import staticgraph as sg
    >>> x = sg.constant([-2.0, 0.5, 3.0])
    >>> sg.Session().run(sg.select([x < 0, x > 1], [-x, x * 10], x))
    array([ 2. ,  0.5, 30. ], dtype=float32)
    """
    if not isinstance(condlist, list | tuple) or not isinstance(choicelist, list | tuple):
        raise refusal("select", "conditions and choices are no lists", "give lists: [x > 0], [x]")
    if not condlist or len(condlist) != len(choicelist):
        raise refusal(
            "select", f"there are {len(condlist)} conditions and {len(choicelist)} choices",
            "give one choice per condition, and one at least",
        )  # fmt: skip
    graph = next((as_tensor(c).graph for c in condlist if is_tensor_like(c)), None)
    if graph is None:
        *choices, result = promote((*choicelist, default))
    else:
        with graph.as_default():
            *choices, result = promote((*choicelist, default))
    for condition, choice in zip(reversed(condlist), reversed(choices), strict=True):
        mask = as_tensor(condition, result.graph)
        if mask.dtype != dtypes.bool_:
            refuse("select", (mask,), Mismatch(
                f"a condition is {dtypes.name(mask.dtype)}", "compare it with something: x > 0",
                error=DTypeError,
            ), ("condition",))  # fmt: skip
        result = ew.where(mask, choice, result)
    return identity(result, name=name or "select")


@in_one_graph
def piecewise(
    x: Any, condlist: Any, funclist: Sequence[Any], *args: Any, name: str | None = None, **kw: Any
) -> Tensor:
    """Of each element of `x` the function whose condition holds there; of several the last one.

    condlist   bool tensors, or one; or an array with a condition per entry of axis 0. Bools in a
               list are one condition, unless `x` is a scalar
    funclist   a function of tensors or a number per condition, and maybe one more, for the elements
               of which no condition holds; without it they give 0
    args, kw   what the functions get besides `x`

    The result has the shape and the dtype of `x`, to which conditions broadcast. Every function is
    computed for all of `x`: an element for which it is not chosen may be anything to it. Raises
    ShapeError for lists that do not fit and for conditions of more axes than `x` has, DTypeError
    for numbers that the dtype of `x` does not hold.

    >>> import staticgraph as sg
    >>> x = sg.constant([-2.0, 0.0, 4.0])
    >>> sg.Session().run(sg.piecewise(x, [x < 0, x > 0], [lambda x: -x, sg.sqrt, 7.0]))
    array([2., 7., 2.], dtype=float32)
    """
    tensor = as_tensor(x)
    ndim, conditions = tensor.type.ndim, _conditions(tensor, condlist)
    if not isinstance(funclist, list | tuple):
        raise refusal(
            "piecewise", f"funclist={funclist!r} is no list", "give one function per condition: [f]"
        )
    functions = list(funclist)
    if len(functions) not in (len(conditions), len(conditions) + 1):
        raise refusal(
            "piecewise", f"there are {len(conditions)} conditions and {len(functions)} functions",
            "give one function per condition, and maybe one for the rest",
        )  # fmt: skip
    with tensor.graph.as_default():
        masks = [as_tensor(condition) for condition in conditions]
        for mask in masks:
            wider = ndim is not None and (mask.type.ndim or 0) > ndim
            if mask.dtype != dtypes.bool_ or wider:
                refuse("piecewise", (tensor, mask), Mismatch(
                    f"a condition is {mask.type}", "give bools that broadcast to x: x > 0",
                    error=DTypeError if mask.dtype != dtypes.bool_ else ShapeError,
                ), ("x", "condition"))  # fmt: skip
        values = [
            in_dtype_of(
                "piecewise", f"funclist[{place}]",
                function(tensor, *args, **kw) if callable(function) else function, tensor,
            )
            for place, function in enumerate(functions)
        ]  # fmt: skip
        rest = values.pop() if len(values) > len(masks) else ew.zero_of(tensor)
        chosen = select(masks[::-1], values[::-1], rest) if masks else rest
        # Numbers and conditions may be smaller than x is.
        whole = broadcast_like(chosen, tensor)
    return identity(whole, name=name or "piecewise")


def _conditions(x: Tensor, condlist: Any) -> list[Any]:
    """The conditions of `piecewise`, among which NumPy tells a list of bools from one of arrays."""
    if not is_row(condlist):
        return [condlist]
    listed = list(condlist)
    bare = all(isinstance(condition, bool | np.bool_) for condition in listed)
    return [condlist] if listed and bare and x.type.ndim != 0 else listed


@in_one_graph
def choose(a: Any, choices: Any, mode: str = "raise", *, name: str | None = None) -> Tensor:
    """Of each element the one of `choices` whose number `a` gives there.

    a         ints
    choices   a list of tensors, or a tensor whose entries along axis 0 they are
    mode      what a number out of range is: ``"raise"``, an error of the run; ``"wrap"``, counted
              around; ``"clip"``, the first or the last

    All broadcast together, and the choices promote to one dtype. DTypeError for an `a` of no ints.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.choose(sg.constant([1, 0, 1]), [[1, 2, 3], [10, 20, 30]]))
    array([10,  2, 30])
    """
    if mode not in ("raise", "wrap", "clip"):
        raise refusal("choose", f"mode={mode!r} is not there", "give 'raise', 'wrap' or 'clip'")
    if is_tensor_like(choices):
        whole = as_tensor(choices)
        count = dim_of(whole, 0) if known_rank("choose", whole) else None
        if not isinstance(count, int):
            refuse("choose", (whole,), Mismatch(
                "the number of choices is not known", "declare the size of axis 0, or give a list"
            ), ("choices",))  # fmt: skip
        with whole.graph.as_default():
            listed: list[Any] = [whole[index] for index in range(count)]
    elif is_row(choices):
        listed = list(choices)
    else:
        raise refusal("choose", f"choices={choices!r} is no list", "give the choices in a list")
    if not listed:
        raise refusal("choose", "there is no choice", "give one at least")
    graph = as_tensor(a).graph if is_tensor_like(a) else None
    tensors = [as_tensor(item, graph) for item in listed] if graph is not None else listed
    tensors = promote(tensors)
    number = as_tensor(a, tensors[0].graph)
    if number.dtype not in dtypes.INTEGER:
        refuse("choose", (number,), Mismatch(
            f"a is {dtypes.name(number.dtype)}", "give ints", error=DTypeError
        ), ("a",))  # fmt: skip
    number, last = cast(number, dtypes.int64), len(tensors) - 1
    with number.graph.as_default():
        if mode == "wrap":
            number = ew.remainder(number, len(tensors))
        elif mode == "clip":
            number = ew.clip(number, 0, last)
        conditions = [ew.equal(number, index) for index in range(last)]
        if last:
            result = select(conditions, tensors[:-1], tensors[-1])
        else:
            result = broadcast_arrays(number, tensors[0])[1]
        if mode == "raise":
            # What is asked hangs on the result: of a choice among equals nothing is left.
            fits = ew.logical_and(ew.greater_equal(number, 0), ew.less_equal(number, last))
            result = require(
                result, fits, "choose", f"a number is not from 0 to {last}",
                "give mode='wrap' or mode='clip', or other numbers", a=number,
            )  # fmt: skip
    return identity(result, name=name or "choose")


# -- entries ----------------------------------------------------------------------------------


@in_one_graph
def compress(condition: Any, x: Any, axis: int | None = None, *, name: str | None = None) -> Tensor:
    """The entries of `x` along `axis` for which a condition holds; None flattens `x` first.

    condition   a vector of bools, no longer than the axis: it stops where the condition does

    The size of the result is known where the condition is. Raises ShapeError for a condition that
    is no vector; one that is longer than the axis and holds behind it is an error of the run.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.compress([True, False, True], sg.constant([[1, 2], [3, 4], [5, 6]]), 0))
    array([[1, 2],
           [5, 6]])
    """
    tensor = as_tensor(x, as_tensor(condition).graph if is_tensor_like(condition) else None)
    if axis is None:
        tensor, axis = flattened(tensor), 0
    number = one_axis("compress", tensor, axis)
    mask = as_tensor(condition, tensor.graph)
    if mask.type.ndim != 1:
        refuse("compress", (mask,), Mismatch(
            f"the condition has shape {format_shape(mask.type.shape)}", "give a vector of bools"
        ), ("condition",))  # fmt: skip
    with tensor.graph.as_default():
        return gather(tensor, flatnonzero(mask), number, name=name or "compress")


@in_one_graph
def apply_along_axis(
    func1d: Callable[..., Any], axis: int, x: Any, *args: Any, name: str | None = None, **kw: Any
) -> Tensor:
    """A function of vectors, called with every row of `x` along `axis`.

    func1d     takes a vector, then `args` and `kw`, and gives a tensor of any shape, which stands
               in the place of the axis
    args, kw   what it gets besides

    It is a loop over the rows (`map_fn`); a function that takes an axis itself is faster. Raises
    ShapeError for an axis that `x` does not have.

    >>> import staticgraph as sg
    >>> x = sg.constant([[3.0, 1.0], [2.0, 4.0]])
    >>> sg.Session().run(sg.apply_along_axis(lambda row: sg.sort(row) * 2.0, 1, x))
    array([[2., 6.],
           [4., 8.]], dtype=float32)
    """
    if not callable(func1d):
        raise refusal("apply_along_axis", f"func1d={func1d!r} is no function", "give a function")
    tensor = as_tensor(x)
    number = one_axis("apply_along_axis", tensor, axis)
    moved = moveaxis(tensor, number, -1)
    lead = (moved.type.ndim or 1) - 1
    with tensor.graph.as_default():
        if not lead:
            return identity(as_tensor(func1d(moved, *args, **kw)), name=name or "apply_along_axis")
        sizes = [size_or_dim(moved, place) for place in range(lead)]
        # Counted, since of rows of no elements a reshape could not tell how many there are.
        rows = reshape(moved, (math.prod(sizes), size_or_dim(moved, lead)))
        made = map_fn(lambda row: as_tensor(func1d(row, *args, **kw)), rows)
        inner = known_rank("apply_along_axis", made) - 1
        sizes += [size_or_dim(made, 1 + place) for place in range(inner)]
        whole = reshape(made, sizes)
        order = [place for place in range(lead) if place < number]
        order += [lead + place for place in range(inner)]
        order += [place for place in range(lead) if place >= number]
        return permute_dims(whole, tuple(order), name=name or "apply_along_axis")
