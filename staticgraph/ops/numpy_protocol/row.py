"""What a function of NumPy is for tensors: the kind of row that the tables hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple


class Row(NamedTuple):
    """What a function of NumPy is here.

    parameters   NumPy's, in order; ``a>x`` is called x here, those after ``*`` go by keyword only.
                 ``+`` in front of the ``*`` stands for any number of operands
    """

    function: Callable[..., Any]
    parameters: str
