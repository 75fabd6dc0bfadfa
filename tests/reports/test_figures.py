"""Every figure of the table: its data are the run's numbers, and its sentence follows them."""

import json

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from reports.figures import FIGURES
from reports.load import load
from reports.style import looks, theme

WEIGHTS = (0.2126, 0.7152, 0.0722)  # of red, green and blue in luminance


@pytest.mark.parametrize("name", FIGURES)
def test_draws_what_the_run_has(name, run):
    data = FIGURES[name].data(load(run))
    with theme():
        figure = FIGURES[name].draw(data)
        assert any(ax.has_data() for ax in figure.axes)
        drawn, page = figure.get_tightbbox(), figure.bbox_inches
        assert page.x0 <= drawn.x0 < drawn.x1 <= page.x1
        assert page.y0 <= drawn.y0 < drawn.y1 <= page.y1
    assert FIGURES[name].finding(data).endswith(".")


@pytest.mark.parametrize("name", FIGURES)
def test_is_empty_without_its_tables(name, run):
    for need in FIGURES[name].needs:
        (run / ("cost.json" if need == "cost" else f"{need}.parquet")).unlink()
    assert FIGURES[name].data(load(run)).empty


def test_cost_data_are_the_benchmarks(run):
    tables = load(run)
    data = FIGURES["cost"].data(tables)
    assert len(data) == 27
    row = data[(data.activation == "tanh") & (data.direction == "backward") & (data.level == "DRAM")]
    assert row.ns_per_element.item() == pytest.approx(0.3 * 1.5 * 2)
    assert row.q3.item() == pytest.approx(1.1 * 0.9)


def test_training_sentences_follow_the_table(run, edit, finding):
    assert finding("accuracy", run).startswith("relu ends at 97 %")
    assert finding("loss", run).startswith("After 100 steps the loss is lowest with relu (0.0277)")  # geometric mean
    names = {"relu": "sigmoid", "sigmoid": "relu"}
    edit(run, "training", lambda table: table.assign(activation=table.activation.replace(names)))
    assert finding("accuracy", run).startswith("sigmoid ends at 97 %")


def test_layers_sentence_sets_the_ratio_beside_the_activations_own(run, finding):
    text = finding("layers", run)
    assert "dense (forward, float32) 1.27 times (relu to sigmoid)." in text  # 1.4 / 1.1
    assert "takes 4 times as long per element as the cheapest" in text  # 0.4 / 0.1
    assert text.endswith("inside a layer the ratio is smaller in 1 of 1 case.")


def test_a_deep_network_is_told_by_its_layers(run):
    record = json.loads((run / "cost.json").read_text())
    record["benchmarks"][-1]["extra_info"]["depth"] = 50
    (run / "cost.json").write_text(json.dumps(record))
    assert list(FIGURES["layers"].data(load(run)).case) == ["forward, float32"] * 2 + ["50 layers, forward, float32"]


@pytest.mark.parametrize("name", ["heat", "limits"])
def test_numbers_on_a_heat_map_can_be_read(name, run, drawn):
    panel = drawn(name, run).axes[0]
    cells = panel.collections[0].get_facecolor()
    assert len(panel.texts) == len(cells)
    for text, cell in zip(panel.texts, cells, strict=True):
        assert _contrast(to_rgb(text.get_color()), cell[:3]) > 4.5


def _contrast(one, other):
    """Contrast of two colours by WCAG 2.2, where 4.5 is what text needs."""
    linear = [[c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour] for colour in (one, other)]
    low, high = sorted(np.array(linear) @ WEIGHTS)
    return (high + 0.05) / (low + 0.05)


def test_markers_of_the_tradeoff_stand_within_the_axes(run, drawn):
    for ax in drawn("tradeoff", run).axes:
        low, high = ax.transAxes.transform([(0, 0), (1, 1)])
        points = [line for line in ax.lines if line.get_linestyle() != "--"]
        assert points
        for line in points:
            at = ax.transData.transform((line.get_xdata()[0], line.get_ydata()[0]))
            assert (at > low + 4).all()
            assert (at < high - 4).all()


def test_slopes(run, finding):
    text = finding("activations", run)
    assert text.startswith("The slope of sigmoid is never above 0.25")
    assert "2 of 3 activations reach a slope of 1." in text


def test_the_output_form_loses_its_tail(run, finding):
    assert "tanh from x = 9.25 on" in finding("tails", run)
    assert set(FIGURES["tails"].data(load(run)).activation) == {"tanh"}


def test_looks_are_the_same_in_every_figure(run):
    tables = load(run)
    by_figure = [looks(FIGURES[name].data(tables).activation) for name in ("tradeoff", "accuracy", "activations")]
    assert by_figure[0] == by_figure[1] == by_figure[2]
    many = looks([str(i) for i in range(42)])
    assert len(set(many.values())) == 42
