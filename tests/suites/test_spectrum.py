"""Singular values of Jacobians: against explicit products, finite differences and random-matrix theory."""

import math

import numpy as np
import pytest

from kernels.activations import ACTIVATIONS
from kernels.architectures import ARCHITECTURES
from kernels.initializers import INITIALIZERS
from kernels.layer import parameters
from suites import spectrum
from suites.attenuation import LOG10_2, scaled, streams
from suites.errors import UserError
from suites.spectrum import jacobian
from suites.spectrum_summary import remarks, summary


def measured(seeds=2, seed=0, **names):
    """The rows of one configuration; names are singular: activation, initializer ..."""
    grid = {f"{name}s": [value] for name, value in names.items()}
    (cell,) = spectrum.cells(**grid, seeds=seeds, seed=seed)
    return spectrum.measure(cell)


def values(table, metric, seed):
    return table[(table.metric == metric) & (table.seed == seed)].value.to_numpy()


def test_an_orthogonal_linear_network_keeps_every_direction():
    table = measured(activation="identity", initializer="orthogonal", depth=30, width=17)
    for seed in (0, 1):
        assert values(table, "log10_singular_value", seed) == pytest.approx(np.zeros(17), abs=1e-12)
        assert values(table, "log10_mean_s2", seed) == pytest.approx(0, abs=1e-12)
        assert values(table, "spread_s2", seed) == pytest.approx(0, abs=1e-12)
        assert values(table, "log10_condition", seed) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("dtype", "accuracy"), [("float32", 1e-4), ("float64", 1e-11)])
def test_two_matrices_against_their_product(dtype, accuracy):
    table = measured(activation="identity", initializer="he_normal", depth=2, width=9, dtype=dtype, seed=5)
    rng = streams(5)[0]
    W1, W2 = (rng.standard_normal((9, 9), dtype=np.float32).astype(np.float64) * math.sqrt(2 / 9) for _ in range(2))
    s = np.linalg.svd(W1 @ W2, compute_uv=False)
    assert values(table, "log10_singular_value", 5) == pytest.approx(np.log10(s), abs=accuracy)
    assert values(table, "log10_mean_s2", 5) == pytest.approx(np.log10(np.mean(s**2)), abs=accuracy)
    assert values(table, "spread_s2", 5) == pytest.approx(np.var(s**2) / np.mean(s**2) ** 2, rel=10 * accuracy)
    assert values(table, "log10_condition", 5) == pytest.approx(np.log10(s[0] / s[-1]), abs=accuracy)


@pytest.mark.parametrize(
    ("architecture", "activation", "initializer", "width"),
    [
        ("plain", "tanh", "framework_default", 7),
        ("plain", "gelu", "saturating", 5),
        ("residual", "relu", "he_normal", 6),
        ("residual_scaled", "tanh", "orthogonal", 3),
        ("layernorm", "tanh", "xavier_normal", 8),
    ],
)
def test_the_jacobian_against_finite_differences(architecture, activation, initializer, width):
    network = ARCHITECTURES[architecture].build(ACTIVATIONS[activation], INITIALIZERS[initializer], width, 3)
    rng = np.random.default_rng(1)
    state = network.init(rng, (width, width), np.dtype("float64"))
    x = rng.standard_normal((1, width))
    J, power = jacobian(network, state, x)
    one = network.init(rng, (1, width), np.dtype("float64"))
    for (_, mine, _), (_, theirs, _) in zip(parameters(one), parameters(state), strict=True):
        mine[...] = theirs
    numeric = np.empty((width, width))
    for i, step in enumerate(1e-6 * np.eye(width)):
        above = network.forward(one, x + step).copy()
        numeric[:, i] = (above - network.forward(one, x - step))[0] / 2e-6
    assert J * 2.0**-power == pytest.approx(numeric, rel=1e-5, abs=1e-6 * np.abs(numeric).max())


def test_beyond_the_range_of_floating_point():
    """200 layers of sigmoid shrink a gradient by some 127 decades, and float32 tells how they do so."""
    table = measured(activation="sigmoid", initializer="lecun_normal", depth=200, width=16, dtype="float32")
    exact = measured(activation="sigmoid", initializer="lecun_normal", depth=200, width=16)
    for seed in (0, 1):
        assert values(exact, "log10_mean_s2", seed) < -200
        assert values(table, "log10_mean_s2", seed) == pytest.approx(values(exact, "log10_mean_s2", seed), abs=1e-3)
        assert values(table, "spread_s2", seed) == pytest.approx(values(exact, "spread_s2", seed), rel=1e-3)


def test_what_rounding_hides_is_not_a_number():
    """A product of 100 Gaussian matrices has a condition number far beyond 1/eps: what is small in it is noise."""
    table = measured(activation="identity", initializer="lecun_normal", depth=100, width=32)
    logs = values(table, "log10_singular_value", 0)
    seen = logs[~np.isnan(logs)]
    assert np.isnan(logs).any()
    assert seen[0] - seen[-1] < -math.log10(100 * 32 * np.finfo(float).eps)
    assert np.isnan(values(table, "log10_condition", 0)).all()


def test_a_dead_network_has_no_spectrum():
    table = measured(activation="relu", initializer="constant", depth=3, width=5, seeds=4)
    dead = [seed for seed in range(4) if np.isneginf(values(table, "log10_mean_s2", seed))]
    assert dead  # where the mean of the inputs is negative
    assert np.isnan(values(table, "spread_s2", dead[0]))


def test_the_input_has_first_pre_activations_of_variance_one():
    rng = np.random.default_rng(2)
    network = ARCHITECTURES["plain"].build(ACTIVATIONS["tanh"], INITIALIZERS["he_normal"], 30, 2)
    state = network.init(rng, (4, 30), np.dtype("float64"))
    _, W, _ = next(parameters(state.children[0]))
    network.forward(state, scaled(rng.standard_normal((4, 30)), W, 0.0, 3.0))
    assert np.mean(state.children[0].saved["z"] ** 2) == pytest.approx(3.0)


def test_orthogonal_weights_narrow_the_spectrum_of_critical_tanh():
    """Pennington, Schoenholz & Ganguli 2017: the mean is the same, the spread is not."""
    spreads = {}
    for initializer in ("lecun_normal", "orthogonal"):
        (row,) = summary(measured(activation="tanh", initializer=initializer, depth=16, width=96, seeds=4)).itertuples()
        assert abs(row.log10_mean_s2 - row.predicted_log10_mean_s2) < 0.3
        assert row.spread_s2 == pytest.approx(row.predicted_spread_s2, rel=0.25)
        assert row.spread_s2_low < row.spread_s2 < row.spread_s2_high
        spreads[initializer] = row.spread_s2
    assert spreads["lecun_normal"] > 8 * spreads["orthogonal"]


def test_summary_of_one_seed_and_of_silence():
    table = summary(measured(activation="tanh", initializer="constant", depth=2, width=4, seeds=1))
    assert table[["log10_mean_s2_low", "z_spread_s2", "predicted_spread_s2"]].isna().all(axis=None)
    told = " ".join(remarks(table))
    assert "theory is silent for plain tanh constant" in told
    assert "one seed has no interval" in told
    wild = summary(measured(activation="gelu", initializer="he_normal", depth=20, width=8))
    assert wild.predicted_spread_s2.isna().all()
    assert "such networks differ by" in " ".join(remarks(wild))


def test_z_is_over_the_standard_error():
    table = measured(activation="relu", initializer="he_normal", depth=4, width=64, seeds=5)
    (row,) = summary(table).itertuples()
    spreads = np.array([values(table, "spread_s2", seed).item() for seed in range(5)])
    assert row.predicted_spread_s2 == pytest.approx(8.0, rel=1e-12)
    assert row.z_spread_s2 == pytest.approx((spreads.mean() - 8.0) / (spreads.std(ddof=1) / math.sqrt(5)), rel=1e-6)
    logs = np.array([values(table, "log10_mean_s2", seed).item() for seed in range(5)])
    centre = -math.log(10) / 2 * row.predicted_sd**2
    error = max(logs.std(ddof=1), row.predicted_sd) / math.sqrt(5)
    assert row.z_log10_mean_s2 == pytest.approx((logs.mean() - centre) / error, rel=1e-6)


@pytest.mark.parametrize(("initializer", "gain", "depth"), [("too_small", 0.01, 200), ("saturating", 16.0, 90)])
def test_the_power_of_two_is_counted(initializer, gain, depth):
    network = ARCHITECTURES["plain"].build(ACTIVATIONS["identity"], INITIALIZERS[initializer], 4, depth)
    state = network.init(np.random.default_rng(0), (4, 4), np.dtype("float32"))
    J, power = jacobian(network, state, np.zeros((1, 4), np.float32))
    assert abs(power) > 200
    assert np.isfinite(J).all()
    product = np.eye(4)
    for path, W, _ in parameters(state):
        product = product @ (W.astype(np.float64) / gain) if path.endswith("W") else product
    expected = np.log10(np.linalg.norm(product)) + depth * math.log10(gain)
    assert math.log10(np.linalg.norm(J.astype(np.float64))) - power * LOG10_2 == pytest.approx(expected, abs=1e-4)


def test_architectures_that_mix_samples_are_left_out(caplog):
    kept = spectrum.cells(architectures=["batchnorm", "plain", "transformer_pre"], initializers=["he_normal"])
    assert [cell.architecture for cell in kept] == ["plain"]
    assert "left out: batchnorm mixes samples or tokens" in caplog.text
    with pytest.raises(UserError, match="transformer_post mixes samples or tokens"):
        spectrum.cells(architectures=["transformer_post"])


@pytest.mark.parametrize("wrong", [{"depths": [0]}, {"widths": [-1]}, {"seeds": 0}, {"dtypes": ["float16"]}])
def test_wrong_numbers_are_refused(wrong):
    with pytest.raises(UserError, match="must be"):
        spectrum.cells(**wrong)


def test_every_combination_is_a_cell():
    cells = spectrum.cells(activations=["relu", "tanh"], depths=[2, 3], widths=[4, 5], dtypes=["float32", "float64"])
    assert len(set(cells)) == 2 * 2 * 2 * 2 * 2
