"""Ratios beside the peers: means of known values, what is missing, what is behind, and how the page tells it."""

import pytest

from reports import ratios
from reports.page import render
from suites import peers
from suites.session import peer_rows


def fact(contender, activation, direction, ratio, **others):
    """The extra_info of one comparison in which gradfade takes 2 ns."""
    return {
        "op": "peer", "contender": contender, "activation": activation, "direction": direction, "dtype": "float32",
        "lane": "preallocated", "n": 65_536, "ns_per_element": 2 * ratio, "gradfade_ns_per_element": 2.0,
        "ratio": ratio, **others,
    }  # fmt: skip


@pytest.fixture
def rows(monkeypatch):
    monkeypatch.setattr(peers, "REASONS", {("torch", "tanh", ""): "tanh is another library's"})
    return peer_rows([
        fact("torch", "tanh", "forward", 0.5),
        fact("torch", "relu", "forward", 8.0),
        fact("torch", "relu", "backward", 0.9),
        fact("jax", "relu", "forward", 3.0, lane="allocating"),
        fact("torch", "tanh", "forward_backward", 1.1, op="peer_network", lane="", n=819_200),
        fact("numpy", "", "forward", 2.0, op="peer_product", n=512**2),
        fact("numpy", "", "forward", 4.5, op="peer_product", n=1024**2),
    ])  # fmt: skip


def test_layers_stand_by_kind_direction_and_threads(monkeypatch):
    monkeypatch.setattr(peers, "REASONS", {("torch", "lstm", "layer_forward"): "its own"})
    layer = {"op": "peer_layer", "lane": "", "subject": "lstm", "size": "T5"}
    rows = peer_rows([
        fact("torch", "", "forward_backward", 2.0, **layer),
        fact("torch", "", "forward_backward", 8.0, **layer | {"subject": "gru"}),
        fact("torch", "", "forward", 0.5, **layer),
        fact("torch", "", "forward_backward", 3.0, **layer, threads=2),
        fact("torch", "", "step", 4.0, op="peer_optimizer", lane="fused", subject="adam", size="1M"),
        fact("torch", "", "step", 2.5, op="peer_training_step", lane="", subject="training_relu", size="10x128-N128"),
    ])  # fmt: skip
    cells = ratios.cells(rows)
    assert cells.activation.tolist()[:2] == ["lstm T5", "gru T5"]
    assert [grid.title for grid in ratios.grids(cells, {}, {})] == [
        "Layers and losses, forward and backward, float32",
        "Layers and losses, forward alone, float32",
        "Layers and losses, forward and backward, float32, 2 threads",
        "A step of optimisers, and clipping, float32",
        "A training step of ten layers with Adam, float32",
    ]
    (behind,) = ratios.behind(cells).to_dict("records")
    assert (behind["activation"], behind["what"], behind["reason"]) == ("lstm T5", "layer_forward", "its own")
    means = ratios.means(cells).set_index(["what", "threads"])
    assert means.loc[("layer_forward_backward", 1)].geometric_mean == pytest.approx(4.0)
    assert means.loc[("layer_forward_backward", 2)].geometric_mean == pytest.approx(3.0)


def test_runs_of_before_there_were_layers_are_read(rows):
    older = ratios.cells(rows.drop(columns=["subject", "size", "threads"]))
    assert older.equals(ratios.cells(rows))


def test_means_are_geometric_and_of_one_contender_direction_and_lane(rows):
    table = ratios.means(ratios.cells(rows)).set_index(["what", "contender", "lane", "n"])
    forward = table.loc[("forward", "torch", "preallocated", 65_536)]
    assert forward.geometric_mean == pytest.approx(2.0)
    assert (forward.cells, forward.below_1, forward.lowest, forward.of) == (2, 1, 0.5, "tanh")
    assert table.loc[("forward", "jax", "allocating", 65_536)].geometric_mean == pytest.approx(3.0)
    assert table.loc[("network", "torch", "", "")].geometric_mean == pytest.approx(1.1)
    products = table.loc[("product", "numpy", "preallocated", "")]
    assert (products.geometric_mean, products.lowest, products.of) == (pytest.approx(3.0), 2.0, "512")
    assert len(table) == 5


def test_what_is_behind_is_named_with_its_reason_worst_first(rows):
    table = ratios.behind(ratios.cells(rows))
    assert table[["activation", "what", "ratio", "reason"]].to_numpy().tolist() == [
        ["tanh", "forward", 0.5, "tanh is another library's"],
        ["relu", "backward", 0.9, "no reason known"],
    ]


def test_grids_keep_kinds_and_directions_apart_and_leave_gaps(rows):
    session = {"limits": {"copy": {"L2": 80.0, "DRAM": 10.0}, "triad": {"L2": 96.0, "DRAM": 12.0}}}
    cells = ratios.cells(rows)
    forward, backward, networks, products = ratios.grids(cells, session, {"L1": 2**15, "L2": 2**21})
    assert (forward.floor, backward.floor, networks.floor) == (pytest.approx(0.1), pytest.approx(0.125), None)
    assert ratios.grids(cells, session, {"L1": 2**15, "L2": 2**20})[0].floor == pytest.approx(0.8)
    assert ratios.grids(cells, {}, {})[0].floor is None
    assert forward.own == [2.0, 2.0]
    assert forward.title == "Forward, 65,536 elements, float32"
    assert forward.columns == [("torch", "preallocated"), ("jax", "allocating")]
    values = dict(forward.rows)
    assert values["tanh"] == pytest.approx([0.5, float("nan")], nan_ok=True)
    assert values["relu"] == [8.0, 3.0]
    assert forward.means == pytest.approx([2.0, 3.0])
    assert (backward.rows, networks.rows) == ([("relu", [0.9])], [("tanh", [1.1])])
    assert products.title == "Products of square matrices, float32"
    assert products.rows == [("512", [2.0]), ("1024", [4.5])]
    assert products.means == pytest.approx([3.0])


def test_the_finding_counts_and_names_who_is_missing(rows):
    text = ratios.finding(ratios.cells(rows))
    assert text.startswith("gradfade is as fast as its peer or faster in 5 of 7 comparisons.")
    assert "Not measured here: torch.compile, onnxruntime, numexpr and openblas." in text


def test_a_terminal_shows_the_means_below_the_ratios(rows):
    shown = ratios.summary(ratios.cells(rows))
    assert list(shown) == [
        "Forward, 65,536 elements, float32", "Backward, 65,536 elements, float32",
        "Networks, forward and backward, float32", "Products of square matrices, float32", "Geometric means", "Behind",
    ]  # fmt: skip
    forward = shown["Forward, 65,536 elements, float32"]
    assert list(forward) == ["", "gradfade, ns", "torch", "jax allocating"]
    name, _, *values = forward.iloc[-1]
    assert name == "geometric mean"
    assert values == pytest.approx([2.0, 3.0])
    assert ratios.summary(ratios.cells(peer_rows([]))) == {}


def test_the_page_has_the_ratios_where_they_were_measured(keep, rows):
    run = keep("depth")
    assert 'id="peers"' not in render(run).read_text(encoding="utf-8")
    rows.to_parquet(run / "peers.parquet", index=False)
    text = render(run).read_text(encoding="utf-8")
    assert '<section id="peers">' in text
    assert '<span class="behind">▼ 0.500</span>' in text
    assert "<td>tanh is another library&#39;s</td>" in text
    saved = (run / "report" / "figures" / "peers.csv").read_text()
    assert "forward,65536,float32,preallocated,torch,tanh,0.5,2.0,tanh is another library's" in saved
