"""The sentence below the figure of remedies, and what is drawn."""

import pytest

from reports.figures import FIGURES
from reports.load import load


@pytest.fixture
def data(run):
    """The figure's, of the synthetic run."""
    return FIGURES["remedies"].data(load(run))


def test_baselines_are_no_points(data):
    assert (data.remedy != "").all()
    assert {"critical", "layernorm", "clip"} == {*data.remedy}


def test_the_sentence(data):
    text = FIGURES["remedies"].finding(data)
    assert "Critical buys plain sigmoid most, +30.0 decades at 1 times the step; critical costs nothing." in text
    assert "No remedy buys residual relu in training anything" in text
    acts = "Clipping acts in 75.0 % of the steps of residual relu in training: the gradient's norm is 5 before and 1"
    assert acts in text


def test_what_has_no_decades_has_no_panel(data):
    """Cells in training: one matrix serves every step."""
    timeless = data.assign(decades_bought=data.decades_bought.where(data.remedy != "clip"))
    assert len(FIGURES["remedies"].draw(data).axes) == 2
    assert len(FIGURES["remedies"].draw(timeless).axes) == 1
    assert "in training anything" not in FIGURES["remedies"].finding(timeless)
