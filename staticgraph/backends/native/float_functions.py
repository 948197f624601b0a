"""The functions of floats that are more than an instruction, as methods of the builder.

The formulas stand in math/; what each method means is said in core/elements.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from staticgraph.backends.native.math import bessel as math_bessel
from staticgraph.backends.native.math import beta as math_beta
from staticgraph.backends.native.math import error as math_error
from staticgraph.backends.native.math import exponential as math_exponential
from staticgraph.backends.native.math import gamma as math_gamma
from staticgraph.backends.native.math import gamma_incomplete as math_gamma_incomplete
from staticgraph.backends.native.math import hyperbolic as math_hyperbolic
from staticgraph.backends.native.math import inverse as math_inverse
from staticgraph.backends.native.math import logarithm as math_logarithm
from staticgraph.backends.native.math import roots as math_roots
from staticgraph.backends.native.math.values import Value, next_float

if TYPE_CHECKING:
    from staticgraph.backends.native.scalars import Register, Scalars


class FloatFunctions:
    """What `Scalars` inherits."""

    def _value(self, x: Register) -> Value:
        return Value(cast("Scalars", self), x)

    def exp2(self, x: Register) -> Register:
        """Two to the x."""
        return math_exponential.exp2(self._value(x)).register

    def log2(self, x: Register) -> Register:
        """The logarithm to base 2."""
        return math_logarithm.log2(self._value(x)).register

    def log10(self, x: Register) -> Register:
        """The logarithm to base 10."""
        return math_logarithm.log10(self._value(x)).register

    def logaddexp(self, lhs: Register, rhs: Register) -> Register:
        """``log(exp(lhs) + exp(rhs))``."""
        return math_exponential.logaddexp(self._value(lhs), self._value(rhs)).register

    def cbrt(self, x: Register) -> Register:
        """The cube root."""
        return math_roots.cbrt(self._value(x)).register

    def hypot(self, lhs: Register, rhs: Register) -> Register:
        """``sqrt(lhs**2 + rhs**2)``."""
        return math_roots.hypot(self._value(lhs), self._value(rhs)).register

    def nextafter(self, x: Register, toward: Register) -> Register:
        """The float next to x in a direction."""
        return next_float(self._value(x), self._value(toward)).register

    # -- trigonometric and hyperbolic -------------------------------------------------------

    def asin(self, x: Register) -> Register:
        """The arc sine."""
        return math_inverse.asin(self._value(x)).register

    def acos(self, x: Register) -> Register:
        """The arc cosine."""
        return math_inverse.acos(self._value(x)).register

    def atan(self, x: Register) -> Register:
        """The arc tangent."""
        return math_inverse.atan(self._value(x)).register

    def atan2(self, y: Register, x: Register) -> Register:
        """The angle of the point (x, y)."""
        return math_inverse.atan2(self._value(y), self._value(x)).register

    def sinh(self, x: Register) -> Register:
        """The hyperbolic sine."""
        return math_hyperbolic.sinh(self._value(x)).register

    def cosh(self, x: Register) -> Register:
        """The hyperbolic cosine."""
        return math_hyperbolic.cosh(self._value(x)).register

    def asinh(self, x: Register) -> Register:
        """The inverse hyperbolic sine."""
        return math_hyperbolic.asinh(self._value(x)).register

    def acosh(self, x: Register) -> Register:
        """The inverse hyperbolic cosine."""
        return math_hyperbolic.acosh(self._value(x)).register

    def atanh(self, x: Register) -> Register:
        """The inverse hyperbolic tangent."""
        return math_hyperbolic.atanh(self._value(x)).register

    # -- special functions ------------------------------------------------------------------

    def erf(self, x: Register) -> Register:
        """The error function."""
        return math_error.erf(self._value(x)).register

    def erfc(self, x: Register) -> Register:
        """``1 - erf(x)``."""
        return math_error.erfc(self._value(x)).register

    def erfinv(self, x: Register) -> Register:
        """The inverse of the error function."""
        return math_error.erfinv(self._value(x)).register

    def lgamma(self, x: Register) -> Register:
        """The logarithm of the size of the gamma function."""
        return math_gamma.lgamma(self._value(x)).register

    def digamma(self, x: Register) -> Register:
        """The derivative of `lgamma`."""
        return math_gamma.digamma(self._value(x)).register

    def igamma(self, a: Register, x: Register, upper: bool) -> Register:
        """The regularised incomplete gamma function, of what is below x or of what is above."""
        return math_gamma_incomplete.igamma(self._value(a), self._value(x), upper).register

    def polygamma(self, x: Register, order: int) -> Register:
        """The derivative of `digamma` of an order from 1 on."""
        return math_gamma.polygamma(self._value(x), order).register

    def erfcx(self, x: Register) -> Register:
        """``exp(x**2) * erfc(x)``."""
        return math_error.erfcx(self._value(x)).register

    def ndtr(self, x: Register) -> Register:
        """The probability that a standard normal number is below x."""
        return math_error.ndtr(self._value(x)).register

    def ndtri(self, p: Register) -> Register:
        """The inverse of `ndtr`."""
        return math_error.ndtri(self._value(p)).register

    def modified_bessel(self, x: Register, order: int, scaled: bool) -> Register:
        """The modified Bessel function of the first kind, of order 0 or 1."""
        return math_bessel.modified_bessel(self._value(x), order, scaled).register

    def betaln(self, a: Register, b: Register) -> Register:
        """The logarithm of the beta function."""
        return math_beta.betaln(self._value(a), self._value(b)).register

    def betainc(self, a: Register, b: Register, x: Register) -> Register:
        """The regularised incomplete beta function."""
        return math_beta.betainc(self._value(a), self._value(b), self._value(x)).register
