"""Remedies are single changes, steps are timed on what they say, and the experiment's rows hold together."""

from dataclasses import replace

import numpy as np
import pytest

from suites import remedy_worth, step_time
from suites.errors import UserError
from suites.experiment import EXPERIMENTS
from suites.interventions import built, changed, measure, subject
from suites.remedies import REMEDIES, applicable
from suites.summary import attenuation

PLAIN = subject("depth", 4, architecture="plain", activation="sigmoid", initializer="xavier_normal", width=8, batch=4)
RNN = subject("time", 6, architecture="rnn", activation="tanh", initializer="xavier_normal", width=8, batch=4)
LSTM = replace(RNN, architecture="lstm", initializer="chrono")
POST = replace(PLAIN, architecture="transformer_post", tokens=3)


@pytest.mark.parametrize(
    ("cell", "there", "absent"),
    [
        (PLAIN, {"critical", "relu", "layernorm", "residual_scaled"}, {"lstm", "chrono", "transformer_pre", "clip"}),
        (RNN, {"orthogonal", "lstm", "gru", "lstm_chrono"}, {"tanh", "chrono", "layernorm", "residual"}),
        (LSTM, {"forget_one", "gru"}, {"lstm", "chrono", "gru_chrono", "lstm_chrono"}),
        (POST, {"transformer_pre", "gelu"}, {"layernorm", "lstm"}),
        (replace(PLAIN, batch=1), {"layernorm"}, {"batchnorm"}),
        (replace(PLAIN, activation="softplus"), {"relu"}, {"critical"}),
    ],
    ids=["plain", "rnn", "lstm", "transformer", "one sample", "no critical point"],
)
def test_what_can_be_applied(cell, there, absent):
    found = applicable(cell)
    assert there <= found.keys()
    assert not absent & found.keys()
    assert len(set(found.values())) == len(found)
    for name, other in found.items():
        assert other != cell
        fields = {field: getattr(other, field) for field in vars(cell) if getattr(other, field) != getattr(cell, field)}
        assert fields.items() <= REMEDIES[name].change.items()


def test_changes_that_make_no_sense_are_none():
    assert changed(PLAIN, initializer="xavier_normal") is None
    assert changed(PLAIN, initializer="chrono") is None
    assert changed(PLAIN, architecture="rnn") is None
    assert changed(replace(PLAIN, initializer="constant"), architecture="layernorm") is None


@pytest.mark.parametrize(
    ("cell", "shape", "layers"),
    [(PLAIN, (4, 8), 4), (RNN, (6, 4, 10), 0), (POST, (3, 4, 8), 4), (replace(PLAIN, depth=40), (4, 8), 10)],
    ids=["plain", "rnn", "transformer", "deep"],
)
def test_a_step_is_of_the_first_layers(cell, shape, layers):
    network, found = built(cell, 10)
    assert (found, len(network.layers)) == (shape, layers)
    step, elements = step_time.stepper(cell)
    step()
    assert elements == (6 * 4 * 8 if cell is RNN else np.prod(shape) * layers)


def test_a_wrong_subject_is_the_users_mistake():
    with pytest.raises(UserError, match="unknown activation"):
        subject("depth", 4, architecture="plain", activation="none", initializer="xavier_normal")
    with pytest.raises(UserError, match="sets the biases of gates"):
        subject("depth", 4, architecture="plain", activation="tanh", initializer="chrono")
    with pytest.raises(UserError, match="depth must be a whole number"):
        subject("depth", 0, architecture="plain", activation="tanh", initializer="xavier_normal")


def test_times_are_of_the_two_in_turn(monkeypatch):
    """A clock that counts calls: b takes twice a."""
    order, clock = [], {"a": 1.0, "b": 2.0}
    monkeypatch.setattr(step_time.timeit, "timeit", lambda call, number: clock[call()])

    def a():
        order.append("a")
        return "a"

    def b():
        order.append("b")
        return "b"

    assert step_time.in_turn(a, b) == (1.0, 2.0)
    assert order[2:10] == ["a", "b", "b", "a", "a", "b", "b", "a"]


GRID = {"depth": 6, "length": 6, "width": 8, "batch": 4, "steps": 2, "seeds": 2}


def test_rows_of_the_experiment(monkeypatch):
    monkeypatch.setattr(remedy_worth, "nanoseconds", lambda *_: (2.0, 5.0))
    monkeypatch.setattr(remedy_worth, "BASELINES", remedy_worth.BASELINES[1:2])
    monkeypatch.setattr(remedy_worth, "TRAINED", remedy_worth.TRAINED[:1])
    experiment = EXPERIMENTS["remedies"]
    assert experiment.timed
    rows = experiment.run(experiment.cells(**GRID))
    names = {"architecture": "plain", "activation": "tanh", "initializer": "xavier_normal"}
    network = rows[rows.baseline == "plain tanh xavier_normal"]
    assert set(network.remedy) == {"", *applicable(subject("depth", 6, **names, width=8, batch=4, seeds=2))}
    for remedy, part in network[network.metric == "decades"].groupby("remedy"):
        one = {name: part[name].iloc[0] for name in names}
        cell = subject("depth", 6, **one, width=8, batch=4, seeds=2)
        (expected,) = attenuation(measure(cell), "depth").total_decades
        assert part.value.mean() == pytest.approx(expected), remedy
    means = network[network.metric == "decades"].groupby("remedy").value.mean()
    bought = network[network.metric == "decades_bought"].set_index("remedy").value
    for remedy, value in bought.items():
        assert value == pytest.approx(abs(means[""]) - abs(means[remedy]), abs=1e-12)
    trained = rows[rows.baseline == "plain sigmoid xavier_normal in training"]
    assert set(trained.remedy) == {"", "clip", "adam"}
    assert dict(trained[["remedy", "optimizer"]].drop_duplicates().itertuples(index=False)) == {
        "": "sgd", "clip": "sgd", "adam": "adam"
    }  # fmt: skip
    assert set(trained[trained.remedy == "clip"].clip_norm) == {1.0}
    told = {"log10_update", "log10_relative_update", "clipped_share", "norm_before", "norm_after"}
    assert told <= set(trained.metric)


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"depth": 0}, {"length": -1}, {"dtype": "float16"}, {"seeds": 0}])
def test_wrong_numbers(wrong):
    with pytest.raises(UserError):
        remedy_worth.cells(**{**GRID, **wrong})
