"""What layers cost: one row per layer, size, direction and dtype, and how the page tells it."""

import json

import pandas as pd
import pytest

from reports import layers
from reports.load import cost_table
from reports.page import render


def benchmark(op, activation, seconds, **facts):
    """One benchmark as pytest-benchmark saves it."""
    info = {"op": op, "activation": activation, "direction": "forward_backward", "dtype": "float32", **facts}
    stats = dict.fromkeys(("median", "q1", "q3", "iqr"), seconds) | {"rounds": 5}
    return {"fullname": f"bench.py::{op}[{activation}]", "group": op, "extra_info": info, "stats": stats}


BENCHMARKS = [
    benchmark("activation", "tanh", 1.0),
    benchmark("peer_layer", "", 1.0),
    benchmark("lstm", "tanh", 0.002, size="T64-N16-H8", fraction_of_limit=0.5, limit="fma float32", saved_bytes=2**21),
    benchmark("lstm", "relu", 0.004, size="T64-N16-H8", fraction_of_limit=0.3, limit="fma float32", saved_bytes=2**21),
    benchmark("adam", "", 0.001, size="1M", direction="step", fraction_of_limit=0.8, limit="triad L3"),
]


def test_a_row_is_the_median_over_activations(tmp_path):
    table = layers.costs(cost_table({"benchmarks": BENCHMARKS}, tmp_path))
    assert table.what.tolist() == ["lstm", "adam"]
    lstm, adam = table.to_dict("records")
    assert lstm["milliseconds"] == pytest.approx(3.0)
    assert lstm["fraction_of_limit"] == pytest.approx(0.4)
    assert (lstm["activations"], lstm["saved_bytes"]) == (2, 2**21)
    assert (adam["size"], adam["limit"]) == ("1M", "triad L3")
    assert pd.isna(adam["saved_bytes"])


def test_the_page_says_what_is_kept(keep):
    run = keep("cost")
    content = json.loads((run / "cost.json").read_text())
    content["benchmarks"] += BENCHMARKS
    (run / "cost.json").write_text(json.dumps(content))
    text = render(run).read_text(encoding="utf-8")
    assert '<section id="layer-costs">' in text
    assert "<td>64 steps, batch 16, 8 units</td>" in text
    assert '<td class="number">2 MiB</td>' in text
    assert "lstm" in (run / "report" / "figures" / "layer_costs.csv").read_text()
