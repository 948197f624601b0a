"""Einstein summation: what `subscripts` mean, and in which order operands are contracted.

This file reads the notation and asks opt_einsum for the order; `contraction` makes the products.
Inside, every axis has a label that is a string: a letter, a number in the form with lists, or
``...1``, ``...2`` for the axes of an ellipsis, counted from the last.
"""

from __future__ import annotations

import math
import string
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, NoReturn

from staticgraph.config import LazyModule
from staticgraph.core import dtypes
from staticgraph.core.graph import Tensor, describe
from staticgraph.core.node import Node
from staticgraph.core.opdef import Mismatch
from staticgraph.core.types import Dim
from staticgraph.errors import DTypeError, StaticGraphError
from staticgraph.ops import shaping
from staticgraph.ops.contraction import Labelled, arranged, contract, diagonal_of, summed
from staticgraph.ops.control import identity
from staticgraph.ops.convert import promote
from staticgraph.ops.sizes import is_int, refusal

__all__ = ["einsum"]

paths = LazyModule("opt_einsum.paths")

# What a size that only the run knows counts as when the order of contractions is chosen.
UNKNOWN_SIZE = 128

# Searches of opt_einsum that give the same order every time; "auto" goes by the number of operands.
_SEARCHES = ("auto", "optimal", "dp", "greedy", "branch-all", "branch-2", "branch-1")

_ELLIPSIS = "..."
# Items of one term: labels, and at most one ellipsis.
_Term = tuple[str, ...]
# The positions of operands that are contracted; the product goes to the end.
_Step = tuple[int, ...]
_Fail = Callable[..., StaticGraphError]


def einsum(
    subscripts: Any, *operands: Any, optimize: Any = True, name: str | None = None
) -> Tensor:
    """Sums of products of entries of the operands, by Einstein's convention as NumPy has it.

    subscripts  a letter per axis of each operand, terms parted by commas: ``"ij,jk->ik"``. Axes of
                one letter go together; those whose letter is missing after ``->`` are summed over.
                Without ``->`` the letters that occur once remain, in alphabetical order. A letter
                twice in one term takes the diagonal. ``...`` stands for further axes, which
                broadcast from the last
    operands    arrays and tensors, promoted to one dtype. Instead of the text, each may be followed
                by a list of its labels, and all by one of the result's:
                ``einsum(x, [0, 1], y, [1, 2], [0, 2])``
    optimize    the order in which three or more operands are contracted: True or "auto" for the one
                that opt_einsum finds, the name of one of its searches, False for from left to
                right, or a list of positions per step as `numpy.einsum_path` gives it. A size that
                only the run knows counts as 128

    Each step is one matrix product, or elementwise where nothing is summed. The dtype is that of
    the operands, for narrow integers too. An axis of size 1 broadcasts where the graph knows its
    size; summed sizes that only the run knows have to be equal.

    Raises ShapeError for subscripts that do not fit the operands and for sizes that differ,
    DTypeError for bool.

    >>> import staticgraph as sg
    >>> weights, x = sg.constant([[1.0, 2.0], [3.0, 4.0]]), sg.constant([10.0, 1.0])
    >>> sg.Session().run([sg.einsum("ij,j->i", weights, x), sg.einsum("ii", weights)])
    [array([12., 34.], dtype=float32), np.float32(5.0)]
    """
    reading = _read(subscripts, operands)
    wanted = _wanted(reading, optimize)
    terms = _broadcast_terms(reading)
    parts = [_prepared(reading, terms, place) for place in range(len(terms))]
    counts = Counter([label for part in parts for label in part.labels])
    alone = {label for label, count in counts.items() if count == 1} - set(reading.output)
    parts = [summed(part, set(part.labels) - alone) for part in parts]
    steps = _found(wanted, parts, reading.output) if isinstance(wanted, str) else wanted
    product = summed(_contracted(parts, steps, reading), reading.output)
    result = arranged(product, reading.output)
    return identity(result, name=name) if name else result


def _contracted(parts: list[Labelled], steps: Sequence[_Step], reading: _Reading) -> Labelled:
    """The product of all parts; of a step with several, from left to right."""
    output, differing = reading.output, partial(_differing, reading)
    for step in steps:
        chosen = [parts[place] for place in step]
        parts = [part for place, part in enumerate(parts) if place not in step]
        while len(chosen) > 1:
            lhs, rhs, *chosen = chosen
            later = {label for part in (*chosen, *parts) for label in part.labels}
            order = () if chosen or parts else output
            chosen.insert(0, contract(lhs, rhs, later | set(output), order, differing))
        parts.append(chosen[0])
    return parts[0]


class _Reading(NamedTuple):
    """A call, read.

    terms     the labels of the axes of each operand
    output    the labels of the axes of the result
    listed    the subscripts and the operands, as messages show them
    fail      makes the error of this call from a problem and a way out
    """

    operands: list[Tensor]
    terms: list[_Term]
    output: _Term
    listed: list[str]
    fail: _Fail


# -- the notation -----------------------------------------------------------------------------


def _read(subscripts: Any, operands: tuple[Any, ...]) -> _Reading:
    if isinstance(subscripts, str):
        terms, output = _read_text(subscripts)
    else:
        terms, output, operands = _read_lists((subscripts, *operands))
    if len(terms) != len(operands):
        raise refusal(
            "einsum",
            f"the subscripts have {len(terms)} terms for {len(operands)} operands",
            f"subscripts {_shown(subscripts)}",
            "give one term per operand, parted by commas",
        )
    tensors = promote(operands)

    listed = [f"operand {place} {describe(tensor)}" for place, tensor in enumerate(tensors)]
    listed.insert(0, f"subscripts {_written(terms, output)}")

    def fail(problem: str, way_out: str, **options: Any) -> StaticGraphError:
        return refusal("einsum", problem, *listed, way_out, **options)

    if tensors[0].dtype not in dtypes.ARITHMETIC | dtypes.HALF:
        raise fail("the operands are bool", "convert them: sg.cast(x, 'int64')", error=DTypeError)
    spread = [_spread(term, tensor, place, fail)
              for place, (term, tensor) in enumerate(zip(terms, tensors, strict=True))]  # fmt: skip
    return _Reading(tensors, spread, _output(terms, spread, output, fail), listed, fail)


def _shown(subscripts: Any) -> str:
    return repr(subscripts) if isinstance(subscripts, str) else "in lists"


def _written(terms: Sequence[_Term], output: _Term | None) -> str:
    """The subscripts as text; numbers stand apart."""
    gap = (
        " "
        if any(len(label) > 1 and label != _ELLIPSIS for term in terms for label in term)
        else ""
    )
    text = ",".join([gap.join(term) for term in terms])
    return repr(text if output is None else f"{text}->{gap.join(output)}")


def _read_text(subscripts: str) -> tuple[list[_Term], _Term | None]:
    text = subscripts.replace(" ", "")
    left, arrow, right = text.partition("->")
    terms = [_read_term(term, subscripts) for term in left.split(",")]
    return terms, _read_term(right, subscripts) if arrow else None


def _read_term(term: str, subscripts: str) -> _Term:
    before, dots, after = term.partition(_ELLIPSIS)
    for item in before + after:
        if item not in string.ascii_letters:
            raise refusal(
                "einsum",
                f"{item!r} is no label of an axis",
                f"subscripts {subscripts!r}",
                "labels are letters; '...' stands for further axes, ',' parts the operands, '->' "
                "leads to the result",
            )
    return (*before, *([_ELLIPSIS] if dots else []), *after)


def _read_lists(items: tuple[Any, ...]) -> tuple[list[_Term], _Term | None, tuple[Any, ...]]:
    pairs, rest = items[: len(items) // 2 * 2], items[len(items) // 2 * 2 :]
    if not pairs:
        raise refusal(
            "einsum",
            "there are no subscripts",
            'begin with a text: einsum("ij,jk->ik", x, y), or put a list of labels behind each '
            "operand: einsum(x, [0, 1], y, [1, 2], [0, 2])",
        )
    terms = [_read_list(item) for item in pairs[1::2]]
    return terms, _read_list(rest[0]) if rest else None, pairs[::2]


def _read_list(labels: Any) -> _Term:
    found: list[str] = []
    for label in labels if isinstance(labels, list | tuple) else [labels]:
        if label is Ellipsis and _ELLIPSIS not in found:
            found.append(_ELLIPSIS)
        elif is_int(label) and label >= 0:
            found.append(str(int(label)))
        else:
            raise refusal(
                "einsum",
                f"{label!r} is no label of an axis",
                "a list behind an operand holds ints that are not negative, and at most one "
                'Ellipsis; a text comes first: einsum("ij,jk", x, y)',
            )
    return tuple(found)


def _spread(term: _Term, tensor: Tensor, place: int, fail: _Fail) -> _Term:
    """A term with a label for each axis that its ellipsis stands for."""
    ndim = tensor.type.ndim
    if ndim is None:
        raise fail(
            f"the rank of '{tensor.name}' is not known",
            "declare the shape, with None for sizes that are open: placeholder(dtype, (None, 3))",
        )
    named = len(term) - (_ELLIPSIS in term)
    if named > ndim or (named < ndim and _ELLIPSIS not in term):
        raise fail(
            f"the term of operand {place} has {named} labels for {ndim} axes",
            "give one label per axis; '...' stands for further axes",
        )
    if _ELLIPSIS not in term:
        return term
    at = term.index(_ELLIPSIS)
    return (*term[:at], *_ellipsis(ndim - named), *term[at + 1 :])


def _ellipsis(count: int) -> _Term:
    return tuple([f"{_ELLIPSIS}{number}" for number in range(count, 0, -1)])


def _output(
    terms: Sequence[_Term], spread: Sequence[_Term], output: _Term | None, fail: _Fail
) -> _Term:
    """The labels of the result, given or by NumPy's rule."""
    counts = Counter([label for term in terms for label in term if label != _ELLIPSIS])
    hidden = [sum(label.startswith(_ELLIPSIS) for label in term) for term in spread]
    further = _ellipsis(max(hidden, default=0))
    if output is None:
        once = [label for label, count in counts.items() if count == 1]
        return (*further, *sorted(once, key=lambda label: (len(label), label)))
    for label in output:
        if label == _ELLIPSIS:
            continue
        if label not in counts:
            raise fail(f"label {label} of the result is of no operand", "give it to an operand")
        if output.count(label) > 1:
            raise fail(f"label {label} stands twice in the result", "name every axis once")
    if _ELLIPSIS in output:
        at = output.index(_ELLIPSIS)
        return (*output[:at], *further, *output[at + 1 :])
    if further:
        raise fail(
            "the axes of '...' are missing in the result", "put '...' behind '->', or sum over them"
        )
    return output


# -- operands ---------------------------------------------------------------------------------


def _broadcast_terms(reading: _Reading) -> list[_Term]:
    """The terms with '' for axes that broadcast along another; refuses sizes that differ."""
    sizes: dict[str, tuple[Dim, int]] = {}
    for place, (term, tensor) in enumerate(zip(reading.terms, reading.operands, strict=True)):
        for label, dim in zip(term, tensor.type.shape or (), strict=True):
            have, where = sizes.get(label, (1, place))
            if isinstance(have, int) and isinstance(dim, int) and 1 != have != dim != 1:
                _refuse_sizes(reading, label, (have, where), (dim, place))
            if have == 1 or (dim != 1 and isinstance(dim, int)):
                sizes[label] = dim, place
    return [
        tuple([
            "" if dim == 1 and sizes[label][0] != 1 else label
            for label, dim in zip(term, tensor.type.shape or (), strict=True)
        ])
        for term, tensor in zip(reading.terms, reading.operands, strict=True)
    ]  # fmt: skip


def _refuse_sizes(
    reading: _Reading, label: str, first: tuple[Dim, int], second: tuple[Dim, int]
) -> NoReturn:
    raise reading.fail(
        f"{_spoken(label)} has two sizes",
        f"it is {first[0]} in operand {first[1]} and {second[0]} in operand {second[1]}; they must "
        "be equal, or one of them 1",
    )


def _spoken(label: str) -> str:
    return "an axis of '...'" if label.startswith(_ELLIPSIS) else f"label {label}"


def _differing(
    reading: _Reading,
    node: Node,
    labels: Sequence[str],
    sizes: tuple[int, int],
    made_of: Sequence[tuple[int, ...]],
) -> Mismatch:
    """What is said of labels whose axes have two sizes in a run.

    Of several, axes that were merged, one alone is open: the entries along the others are known.
    """
    dims = {
        label: dim
        for term, tensor in zip(reading.terms, reading.operands, strict=True)
        for label, dim in zip(term, tensor.type.shape or (), strict=True)
        if isinstance(dim, int)
    }
    known = math.prod([dims.get(label, 1) for label in labels])
    label = next((label for label in labels if label not in dims), labels[0])
    found = [
        (next(place for place in places if label in reading.terms[place]), size)
        for places, size in zip(made_of, sizes, strict=True)
    ]
    if len(labels) > 1 and known:
        found = [(place, size // known) for place, size in found]
    (place, size), (other, different) = sorted(found)
    return _failed(
        reading, node, label,
        f"it is {size} in operand {place} and {different} in operand {other}; they must be equal",
    )  # fmt: skip


def _failed(reading: _Reading, node: Node, label: str, detail: str) -> Mismatch:
    """What is said of a node that failed in a run, in place of its own operands those given."""
    return Mismatch(
        f"{_spoken(label)} has two sizes in this run",
        *reading.listed,
        detail,
        spoken=(node.location.spoken("einsum"), *[""] * len(node.inputs)),
    )


def _prepared(reading: _Reading, terms: Sequence[_Term], place: int) -> Labelled:
    """An operand without axes that only broadcast, and with diagonals taken."""
    tensor, term = reading.operands[place], terms[place]
    empty = tuple([axis for axis, label in enumerate(term) if not label])
    if empty:
        tensor = shaping.squeeze(tensor, empty)
    labels = [label for label in term if label]
    while len(set(labels)) < len(labels):
        twice = next(label for label in labels if labels.count(label) > 1)
        first = labels.index(twice)
        second = labels.index(twice, first + 1)
        refused = partial(_differing_diagonal, reading, place, twice)
        tensor = diagonal_of(tensor, first, second, refused)
        labels = [label for axis, label in enumerate(labels) if axis not in (first, second)]
        labels.append(twice)
    return Labelled(tensor, tuple(labels), (place,))


def _differing_diagonal(
    reading: _Reading, place: int, label: str, node: Node, size: int, different: int
) -> Mismatch:
    return _failed(
        reading, node, label,
        f"it is {size} and {different} in operand {place}, which has it twice; they must be equal",
    )  # fmt: skip


# -- the order --------------------------------------------------------------------------------


def _wanted(reading: _Reading, optimize: Any) -> list[_Step] | str:
    """The steps that a caller asks for, or the name of a search for them."""
    if isinstance(optimize, bool):
        return "auto" if optimize else [(0, 1)] * (len(reading.operands) - 1)
    if isinstance(optimize, str):
        if optimize in _SEARCHES:
            return optimize
        raise reading.fail(
            f"optimize={optimize!r} is no search for an order", f"there are {', '.join(_SEARCHES)}"
        )
    steps = list(optimize) if isinstance(optimize, list | tuple) else []
    if steps and steps[0] == "einsum_path":
        steps = steps[1:]
    left, fits = len(reading.operands), bool(steps)
    for step in steps:
        places = step if isinstance(step, list | tuple) else ()
        fits = fits and bool(places) and len(set(places)) == len(places)
        fits = fits and all(is_int(place) and 0 <= place < left for place in places)
        left += 1 - len(places)
    if not fits or left != 1:
        raise reading.fail(
            f"optimize={optimize!r} is no order of contractions",
            "give True, False, the name of a search, or steps that leave one operand: each names "
            "positions, and its product goes to the end: [(0, 1), (0, 1)]",
        )
    return [tuple(map(int, step)) for step in steps]


def _found(search: str, parts: Sequence[Labelled], output: _Term) -> list[_Step]:
    """The steps that opt_einsum finds for these operands."""
    if len(parts) < 3:
        return [(0, 1)] * (len(parts) - 1)
    sizes: dict[str, int] = {}
    for part in parts:
        for label in part.labels:
            dim = part.dim(label)
            if isinstance(dim, int) or label not in sizes:
                sizes[label] = dim if isinstance(dim, int) else UNKNOWN_SIZE
    inputs = [frozenset(part.labels) for part in parts]
    path = paths.get_path_fn(search)(inputs, frozenset(output), sizes, None)
    return [tuple(step) for step in path]
