"""Real networks have the verdicts and the causes that they are made to have."""

import math

import pytest

from suites.diagnosis import diagnose
from suites.interventions import measure, subject

pytestmark = pytest.mark.usefixtures("timeless")


def depth(activation="sigmoid", initializer="xavier_normal", architecture="plain", n=10, **more):
    """A small configuration across depth."""
    names = {"architecture": architecture, "activation": activation, "initializer": initializer}
    return subject("depth", n, **names, **{"width": 16, "batch": 8, "seeds": 3, **more})


def time(architecture="rnn", activation="tanh", initializer="xavier_normal", n=60, **more):
    """A small configuration across time."""
    names = {"architecture": architecture, "activation": activation, "initializer": initializer}
    return subject("time", n, **names, **{"width": 16, "batch": 8, "seeds": 3, **more})


def really(cells):
    """As the experiments measure them."""
    return [measure(cell) for cell in cells]


def causes(table):
    """Name -> effect."""
    return dict(table[table.kind == "cause"][["name", "effect"]].itertuples(index=False))


def test_one_layer_of_dead_units_is_enough():
    """A gradient goes through all layers: it is 0 though most units live."""
    table = diagnose(depth("relu", "he_normal", n=40, width=4, batch=4), really)
    assert table.decades[0] == -math.inf
    row = table[table.name == "dead_units"].iloc[0]
    assert (row.effect, row.value > 0.75) == ("cause", True)
    assert causes(table)["single_path"] == "explained otherwise"


@pytest.mark.parametrize(
    ("cell", "verdict", "named"),
    [
        # Slopes of 1/4 at most: larger weights, another activation or a way around it (Glorot & Bengio 2010).
        (depth("sigmoid", n=50), "vanishes", {"weight_scale", "activation"}),
        # tanh is all but the identity there, and each layer multiplies by the weights' gain.
        (depth("tanh", "too_small", n=30), "vanishes", {"weight_scale"}),
        # chi > 1 in the chaotic phase (Schoenholz et al. 2017), by the weights alone: slopes are flat and counteract.
        (depth("tanh", "saturating", n=50, width=64), "explodes", {"weight_scale"}),
        # Units with equal weights have one slope and one gradient between them.
        (depth("relu", "constant", n=50, width=64, seeds=6), "vanishes", {"rank_collapse"}),
        # Yang et al. 2019: BatchNorm of ReLU gains pi / (pi - 1) a layer at any weights.
        (depth("relu", "he_normal", "batchnorm", n=50, width=64), "explodes", {"normalisation"}),
        # Sigmoid's mean of 1/2 is in all samples alike: LayerNorm keeps it, BatchNorm takes it away (Daneshmand et al.
        # 2020). At critical weights, or with an activation without a mean, it does not arise.
        (depth("sigmoid", "xavier_normal", "layernorm", n=50, width=64), "vanishes",
         {"activation", "rank_collapse_with_depth", "normalisation"}),
        # He et al. 2015 weights on a branch double the squared signal and gradient with every skip.
        (depth("relu", "he_normal", "residual", n=40), "explodes", {"skip_scale"}),
        # chi 1 at Xavier weights near 0, and tanh brings the signal there.
        (depth("tanh", "xavier_normal", n=20, width=64), "healthy", set()),
        # An input at every step keeps tanh off 0, where it is steepest: its slopes, or a way past them.
        (time(), "vanishes", {"saturation"}),
        # Weights of variance 1/3, a third of what keeps a layer: thrice them buy half of it, the rest is the input's.
        (time(initializer="framework_default", n=80, width=64), "vanishes", {"weight_scale", "single_path"}),
        # chi 0.17 beside the input, whose rectified signal grows only linearly: twice that of He et al. 2015 is 1.
        (time(activation="relu", initializer="framework_default", n=80, width=64), "vanishes", {"weight_scale"}),
        # z is 1/2 without a bias: half of the state is gone at every step (Tallec & Ollivier 2018).
        (time("gru"), "vanishes", {"forgetting"}),
    ],
    ids=lambda value: f"{value.architecture}-{value.activation}-{value.initializer}" if hasattr(value, "width") else "",
)  # fmt: skip
def test_real_configurations(cell, verdict, named):
    table = diagnose(cell, really)
    assert table.verdict[0] == verdict
    assert {name for name, effect in causes(table).items() if effect == "cause"} == named
    assert table.becomes[table.effect == "cause"].is_unique  # no experiment names two causes


@pytest.mark.parametrize(("initializer", "becomes"), [
    ("framework_default", "initializer xavier_normal"), ("critical", "initializer xavier_normal"),
    ("xavier_normal", None),  # of the usual ones it is the nearest to chi = 1 already
])  # fmt: skip
def test_an_rnns_weight_scale_is_judged_beside_its_input(initializer, becomes):
    """Critical weights are those of layers: an input at every step holds tanh where chi is 0.4."""
    table = diagnose(time(initializer=initializer, n=80, width=64), really)
    row = table[(table.kind == "cause") & (table.name == "weight_scale")].iloc[0]
    assert row.value > 0.15
    if becomes is None:
        assert row.effect == "untested"
    else:
        assert (row.becomes, row.effect) == (becomes, "cause")


def test_saturation_counteracts_where_weights_are_too_large():
    """Its tangent at 0 gains 0.5 log10(1024) decades a layer, exactly but for the draws."""
    table = diagnose(depth("tanh", "saturating", n=20, width=64), really)
    row = table[(table.kind == "cause") & (table.name == "saturation")].iloc[0]
    assert row.effect == "counteracts"
    assert row.decades == pytest.approx(10 * math.log10(1024), abs=0.7)


def test_saturation_is_the_cause_where_nothing_is_left():
    """Weights of variance 1024 / fan_in put every unit of some layer where hardtanh is flat."""
    table = diagnose(depth("hardtanh", "saturating", n=50, width=8, batch=2), really)
    assert table.decades[0] == -math.inf
    assert causes(table)["saturation"] == "cause"


@pytest.mark.parametrize(
    ("cell", "caveat"),
    [
        (depth("relu", "he_normal", "residual_scaled", n=4), ""),
        (depth("relu", "constant", n=1), "all units of the last layer are the same"),
        (depth("sigmoid", "xavier_normal", n=1), ""),
    ],
)
def test_a_healthy_gradient_of_a_network_that_tells_nothing_has_a_caveat(cell, caveat):
    row = diagnose(cell, really).iloc[0]
    assert row.verdict == "healthy"
    assert row.caveats.partition(";")[0] == caveat


def test_where_a_forward_pass_overflows_it_says_so():
    row = diagnose(depth("relu", "saturating", n=60), really).iloc[0]
    assert row.verdict == "explodes"
    assert "the forward pass overflows float32 from layer" in row.about
