"""What an emit rule is written with: elements, and the builder that combines them.

An elementwise op says in its record how one element of its result comes from one element of each
operand. The rule is written against the protocol below, so that the vocabulary knows no backend.
A backend's builder may stand for one element or for a whole vector of them: a rule never sees the
difference, and must not branch on values.
"""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from staticgraph.core.dtypes import DType


class Element(Protocol):
    """An element that code computes; rules may ask for its dtype."""

    @property
    def dtype(self) -> DType:
        """The element's dtype."""
        ...


E = TypeVar("E", bound=Element)


class ElementBuilder(Protocol[E]):
    """Writes code that computes elements.

    Unless a method says otherwise its operands have one dtype, which is also the result's. The
    meaning is NumPy's: integers wrap around, floats are IEEE 754, an integer division by zero
    gives 0. Nothing has undefined behaviour. Of complex numbers there are sums, products,
    quotients, powers, `abs` (a float), `sign`, `rint`, `sqrt`, the exponential and trigonometric
    functions, `equal`, `not_equal`, `isnan` and its kin, and `where`.
    """

    def constant(self, value: object, dtype: DType) -> E:
        """`value` as an element of `dtype`."""
        ...

    def fail_if(self, condition: E) -> None:
        """Makes the run fail where the bool `condition` holds.

        The error is the one that the op's reference raises for the same operands, so the reference
        must refuse exactly what the rule refuses. The rule goes on to compute some result.
        """
        ...

    # -- arithmetic -----------------------------------------------------------------------

    def add(self, lhs: E, rhs: E) -> E:
        """``lhs + rhs``."""
        ...

    def subtract(self, lhs: E, rhs: E) -> E:
        """``lhs - rhs``."""
        ...

    def multiply(self, lhs: E, rhs: E) -> E:
        """``lhs * rhs``."""
        ...

    def divide(self, lhs: E, rhs: E) -> E:
        """``lhs / rhs`` of floats."""
        ...

    def floor_divide(self, lhs: E, rhs: E) -> E:
        """``lhs // rhs``."""
        ...

    def remainder(self, lhs: E, rhs: E) -> E:
        """``lhs % rhs``, with the sign of `rhs`."""
        ...

    def fmod(self, lhs: E, rhs: E) -> E:
        """What division toward zero leaves, with the sign of `lhs`."""
        ...

    def fused_multiply_add(self, lhs: E, rhs: E, addend: E) -> E:
        """``lhs * rhs + addend`` of floats, rounded once where the machine can do so quickly."""
        ...

    def negative(self, x: E) -> E:
        """``-x``."""
        ...

    def abs(self, x: E) -> E:
        """The absolute value."""
        ...

    def sign(self, x: E) -> E:
        """-1, 0 or 1; NaN stays NaN."""
        ...

    def copysign(self, x: E, sign: E) -> E:
        """The float `x` with the sign bit of `sign`."""
        ...

    def signbit(self, x: E) -> E:
        """Whether the float x has its sign bit set, as -0.0 has."""
        ...

    def nextafter(self, x: E, toward: E) -> E:
        """The float next to x in the direction of `toward`."""
        ...

    def maximum(self, lhs: E, rhs: E) -> E:
        """The larger one; NaN where one is NaN."""
        ...

    def minimum(self, lhs: E, rhs: E) -> E:
        """The smaller one; NaN where one is NaN."""
        ...

    # -- functions of floats ----------------------------------------------------------------

    def floor(self, x: E) -> E:
        """The largest integer not above x."""
        ...

    def ceil(self, x: E) -> E:
        """The smallest integer not below x."""
        ...

    def rint(self, x: E) -> E:
        """The nearest integer; halves go to the even one."""
        ...

    def trunc(self, x: E) -> E:
        """x without its fraction."""
        ...

    def sqrt(self, x: E) -> E:
        """The square root, rounded correctly."""
        ...

    def exp(self, x: E) -> E:
        """e to the x."""
        ...

    def expm1(self, x: E) -> E:
        """``exp(x) - 1``, accurate for small x."""
        ...

    def log(self, x: E) -> E:
        """The natural logarithm."""
        ...

    def log1p(self, x: E) -> E:
        """``log(1 + x)``, accurate for small x."""
        ...

    def exp2(self, x: E) -> E:
        """Two to the x."""
        ...

    def log2(self, x: E) -> E:
        """The logarithm to base 2."""
        ...

    def log10(self, x: E) -> E:
        """The logarithm to base 10."""
        ...

    def logaddexp(self, lhs: E, rhs: E) -> E:
        """``log(exp(lhs) + exp(rhs))`` without overflow in between."""
        ...

    def cbrt(self, x: E) -> E:
        """The cube root, with the sign of x."""
        ...

    def hypot(self, lhs: E, rhs: E) -> E:
        """``sqrt(lhs**2 + rhs**2)`` without overflow in between."""
        ...

    def pow(self, base: E, exponent: E) -> E:
        """``base ** exponent``; integer exponents must not be negative."""
        ...

    def sin(self, x: E) -> E:
        """The sine."""
        ...

    def cos(self, x: E) -> E:
        """The cosine."""
        ...

    def tan(self, x: E) -> E:
        """The tangent."""
        ...

    def asin(self, x: E) -> E:
        """The arc sine; NaN beyond 1."""
        ...

    def acos(self, x: E) -> E:
        """The arc cosine; NaN beyond 1."""
        ...

    def atan(self, x: E) -> E:
        """The arc tangent."""
        ...

    def atan2(self, y: E, x: E) -> E:
        """The angle of the point (x, y), from -pi to pi."""
        ...

    def sinh(self, x: E) -> E:
        """The hyperbolic sine."""
        ...

    def cosh(self, x: E) -> E:
        """The hyperbolic cosine."""
        ...

    def asinh(self, x: E) -> E:
        """The inverse hyperbolic sine."""
        ...

    def acosh(self, x: E) -> E:
        """The inverse hyperbolic cosine; NaN below 1."""
        ...

    def atanh(self, x: E) -> E:
        """The inverse hyperbolic tangent; NaN beyond 1."""
        ...

    def tanh(self, x: E) -> E:
        """The hyperbolic tangent."""
        ...

    def sigmoid(self, x: E) -> E:
        """``1 / (1 + exp(-x))``."""
        ...

    def softplus(self, x: E) -> E:
        """``log(1 + exp(x))``."""
        ...

    def erf(self, x: E) -> E:
        """The error function."""
        ...

    def erfc(self, x: E) -> E:
        """``1 - erf(x)``, accurate where that is small."""
        ...

    def erfinv(self, x: E) -> E:
        """The inverse of the error function; NaN beyond 1."""
        ...

    def lgamma(self, x: E) -> E:
        """The logarithm of the size of the gamma function."""
        ...

    def digamma(self, x: E) -> E:
        """The derivative of `lgamma`."""
        ...

    def igamma(self, a: E, x: E, upper: bool) -> E:
        """The regularised incomplete gamma function: the lower one, or the upper one."""
        ...

    def polygamma(self, x: E, order: int) -> E:
        """The derivative of `digamma` of a known order from 1 on."""
        ...

    def erfcx(self, x: E) -> E:
        """``exp(x**2) * erfc(x)``."""
        ...

    def ndtr(self, x: E) -> E:
        """The probability that a standard normal number is below x."""
        ...

    def ndtri(self, p: E) -> E:
        """The inverse of `ndtr`; NaN beyond 0 and 1."""
        ...

    def modified_bessel(self, x: E, order: int, scaled: bool) -> E:
        """The modified Bessel function of the first kind, of order 0 or 1.

        Times ``exp(-abs(x))`` if `scaled`.
        """
        ...

    def betaln(self, a: E, b: E) -> E:
        """The logarithm of the beta function; NaN where an operand is negative."""
        ...

    def betainc(self, a: E, b: E, x: E) -> E:
        """The regularised incomplete beta function; NaN outside of its domain."""
        ...

    # -- comparison, logic and choice -------------------------------------------------------

    def equal(self, lhs: E, rhs: E) -> E:
        """``lhs == rhs``, a bool."""
        ...

    def not_equal(self, lhs: E, rhs: E) -> E:
        """``lhs != rhs``, a bool."""
        ...

    def less(self, lhs: E, rhs: E) -> E:
        """``lhs < rhs``, a bool."""
        ...

    def less_equal(self, lhs: E, rhs: E) -> E:
        """``lhs <= rhs``, a bool."""
        ...

    def greater(self, lhs: E, rhs: E) -> E:
        """``lhs > rhs``, a bool."""
        ...

    def greater_equal(self, lhs: E, rhs: E) -> E:
        """``lhs >= rhs``, a bool."""
        ...

    def isnan(self, x: E) -> E:
        """Whether the float x is NaN."""
        ...

    def isinf(self, x: E) -> E:
        """Whether the float x is infinite."""
        ...

    def isfinite(self, x: E) -> E:
        """Whether the float x is neither NaN nor infinite."""
        ...

    def logical_and(self, lhs: E, rhs: E) -> E:
        """Whether both bools hold."""
        ...

    def logical_or(self, lhs: E, rhs: E) -> E:
        """Whether one of two bools holds."""
        ...

    def logical_xor(self, lhs: E, rhs: E) -> E:
        """Whether exactly one of two bools holds."""
        ...

    def logical_not(self, x: E) -> E:
        """Whether the bool does not hold."""
        ...

    def where(self, condition: E, x: E, y: E) -> E:
        """`x` where the bool `condition` holds, else `y`; both are computed."""
        ...

    # -- complex numbers ------------------------------------------------------------------

    def real(self, x: E) -> E:
        """The real part of a complex number, a float."""
        ...

    def imag(self, x: E) -> E:
        """The imaginary part of a complex number, a float."""
        ...

    def conj(self, x: E) -> E:
        """The complex number with the sign of its imaginary part changed."""
        ...

    def complex(self, real: E, imag: E) -> E:
        """The complex number of two floats."""
        ...

    # -- bits and conversion ----------------------------------------------------------------

    def bitwise_and(self, lhs: E, rhs: E) -> E:
        """``lhs & rhs`` of integers."""
        ...

    def bitwise_or(self, lhs: E, rhs: E) -> E:
        """``lhs | rhs`` of integers."""
        ...

    def bitwise_xor(self, lhs: E, rhs: E) -> E:
        """``lhs ^ rhs`` of integers."""
        ...

    def bitwise_invert(self, x: E) -> E:
        """``~x`` of an integer."""
        ...

    def left_shift(self, lhs: E, rhs: E) -> E:
        """``lhs << rhs`` of integers; 0 where `rhs` is negative or not below the number of bits."""
        ...

    def right_shift(self, lhs: E, rhs: E) -> E:
        """``lhs >> rhs`` of integers; -1 or 0, by the sign, where `rhs` is out of that range."""
        ...

    def shift_left(self, x: E, count: int) -> E:
        """The integer x moved left by a known number of bits, less than it has."""
        ...

    def shift_right(self, x: E, count: int) -> E:
        """The integer x moved right by a known number of bits; a signed one keeps its sign."""
        ...

    def cast(self, x: E, dtype: DType) -> E:
        """x converted to `dtype`, as `numpy.ndarray.astype` does.

        A float that an integer dtype does not hold becomes what it does in NumPy on x86-64: the
        least number of 32 or 64 bits, cut to the dtype.
        """
        ...

    def bits(self, x: E) -> E:
        """The bits of a float as a signed integer of its size."""
        ...

    def from_bits(self, x: E, dtype: DType) -> E:
        """The float of `dtype` with the bits of the integer x."""
        ...


class Emit(Protocol):
    """How an op makes an element of its result.

    Called with the builder, an element per operand, and the attributes by keyword.
    """

    def __call__(self, s: ElementBuilder[Any], /, *operands: Any, **attrs: Any) -> Any:
        """The element of the result."""
        ...
