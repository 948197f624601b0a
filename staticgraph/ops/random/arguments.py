"""What a call is told that gives an argument under the name which another library has for it.

NumPy, SciPy, JAX and TensorFlow 1 call the same things `size`, `loc`, `key` or `minval`. One
decorator on the public functions knows these words, so that no function has to. A call that fits
its function costs nothing.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any, ParamSpec, TypeVar

from staticgraph.core.location import capture

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")

# A word of other libraries, and what the argument may be called here: the first that there is.
_WORDS: dict[str, tuple[str, ...]] = {
    "a": ("concentration",),
    "alpha": ("concentration",),
    "b": ("scale",),
    "beta": ("scale", "b"),
    "concentration0": ("b",),
    "concentration1": ("a",),
    "k": ("concentration",),
    "lam": ("rate",),
    "loc": ("mean",),
    "logits": ("p",),
    "maxval": ("high",),
    "mean": ("loc",),
    "minval": ("low",),
    "mu": ("loc", "mean"),
    "n": ("count", "num_samples"),
    "noise_shape": ("shape",),
    "num_samples": ("shape",),
    "nsample": ("shape",),
    "probs": ("p",),
    "pvals": ("p",),
    "scale": ("stddev",),
    "sigma": ("stddev", "scale"),
    "size": ("shape", "num_samples"),
    "std": ("stddev", "scale"),
    "stddev": ("scale",),
    "total_count": ("count",),
}
# A word that stands for no argument of any function, and the way to what it does.
_ELSEWHERE = {
    "endpoint": "high is never drawn: give high + 1",
    "keep_prob": "it is 1 - rate",
    "key": "keys come from the session: sg.Session(seed=1)",
    "method": "there is one method",
    "out": "a draw is a tensor, which no array holds before a run",
    "random_state": "seeds are the session's: sg.Session(seed=1)",
    "rng": "seeds are the session's: sg.Session(seed=1)",
    "seed": "seeds are the session's: sg.Session(seed=1)",
}


def names_told(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """The function, whose TypeError for arguments that do not fit it says which names to give."""

    @functools.wraps(function)
    def _called(*given: _Arguments.args, **named: _Arguments.kwargs) -> _Result:
        try:
            return function(*given, **named)
        except TypeError:
            told = _told(function, given, named)
            if told is None:
                raise
        raise TypeError(told)

    return _called


def _told(function: Callable[..., Any], given: Iterable[Any], named: dict[str, Any]) -> str | None:
    """What is said of arguments that do not fit a function; None of those that do."""
    signature = inspect.signature(function)
    try:
        signature.bind(*given, **named)
    except TypeError as problem:
        wrong = str(problem)
    else:
        return None
    names = list(signature.parameters)
    lines = [f"{function.__name__}: {_problem(wrong, named, names)}"]
    for word in named:
        if word not in names and _way_out(word, names):
            lines.append(f"  {_way_out(word, names)}")
    if "shape" in named and "'concentration'" in wrong:
        lines.append("  what is called shape elsewhere is concentration here")
    lines.append(f"  it takes {', '.join(names)}")
    return "\n".join([*lines, f"  at {capture()}"])


def _problem(wrong: str, named: Iterable[str], names: Iterable[str]) -> str:
    unknown = [word for word in named if word not in names]
    return f"there is no argument {unknown[0]}" if unknown else wrong


def _way_out(word: str, names: Iterable[str]) -> str:
    if word in _ELSEWHERE:
        return _ELSEWHERE[word]
    here = next((name for name in _WORDS.get(word, ()) if name in names), None)
    return f"what is called {word} elsewhere is {here} here" if here else ""
