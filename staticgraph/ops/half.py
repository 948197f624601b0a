"""Half precision in functions that are made of several ops: rounded once, at their end.

A single op takes float16 and bfloat16 in float32 and rounds its result; a formula of ten would
round ten times.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from staticgraph.core import dtypes
from staticgraph.core.graph import Tensor
from staticgraph.ops.convert import cast, promote


def rounded_once(make: Callable[..., Tensor], operands: Sequence[Any], name: str | None) -> Tensor:
    """What `make` gives for `operands` in one floating dtype, which is float32 in place of a half.

    `make` takes the operands, and the name of its result by keyword.
    """
    tensors = promote(operands, floating=True)
    dtype = tensors[0].dtype
    if dtype not in dtypes.HALF:
        return make(*tensors, name=name)
    wide = [cast(tensor, dtypes.float32) for tensor in tensors]
    return cast(make(*wide, name=None), dtype, name)
