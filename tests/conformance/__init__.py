"""Conformance with the Array API standard: an eager namespace, its calls, and how many agree."""
