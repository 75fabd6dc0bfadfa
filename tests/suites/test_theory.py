"""Predictions: the known answers of the theory, and what they may depend on."""

import math

import numpy as np
import pytest

from kernels.activations import ACTIVATIONS
from kernels.architectures import ARCHITECTURES
from kernels.critical import MeanField
from kernels.initializers import INITIALIZERS
from suites.theory import PREDICTIONS, _transient, plain, rnn, spread

N = 256


def total(activation, q, sw2, layers=50):
    return _transient(MeanField.of(ACTIVATIONS[activation]), q, sw2, 0.0, layers).curve[0]


@pytest.mark.parametrize(
    ("activation", "q", "sw2", "decades", "digits"),
    [
        ("sigmoid", 1.0, 1.0, -31.4, 1),
        ("relu", 1.0, 1.0, -7.53, 2),  # 25 log10(1/2)
        ("relu", 1.0, 2.0, 0.0, 12),
        ("gelu", 1.0, 2.0, -6.63, 2),
        ("gelu", 2.0, 2.0, -5.72, 2),
        ("tanh", 1.0, 1.0, -0.92, 2),
        ("identity", 1.0, 1.0, 0.0, 12),
        ("leaky_relu", 1.0, 2.0, 25 * math.log10(1 + 1e-4), 12),
    ],
)
def test_known_decades_over_50_layers(activation, q, sw2, decades, digits):
    assert round(total(activation, q, sw2), digits) == pytest.approx(decades, abs=1e-12)


def test_the_curve_is_a_product_that_ends_at_one():
    prediction = plain(activation="relu", initializer="xavier_normal", depth=10, width=N, batch=32)
    assert prediction.curve == pytest.approx(0.5 * np.log10(0.5) * np.arange(10, -1, -1), abs=1e-12)


def test_variances_come_from_the_initializer():
    """framework_default: weights U(+-1/sqrt(n)), so sw2 = 1/3, biases the same, so sb2 = 1/(3n)."""
    rule = INITIALIZERS["framework_default"]
    assert rule.weight_variance(N, N) == pytest.approx(1 / 3)
    assert rule.bias_variance(N) == pytest.approx(1 / (3 * N))
    prediction = plain(activation="identity", initializer="framework_default", depth=8, width=N, batch=32)
    assert prediction.curve[0] == pytest.approx(8 * 0.5 * math.log10(1 / 3))


def test_the_first_layer_has_variance_one_whatever_the_initializer():
    """One layer: chi(1) = sw2 E[tanh'(z)^2]."""
    moment = MeanField.of(ACTIVATIONS["tanh"]).slope_moment(1.0)
    for name, sw2 in [("xavier_normal", 1.0), ("he_uniform", 2.0), ("framework_default", 1 / 3)]:
        prediction = plain(activation="tanh", initializer=name, depth=1, width=N, batch=32)
        assert prediction.curve[0] == pytest.approx(0.5 * math.log10(sw2 * moment))


def test_rnn_adds_the_inputs_variance_at_every_step():
    """identity: chi = sw2. tanh by hand over two steps: q_1 = s, q_2 = sw2 E[tanh(z_1)^2] + s."""
    field = MeanField.of(ACTIVATIONS["tanh"])
    s = 10 * 2 / (10 + N)  # xavier over 10 inputs
    q = s + field.value_moment(s)
    expected = 0.5 * math.log10(field.slope_moment(s) * field.slope_moment(q))
    prediction = rnn(activation="tanh", initializer="xavier_normal", length=2, width=N, inputs=10, batch=32)
    assert prediction.curve[0] == pytest.approx(expected)
    assert prediction.curve[2] == 0


def test_rnn_framework_default_draws_everything_by_the_hidden_size():
    field = MeanField.of(ACTIVATIONS["tanh"])
    q = 10 / (3 * N) + 1 / (3 * N)
    prediction = rnn(activation="tanh", initializer="framework_default", length=1, width=N, inputs=10, batch=32)
    assert prediction.curve[0] == pytest.approx(0.5 * math.log10(field.slope_moment(q) / 3))


def test_band_of_one_sample():
    assert spread(MeanField.of(ACTIVATIONS["relu"]), 1.0) == pytest.approx(5)
    assert spread(MeanField.of(ACTIVATIONS["identity"]), 1.0) == pytest.approx(2)
    one = plain(activation="relu", initializer="he_normal", depth=30, width=128, batch=1)
    assert one.sd[0] == pytest.approx(math.sqrt(30 * 5 / 128) / (2 * math.log(10)))
    assert one.sd[-1] == 0
    assert np.isnan(plain(activation="relu", initializer="he_normal", depth=30, width=128, batch=2).sd).all()


def test_orthogonal_weights_have_a_smaller_band():
    relu, linear = (
        plain(activation=name, initializer="orthogonal", depth=4, width=64, batch=1) for name in ("relu", "identity")
    )
    assert relu.sd[0] == pytest.approx(math.sqrt(4 * 3 / 64) / (2 * math.log(10)))
    assert linear.sd[0] == 0


def test_critical_weights_are_those_of_the_activation():
    """erf' = 2/sqrt(pi) at 0, so weights of variance pi/4; small variances there keep chi just below 1."""
    prediction = plain(activation="relu", initializer="critical", depth=9, width=N, batch=32)
    assert prediction.curve == pytest.approx(np.zeros(10), abs=1e-12)
    moment = MeanField.of(ACTIVATIONS["erf"]).slope_moment(1.0)
    prediction = plain(activation="erf", initializer="critical", depth=1, width=N, batch=32)
    assert prediction.curve[0] == pytest.approx(0.5 * math.log10(math.pi / 4 * moment), abs=1e-8)
    s = math.pi / 4
    moment = MeanField.of(ACTIVATIONS["erf"]).slope_moment(s)
    prediction = rnn(activation="erf", initializer="critical", length=1, width=N, inputs=10, batch=32)
    assert prediction.curve[0] == pytest.approx(0.5 * math.log10(s * moment), abs=1e-8)


def test_theory_is_silent_about_dependent_weights():
    for predict, more in ((plain, {"depth": 5}), (rnn, {"length": 5, "inputs": 3})):
        prediction = predict(activation="tanh", initializer="constant", width=N, batch=32, **more)
        assert np.isnan(prediction.curve).all()
        assert np.isnan(prediction.sd).all()


def test_theory_is_silent_where_variances_leave_float64():
    prediction = plain(activation="relu", initializer="saturating", depth=150, width=N, batch=32)
    assert np.isnan(prediction.curve).all()
    prediction = plain(activation="relu", initializer="saturating", depth=20, width=N, batch=32)
    assert prediction.curve[0] == pytest.approx(10 * math.log10(512))


def test_every_prediction_belongs_to_an_architecture():
    assert set(PREDICTIONS) <= set(ARCHITECTURES)
