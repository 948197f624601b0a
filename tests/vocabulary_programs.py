"""Random programs made of the whole vocabulary, written as code.

A program grows statement by statement, and each statement is evaluated with the reference when it
is written: what does not fit or leaves the finite numbers is not kept, and what grows large is made
small again. Nothing but the text is kept of it, so the text that a failure prints is the program.

What can be decided by a rounding error (an order, a comparison, a count) is only asked of values
that no rounding has touched, or that `snap` has put on a grid. So two backends agree on every
decision, and results differ by rounding alone; `Value.level` says by how much.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import ml_dtypes
import numpy as np

import staticgraph as sg
from staticgraph.backends.reference import ReferenceExecutable
from staticgraph.core.extract import KEY, extract

Array = np.ndarray[Any, Any]
Shape = tuple[int, ...]

SIZES = (0, 1, 1, 2, 2, 3, 3, 4, 5, 7, 8, 17)
LARGE_SIZES = (1, 1, 1, 3, 70, 257, 300, 5000, 70_001)
DTYPES = (
    "float64", "float64", "float64", "float32", "float32", "complex128", "complex64", "float16",
    "bfloat16", "int32", "int64", "uint8", "bool",
)  # fmt: skip
NAMES = re.compile(r"\b(?:loss|moved(?:_y)?|(?:(?:slope|again|new|state)_)?[xv]\d+)\b")
LARGEST = 4000

PRELUDE = '''
def calm(x):
    """`x` in a disc around 0, smoothly."""
    if x.dtype.kind == "c":
        return x / (1.0 + 0.5 * sg.real(x * sg.conj(x)))
    return sg.tanh(0.5 * x)

def snap(x):
    """`x` on a grid; where it would be in doubt to which side it goes is no value that occurs."""
    return sg.floor(x * 37.0 + 0.1234567) * 0.03125

def apart(x):
    """`x` with equal elements moved apart."""
    steps = sg.cast(sg.arange(sg.size(x)), x.dtype)
    return x + 0.3 * sg.reshape(sg.sin(1.7 * steps + 0.2), sg.shape(x))

def mixed(x, example):
    """A number of the dtype of `example` that every element of `x` has a part in."""
    if x.dtype.kind == "b":
        x = sg.cast(x, "float32")
    if x.dtype.kind == "c" and example.dtype.kind != "c":
        x = sg.real(x) - sg.imag(x)
    x = sg.cast(x, "complex128" if example.dtype.kind == "c" else "float64")
    return sg.cast(calm(sg.sum(x)), example.dtype)

def steps(x):
    """The diagonal matrix of 1, 2, 3, ... with as many rows as the matrices of `x`."""
    rows = x.type.shape[-2] if isinstance(x.type.shape[-2], int) else sg.shape(x)[-2]
    return sg.linalg.matrix_diag(sg.cast(1 + sg.arange(rows), x.dtype))

def positive(x, scale):
    """Positive definite matrices with eigenvalues apart."""
    return scale * sg.matmul(sg.tanh(x), sg.conj(sg.matrix_transpose(sg.tanh(x)))) + steps(x)

def general(x, scale):
    """Matrices that can be inverted."""
    return scale * sg.matmul(sg.tanh(x), sg.matrix_transpose(sg.sin(2.0 * x))) + steps(x)

def total(*xs):
    """A number that all floats of `xs` have a part in."""
    whole = [x for x in xs if x.dtype.kind == "c"]
    parts = [x for x in xs if x.dtype.kind != "c"]
    parts += [part for x in whole for part in (sg.real(x), sg.imag(x))]
    return sum(sg.sum(sg.sin(0.7 * sg.cast(part, "float64"))) for part in parts)
'''


class Refused(Exception):
    """No operand fits."""


@dataclass(frozen=True, eq=False)
class Value:
    """A name of the program: what is known of its shape, and what it was when it was written.

    level  0: no rounding; 1, 2, 3: rounded in float64, in float32, in half precision
    """

    name: str
    shape: tuple[Any, ...]
    array: Array
    level: int

    def __str__(self) -> str:
        return self.name

    @property
    def kind(self) -> str:
        return kind_of(self.array.dtype)

    @property
    def ndim(self) -> int:
        return self.array.ndim


def kind_of(dtype: Any) -> str:
    """NumPy's letter; bfloat16 is a float."""
    return "f" if dtype == ml_dtypes.bfloat16 else str(np.dtype(dtype).kind)


def level_of(dtype: Any) -> int:
    """The level of what is rounded in `dtype`."""
    if kind_of(dtype) not in "fc":
        return 0
    size = np.dtype(dtype).itemsize // (2 if kind_of(dtype) == "c" else 1)
    return {2: 3, 4: 2, 8: 1}[size]


@dataclass(frozen=True)
class Statement:
    """Some lines of a program, and the names that they set."""

    names: tuple[str, ...]
    text: str

    @property
    def uses(self) -> set[str]:
        return set(NAMES.findall(self.text)) - set(self.names)


@dataclass
class Written:
    """A program as text, with what it is fed and what is fetched of it.

    dims     per feed: the sizes as they are known
    fetches  names and their levels, with 10 more for each order of derivative
    """

    statements: list[Statement]
    feeds: dict[str, Array]
    dims: dict[str, tuple[Any, ...]]
    fetches: list[tuple[str, int]]
    variables: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "\n".join(statement.text for statement in self.statements)

    def part(self, names: Iterable[str]) -> str:
        """The statements that the names need."""
        wanted, kept = set(names), []
        for statement in reversed(self.statements):
            if wanted & set(statement.names):
                wanted |= statement.uses
                kept.append(statement.text)
        return "\n".join(reversed(kept))


def namespace() -> dict[str, Any]:
    """What the text of a program finds."""
    names: dict[str, Any] = {"sg": sg, "np": np}
    exec(PRELUDE, names)
    return names


def evaluate(text: str, names: Sequence[str], given: Iterable[Value]) -> list[tuple[Any, Array]]:
    """Static shapes and arrays of `names` after the text, in a graph that is fed what is given."""
    with sg.Graph().as_default() as graph, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found, feeds, arrays = namespace(), [], []
        for value in given:
            found[value.name] = sg.placeholder(value.array.dtype, value.shape, name=value.name)
            feeds.append(found[value.name])
            arrays.append(value.array)
        exec(text, found)
        tensors = [found[name] for name in names]
        extraction = extract(graph, tensors, feeds)
        key = [np.array([0, 1], np.uint64) for source in extraction.sources if source is KEY]
        with np.errstate(all="ignore"):
            outputs = ReferenceExecutable(extraction.function)([*arrays, *key])
        return [
            (tensor.type.shape, np.asarray(output))
            for tensor, output in zip(tensors, outputs, strict=False)
        ]


def count_results(text: str, given: Iterable[Value]) -> int:
    """How many results an expression has: 0 stands for a tensor alone."""
    with sg.Graph().as_default(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = namespace()
        for value in given:
            found[value.name] = sg.placeholder(value.array.dtype, value.shape)
        result = eval(text, found)
    return 0 if isinstance(result, sg.Tensor) else len(result)


class Grower:
    """Grows one program; a row of the vocabulary takes it and gives an expression."""

    def __init__(self, chance: Random, vocabulary: Sequence[Row], large: bool = False) -> None:
        self.chance = chance
        self.rows = list(vocabulary)
        self.numbers = np.random.default_rng(chance.randrange(1 << 30))
        self.statements: list[Statement] = []
        self.scope: list[Value] = []
        self.feeds: dict[str, Array] = {}
        self.dims: dict[str, tuple[Any, ...]] = {}
        self.count = 0
        self.depth = 0
        self.largest = 400_000 if large else LARGEST
        sizes = LARGE_SIZES if large else SIZES
        self.sizes = [chance.choice(sizes) for _ in range(3)]
        self.known = chance.choice((True, False, None))
        for _ in range(chance.randrange(3, 7)):
            self.feed(chance.choice(DTYPES))
        # What a session keeps is what the run before it made: it has been rounded.
        self.kept = [
            replace(value, level=max(1, level_of(value.array.dtype)))
            for value in self.scope
            if value.kind in "fc" and chance.random() < 0.15
        ]
        names = [value.name for value in self.kept]
        self.scope = [value for value in self.scope if value.name not in names] + self.kept

    # -- feeds --------------------------------------------------------------

    def fresh(self, letter: str = "v") -> str:
        self.count += 1
        return f"{letter}{self.count}"

    def drawn(self, dtype: str, shape: Shape, exact: bool) -> Array:
        """Small numbers; exact ones are multiples of a quarter."""
        kind = kind_of(np.dtype(dtype))
        if kind == "b":
            return np.asarray(self.numbers.random(shape) < 0.5)
        if kind in "iu":
            return np.asarray(self.numbers.integers(0 if kind == "u" else -3, 6, shape), dtype)
        parts = self.numbers.uniform(-1.5, 1.5, (2, *shape))
        parts = np.round(4.0 * parts) / 4.0 if exact else parts
        return np.asarray(parts[0] + 1j * parts[1] if kind == "c" else parts[0]).astype(dtype)

    def feed(self, dtype: str) -> Value:
        """A placeholder of which all, some or no sizes are known."""
        name, exact = self.fresh("x"), self.chance.random() < 0.5
        rank = self.chance.choice((0, 1, 1, 2, 2, 2, 2, 3, 3, 4))
        choices = [*self.sizes, *self.sizes, 1] if rank < 4 else [1, 2, 3]
        shape = tuple(self.chance.choice(choices) for _ in range(rank))
        while np.prod(shape, initial=1.0) > self.largest:
            shape = shape[1:]
        dims: list[Any] = [
            size if (self.known if self.known is not None else self.chance.random() < 0.5) else None
            for size in shape
        ]
        array = self.drawn(dtype, shape, exact)
        self.statements.append(
            Statement((name,), f'{name} = sg.placeholder("{dtype}", {tuple(dims)}, name="{name}")')
        )
        made = Value(name, tuple(dims), array, 0 if exact else level_of(array.dtype))
        self.feeds[name], self.dims[name] = array, tuple(dims)
        self.scope.append(made)
        return made

    # -- choices ------------------------------------------------------------

    def pick(self, kinds: str = "f", low: int = 0, high: int = 9, test: Any = None) -> Value:
        """A value of these kinds and ranks; newer ones are wanted more."""
        fitting = [
            v for v in self.scope
            if v.kind in kinds and low <= v.ndim <= high and (test is None or test(v))
        ]  # fmt: skip
        if not fitting:
            raise Refused
        return self.chance.choice(fitting[-4:] if self.chance.random() < 0.5 else fitting)

    def beside(self, value: Value, kinds: str | None = None) -> Value:
        """A value that broadcasts with another."""

        def fits(other: Value) -> bool:
            try:
                shape = np.broadcast_shapes(value.array.shape, other.array.shape)
            except ValueError:
                return False
            return bool(np.prod(shape, initial=1.0) <= self.largest)

        return self.pick(kinds or ("fc" if value.kind in "fc" else value.kind), test=fits)

    def decisive(self, kinds: str = "fiu", low: int = 0, high: int = 9) -> str:
        """A value that may be ordered, compared and counted."""
        value = self.pick(kinds, low, high, lambda v: v.level <= 1)
        self.last = value
        return f"snap({value})" if value.level else str(value)

    def ordered(self, low: int = 1, kinds: str = "f") -> str:
        """A float whose order decides where derivatives go."""
        value = self.pick(kinds, low)
        self.last = value
        if value.level == 0:
            return str(value)
        return f"apart({value})" if value.level == 1 else f"sg.stop_gradient({value})"

    def axis(self, value: Value | None = None) -> int:
        rank = (value or self.last).ndim
        if not rank:
            raise Refused
        return self.chance.randrange(-rank, rank)

    def axes(self, value: Value) -> Any:
        """None, one, or some of the axes."""
        kind = self.chance.randrange(3)
        if kind == 0 or not value.ndim:
            return None
        if kind == 1:
            return self.axis(value)
        return tuple(axis for axis in range(value.ndim) if self.chance.random() < 0.5)

    def flag(self) -> bool:
        return self.chance.random() < 0.5

    def one(self, *choices: Any) -> Any:
        return self.chance.choice(choices)

    # -- statements ------------------------------------------------------------

    def grow(self) -> bool:
        """One statement more, if it fits."""
        row = self.chance.choices(self.rows, [row.weight for row in self.rows])[0]
        start = len(self.statements), len(self.scope), self.count
        try:
            if row.construct:
                row.make(self)
            else:
                self.say(row.make(self), row.keeps)
            return True
        except (Refused, sg.StaticGraphError):
            # What cannot be is not a part of the program.
            del self.statements[start[0] :]
            del self.scope[start[1] :]
            self.count = start[2]
            return False

    def say(self, text: str, keeps: bool = False, before: str = "", level: int = 0) -> list[Value]:
        """Statements that give names to the results of an expression."""
        given = [value for value in self.scope if value.name in NAMES.findall(before + text)]
        if before:
            names = re.findall(r"\bv\d+\b", text.split(" = ")[0])
            statement = Statement(tuple(names), f"{before}\n{text}")
        else:
            count = count_results(text, given)
            names = [self.fresh() for _ in range(max(count, 1))]
            left = ", ".join(names) + ("," if count == 1 else "")
            statement = Statement(tuple(names), f"{left} = {text}")
        results = evaluate(statement.text, names, given)
        taint = max([value.level for value in given] + [level])
        made = []
        for name, (shape, array) in zip(names, results, strict=True):
            if array.size > self.largest or array.ndim > 5 or shape is None:
                raise Refused
            kind = kind_of(array.dtype)
            if kind in "fc" and not np.all(np.isfinite(array.astype(np.complex128))):
                raise Refused
            own = 0 if kind not in "fc" else taint if keeps else max(taint, level_of(array.dtype))
            made.append(Value(name, shape, array, own))
        self.statements.append(statement)
        self.scope += made
        for value in made:
            self._calm(value)
        return made

    def _calm(self, value: Value) -> None:
        """Puts a smaller value in place of one that has large elements."""
        whole = value.kind in "iu"
        if value.kind == "b" or not value.array.size:
            return
        if np.max(np.abs(value.array.astype(np.complex128))) <= (20 if whole else 3):
            return
        self.say(f"{value} % 13" if whole else f"calm({value})")
        self.scope.remove(value)

    # -- constructs ------------------------------------------------------------

    def body(self, given: Sequence[Value], steps: int, close: Callable[[], str]) -> str:
        """The lines of a body that is given some values more; `close` says what it returns."""
        statements, scope = self.statements, self.scope
        self.statements, self.scope = [], [*scope, *given]
        self.depth += 1
        try:
            for _ in range(steps):
                self.grow()
            self.newest = self.scope[-1]
            end = close()
            self.inner = max([value.level for value in self.scope[len(scope) :]], default=0)
            inner = [*self.statements, Statement((), f"return {end}")]
        finally:
            self.statements, self.scope = statements, scope
            self.depth -= 1
        text = "\n".join(statement.text for statement in inner)
        return "\n".join("    " + line for line in text.splitlines())

    def given(self, example: Value, array: Array | None = None, drop: int = 0) -> Value:
        """A parameter of a body."""
        array = example.array if array is None else array
        level = max(example.level, level_of(array.dtype))
        return Value(self.fresh(), example.shape[drop:], array, level)

    def like(self, made: Value, example: Value) -> str:
        """`made` in the type of `example`."""
        if example.kind in "iu":
            if made.kind not in "iub":
                return f"({example} + 1) % 11"
            return f"({example} + sg.cast(sg.sum(sg.cast({made}, 'int64')), {example}.dtype)) % 11"
        same = made.array.dtype == example.array.dtype and made.shape == example.shape
        if same and self.chance.random() < 0.7:
            return f"calm({made} + 0.3 * {example})"
        return f"calm({example} + mixed({made}, {example}))"


@dataclass(frozen=True)
class Row:
    """A kind of statement: how to write one.

    keeps      results are as free of rounding as operands
    construct  `make` writes the statements itself
    """

    weight: float
    make: Callable[[Grower], Any]
    keeps: bool = False
    construct: bool = False


# -- whole programs ---------------------------------------------------------------------------


def written(
    chance: Random, vocabulary: Sequence[Row], most: int = 30, large: bool = False
) -> Written:
    """A program of up to `most` statements, with what is fetched of it."""
    grower = Grower(chance, vocabulary, large)
    for _ in range(chance.randrange(4, most)):
        grower.grow()
    made = [value for value in grower.scope if value.name.startswith("v")] or grower.scope
    fetched = made[-4:] + chance.sample(made, min(2, len(made)))
    fetches = {value.name: value.level for value in fetched}
    program = Written(grower.statements, grower.feeds, grower.dims, [])
    _differentiate(chance, grower, made, program, fetches)
    for value in grower.kept:
        _assign(value, program, fetches)
    program.fetches = list(fetches.items())
    return program


def _differentiate(
    chance: Random, grower: Grower, made: list[Value], program: Written, fetches: dict[str, int]
) -> None:
    """Slopes of some values by the feeds, tangents, and slopes of slopes."""
    wrt = [v for v in grower.scope if v.name in grower.feeds and v.kind in "fc"]
    wrt += [v for v in chance.sample(made, min(1, len(made))) if v.kind in "fc"]
    wrt = list(dict.fromkeys(wrt))
    ys = list(
        dict.fromkeys(
            v for v in [*made[-3:], *chance.sample(made, min(3, len(made)))] if v.kind in "fc"
        )
    )
    if not wrt or not ys or chance.random() < 0.2:
        return
    level = max(v.level if v.name in grower.feeds else max(1, v.level) for v in grower.scope)
    level = max(1, level, *[level_of(v.array.dtype) for v in wrt])
    names = ", ".join(map(str, wrt))
    say = program.statements.append
    say(Statement(("loss",), f"loss = total({', '.join(map(str, ys))})"))
    slopes = [f"slope_{value}" for value in wrt]
    say(Statement(
        tuple(slopes),
        f"{', '.join(slopes)}, = sg.gradients(loss, [{names}], unconnected='zero')",
    ))  # fmt: skip
    fetches.update(dict.fromkeys(slopes, 10 + level))
    if chance.random() < 0.5:
        tangents = ", ".join(f"sg.ones_like({value})" for value in wrt)
        say(Statement(
            ("moved", "moved_y"),
            f"moved, moved_y = sg.jvp([loss, {ys[0]}], [{names}], [{tangents}])",
        ))  # fmt: skip
        fetches.update(dict.fromkeys(("moved", "moved_y"), 10 + level))
    if chance.random() < 0.4:
        again = [f"again_{value}" for value in wrt]
        say(Statement(
            tuple(again),
            f"{', '.join(again)}, = sg.gradients(total({', '.join(slopes)}), [{names}],"
            " unconnected='zero')",
        ))  # fmt: skip
        fetches.update(dict.fromkeys(again, 20 + level))


def _assign(value: Value, program: Written, fetches: dict[str, int]) -> None:
    """A feed becomes a variable, which is read at the start and updated at the end."""
    at = next(i for i, s in enumerate(program.statements) if s.names == (value.name,))
    state = f"state_{value}"
    program.statements[at] = Statement(
        (value.name, state),
        f'{state} = sg.Variable(arrays["{value}"], name="{state}")\n{value} = {state}.read()',
    )
    slope = f"slope_{value}" if f"slope_{value}" in fetches else value.name
    program.statements.append(
        Statement((f"new_{value}",), f"new_{value} = {state}.assign({value} + 0.1 * calm({slope}))")
    )
    fetches[f"new_{value}"] = fetches.get(slope, 10 + value.level)
    program.variables.append(state)
