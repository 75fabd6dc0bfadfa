"""Across depth: against a naive float64 network, against theory, and beyond the range of floating point."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy.special import stdtrit

from kernels.activations import ACTIVATIONS
from kernels.critical import MeanField
from suites import attenuation, depth, summary
from suites.attenuation import streams
from suites.errors import UserError
from suites.prediction import spread

SMALL = {"depths": [6], "widths": [12], "batch": 5, "seeds": 2}


def values(table, metric, seed=None, parameter=None):
    """The values of a metric along the positions."""
    table = table[table.metric == metric]
    table = table if parameter is None else table[table.parameter == parameter]
    table = table if seed is None else table[table.seed == seed]
    return table.sort_values("position").value.to_numpy()


def naive(activation, weights, x, dy):
    """log10 norms of dL/dh at each position, of dL/dW, and the variances of h, in float64 NumPy."""
    row = ACTIVATIONS[activation]
    h, z = [x.astype(np.float64)], []
    for W in weights:
        z.append(h[-1] @ W)
        h.append(row.reference(z[-1], row.a))
    g, gradients, weight_gradients = dy.astype(np.float64), [], []
    for W, before, point in zip(weights[::-1], h[-2::-1], z[::-1], strict=True):
        gradients.append(np.log10(np.linalg.norm(g)))
        dz = g * row.reference_derivative(point, row.a)
        weight_gradients.append(np.log10(np.linalg.norm(before.T @ dz)))
        g = dz @ W.T
    return [*gradients, np.log10(np.linalg.norm(g))][::-1], weight_gradients[::-1], [a.var() for a in h]


@pytest.mark.parametrize("activation", ["tanh", "relu", "gelu"])
@pytest.mark.parametrize(("dtype", "accuracy"), [("float32", 1e-5), ("float64", 1e-12)])
def test_against_a_naive_network(activation, dtype, accuracy):
    (cell,) = depth.cells(activations=[activation], initializers=["he_normal"], dtypes=[dtype], seed=7, **SMALL)
    table = depth.measure(cell)
    rng, inputs, injected = streams(7)
    sigma = math.sqrt(2 / cell.width)
    weights = [rng.standard_normal((12, 12), dtype=np.float32).astype(np.float64) * sigma for _ in range(cell.depth)]
    x = inputs.standard_normal((5, 12))
    x /= np.sqrt(np.mean((x @ weights[0]) ** 2))
    norms, weight_norms, variances = naive(activation, weights, x, injected.standard_normal((5, 12)))
    assert values(table, "log10_gradient_norm", 7) == pytest.approx(norms, abs=accuracy)
    assert values(table, "log10_gradient", 7) == pytest.approx(np.array(norms) - norms[-1], abs=accuracy)
    assert values(table, "log10_weight_gradient", 7, "W") == pytest.approx(weight_norms, abs=accuracy)
    assert values(table, "forward_variance", 7) == pytest.approx(variances, rel=accuracy * 10)


def test_rows_are_complete():
    # 32 units: networks of 12 lose 0.03 decades per layer against theory, which is silent there.
    (cell,) = depth.cells(activations=["leaky_relu"], initializers=["he_normal"], seed=4, **{**SMALL, "widths": [32]})
    table = depth.measure(cell)
    configuration = {"experiment": "depth", "architecture": "plain", "activation": "leaky_relu", "parameter_a": 0.01}
    configuration |= {"initializer": "he_normal", "weight_variance": 2.0, "bias_variance": 0.0, "dtype": "float32"}
    configuration |= {"width": 32, "batch": 5, "depth": 6}
    for name, value in configuration.items():
        assert (table[name] == value).all(), name
    assert sorted(table.seed.dropna().unique()) == [4, 5]
    counts = table.groupby(["metric", "seed"], dropna=False).size().to_dict()
    positions = {"log10_gradient": 7, "log10_gradient_norm": 7, "float32_gradient": 7, "forward_variance": 7}
    positions |= {"log10_weight_gradient": 12, "saturated_share": 6, "dead_share": 6, "saved_bytes": 6}
    positions |= {"effective_rank": 7, "first_subnormal_position": 1, "first_zero_position": 1}
    positions |= {"float64_first_subnormal_position": 1, "float64_first_zero_position": 1}
    expected = {(metric, seed): count for metric, count in positions.items() for seed in (4, 5)}
    seedless = {metric: count for (metric, seed), count in counts.items() if pd.isna(seed)}
    assert {key: count for key, count in counts.items() if not pd.isna(key[1])} == expected
    assert seedless == {"predicted_log10_gradient": 7}


def test_shares():
    (cell,) = depth.cells(activations=["relu"], initializers=["he_normal"], depths=[2], widths=[64], batch=64, seeds=1)
    table = depth.measure(cell)
    assert values(table, "saturated_share")[0] == pytest.approx(0.5, abs=0.05)  # half of a Gaussian is negative
    assert values(table, "dead_share")[0] == 0
    (cell,) = depth.cells(activations=["relu"], initializers=["constant"], depths=[2], widths=[64], batch=1, seeds=1)
    # All units alike: the first pre-activation is x's mean times a positive number, so all are dead or none.
    assert set(values(depth.measure(cell), "dead_share")) <= {0.0, 1.0}


def test_a_seed_gives_the_same_rows_and_another_seed_others():
    def measured(**more):
        return depth.measure(depth.cells(**{**SMALL, **more})[0])

    both, alone = measured(seed=3), measured(seed=4, seeds=1)
    pd.testing.assert_frame_equal(both, measured(seed=3))
    second = both[both.seed == 4].reset_index(drop=True)
    pd.testing.assert_frame_equal(second, alone[alone.seed.notna()].reset_index(drop=True))
    assert not np.array_equal(values(both, "log10_gradient", 3), values(both, "log10_gradient", 4))


def test_the_prediction_does_not_see_the_measured_run():
    tables = [depth.measure(depth.cells(**SMALL, seed=seed)[0]) for seed in (0, 50)]
    first, second = (values(table, "predicted_log10_gradient") for table in tables)
    assert np.array_equal(first, second)
    assert not np.array_equal(values(tables[0], "log10_gradient", 0), values(tables[1], "log10_gradient", 50))


def test_beyond_float32():
    """300 sigmoid layers lose 190 decades: exactly 0 in float32, a finite number in the log-scaled pass."""
    grid = {"activations": ["sigmoid"], "depths": [300], "widths": [32], "batch": 4, "seeds": 1}
    table, double = (depth.measure(depth.cells(**grid, dtypes=[dtype])[0]) for dtype in ("float32", "float64"))
    assert values(table, "float32_gradient")[0] == -math.inf
    assert values(table, "log10_gradient")[0] < -150
    assert values(table, "log10_gradient") == pytest.approx(values(double, "log10_gradient"), abs=1e-3)
    assert np.array_equal(values(double, "log10_gradient"), values(double, "float64_gradient"))
    weights, exact = (values(t, "log10_weight_gradient", parameter="W") for t in (table, double))
    assert weights == pytest.approx(exact, abs=1e-3)


def test_both_passes_are_equal_in_range(monkeypatch):
    """Rescaled at every layer, by exact powers of two, the gradient is the plain one to the last bit."""
    monkeypatch.setattr(attenuation, "MARGIN", 127)
    (cell,) = depth.cells(activations=["sigmoid"], depths=[20], widths=[12], batch=5, seeds=1)
    table = depth.measure(cell)
    assert values(table, "log10_gradient")[0] < -5
    assert values(table, "log10_gradient") == pytest.approx(values(table, "float32_gradient"), abs=1e-12)


@pytest.mark.parametrize(
    ("activation", "initializer"),
    [
        ("relu", "he_normal"),
        ("relu", "framework_default"),
        ("tanh", "xavier_normal"),
        ("tanh", "he_uniform"),
        ("sigmoid", "lecun_normal"),
        ("gelu", "he_normal"),
        ("softplus", "too_small"),
        ("erf", "orthogonal"),
    ],
)
def test_theory_holds(activation, initializer):
    """The mean of log10 over seeds is within its 99.9 % t-interval of theory, give or take the finite width.

    The log of a mean is not the mean of the log: for one sample they differ by beta/4 nats of norm (Hanin 2018), for a
    batch by less, and the variance q fluctuates by as much.
    """
    size = {"depths": [20], "widths": [256], "batch": 16, "seeds": 12}
    (cell,) = depth.cells(activations=[activation], initializers=[initializer], seed=100, **size)
    table = depth.measure(cell)
    first = table[table.position == 0]
    measured = first[first.metric == "log10_gradient"].value
    (predicted,) = first[first.metric == "predicted_log10_gradient"].value
    field = MeanField.of(ACTIVATIONS[activation])
    finite_width = 20 * spread(field, 1.0) / 256 / 4 / math.log(10)
    assert abs(measured.mean() - predicted) < stdtrit(11, 0.9995) * measured.sem() + finite_width


def test_the_band_of_one_sample():
    """ReLU, He, 30 layers of 128, batch 1: ln|Ju|^2 has variance 5 * 30 / 128 and mean minus half of that."""
    size = {"depths": [30], "widths": [128], "batch": 1, "seeds": 200}
    (cell,) = depth.cells(activations=["relu"], initializers=["he_normal"], **size)
    table = depth.measure(cell)
    first = table[table.position == 0].set_index("metric").value
    measured, beta = first["log10_gradient"], 30 * 5 / 128
    assert first["predicted_sd"] == pytest.approx(math.sqrt(beta) / 2 / math.log(10))
    assert measured.std() == pytest.approx(first["predicted_sd"], rel=0.2)  # four standard errors of 200 seeds
    assert measured.mean() == pytest.approx(-beta / 4 / math.log(10), abs=4 * first["predicted_sd"] / math.sqrt(200))


def test_theory_holds_for_one_sample():
    """ReLU, He, 50 layers of 64: the prediction of the mean square itself would be 7 standard errors too high."""
    (cell,) = depth.cells(activations=["relu"], initializers=["he_normal"], depths=[50], widths=[64], batch=1, seeds=64)
    (row,) = summary.attenuation(depth.measure(cell), "depth").to_dict("records")
    assert abs(row["z"]) < 4
    error = (row["total_decades_high"] - row["total_decades"]) / stdtrit(63, 0.975)
    assert (row["total_decades"] - row["predicted_total_decades"]) / error < -4


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"depths": [-1]}, "depth must be a whole number of 1 or more, got -1"),
        ({"widths": [0]}, "width must be a whole number of 1 or more, got 0"),
        ({"batch": 0}, "batch must be"),
        ({"seeds": 0}, "seeds must be"),
        ({"seed": -1}, "seed must be a whole number of 0 or more, got -1"),
        ({"dtypes": ["float16"]}, "dtype must be float32 or float64, got 'float16'"),
        ({"activations": ["tahn"]}, "unknown activation 'tahn'; nearest: tanh"),
        ({"initializers": ["he"]}, "unknown initializer 'he'"),
        ({"architectures": ["rnn"]}, "unknown architecture across depth 'rnn'"),
        ({"architectures": ["residul"]}, "unknown architecture across depth 'residul'; nearest: residual"),
        ({"tokens": 0}, "tokens must be a whole number of 1 or more, got 0"),
        ({"initializers": ["chrono"]}, "chrono sets the biases of gates, and plain has none"),
        ({"initializers": ["critical"], "activations": ["softplus"]}, "softplus has no critical initialiser"),
        ({"architectures": ["batchnorm"], "batch": 1}, "batchnorm needs a batch of 2 or more, got 1"),
    ],
)
def test_a_wrong_grid_is_refused(wrong, message):
    with pytest.raises(UserError, match=message):
        depth.cells(**wrong)


def test_a_grid_is_a_product_and_aliases_are_resolved():
    cells = depth.cells(activations=["silu", "swish", "tanh"], initializers=["he_normal", "orthogonal"])
    assert [(cell.activation, cell.initializer) for cell in cells] == [
        ("swish", "he_normal"),
        ("swish", "orthogonal"),
        ("tanh", "he_normal"),
        ("tanh", "orthogonal"),
    ]


def test_defaults_are_the_contracts():
    (cell,) = depth.cells()
    assert vars(cell) == {
        "architecture": "plain",
        "activation": "tanh",
        "initializer": "xavier_normal",
        "depth": 50,
        "width": 256,
        "batch": 32,
        "tokens": None,
        "dtype": "float32",
        "seed": 0,
        "seeds": 8,
    }


def test_the_summary_of_a_measurement():
    (row,) = summary.attenuation(depth.measure(depth.cells(**SMALL)[0]), "depth").to_dict("records")
    assert row["decades_per_layer"] == row["total_decades"] / 6
    assert row["seeds"] == 2


def test_a_grid_keeps_what_makes_sense(caplog):
    grid = {"architectures": ["plain", "batchnorm"], "initializers": ["he_normal", "chrono"], "batch": 1}
    (cell,) = depth.cells(**grid)
    assert (cell.architecture, cell.initializer) == ("plain", "he_normal")
    assert len(caplog.messages) == 2
