"""The table of rewrite rules, in the order in which they are tried.

The constitution: the right side is never worse. NaN, infinities, -0.0 and subnormal numbers come
out as they would have; a rule that rounds differently says so (`Exactness`) and where it is better.
What a rule needs beyond its pattern is its guard. Applying the table to its own result changes
nothing.
"""

from __future__ import annotations

from staticgraph.passes import (
    rules_accuracy,
    rules_arithmetic,
    rules_logic,
    rules_movement,
    rules_parts,
)
from staticgraph.passes.patterns import Rule

RULES: tuple[Rule, ...] = (
    *rules_movement.RULES,
    *rules_parts.RULES,
    *rules_accuracy.RULES,
    *rules_arithmetic.RULES,
    *rules_logic.RULES,
)
