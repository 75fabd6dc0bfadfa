import math

import numpy as np
import pytest
from scipy.stats import kstest

from kernels.activations import ACTIVATIONS
from kernels.initializers import INITIALIZERS

SHAPES = [(300, 200), (200, 300)]
ROWS = {name: row.of(ACTIVATIONS["relu"]) for name, row in INITIALIZERS.items()}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", INITIALIZERS)
def test_draws_have_the_variance_that_is_promised(rng, dtype, name, shape):
    rule, (fan_in, _) = ROWS[name], shape
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
    variances = {name: row.weight_variance(300, 100) for name, row in ROWS.items()}
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
            "critical": 2.0,
            "forget_one": 1.5,
            "chrono": 1.5,
        },
        nan_ok=True,
    )


def test_layers_without_an_activation_have_nothing_to_make_up_for():
    changed = {name for name, rule in INITIALIZERS.items() if rule.linear() is not rule}
    assert changed == {"he_normal", "he_uniform", "critical"}
    assert all(INITIALIZERS[name].linear().weight_variance(300, 100) == 1.0 for name in changed)
    assert ROWS["critical"].linear().weight_variance(300, 100) == 1.0


@pytest.mark.parametrize("name", INITIALIZERS)
def test_a_seed_makes_the_same_weights_in_both_dtypes(name):
    single, double, again, other = (
        ROWS[name].draw(np.random.default_rng(seed), 40, 30, np.dtype(kind))
        for seed, kind in [(5, "f4"), (5, "f8"), (5, "f8"), (6, "f8")]
    )
    np.testing.assert_array_equal(double, again)
    np.testing.assert_allclose(single, double, rtol=2e-7)
    assert name == "constant" or not np.array_equal(double, other)


@pytest.mark.parametrize("name", INITIALIZERS)
def test_a_layer_without_inputs_is_refused(rng, name):
    rule = ROWS[name]
    for call in (lambda: rule.draw(rng, 0, 5, np.dtype("f4")), lambda: rule.bias(rng, 0, 5, np.dtype("f4"))):
        with pytest.raises(ValueError, match="fan_in must be at least 1, got 0"):
            call()


@pytest.mark.parametrize("shape", [*SHAPES, (64, 64), (1, 5)])
def test_orthogonal(rng, shape):
    weights = INITIALIZERS["orthogonal"].draw(rng, *shape, np.dtype(np.float64))
    short = weights if shape[0] <= shape[1] else weights.T
    np.testing.assert_allclose(short @ short.T, np.eye(min(shape)), atol=1e-13)


@pytest.mark.parametrize("zero", [0.0, -0.0])
@pytest.mark.parametrize("shape", [(1, 1), (5, 5), (4, 9)])
def test_draws_of_exactly_zero_make_an_orthogonal_matrix(rng, shape, zero):
    """Of float32 normals one in 2^23 is."""
    draws = rng.standard_normal(shape, np.float32)
    draws[-1] = zero
    weights = INITIALIZERS["orthogonal"].form(draws) / math.sqrt(max(shape))
    np.testing.assert_allclose(weights @ weights.T, np.eye(shape[0]), atol=1e-14)


@pytest.mark.parametrize("shape", [(3, 3), (3, 7), (7, 3)])
def test_orthogonal_matrices_have_no_direction(rng, shape):
    """Of Haar's three-dimensional ones every number is uniform, and so is that of any other basis."""
    float64 = np.dtype(np.float64)
    draws = np.array([INITIALIZERS["orthogonal"].draw(rng, *shape, float64) for _ in range(4000)])
    if shape == (3, 3):
        assert np.mean(np.linalg.det(draws) > 0) == pytest.approx(0.5, abs=0.03)
        rotation = np.linalg.qr(np.random.default_rng(1).standard_normal((3, 3)))[0]
        for matrices in (draws, rotation @ draws @ rotation):
            for numbers in matrices.reshape(-1, 9).T:
                assert kstest(numbers, "uniform", args=(-1, 2)).pvalue > 1e-4
    flat = draws.reshape(4000, -1)
    assert np.abs(flat.mean(axis=0)).max() < 4 / math.sqrt(4000 * max(shape))
    moments = flat.T @ flat / 4000
    assert np.abs(moments - np.eye(len(moments)) / max(shape)).max() < 5 / math.sqrt(4000) / max(shape) * math.sqrt(2)


@pytest.mark.parametrize("name", ["xavier_uniform", "he_uniform", "framework_default", "chrono"])
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


def test_critical_is_solved_for_the_activation(rng):
    """Schoenholz 2017: without biases tanh is critical at 1; at small z that is 1 / f'(0)^2: erf pi/4."""
    rule = INITIALIZERS["critical"]
    expected = {"relu": 2.0, "tanh": 1.0, "erf": math.pi / 4, "leaky_relu": 2 / (1 + 1e-4)}
    for name, sw2 in expected.items():
        solved = rule.of(ACTIVATIONS[name])
        assert solved.name == "critical"
        assert solved.weight_variance(64, 32) == pytest.approx(sw2, rel=1e-6)
        assert solved.of(ACTIVATIONS["relu"]) is solved
        assert rule.of(ACTIVATIONS[name]) is solved  # solved once
    assert all(row.of(ACTIVATIONS["tanh"]) is row for name, row in INITIALIZERS.items() if name != "critical")


def test_critical_draws_nothing_before_it_is_solved(rng):
    for call in (lambda: INITIALIZERS["critical"].draw(rng, 3, 5, np.dtype("f4")),
                 lambda: INITIALIZERS["critical"].weight_variance(3, 5)):  # fmt: skip
        with pytest.raises(ValueError, match=r"draw with INITIALIZERS\['critical'\].of\(activation\)"):
            call()


def test_softplus_has_no_critical_initializer():
    with pytest.raises(ValueError, match=r"softplus has no critical initialiser: .* no weight variance"):
        INITIALIZERS["critical"].of(ACTIVATIONS["softplus"])


def biases(gates, hidden, dtype):
    """A view for each gate of one array of zeros."""
    return dict(zip(gates, np.zeros((len(gates), hidden), dtype), strict=True))


def test_forget_one(rng, dtype):
    lstm, gru = biases("ifgo", 5, dtype), biases("rzn", 5, dtype)
    for gates in (lstm, gru):
        INITIALIZERS["forget_one"].gates(rng, gates, 9)
    assert {name: set(values) for name, values in lstm.items()} == {"i": {0}, "f": {1}, "g": {0}, "o": {0}}
    assert {name: set(values) for name, values in gru.items()} == {"r": {0}, "z": {1}, "n": {0}}


@pytest.mark.parametrize(("steps", "longest"), [(1, 2), (2, 2), (50, 50)])
def test_chrono_spreads_lifetimes_evenly(rng, dtype, steps, longest):
    """1 + e^b is the life of a unit: uniform from 2 to the number of steps. 4 errors of the mean of 4000 units."""
    lstm, gru = biases("ifgo", 4000, dtype), biases("rzn", 4000, dtype)
    for gates in (lstm, gru):
        INITIALIZERS["chrono"].gates(rng, gates, steps)
    np.testing.assert_array_equal(lstm["i"], -lstm["f"])
    for keeping in (lstm["f"], gru["z"]):
        lives = 1 + np.exp(keeping.astype(np.float64))
        assert 2 * (1 - 1e-6) <= lives.min() <= lives.max() <= longest * (1 + 1e-6)
        assert lives.mean() == pytest.approx((2 + longest) / 2, abs=4 * (longest - 2) / math.sqrt(12 * 4000) + 1e-6)
    assert not any(values.any() for values in (lstm["g"], lstm["o"], gru["r"], gru["n"]))


def test_only_gated_rows_set_gates():
    assert {name for name, row in INITIALIZERS.items() if row.gates is not None} == {"forget_one", "chrono"}
