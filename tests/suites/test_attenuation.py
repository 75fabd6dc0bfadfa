"""Norms beyond the range of squares, independent streams, and the checks of a grid."""

import math

import numpy as np
import pytest

from suites import attenuation
from suites.attenuation import comfort, log10_norm, rescaling, sensible, streams
from suites.errors import UserError


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_norms_are_norms(dtype):
    x = np.random.default_rng(0).standard_normal((7, 13)).astype(dtype)
    assert log10_norm(x) == pytest.approx(math.log10(np.linalg.norm(x.astype(np.float64))), abs=1e-12)
    smallest, largest = np.finfo(dtype).smallest_normal, np.finfo(dtype).max / 64
    for scale in (smallest, dtype(2.0) ** -60, largest):
        scaled = x * dtype(2.0 ** math.floor(math.log2(scale)))
        expected = log10_norm(x) + math.floor(math.log2(scale)) * math.log10(2)
        assert log10_norm(scaled) == pytest.approx(expected, abs=1e-6)


def test_a_float32_gradient_near_1e_24_has_a_norm():
    assert log10_norm(np.full(100, 1e-24, np.float32)) == pytest.approx(-23, abs=1e-6)


def test_norms_of_nothing_and_of_what_is_not_finite():
    assert log10_norm(np.zeros(3, np.float32)) == -math.inf
    assert log10_norm(np.empty((0, 4), np.float32)) == -math.inf
    assert log10_norm(np.array([1, np.inf], np.float32)) == math.inf
    assert math.isnan(log10_norm(np.array([1, np.nan], np.float32)))


def test_the_smallest_subnormal_has_a_norm():
    assert log10_norm(np.array([5e-324])) == pytest.approx(-323.306, abs=1e-3)


@pytest.mark.parametrize("size", [1e-28, 1e28])
def test_rescaling_is_exact_and_goes_to_the_other_end(size):
    x = (np.random.default_rng(0).standard_normal(50) * size).astype(np.float32)
    power = rescaling(log10_norm(x), x.dtype)
    assert abs(power) > 150
    scaled = np.ldexp(x, power)
    assert np.array_equal(np.ldexp(scaled.astype(np.float64), -power), x)
    assert log10_norm(scaled) == pytest.approx(math.copysign(0.9 * comfort(x.dtype), power), abs=0.2)


@pytest.mark.parametrize("norm", [0.3, -20.0, 20.0, -math.inf, math.inf, math.nan])
def test_what_is_comfortable_or_cannot_be_rescaled_is_left(norm):
    assert rescaling(norm, np.dtype(np.float32)) == 0


@pytest.mark.parametrize(
    ("norm", "ahead", "sign"), [(0.3, -30, 1), (-20, -8, 1), (-20, 30, 0), (20, 8, -1), (30, 0, -1)]
)
def test_a_gradient_is_rescaled_before_it_leaves_the_comfortable_range(norm, ahead, sign):
    """From where it is then, it has the whole range to go."""
    power, far = rescaling(norm, np.dtype(np.float32), ahead), comfort(np.dtype(np.float32))
    assert np.sign(power) == sign
    if sign:
        assert norm + power * math.log10(2) == pytest.approx(sign * 0.9 * far, abs=0.2)


def test_streams_are_independent_and_repeatable():
    drawn = [[rng.standard_normal(1000) for rng in streams(seed)] for seed in (0, 0, 1)]
    assert np.array_equal(drawn[0], drawn[1])
    flat = np.array([*drawn[0], *drawn[2]])
    assert np.abs(np.corrcoef(flat) - np.eye(6)).max() < 0.15


def build(architecture, activation, initializer):
    if activation.name == "tanh":
        raise ValueError(f"{architecture} has no {activation.name}")


def test_what_makes_no_sense_is_left_out_and_the_log_says_why(caplog):
    names = [["a", "b"], ["tanh", "relu"], ["he_normal", "orthogonal"]]
    assert sensible(names, build) == [(a, "relu", i) for a in "ab" for i in names[2]]
    assert caplog.messages == ["left out: a has no tanh", "left out: b has no tanh"]


def test_where_nothing_makes_sense_the_user_hears_why():
    with pytest.raises(UserError, match=r"^a has no tanh$"):
        sensible([["a"], ["tanh"], ["he_normal"]], build)


@pytest.mark.parametrize(("sb2", "q"), [(0.0, 1.0), (0.3, 1.0), (0.3, 2.5)])
def test_scaled_inputs_give_pre_activations_that_mean_square(sb2, q):
    rng = np.random.default_rng(3)
    x, W = rng.standard_normal((5, 7)), rng.standard_normal((7, 3)).astype(np.float32)
    found = attenuation.scaled(x, W, sb2, q)
    assert np.mean((found @ W.astype(np.float64)) ** 2) + sb2 == pytest.approx(q, rel=1e-12)
    assert found / x == pytest.approx(np.full_like(x, found[0, 0] / x[0, 0]))  # the same inputs, but for one factor
    assert not attenuation.scaled(x, W, 1.5, 1.0).any()
