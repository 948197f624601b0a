"""The remainder of floats, exact for every pair.

``x - trunc(x / y) * y`` is a float wherever the quotient, rounded, is wrong by less than 1: the
difference has no bits below the last one of y, and is no larger than y. So a fused multiply-add
gives it exactly. A larger quotient is taken in several steps, each of which is exact for the same
reason: it leaves less than the last place of its quotient times y, which is a multiple of that
place. A target without the instruction takes the library's function, lane by lane.
"""

from __future__ import annotations

import numpy as np

from staticgraph.backends.native.math.values import FRACTION, Value, any_lane, fma, where

# By so much a divisor may be multiplied, and once more, where a quotient is not finite.
_STEPS = {4: (2.0**100, 2.0**60), 8: (2.0**900, 2.0**300)}


def fmod(x: Value, y: Value) -> Value:
    """What division toward zero leaves, with the sign of x; NaN for 0 or of an infinity."""
    s = x.s
    if not s.fused:
        return Value(s, s.instruction("frem", x.register, y.register))
    divisor = abs(y)
    quotient = (x / divisor).trunc()
    rest = _rest(x, divisor, fma(-quotient, divisor, x), abs(quotient))
    # The quotient may have been rounded up: then what is left has the wrong sign.
    wrong = ((rest < 0.0) ^ (x < 0.0)) & rest.differs(0.0)
    rest = where(wrong, rest + divisor.with_sign_of(x), rest)
    rest = where(rest.equals(0.0), rest.of(0.0).with_sign_of(x), rest)
    return where(divisor.equals(np.inf) & (abs(x) < np.inf), x, rest)


def _rest(x: Value, divisor: Value, rest: Value, quotient: Value) -> Value:
    """The rest, computed in as many steps as it takes where a quotient is large."""
    code, type = x.s.code, x.s.type(x.dtype)
    before, long, loop, after = code.block, code.label(), code.label(), code.label()
    code.branch(any_lane(quotient >= 2.0 ** FRACTION[x.dtype]), long, after)
    code.begin(long)
    code.jump(loop)
    code.begin(loop)
    phi = code.phi(type)
    phi.add(x.register.text, long)
    moved = _step(Value(x.s, x.register._replace(text=phi.name)), divisor)
    phi.add(moved.register.text, code.block)
    last = code.block
    code.branch(any_lane(abs(moved) >= divisor), loop, after)
    code.begin(after)
    result = code.phi(type)
    result.add(rest.register.text, before)
    result.add(moved.register.text, last)
    return Value(x.s, x.register._replace(text=result.name))


def _step(x: Value, divisor: Value) -> Value:
    """x less a multiple of the divisor, by far smaller."""
    part, quotient = divisor, x / divisor
    for factor in _STEPS[x.dtype.itemsize]:
        overflows = abs(quotient).equals(np.inf) & (divisor > 0.0)
        part = where(overflows, part * factor, part)
        quotient = where(overflows, x / part, quotient)
    return fma(-quotient.trunc(), part, x)
