"""The sample table: what every family of ops gives as sample inputs and as operands it refuses.

A family is a module ``samples_*.py`` beside this one with two lists, SAMPLES and REFUSALS; a new
one needs no line here. tests/ops/test_registry.py walks the table.
"""

from __future__ import annotations

import importlib
from pathlib import Path

from .sample_types import Refusal, Sample

FAMILIES = tuple(
    importlib.import_module(f"{__package__}.{path.stem}")
    for path in sorted(Path(__file__).parent.glob("samples_*.py"))
)

SAMPLES: list[Sample] = [sample for family in FAMILIES for sample in family.SAMPLES]
REFUSALS: list[Refusal] = [refusal for family in FAMILIES for refusal in family.REFUSALS]
