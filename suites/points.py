"""Where an activation is tested: all float32, a sample of every binade, and the inputs at which things happen."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

CORE = (-6, 10)  # binades in which smooth functions bend


def ordinal(x: Array) -> Array:
    """Integers in the order of the floats x, one apart for neighbours; -0.0 and 0.0 are both 0."""
    bits = x.view(f"i{x.itemsize}")
    return np.where(bits < 0, np.iinfo(bits.dtype).min - bits, bits)


def from_ordinal(numbers: Array, dtype: Any) -> Array:
    """The floats of dtype that ordinal gives these numbers for."""
    integer = np.dtype(f"i{np.dtype(dtype).itemsize}")
    bits = np.where(numbers < 0, np.iinfo(integer).min - numbers, numbers)
    return bits.astype(integer).view(dtype)


def ascending(x: Array) -> Array:
    """x in ascending order without repetitions, as bit patterns: -0.0 before 0.0, NaN at the ends."""
    bits = np.sort(x.view(f"i{x.itemsize}"))
    bits = bits[np.append(True, bits[1:] != bits[:-1])]  # np.unique takes seconds
    return np.concatenate([bits[bits < 0][::-1], bits[bits >= 0]]).view(x.dtype)


def neighbours(x: Array, distance: int) -> Array:
    """Finite x and all numbers of its dtype at most so many units in the last place away."""
    steps = np.arange(-distance, distance + 1)
    limit = ordinal(np.array(np.finfo(x.dtype).max))
    return from_ordinal(np.clip(ordinal(x)[:, None] + steps, -limit, limit).ravel(), x.dtype)


def every(first: int, count: int) -> Array:
    """The float32 of bit patterns first to first + count - 1, of one sign, ascending, after the one before them.

    Where there is none before them, the first one stands twice.
    """
    patterns = np.arange(first, first + count, dtype=np.int64)
    if first < 2**31:
        patterns = np.append(max(first - 1, 0), patterns)
    else:
        patterns = np.append(patterns, min(first + count, 2**32 - 1))[::-1]
    return patterns.astype(np.uint32).view(np.float32)


def sample(dtype: Any, count: int, seed: int) -> Array:
    """Pairs of neighbours, count numbers in all: one pair at random in each stratum of equally many bit patterns.

    So every binade, the subnormal ones among them, has as many as any other; NaN are among them too.
    """
    bits = 8 * np.dtype(dtype).itemsize
    stratum, rng = 2 ** (bits + 1) // count, np.random.default_rng(seed)
    starts = np.arange(count // 2, dtype=np.uint64) * np.uint64(stratum)
    first = starts + rng.integers(0, stratum - 1, count // 2, dtype=np.uint64)
    patterns = np.stack([first, first + np.uint64(1)], axis=1).ravel()
    return ascending(patterns.astype(f"u{bits // 8}").view(dtype))


def core(dtype: Any, count: int, seed: int) -> Array:
    """So many numbers of both signs, evenly over the binades of CORE."""
    rng = np.random.default_rng([seed, 1])
    magnitudes = np.ldexp(rng.uniform(1, 2, count), rng.integers(*CORE, count))
    return ascending((magnitudes * rng.choice([-1.0, 1.0], count)).astype(dtype))


def powers(dtype: Any) -> Array:
    """Every power of two, subnormal ones included, of both signs."""
    limits = np.finfo(dtype)
    exponents = np.arange(limits.minexp - limits.nmant, limits.maxexp)
    magnitudes = np.ldexp(np.ones((), dtype), exponents).astype(dtype)
    return np.concatenate([-magnitudes[::-1], magnitudes])


def not_a_number(dtype: Any) -> Array:
    """NaN of several payloads and both signs; one of them signals."""
    bits = 8 * np.dtype(dtype).itemsize
    sign, quiet = 1 << (bits - 1), 1 << (np.finfo(dtype).nmant - 1)
    infinity = int(np.array(np.inf, dtype).view(f"u{bits // 8}"))
    payloads = [infinity | quiet, infinity | quiet | 0x1234, infinity | 1, sign - 1]
    patterns = [*payloads, *(payload | sign for payload in payloads)]
    return np.array(patterns, f"u{bits // 8}").view(dtype)


def edges(references: Sequence[Callable[[Array], Array]], special: Sequence[float], dtype: Any) -> Array:
    """Where errors are likeliest, ascending: each with the two numbers either side.

    Zeros, infinities, NaN, the ends of the subnormal and of the normal numbers, every power of two, the special points
    (kinks, joints, zeros of the derivative), and where a reference (float64 to float64) becomes subnormal, vanishes,
    saturates or starts to be x itself: found by bisection.
    """
    limits = np.finfo(dtype)
    ends = [limits.smallest_subnormal, np.nextafter(limits.smallest_normal, 0), limits.smallest_normal, limits.max]
    named = np.array([*ends, *(-end for end in ends), *special, 0.0], dtype)
    grid = ascending(np.concatenate([powers(dtype), np.array(special, dtype), [limits.max, -limits.max]]).astype(dtype))
    turns = [_turns(reference, grid) for reference in references]
    close = neighbours(np.concatenate([named, *turns]), 2)
    beyond = np.array([-0.0, 0.0, np.inf, -np.inf], dtype)
    return ascending(np.concatenate([neighbours(powers(dtype), 1), close, beyond, not_a_number(dtype)]))


def _turns(reference: Callable[[Array], Array], grid: Array) -> Array:
    """The last numbers before reference, rounded to grid's dtype, becomes of another kind, from the grid's first on."""
    dtype, limits = grid.dtype, reference(np.array([-np.inf, np.inf]))

    def kind(numbers: Array) -> Array:
        return _kind(reference, from_ordinal(numbers, dtype), limits)

    numbers = ordinal(grid).astype(np.int64)
    first, end, found = numbers[:-1], numbers[1:], [numbers[:0]]
    while (turning := kind(first) != kind(end)).any():
        first, end = first[turning], end[turning]
        low, high, here = first, end, kind(first)
        while np.any(high - low > 1):
            middle = low + (high - low) // 2
            same = kind(middle) == here
            low, high = np.where(same, middle, low), np.where(same, high, middle)
        found.append(low)
        first = high  # there may be another before the end
    return from_ordinal(np.concatenate(found), dtype)


def _kind(reference: Callable[[Array], Array], x: Array, limits: Array) -> Array:
    """A number that tells zero, subnormal, normal, infinite results apart, saturated ones, and those that are x."""
    with np.errstate(all="ignore"):
        value = reference(x.astype(np.float64))
        rounded = value.astype(x.dtype)
        size = np.abs(rounded)
        kind = 1 * (size > 0) + (size >= np.finfo(x.dtype).smallest_normal) + np.isinf(size)
        saturated = rounded == np.where(x < 0, limits[0], limits[1]).astype(x.dtype)
        return kind + 4 * saturated + 8 * (rounded == x)
