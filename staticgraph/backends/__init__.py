"""Backends turn an optimised Function into something that runs."""
