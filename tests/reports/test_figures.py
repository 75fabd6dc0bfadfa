"""Every figure of the table: its data are the run's numbers, and its sentence follows them."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from reports.figures import FIGURES
from reports.load import load
from reports.style import looks, theme

WEIGHTS = (0.2126, 0.7152, 0.0722)  # of red, green and blue in luminance


def finding(name, folder):
    """The sentence of a figure."""
    return FIGURES[name].finding(FIGURES[name].data(load(folder)))


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


@pytest.mark.parametrize("name", [name for name, figure in FIGURES.items() if "depth" in figure.needs])
def test_one_configuration_is_enough(name, run, edit):
    def one(table):
        return table[(table.activation == "relu") & (table.initializer == "he_normal") & (table.seed.isin([0, None]))]

    edit(run, "depth", one)
    edit(run, "time", one)
    data = FIGURES[name].data(load(run))
    with theme():
        FIGURES[name].draw(data)
    assert FIGURES[name].finding(data)


def test_depth_data_are_means_over_seeds(run):
    tables = load(run)
    rows = tables["depth"]
    data = FIGURES["depth"].data(tables)
    for row in data.sample(20, random_state=0).itertuples():
        same = (rows.activation == row.activation) & (rows.initializer == row.initializer)
        at = rows[same & (rows.position == row.position)]
        assert row.measured == pytest.approx(at[at.metric == "log10_gradient"].value.mean())
        assert row.predicted == pytest.approx(at[at.metric == "predicted_log10_gradient"].value.item())


def test_long_curves_are_thinned_to_their_ends(run, edit):
    edit(run, "time", lambda table: table.assign(position=table.position * 100))
    data = FIGURES["time"].data(load(run))
    assert data.position.min() == 0
    assert data.position.max() == 10_000
    assert data.groupby(["activation", "initializer"], observed=True).size().max() <= 200


def test_cost_data_are_the_benchmarks(run):
    tables = load(run)
    data = FIGURES["cost"].data(tables)
    assert len(data) == 27
    row = data[(data.activation == "tanh") & (data.direction == "backward") & (data.level == "DRAM")]
    assert row.ns_per_element.item() == pytest.approx(0.3 * 1.5 * 2)
    assert row.q3.item() == pytest.approx(1.1 * 0.9)


def test_depth_sentence_follows_the_table(run, edit):
    assert "Over 50 layers sigmoid with xavier_normal keeps 10⁻³² of its gradient" in finding("depth", run)
    assert "Of 6 combinations 2 stay within a factor of ten, 1 grow beyond it, 3 lose more." in finding("depth", run)

    def swap(table):
        names = table.activation.replace({"sigmoid": "relu", "relu": "sigmoid"})
        return table.assign(activation=names, value=table.value / 2)

    edit(run, "depth", swap)
    assert "Over 50 layers relu with xavier_normal keeps 10⁻¹⁶ of its gradient" in finding("depth", run)


def test_the_sentence_says_where_theory_is_silent(run, edit):
    def unpredicted(table):
        table = table[(table.activation != "sigmoid") | ~table.metric.str.startswith("predicted")]
        return table.assign(initializer=table.initializer.where(table.activation != "sigmoid", "constant"))

    assert "silent" not in finding("depth", run)
    edit(run, "depth", unpredicted)
    reason = "Theory is silent about sigmoid with constant: its weights are not independent of each other."
    assert reason in finding("depth", run)


def test_a_zero_gradient_is_shown_and_told(run, edit):
    def vanish(table):
        gone = (table.activation == "sigmoid") & (table.metric == "log10_gradient") & (table.position < 20)
        return table.assign(value=table.value.where(~gone, -np.inf))

    edit(run, "depth", vanish)
    assert "keeps exactly 0 of its gradient, where theory predicts 10⁻³²" in finding("depth", run)
    assert "Exactly 0 arrives from sigmoid with xavier_normal and sigmoid with he_normal." in finding("depth", run)
    data = FIGURES["depth"].data(load(run))
    with theme():
        figure = FIGURES["depth"].draw(data)
        (panel,) = (ax for ax in figure.axes if ax.get_title("left") == "sigmoid")
        triangles = [line for line in panel.lines if line.get_marker() == "v"]
        assert [line.get_xdata()[0] for line in triangles] == [19, 19]
        texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "exactly 0 in the measured format" in texts
    assert "lost" in {text.get_text() for text in _drawn("heat", run).axes[0].texts}


def test_an_overflowed_gradient_is_told(run, edit):
    def overflow(table):
        lost = (table.activation == "tanh") & (table.metric == "log10_gradient") & (table.seed == 1)
        return table.assign(value=table.value.where(~lost, np.nan))

    edit(run, "depth", overflow)
    text = finding("depth", run)
    assert "Of 4 combinations" in text
    assert "No number arrives from tanh with xavier_normal and tanh with he_normal." in text
    _drawn("depth", run)
    edit(run, "depth", lambda table: table.assign(value=np.nan))
    assert finding("depth", run) == "No combination of this run has a gradient to show at position 0."
    _drawn("depth", run)


def test_tradeoff_without_any_finite_number(run, edit):
    for value, text in ((-np.inf, " → 0"), (np.inf, " → ∞")):
        edit(run, "depth", lambda table, value=value: table.assign(value=value))
        names = [label.get_text() for label in _drawn("tradeoff", run).axes[0].texts]
        assert len(names) == 3
        assert all(name.endswith(text) for name in names)
    edit(run, "depth", lambda table: table.assign(value=np.nan))
    assert not _drawn("tradeoff", run).axes[0].texts
    assert "No activation" in finding("tradeoff", run)


def _drawn(name, folder):
    with theme():
        return FIGURES[name].draw(FIGURES[name].data(load(folder)))


def test_training_sentences_follow_the_table(run, edit):
    assert finding("accuracy", run).startswith("relu ends at 97 %")
    assert finding("loss", run).startswith("After 100 steps the loss is lowest with relu (0.0277)")  # geometric mean
    names = {"relu": "sigmoid", "sigmoid": "relu"}
    edit(run, "training", lambda table: table.assign(activation=table.activation.replace(names)))
    assert finding("accuracy", run).startswith("sigmoid ends at 97 %")


def test_layers_sentence_sets_the_ratio_beside_the_activations_own(run):
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
def test_numbers_on_a_heat_map_can_be_read(name, run):
    panel = _drawn(name, run).axes[0]
    cells = panel.collections[0].get_facecolor()
    assert len(panel.texts) == len(cells)
    for text, cell in zip(panel.texts, cells, strict=True):
        assert _contrast(to_rgb(text.get_color()), cell[:3]) > 4.5


def _contrast(one, other):
    """Contrast of two colours by WCAG 2.2, where 4.5 is what text needs."""
    linear = [[c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour] for colour in (one, other)]
    low, high = sorted(np.array(linear) @ WEIGHTS)
    return (high + 0.05) / (low + 0.05)


def test_markers_of_the_tradeoff_stand_within_the_axes(run):
    for ax in _drawn("tradeoff", run).axes:
        low, high = ax.transAxes.transform([(0, 0), (1, 1)])
        points = [line for line in ax.lines if line.get_linestyle() != "--"]
        assert points
        for line in points:
            at = ax.transData.transform((line.get_xdata()[0], line.get_ydata()[0]))
            assert (at > low + 4).all()
            assert (at < high - 4).all()


def test_slopes(run):
    text = finding("activations", run)
    assert text.startswith("The slope of sigmoid is never above 0.25")
    assert "2 of 3 activations reach a slope of 1." in text


def test_the_output_form_loses_its_tail(run):
    assert "tanh from x = 9.25 on" in finding("tails", run)
    assert set(FIGURES["tails"].data(load(run)).activation) == {"tanh"}


def test_the_band_of_one_sample_is_centred_on_its_median(run, edit):
    def one_sample(table):
        band = table[table.metric == "predicted_log10_gradient"].assign(metric="predicted_sd", value=0.4)
        return pd.concat([table, band]).assign(batch=1)

    edit(run, "depth", one_sample)
    (panel,) = (ax for ax in _drawn("depth", run).axes if ax.get_title("left") == "relu")
    (prediction,) = (line for line in panel.lines if line.get_linestyle() == "--" and line.get_ydata()[0] == 0)
    bands = [band.get_paths()[0].vertices[:, 1] for band in panel.collections if band.get_alpha() == 0.1]
    median = -math.log(10) * 0.4**2
    assert any((band.min(), band.max()) == pytest.approx((median - 0.784, median + 0.784)) for band in bands)
    assert not np.any(prediction.get_ydata())


def test_a_heat_map_without_any_number(run, edit):
    edit(run, "depth", lambda table: table.assign(value=np.nan))
    assert {text.get_text() for text in _drawn("heat", run).axes[0].texts} <= {"", "–"}  # noqa: RUF001


def test_looks_are_the_same_in_every_figure(run):
    tables = load(run)
    by_figure = [looks(FIGURES[name].data(tables).activation) for name in ("tradeoff", "accuracy", "activations")]
    assert by_figure[0] == by_figure[1] == by_figure[2]
    many = looks([str(i) for i in range(42)])
    assert len(set(many.values())) == 42


def test_the_plane_tells_its_points_and_draws_the_line(run, edit):
    assert finding("phase", run).startswith(
        "Of 18 points 9 lose more than 0.01 decades per layer, 3 gain more, 6 keep their gradient."
    )
    for panel in [ax for ax in _drawn("phase", run).axes if ax.get_title("left")]:
        (line,) = panel.lines
        assert list(zip(line.get_xdata(), line.get_ydata(), strict=True)) == [(1.0, 0.0), (1.4, 0.4)]

    def faster(table):
        return table.assign(value=table.value - 30.0 * (table.metric == "log10_gradient"))

    edit(run, "phase", faster)
    assert "18 lose more than 0.01 decades per layer" in finding("phase", run)
    edit(run, "phase", lambda table: table.assign(value=np.nan))
    assert finding("phase", run) == "No point of this run has a gradient to show."


def test_spectra_are_over_their_root_mean_square(run, edit):
    assert finding("spectrum", run).endswith("Measured and predicted spreads differ by 50 % in the median of 6.")
    data = FIGURES["spectrum"].data(load(run))
    one = data[(data.activation == "relu") & (data.initializer == "he_normal")]
    assert one.decades.iloc[0] == -np.inf
    # the largest of seed 0: -3 - (-7) / 2
    assert one.decades.iloc[-1] == pytest.approx(0.5)
    assert one.decades[one.share > 0.26].min() == pytest.approx(-4 - (-6.7) / 2)
    edit(run, "spectrum", lambda table: table.assign(value=np.nan))
    assert finding("spectrum", run) == "No network of this run has singular values to show."
    _drawn("spectrum", run)
