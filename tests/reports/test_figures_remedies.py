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


def test_a_point_stands_at_what_it_adds_and_its_name_tells_what_a_nanosecond_buys(data):
    """A LayerNorm takes twice the 2 ns of a step and buys 20 decades; critical weights add nothing."""
    panel = FIGURES["remedies"].draw(data).axes[0]
    points = [line for line in panel.lines if line.get_marker() != "None"]
    at = sorted((line.get_xdata()[0], line.get_ydata()[0]) for line in points)
    assert at == [(pytest.approx(0.0), pytest.approx(30.0)), (pytest.approx(2.0), pytest.approx(20.0))]
    assert {text.get_text() for text in panel.texts} == {"critical, free", "layernorm, 10 per ns"}


def test_what_has_no_decades_has_no_panel(data):
    """Cells in training: one matrix serves every step."""
    timeless = data.assign(decades_bought=data.decades_bought.where(data.remedy != "clip"))
    assert len(FIGURES["remedies"].draw(data).axes) == 2
    assert len(FIGURES["remedies"].draw(timeless).axes) == 1
    assert "in training anything" not in FIGURES["remedies"].finding(timeless)
