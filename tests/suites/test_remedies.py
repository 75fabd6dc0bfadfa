"""Remedies are single changes, of which those that make no sense are left out."""

from dataclasses import replace

import pytest

from suites.errors import UserError
from suites.interventions import changed, subject
from suites.remedies import REMEDIES, applicable

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


def test_a_wrong_subject_is_the_users_mistake():
    with pytest.raises(UserError, match="unknown activation"):
        subject("depth", 4, architecture="plain", activation="none", initializer="xavier_normal")
    with pytest.raises(UserError, match="sets the biases of gates"):
        subject("depth", 4, architecture="plain", activation="tanh", initializer="chrono")
    with pytest.raises(UserError, match="depth must be a whole number"):
        subject("depth", 0, architecture="plain", activation="tanh", initializer="xavier_normal")
