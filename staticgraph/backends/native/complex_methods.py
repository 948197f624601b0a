"""The functions of floats that complex numbers have as well, as methods of the builder.

What each method means is said in core/elements.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from staticgraph.backends.native import complex_functions
from staticgraph.backends.native.float_functions import FloatFunctions
from staticgraph.core import dtypes

if TYPE_CHECKING:
    from staticgraph.backends.native.scalars import Register, Scalars


class ComplexFunctions(FloatFunctions):
    """What `Scalars` inherits."""

    def asin(self, x: Register) -> Register:
        """The arc sine."""
        if x.dtype in dtypes.COMPLEX:
            return complex_functions.asin(cast("Scalars", self), x)
        return super().asin(x)

    def acos(self, x: Register) -> Register:
        """The arc cosine."""
        if x.dtype in dtypes.COMPLEX:
            return complex_functions.acos(cast("Scalars", self), x)
        return super().acos(x)

    def atan(self, x: Register) -> Register:
        """The arc tangent."""
        if x.dtype in dtypes.COMPLEX:
            return complex_functions.atan(cast("Scalars", self), x)
        return super().atan(x)

    def sinh(self, x: Register) -> Register:
        """The hyperbolic sine."""
        if x.dtype in dtypes.COMPLEX:
            return complex_functions.sinh(cast("Scalars", self), x)
        return super().sinh(x)

    def cosh(self, x: Register) -> Register:
        """The hyperbolic cosine."""
        if x.dtype in dtypes.COMPLEX:
            return complex_functions.cosh(cast("Scalars", self), x)
        return super().cosh(x)

    def asinh(self, x: Register) -> Register:
        """The inverse hyperbolic sine."""
        if x.dtype in dtypes.COMPLEX:
            return complex_functions.asinh(cast("Scalars", self), x)
        return super().asinh(x)

    def acosh(self, x: Register) -> Register:
        """The inverse hyperbolic cosine."""
        if x.dtype in dtypes.COMPLEX:
            return complex_functions.acosh(cast("Scalars", self), x)
        return super().acosh(x)

    def atanh(self, x: Register) -> Register:
        """The inverse hyperbolic tangent."""
        if x.dtype in dtypes.COMPLEX:
            return complex_functions.atanh(cast("Scalars", self), x)
        return super().atanh(x)

    def log2(self, x: Register) -> Register:
        """The logarithm to base 2."""
        if x.dtype in dtypes.COMPLEX:
            return complex_functions.log2(cast("Scalars", self), x)
        return super().log2(x)

    def log10(self, x: Register) -> Register:
        """The logarithm to base 10."""
        if x.dtype in dtypes.COMPLEX:
            return complex_functions.log10(cast("Scalars", self), x)
        return super().log10(x)
