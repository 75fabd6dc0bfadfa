"""Predictions of dense networks: known answers, and networks in plain NumPy at other configurations."""

import math

import numpy as np
import pytest

from kernels.activations import ACTIVATIONS
from kernels.critical import MeanField
from kernels.initializers import INITIALIZERS
from suites.interventions import subject
from suites.theory import PREDICTIONS

N = 256


def curve(architecture, activation, initializer, depth=50, width=N, batch=32):
    sizes = {"depth": depth, "width": width, "batch": batch}
    prediction = PREDICTIONS[architecture](activation=activation, initializer=initializer, **sizes)
    assert prediction.reason == ""
    return prediction.curve


@pytest.mark.parametrize(
    ("activation", "initializer", "decades", "digits"),
    [
        ("sigmoid", "lecun_normal", -31.4, 1),
        ("relu", "xavier_normal", -7.53, 2),  # 25 log10(1/2)
        ("relu", "he_normal", 0.0, 12),
        ("gelu", "he_normal", -6.63, 2),
        ("tanh", "xavier_uniform", -0.92, 2),
        ("identity", "orthogonal", 0.0, 12),
        ("leaky_relu", "he_uniform", 25 * math.log10(1 + 1e-4), 12),
        ("relu", "critical", 0.0, 12),
    ],
)
def test_plain_decades_over_50_layers(activation, initializer, decades, digits):
    assert round(curve("plain", activation, initializer)[0], digits) == pytest.approx(decades, abs=1e-12)


def test_plain_follows_the_first_layers():
    """By hand: q_1 = 1 whatever the weights, q_2 = sw2 E[f(z)^2] + sb2; framework_default has sb2 = 1/(3 N)."""
    field = MeanField.of(ACTIVATIONS["tanh"])
    rule = INITIALIZERS["framework_default"]
    assert rule.weight_variance(N, N) == pytest.approx(1 / 3)
    q = field.value_moment(1.0) / 3 + 1 / (3 * N)
    expected = 0.5 * np.log10([field.slope_moment(1.0) / 3, field.slope_moment(q) / 3])
    assert curve("plain", "tanh", "framework_default", 2) == pytest.approx([expected.sum(), expected[1], 0], abs=1e-8)


def test_plain_growth_to_the_end_of_float64():
    assert curve("plain", "relu", "saturating", 20)[0] == pytest.approx(10 * math.log10(512))


def test_skips_by_their_known_answers():
    """ReLU doubles the squared gradient per block; scaled by 1/sqrt(L) it is (1 + 1/L)^L, almost e."""
    steps = np.diff(curve("residual", "relu", "he_normal", 20))
    assert steps == pytest.approx(np.full(20, -0.5 * math.log10(2)))
    for depth in (1, 10, 1000):
        total = curve("residual_scaled", "relu", "he_normal", depth)[0]
        assert total == pytest.approx(0.5 * depth * math.log10(1 + 1 / depth))
    assert curve("residual_scaled", "relu", "he_normal", 1000)[0] == pytest.approx(
        math.log10(math.sqrt(math.e)), abs=2e-4
    )


@pytest.mark.parametrize(("initializer", "first"), [("he_normal", 2.0), ("xavier_normal", 1.0)])
def test_layernorm_relu_keeps_the_norm(initializer, first):
    """But for the first layer, whose input is of variance 1/sw2, and for eps."""
    found = curve("layernorm", "relu", initializer)
    assert found[1] == pytest.approx(0.0, abs=1e-3)
    assert found[0] - found[1] == pytest.approx(0.5 * math.log10(first / 2), abs=1e-4)


def test_batchnorm_relu_explodes_by_a_factor_of_1_2112():
    """sqrt(pi / (pi - 1)) in a large batch, whatever the weights."""
    for initializer in ("he_normal", "framework_default", "orthogonal"):
        steps = -np.diff(curve("batchnorm", "relu", initializer, 10, batch=20_000))
        assert 10 ** steps[1:-1] == pytest.approx(np.full(8, math.sqrt(math.pi / (math.pi - 1))), rel=2e-4)


@pytest.mark.parametrize("batch", [6, 9, 32])
def test_batchnorm_of_linear_layers_depends_on_the_batch(batch):
    """(B - 2) / (B - 3) of the squared norm."""
    steps = -np.diff(curve("batchnorm", "identity", "lecun_normal", 6, batch=batch))
    assert 100 ** steps[1:-1] == pytest.approx(np.full(4, (batch - 2) / (batch - 3)), rel=2e-4)


CASES = [
    ("plain", "softsign", 1.0, "lecun_normal"),
    ("layernorm", "swish", 2.0, "he_normal"),
    ("layernorm", "tanh", 1.0, "xavier_uniform"),
    ("batchnorm", "relu", 2.0, "he_normal"),
    ("batchnorm", "tanh", 1.0, "lecun_normal"),
    ("batchnorm", "sigmoid", 1.0, "lecun_normal"),
]


@pytest.mark.parametrize(("architecture", "activation", "sw2", "initializer"), CASES)
def test_simulated_layers(architecture, activation, sw2, initializer, simulated):
    sizes = {"depth": 7, "width": N, "batch": 8}
    norm = {"plain": "", "layernorm": "layer", "batchnorm": "batch"}[architecture]
    found, error = simulated.over_seeds(simulated.layers, 8, name=activation, norm=norm, sw2=sw2, **sizes)
    assert curve(architecture, activation, initializer, **sizes)[0] == pytest.approx(found, abs=4 * error + 0.01)


def test_simulated_biases(simulated):
    """Those of framework_default add to every variance but that which BatchNorm divides by."""
    sizes = {"depth": 6, "width": 64, "batch": 16}
    for norm, architecture in (("", "plain"), ("layer", "layernorm"), ("batch", "batchnorm")):
        biased = {"sw2": 1 / 3, "sb2": 1 / (3 * 64)}
        found, error = simulated.over_seeds(simulated.layers, 30, name="tanh", norm=norm, **biased, **sizes)
        predicted = curve(architecture, "tanh", "framework_default", **sizes)[0]
        assert predicted == pytest.approx(found, abs=4 * error + 0.02)


@pytest.mark.parametrize(
    ("architecture", "activation", "initializer", "s1", "s2", "scale"),
    [
        ("residual", "softsign", "he_normal", 2, 1, 1.0),
        ("residual", "swish", "lecun_normal", 1, 1, 1.0),
        ("residual_scaled", "tanh", "he_normal", 2, 1, 6**-0.5),
    ],
)
def test_simulated_blocks(architecture, activation, initializer, s1, s2, scale, simulated):
    sizes = {"depth": 6, "width": 128, "batch": 8}
    found, error = simulated.over_seeds(simulated.blocks, 8, name=activation, s1=s1, s2=s2, scale=scale, **sizes)
    assert curve(architecture, activation, initializer, **sizes)[0] == pytest.approx(found, abs=4 * error + 0.01)


def band(architecture, activation, initializer, depth=12, width=64):
    sizes = {"depth": depth, "width": width, "batch": 1}
    return PREDICTIONS[architecture](activation=activation, initializer=initializer, **sizes).sd


def test_band_of_one_sample():
    """Per layer 5/n of ReLU, 2/n of linear ones; 3/n and 0 with orthogonal weights, which keep a norm."""
    tens = 2 * math.log(10)
    for activation, initializer, beta in [
        ("relu", "he_normal", 5), ("identity", "lecun_normal", 2),
        ("relu", "orthogonal", 3), ("identity", "orthogonal", 0),
    ]:  # fmt: skip
        sd = band("plain", activation, initializer)
        assert sd == pytest.approx(np.sqrt(np.arange(12, -1, -1) * beta / 64) / tens)
    sizes = {"depth": 12, "width": 64, "batch": 2}
    assert np.isnan(PREDICTIONS["plain"](activation="relu", initializer="he_normal", **sizes).sd).all()


def test_no_band_where_variances_wander():
    """GELU with He: the map of variances is unstable at first, so networks differ by more than their last layers do."""
    assert np.isnan(band("plain", "gelu", "he_normal", depth=30)).all()
    assert np.isfinite(band("plain", "gelu", "xavier_normal", depth=30)).all()
    assert np.isfinite(curve("plain", "gelu", "he_normal", 30, 64, 1)).all()


@pytest.mark.parametrize(("activation", "s1", "initializer"), [("relu", 2, "he_normal"), ("tanh", 1, "lecun_normal")])
def test_simulated_band_of_skips(activation, s1, initializer, simulated):
    sizes = {"depth": 12, "width": 64, "batch": 1}
    seeds = [np.random.default_rng(seed) for seed in range(150)]
    squares = [simulated.blocks(rng, name=activation, s1=s1, s2=1, scale=1.0, **sizes) for rng in seeds]
    assert band("residual", activation, initializer)[0] == pytest.approx(
        np.std(0.5 * np.log10(squares), ddof=1), rel=0.2
    )


@pytest.mark.parametrize("activation", ["relu", "gelu", "leaky_relu"])
@pytest.mark.parametrize("batch", [1, 32])
def test_variances_that_leave_the_range_of_squares_have_a_prediction(activation, batch):
    """60 layers times 512 each: the variance reaches 1e162, and its square is no number."""
    names = {"architecture": "plain", "activation": activation, "initializer": "saturating"}
    cell = subject("depth", 60, **names, width=64, batch=batch, seeds=1)
    assert PREDICTIONS["plain"](**vars(cell)).curve[0] == pytest.approx(60 * 0.5 * math.log10(512), rel=2e-3)
