"""Clipping: against the naive norm, at sizes whose squares float64 cannot hold, and nothing written in vain."""

import gc
import math

import numpy as np
import pytest

from kernels import jit, reference
from kernels.clipping import Clipper, clip_by_global_norm, clip_by_value

SHAPES = [(0,), (1,), (), (5, 13), (70, 67), (3, 2, 4)]


@pytest.fixture
def grads(rng, dtype):
    """Arrays of odd shapes, standard normal."""
    return [np.asarray(rng.standard_normal(shape), dtype) for shape in SHAPES]


def doubles(arrays):
    return [array.astype(np.float64) for array in arrays]


@pytest.mark.parametrize("share", [0.3, 0.999])
def test_by_global_norm(grads, close, share):
    before = doubles(grads)
    norm, expected = reference.clip_by_global_norm(before, share * reference.global_norm(before))
    assert clip_by_global_norm(grads, share * norm) == pytest.approx(norm, rel=1e-13)
    for g, wanted in zip(grads, expected, strict=True):
        close(g, wanted)
    relative = 1e-7 if grads[0].dtype == np.float32 else 1e-14
    assert reference.global_norm(doubles(grads)) == pytest.approx(share * norm, rel=relative)


def test_by_value(grads, close):
    before = doubles(grads)
    norm, expected = reference.clip_by_value(before, 0.5)
    assert clip_by_value(grads, 0.5) == pytest.approx(norm, rel=1e-13)
    for g, wanted in zip(grads, expected, strict=True):
        close(g, wanted)


@pytest.mark.parametrize("clip", [clip_by_global_norm, clip_by_value])
def test_nothing_is_written_where_nothing_is_clipped(grads, clip):
    before = [g.copy() for g in grads]
    norm = clip(grads, math.inf)
    assert norm == pytest.approx(reference.global_norm(doubles(before)), rel=1e-13)
    assert clip(grads, norm) == norm
    for g, was in zip(grads, before, strict=True):
        np.testing.assert_array_equal(g, was)


def test_both_dtypes_count_in_one_norm():
    grads = [np.full(4, 3.0, np.float32), np.full(4, 4.0)]
    assert clip_by_global_norm(grads, 5.0) == 10.0
    assert (grads[0] == 1.5).all()
    assert (grads[1] == 2.0).all()


@pytest.mark.parametrize("size", [5e-324, 1e-310, 1e-200, 1e-150, 1e-140, 1e150, 1e200, 1e308])
def test_norms_of_any_size(size):
    """Squares of these are 0 or infinite; beside them elements of a thousandth count as they should."""
    g = np.array([size, -size, size, size, size * 1e-3])
    norm = 2 * size * math.sqrt(1 + 2.5e-7)
    assert clip_by_global_norm([g.copy()], math.inf) == pytest.approx(norm, rel=1e-13)
    assert clip_by_value([g.copy()], math.inf) == pytest.approx(norm, rel=1e-13)
    clip_by_global_norm([g], size)
    expected = np.array([0.5, -0.5, 0.5, 0.5, 0.5e-3]) * size / math.sqrt(1 + 2.5e-7)
    np.testing.assert_allclose(g, expected, rtol=1e-13, atol=5e-324)


def test_small_and_large_float32():
    for size in (1e-40, 1e-30, 3e38):
        g, limit = np.full(4, size, np.float32), float(np.float32(size))
        assert clip_by_global_norm([g], limit) == pytest.approx(2 * limit, rel=1e-13, abs=0)
        np.testing.assert_allclose(g, np.float32(size) / 2, rtol=1e-6, atol=1e-45)
    g = np.full(4, 3e38, np.float32)
    clip_by_global_norm([g], 1e-4)  # the factor is subnormal in float32, the result is not
    np.testing.assert_allclose(g, 5e-5, rtol=1e-6)


@pytest.mark.parametrize("bad", [math.inf, -math.inf, math.nan])
def test_a_norm_that_is_not_finite_is_returned_and_nothing_written(dtype, bad):
    grads = [np.array([1.0, bad, 3.0], dtype), np.ones(2, dtype)]
    before = [g.copy() for g in grads]
    norm = clip_by_global_norm(grads, 1.0)
    assert math.isnan(norm) if math.isnan(bad) else norm == math.inf
    for g, was in zip(grads, before, strict=True):
        np.testing.assert_array_equal(g, was)


def test_by_value_cuts_infinities_and_leaves_nan(dtype):
    g = np.array([math.inf, -math.inf, math.nan, 0.5, -0.0], dtype)
    assert math.isnan(clip_by_value([g], 1.0))
    np.testing.assert_array_equal(g, np.array([1, -1, math.nan, 0.5, 0], dtype))
    assert math.copysign(1, g[4]) == -1


@pytest.mark.parametrize("clip", [clip_by_global_norm, clip_by_value])
def test_zeros_and_no_gradients(dtype, clip):
    zeros = [np.zeros(3, dtype)]
    assert clip(zeros, 0.0) == 0.0
    assert not zeros[0].any()
    assert clip([], 1.0) == 0.0
    ones = [np.ones(3, dtype)]
    clip(ones, 0.0)
    assert not ones[0].any()


@pytest.mark.parametrize("clip", [clip_by_global_norm, clip_by_value])
def test_threads_share_large_gradients(rng, dtype, clip):
    grads = [rng.standard_normal(shape).astype(dtype) for shape in [(400, 400), (17,), (0,), (3, 70_001)]]
    alone = [g.copy() for g in grads]
    norm = clip(alone, 0.7)
    jit.set_num_threads(2)
    try:
        assert clip(grads, 0.7) == pytest.approx(norm, rel=1e-14)
    finally:
        jit.set_num_threads(1)
    for g, expected in zip(grads, alone, strict=True):
        np.testing.assert_allclose(g, expected, rtol=8 * np.finfo(dtype).eps)


@pytest.mark.parametrize("clip", [clip_by_global_norm, clip_by_value])
def test_gradients_may_come_one_by_one(dtype, clip):
    """Nobody else keeps them."""
    assert clip((np.full(5000, 2.0, dtype) for _ in range(20)), 1.0) == pytest.approx(2 * math.sqrt(100_000))


def test_a_clipper_sees_its_gradients_as_they_are_now(rng, dtype, close):
    grads = [np.empty((5, 13), dtype), np.empty(7, dtype)]
    clipper = Clipper(iter(grads))
    for limit in (0.5, 1e3, 2.0):
        for clip, name in ((clipper.by_global_norm, "clip_by_global_norm"), (clipper.by_value, "clip_by_value")):
            for g in grads:
                g[...] = rng.standard_normal(g.shape)
            norm, expected = getattr(reference, name)(doubles(grads), limit)
            assert clip(limit) == pytest.approx(norm, rel=1e-13)
            for g, wanted in zip(grads, expected, strict=True):
                close(g, wanted)


def test_a_clipper_keeps_its_gradients(dtype):
    clipper = Clipper([np.full(100_000, 3.0, dtype)])
    gc.collect()
    others = [np.full(100_000, 7.0, dtype) for _ in range(8)]
    assert clipper.by_global_norm(1.0) == pytest.approx(3 * math.sqrt(100_000))
    assert clipper.by_value(0.0) == pytest.approx(1, rel=1e-6)
    assert all((other == 7).all() for other in others)


@pytest.mark.parametrize("clip", [clip_by_global_norm, clip_by_value])
def test_clipping_allocates_nothing(dtype, clip, peak_bytes):
    g = np.ones((100, 1000), dtype)
    assert peak_bytes(lambda: clip([g], 0.9 * float(np.abs(g[0, 0])))) < 3000


@pytest.mark.parametrize("clip", [clip_by_global_norm, clip_by_value])
def test_wrong_arguments_are_named(clip):
    good = np.full(3, 2.0)
    with pytest.raises(TypeError, match=r"grads\[1\] must be a numpy.ndarray, got list"):
        clip([good, [1.0]], 1.0)
    with pytest.raises(TypeError, match=r"grads\[1\] must be float32 or float64, got int64"):
        clip([good, np.ones(3, np.int64)], 1.0)
    with pytest.raises(ValueError, match=r"grads\[1\] must be C-contiguous"):
        clip([good, np.ones((3, 4)).T], 1.0)
    frozen = np.ones(3)
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match=r"grads\[1\] is read-only"):
        clip([good, frozen], 1.0)
    for some in ([good, np.ones(5), good], [good[:2], good[1:]], [good, good.view(np.float32)[2:4]]):
        with pytest.raises(ValueError, match=r"grads\[0\] must not share memory with grads\[\d\]"):
            clip(some, 1.0)
    for limit in (-1.0, math.nan):
        with pytest.raises(ValueError, match="limit must be a number >= 0"):
            clip([good], limit)
    assert (good == 2).all()
