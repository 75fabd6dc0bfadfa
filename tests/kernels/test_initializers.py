import math

import numpy as np
import pytest

from kernels.initializers import INITIALIZERS

SHAPES = [(300, 200), (200, 300)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", INITIALIZERS)
def test_draws_have_the_variance_that_is_promised(rng, dtype, name, shape):
    rule, (fan_in, _) = INITIALIZERS[name], shape
    weights = rule.draw(rng, *shape, dtype)
    assert weights.shape == shape
    assert weights.dtype == dtype
    assert weights.flags.c_contiguous
    promised = rule.weight_variance(*shape)
    if math.isnan(promised):
        assert np.ptp(weights) == 0
    else:
        assert fan_in * np.var(weights, dtype=np.float64) == pytest.approx(promised, rel=0.03)
        assert abs(weights.mean(dtype=np.float64)) < 4 * math.sqrt(promised / fan_in / weights.size)
    biases = rule.bias(rng, fan_in, 60_000, dtype)
    assert biases.dtype == dtype
    assert np.var(biases, dtype=np.float64) == pytest.approx(rule.bias_variance(fan_in), rel=0.03)


def test_known_variances():
    variances = {name: INITIALIZERS[name].weight_variance(300, 100) for name in INITIALIZERS}
    assert variances == pytest.approx(
        {
            "xavier_normal": 1.5,
            "xavier_uniform": 1.5,
            "he_normal": 2.0,
            "he_uniform": 2.0,
            "lecun_normal": 1.0,
            "framework_default": 1 / 3,
            "orthogonal": 1.0,
            "too_small": 0.03,
            "constant": math.nan,
            "saturating": 1024.0,
        },
        nan_ok=True,
    )


@pytest.mark.parametrize("name", INITIALIZERS)
def test_a_seed_makes_the_same_weights_in_both_dtypes(name):
    single, double, again, other = (
        INITIALIZERS[name].draw(np.random.default_rng(seed), 40, 30, np.dtype(kind))
        for seed, kind in [(5, "f4"), (5, "f8"), (5, "f8"), (6, "f8")]
    )
    np.testing.assert_array_equal(double, again)
    np.testing.assert_allclose(single, double, rtol=2e-7)
    assert name == "constant" or not np.array_equal(double, other)


@pytest.mark.parametrize("name", INITIALIZERS)
def test_a_layer_without_inputs_is_refused(rng, name):
    rule = INITIALIZERS[name]
    for call in (lambda: rule.draw(rng, 0, 5, np.dtype("f4")), lambda: rule.bias(rng, 0, 5, np.dtype("f4"))):
        with pytest.raises(ValueError, match="fan_in must be at least 1, got 0"):
            call()


@pytest.mark.parametrize("shape", [*SHAPES, (64, 64), (1, 5)])
def test_orthogonal(rng, shape):
    weights = INITIALIZERS["orthogonal"].draw(rng, *shape, np.dtype(np.float64))
    short = weights if shape[0] <= shape[1] else weights.T
    np.testing.assert_allclose(short @ short.T, np.eye(min(shape)), atol=1e-13)


@pytest.mark.parametrize("name", ["xavier_uniform", "he_uniform", "framework_default"])
def test_uniform_draws_fill_their_range(rng, name):
    weights = INITIALIZERS[name].draw(rng, 300, 200, np.dtype(np.float64))
    bound = math.sqrt(3 * INITIALIZERS[name].variance(300, 200))
    assert 0.999 * bound < np.abs(weights).max() <= bound


def test_saturating_pre_activations_are_beyond_4(rng):
    x = rng.standard_normal((200, 256))
    z = x @ INITIALIZERS["saturating"].draw(rng, 256, 256, np.dtype(np.float64))
    assert np.mean(np.abs(z) > 4) == pytest.approx(0.9, abs=0.01)


def test_constant_makes_all_units_the_mean_of_the_inputs(rng):
    x = rng.standard_normal((7, 50))
    z = x @ INITIALIZERS["constant"].draw(rng, 50, 6, np.dtype(np.float64))
    np.testing.assert_allclose(z, np.repeat(x.mean(axis=1, keepdims=True), 6, axis=1))


def test_in_a_recurrent_layer_framework_default_goes_by_the_hidden_size(rng):
    rule = INITIALIZERS["framework_default"]
    assert rule.weight_variance(10, 100, hidden=100) == pytest.approx(10 / 300)
    assert np.abs(rule.draw(rng, 10, 100, np.dtype(np.float64), hidden=100)).max() <= 0.1
    assert np.abs(rule.bias(rng, 10, 100, np.dtype(np.float64), hidden=100)).max() <= 0.1
    assert INITIALIZERS["he_normal"].weight_variance(10, 100, hidden=100) == pytest.approx(2.0)
