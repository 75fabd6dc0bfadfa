"""What the tests of the kernels share."""

import tracemalloc
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest

from kernels.checks import DTYPES


@pytest.fixture(params=DTYPES)
def dtype(request: pytest.FixtureRequest) -> np.dtype[Any]:
    """Each dtype of the kernels."""
    return DTYPES[request.param]


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers, the same in every run."""
    return np.random.default_rng(20240607)


@pytest.fixture
def check_gradient(rng: np.random.Generator) -> Callable[..., None]:
    """Compare gradients of a float64 scalar function of arrays with central differences, <g, v> = df/dv."""

    def check(function: Callable[[], float], pairs: Iterable[tuple[str, Any, Any]], relative: float = 1e-6) -> None:
        for name, array, gradient in [(name, array, np.copy(gradient)) for name, array, gradient in pairs]:
            v, at = rng.standard_normal(array.shape), array.copy()
            v *= np.sign(gradient) * np.sign(v)  # no cancellation in <g, v>
            ends = []
            for step in (1e-5, -1e-5):
                array[...] = at + step * v
                ends.append(function())
            array[...] = at
            assert (ends[0] - ends[1]) / 2e-5 == pytest.approx(np.sum(gradient * v), rel=relative), name

    return check


@pytest.fixture
def peak_bytes() -> Callable[[Callable[[], Any]], int]:
    """The most memory that a call, the third of its kind, holds above what was there before it."""

    def measure(call: Callable[[], Any]) -> int:
        call()
        call()
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            tracemalloc.reset_peak()
            call()
            return tracemalloc.get_traced_memory()[1] - before
        finally:
            tracemalloc.stop()

    return measure


def tolerance(dtype: np.dtype[Any]) -> dict[str, float]:
    """For results of a few hundred operations on numbers near 1."""
    return {"rtol": 1e-4, "atol": 1e-5} if dtype == np.float32 else {"rtol": 1e-11, "atol": 1e-12}


@pytest.fixture
def close(dtype: np.dtype[Any]) -> Callable[[Any, Any], None]:
    """Assert that a result of the test's dtype is the float64 reference, up to rounding."""

    def check(result: Any, expected: Any) -> None:
        assert result.dtype == dtype
        np.testing.assert_allclose(result, expected, **tolerance(dtype))

    return check
