"""The rules about loops and branches, as reports call them, and what each does to the numbers."""

from __future__ import annotations

from staticgraph.passes import accumulate, hoist, narrow, specialize, unions
from staticgraph.passes.patterns import Exactness

REGION_RULES = {
    unions.MERGED: Exactness.EXACT,
    unions.MERGED_BRANCHES: Exactness.EXACT,
    specialize.KNOWN_BRANCH: Exactness.EXACT,
    specialize.EQUAL_BRANCHES: Exactness.EXACT,
    specialize.NEVER_RUNS: Exactness.EXACT,
    specialize.NO_ENTRIES: Exactness.EXACT,
    specialize.INVARIANT_CARRY: Exactness.EXACT,
    specialize.CAPTURED_CONSTANT: Exactness.EXACT,
    narrow.DEAD_CARRY: Exactness.EXACT,
    narrow.DEAD_RESULT: Exactness.EXACT,
    narrow.DEAD_CAPTURE: Exactness.EXACT,
    narrow.DEAD_SEQUENCE: Exactness.EXACT,
    narrow.SAME_CAPTURE: Exactness.EXACT,
    narrow.SAME_SEQUENCE: Exactness.EXACT,
    narrow.SAME_RESULT: Exactness.EXACT,
    narrow.STACKED_ENTRY: Exactness.EXACT,
    hoist.HOISTED: Exactness.EXACT,
    # NumPy's kernel for one row adds in another order than that for many.
    hoist.PRODUCT: Exactness.REORDERED,
    # One product adds up the terms of all steps in the order of a library's kernel.
    accumulate.ACCUMULATED: Exactness.REORDERED,
}
