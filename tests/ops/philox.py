"""The generators that the page on random numbers documents, in plain Python integers.

Written from the paper (J. K. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC'11)
and from that page alone, as a second witness of what both backends compute.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def philox(
    key: tuple[int, int],
    counter: tuple[int, int, int, int],
    bits: int,
    multipliers: tuple[int, int],
    steps: tuple[int, int],
) -> tuple[int, int, int, int]:
    """Philox with ten rounds: four words of so many bits for one counter."""
    mask = 2**bits - 1
    k0, k1 = key
    c0, c1, c2, c3 = counter
    for number in range(10):
        if number:
            k0, k1 = (k0 + steps[0]) & mask, (k1 + steps[1]) & mask
        first, second = multipliers[0] * c0, multipliers[1] * c2
        c0, c1, c2, c3 = (
            (second >> bits) ^ c1 ^ k0, second & mask, (first >> bits) ^ c3 ^ k1, first & mask
        )  # fmt: skip
    return c0, c1, c2, c3


def philox64(key: tuple[int, int], counter: tuple[int, int, int, int]) -> tuple[int, ...]:
    """Philox4x64-10."""
    multipliers, steps = (
        (0xD2E7470EE14C6C93, 0xCA5A826395121157), (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)
    )  # fmt: skip
    return philox(key, counter, 64, multipliers, steps)


def philox32(key: tuple[int, int], counter: tuple[int, int, int, int]) -> tuple[int, ...]:
    """Philox4x32-10."""
    multipliers, steps = (0xD2511F53, 0xCD9E8D57), (0x9E3779B9, 0xBB67AE85)
    return philox(key, counter, 32, multipliers, steps)


class NodeWords:
    """The words of one random node in one run."""

    def __init__(self, stream: int, seed: int = 0, run: int = 1) -> None:
        self.first, self.second, _, _ = philox64((seed, stream), (1, 0, run, 0))

    def block(self, number: int, drawn: int = 0) -> tuple[int, ...]:
        """Four 32-bit words."""
        key = self.first % 2**32, self.first // 2**32
        return philox32(key, (number % 2**32, number // 2**32, drawn, self.second % 2**32))

    def pair(self, number: int, drawn: int) -> tuple[int, int]:
        """The two 64-bit words of a block."""
        a, b, c, d = self.block(number, drawn)
        return a + 2**32 * b, c + 2**32 * d

    def long(self, *shape: int) -> Array:
        """64-bit words, two from every block."""
        count = math.prod(shape)
        words = [word for number in range((count + 1) // 2) for word in self.pair(number, 0)]
        return np.array(words[:count], np.uint64).reshape(shape)

    def short(self, *shape: int) -> Array:
        """32-bit words, four from every block."""
        count = math.prod(shape)
        words = [word for number in range((count + 3) // 4) for word in self.block(number)]
        return np.array(words[:count], np.uint64).reshape(shape)


def unit(stream: int, *shape: int) -> Array:
    """The fractions of a node in float64."""
    return np.asarray((NodeWords(stream).long(*shape) // 2**11) / 2.0**53)


def unit32(stream: int, *shape: int) -> Array:
    """The fractions of a node in float32."""
    return np.asarray((NodeWords(stream).short(*shape) // 2**8) / 2.0**24).astype(np.float32)


def inner(stream: int, *shape: int) -> Array:
    """The fractions of a node in float64 that lie within (0, 1)."""
    whole = (NodeWords(stream).long(*shape) // 2**12).astype(np.float64)
    return np.asarray((2.0 * whole + 1.0) / 2.0**53)


def normal(stream: int, *shape: int) -> Array:
    """The standard normal deviates of a node in float64."""
    return _deviates(NodeWords(stream).long, 64, shape)


def normal32(stream: int, *shape: int) -> Array:
    """The standard normal deviates of a node in float32."""
    return _deviates(NodeWords(stream).short, 32, shape).astype(np.float32)


def _deviates(words: Any, bits: int, shape: tuple[int, ...]) -> Array:
    count = math.prod(shape)
    made = [int(word) for word in words(count + count % 2)]
    values: list[float] = []
    for a, b in zip(made[::2], made[1::2], strict=True):
        radius = math.sqrt(-2 * math.log((2 * (a // 2) + 1) / 2**bits))
        angle = 2 * math.pi * b / 2**bits
        values += [radius * math.cos(angle), radius * math.sin(angle)]
    return np.array(values[:count]).reshape(shape)
