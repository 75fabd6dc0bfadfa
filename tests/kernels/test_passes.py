"""However a pass is run, in threads or past the caches, it gives the bits of one thread with ordinary stores."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import loops, passes
from kernels.activations import ACTIVATIONS
from kernels.blas import set_threads
from kernels.jit import kernel, max_threads
from kernels.loops import SMALL, WORTH_ALIGNING
from kernels.streams import BLOCK_BYTES
from suites.environment import denormals

CPUS = max_threads()
NAMES = ("relu", "gelu")


@pytest.fixture(autouse=True)
def one_thread_afterwards():
    yield
    set_threads(1)


@pytest.fixture
def everything_large(monkeypatch):
    """Arrays of any size are streamed and shared among the threads, also where small ones would be done at once."""
    monkeypatch.setattr(passes, "SMALL", 0)
    monkeypatch.setattr(passes, "STREAMED_BYTES", 0)


def run(row, direction, outputs, inputs):
    """One pass by passes.run, which nothing that is done at once for small arrays comes before."""
    scalars = {"forward": (row.f,), "backward": (row.df,), "forward_backward": (row.f, row.df)}[direction]
    assert passes.run(getattr(loops, direction), scalars, outputs, inputs, row.a or 0.0)


def results(row, x, dy, in_place):
    """Every output of a row's passes; forward and backward write their inputs where in_place."""
    y, both, slope = (np.full_like(x, np.nan) for _ in range(3))
    point, upstream = x.copy(), dy.copy()
    value, dx = (point, upstream) if in_place else (np.full_like(x, np.nan) for _ in range(2))
    run(row, "forward", (y,), (x,))
    run(row, "forward", (value,), (point,))
    run(row, "backward", (dx,), (upstream, x, y))
    run(row, "forward_backward", (both, slope), (dy, x))
    return y, value, dx, both, slope


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_threads_and_streams_give_the_same_bits(name, data):
    n = data.draw(st.one_of(st.integers(0, 3 * BLOCK_BYTES // 4), st.sampled_from([SMALL, SMALL + 1, SMALL + 77])), "n")
    starts = data.draw(st.tuples(st.integers(0, 17), st.integers(0, 17)), "starts")
    dtype = data.draw(st.sampled_from([np.float32, np.float64]), "dtype")
    in_place = data.draw(st.booleans(), "in_place")
    rng = np.random.default_rng(n)
    x, dy = (rng.standard_normal(n + start).astype(dtype)[start:] for start in starts)
    special = np.array([np.nan, np.inf, -np.inf, -0.0, 1e-41], dtype)[:n]
    x[: special.size] = special
    row = ACTIVATIONS[name]
    expected = results(row, x, dy, in_place)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passes, "SMALL", 0)
        patch.setattr(passes, "STREAMED_BYTES", 0)
        set_threads(data.draw(st.integers(1, min(3, CPUS)), "threads"))
        try:
            found = results(row, x, dy, in_place)
        finally:
            set_threads(1)
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_array_equal(one.view(f"u{one.itemsize}"), other.view(f"u{one.itemsize}"))


@pytest.mark.parametrize("threads", range(1, min(2, CPUS) + 1))
def test_arrays_of_any_dimensions_are_shared_among_threads(threads):
    set_threads(threads)
    x, sums, numbers = np.arange(24.0).reshape(6, 2, 2), np.zeros((6, 2), np.float32), np.zeros(6, np.int64)
    assert passes.shared(_row_sums, (), (sums, numbers), (x,), 0.5, threads)
    np.testing.assert_array_equal(sums, x.sum(axis=2) + 0.5)
    np.testing.assert_array_equal(numbers, np.arange(6) * threads // 6)


@cache
def _row_sums():
    @kernel(name="row_sums_in_parts", sealed=True)
    def loop(sums, numbers, x, a, part, parts):
        for i in range(part * len(x) // parts, (part + 1) * len(x) // parts):
            numbers[i] = part
            for j in range(x.shape[1]):
                sums[i, j] = x[i, j].sum() + a
        return True

    return loop


@pytest.mark.skipif(CPUS < 2, reason="needs two CPUs")
def test_public_calls_in_threads_are_those_of_one_thread():
    rng = np.random.default_rng(1)
    x, dy = (rng.standard_normal((3, SMALL)).astype(np.float32) for _ in range(2))
    found = []
    for threads in (1, 2):
        set_threads(threads)
        y, dx, both, slope, cheap = (np.full_like(x, np.nan) for _ in range(5))
        row = ACTIVATIONS["tanh"]
        row.forward(y, x)
        row.backward(dx, dy, x, y)
        row.forward_backward(both, slope, dy, x)
        row.backward_from_output(cheap, dy, y)
        found.append((y, dx, both, slope, cheap))
    for one, two in zip(*found, strict=True):
        np.testing.assert_array_equal(one, two)
    assert not any(np.isnan(array).any() for array in found[1])


@pytest.mark.parametrize("start", [0, 1, 7, 15])
@pytest.mark.parametrize("direction", ["forward", "backward", "forward_backward"])
def test_public_calls_on_arrays_off_a_cache_line_give_the_same_bits(direction, start):
    """Long enough for a step of its own before the first line."""
    rng = np.random.default_rng(2)
    drawn = rng.standard_normal((2, WORTH_ALIGNING + 100 + start)).astype(np.float32)
    row = ACTIVATIONS["gelu"]

    def call(x, dy):
        y, dx = (np.full(x.size + 16, np.nan, np.float32)[start : start + x.size] for _ in range(2))
        if direction == "forward_backward":
            row.forward_backward(y, dx, dy, x)
        else:
            row.forward(y, x)
            row.backward(dx, dy, x, y)
        return y, dx

    whole = call(*drawn)
    few = [call(*drawn[:, i : i + 100]) for i in range(0, drawn.shape[1], 100)]
    for one, pieces in zip(whole, zip(*few, strict=True), strict=True):
        np.testing.assert_array_equal(one, np.concatenate(pieces))


@pytest.mark.parametrize("threads", range(1, min(2, CPUS) + 1))
@pytest.mark.parametrize("size", [SMALL, SMALL + 100])
def test_partial_overlap_is_refused_at_every_size(threads, size, everything_large):
    set_threads(threads)
    whole = np.linspace(-1, 1, size + 1, dtype=np.float32)
    before, row, other = whole.copy(), ACTIVATIONS["relu"], np.ones(size, np.float32)
    for call in (
        lambda: row.forward(whole[1:], whole[:-1]),
        lambda: row.backward(whole[1:], other, whole[:-1], other),
        lambda: row.forward_backward(whole[1:], whole[:-1], other, other.copy()),
    ):
        with pytest.raises(ValueError, match="overlap"):
            call()
    np.testing.assert_array_equal(whole, before)


def test_small_calls_explain_different_sizes_and_write_nothing():
    x, y = np.ones(8, np.float32), np.zeros(9, np.float32)
    ACTIVATIONS["relu"].forward(x.copy(), x)  # compiled: what follows is refused by the loop itself
    with pytest.raises(ValueError, match=r"y must have shape \(8\), got \(9,\)"):
        ACTIVATIONS["relu"].forward(y, x)
    assert not y.any()


def test_subclasses_are_refused_after_the_loop_is_compiled():
    x = np.ones(8, np.float32)
    ACTIVATIONS["relu"].forward(x.copy(), x)
    with pytest.raises(TypeError, match=r"^y must be a numpy.ndarray, got MaskedArray"):
        ACTIVATIONS["relu"].forward(np.ma.zeros(8, np.float32), x)


def test_read_only_inputs_are_read_and_outputs_refused():
    x, y = np.ones(8, np.float32), np.zeros(8, np.float32)
    x.flags.writeable = False
    ACTIVATIONS["relu"].forward(y, x)
    assert y.all()
    with pytest.raises(ValueError, match="y is read-only"):
        ACTIVATIONS["relu"].forward(x, y)


@pytest.mark.skipif(CPUS < 2, reason="needs two CPUs")
def test_threads_leave_subnormal_numbers_as_they_were(everything_large):
    set_threads(2)
    before = denormals()
    x = np.full(4 * SMALL, 1e-40, np.float32)
    y = np.zeros_like(x)
    ACTIVATIONS["relu"].forward(y, x)
    assert denormals() == before
    np.testing.assert_array_equal(y, x)
