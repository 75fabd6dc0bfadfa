"""The benchmark suites: what they cover, that their gates are green, what they say of a result."""

import json
import math

import pandas as pd
import pytest

from kernels import ACTIVATIONS, ARCHITECTURES, INITIALIZERS, OPTIMIZERS
from suites import (
    bench_activations,
    bench_attention,
    bench_attenuation,
    bench_dense,
    bench_layers,
    bench_optimizers,
    bench_recurrent,
    bench_training,
    grids,
    layers,
    limits,
    summary,
)
from suites.levels import level_of, levels


def cells(test):
    """(values, left to the full profile) of every benchmark of a test function."""
    return [(cell.values, any(mark.name == "full" for mark in cell.marks)) for cell in grids.of(test).cells()]


def measured(folder):
    """Name -> benchmark of a results folder."""
    return {benchmark["name"]: benchmark for benchmark in json.loads((folder / "cost.json").read_text())["benchmarks"]}


def test_every_activation_is_timed_in_every_direction_level_and_dtype():
    every = {values for values, _ in cells(bench_activations.test_activation)}
    assert len(every) == len(ACTIVATIONS) * 3 * len(levels()) * 2
    assert ("mish", "forward_backward", "DRAM", "float64") in every


@pytest.mark.skipif(len(limits.THREADS) < 2, reason="needs two CPUs")
def test_every_activation_is_timed_in_two_threads_outside_the_cores_own_caches():
    every = cells(bench_activations.test_activation_in_threads)
    assert len(every) == len(ACTIVATIONS) * 3 * (len(levels()) - 2) * 2
    assert all(left for _, left in every)


@pytest.mark.parametrize(
    "test",
    [
        bench_activations.test_activation,
        bench_attenuation.test_depth,
        bench_attenuation.test_time,
        bench_dense.test_dense_activation,
        bench_dense.test_network,
        bench_dense.test_overhead,
        bench_training.test_training_step,
    ],
)
def test_the_quick_profile_has_every_activation_and_leaves_something(test):
    quick = [values for values, left in cells(test) if not left]
    assert {values[0] for values in quick} == set(ACTIVATIONS)
    assert 0 < len(quick) < len(cells(test))


def test_attenuation_has_every_initializer_that_makes_sense():
    possible = {(a, i) for a in ACTIVATIONS for i in INITIALIZERS if i not in ("forget_one", "chrono")}
    for test in (bench_attenuation.test_depth, bench_attenuation.test_time):
        assert {values for values, _ in cells(test)} == possible - {("softplus", "critical")}


@pytest.mark.parametrize(
    ("name", "direction", "count"),
    [
        ("sigmoid", "forward", 2),
        ("identity", "backward", 3),
        ("gelu", "backward", 3),
        ("gelu", "forward_backward", 4),
    ],
)
def test_arrays_moved_follow_from_the_row(name, direction, count):
    assert bench_activations.streams(ACTIVATIONS[name], direction) == count


def test_every_gate_is_green_for_a_learned_slope(session):
    done = session("suites", "--benchmark-disable", "-k", "prelu", "-q")
    assert done.returncode == 0, done.stdout
    quick = sum(
        not left and "prelu" in values
        for test in (
            bench_activations.test_activation,
            bench_attenuation.test_depth,
            bench_attenuation.test_time,
            bench_dense.test_dense_activation,
            bench_dense.test_network,
            bench_dense.test_overhead,
            bench_recurrent.test_cell,
            bench_training.test_training_step,
        )
        for values, left in cells(test)
    )
    assert f"{quick} passed" in done.stdout


TIMED = (
    "bench_attention.py::test_block[transformer_pre-gelu-forward_backward-T64-N16-D128-A4-float32]",
    "bench_attenuation.py::test_depth[relu6-he_normal]",
    "bench_attenuation.py::test_time[relu6-xavier_normal]",
    "bench_dense.py::test_network[relu6-forward_backward-float32]",
    "bench_dense.py::test_overhead[relu6-float32]",
    "bench_layers.py::test_norm[layer_norm-forward_backward-1024x256-float32]",
    "bench_optimizers.py::test_clipping[by_global_norm-165k-float32]",
    "bench_optimizers.py::test_optimizer[adam-165k-float32]",
    "bench_recurrent.py::test_cell[lstm-tanh-forward_backward-T100-N32-H128-float32]",
    "bench_recurrent.py::test_cell[rnn-relu6-forward_backward-T100-N32-H128-float32]",
    "bench_training.py::test_training_step[relu6-float32]",
)


@pytest.fixture(scope="module")
def timed(session, tmp_path_factory):
    """The results folder of one session of those."""
    folder = tmp_path_factory.mktemp("timed") / "out"
    done = session(*(f"suites/{name}" for name in TIMED), "--benchmark-only", "--gradfade-out", folder)
    assert done.returncode == 0, done.stdout
    assert measured(folder).keys() == {name.partition("::")[2] for name in TIMED}
    return folder


def test_layers_are_held_against_the_multiply_adds(timed):
    found = measured(timed)
    # multiply-adds of one pass; backward has two products for each one of forward
    layers = [(64, 128), (128, 128), (128, 128), (128, 10)]
    passes = {
        "test_network[relu6-forward_backward-float32]": 50 * 64 * 256 * 256,
        "test_cell[rnn-relu6-forward_backward-T100-N32-H128-float32]": 100 * 32 * (128 + 128) * 128,
        "test_cell[lstm-tanh-forward_backward-T100-N32-H128-float32]": 100 * 32 * (128 + 128) * 4 * 128,
        # four projections and a hidden layer of 512; every step with every other, twice
        "test_block[transformer_pre-gelu-forward_backward-T64-N16-D128-A4-float32]": (
            64 * 16 * 128 * (4 * 128 + 2 * 512) + 2 * 16 * 64 * 64 * 128
        ),
        "test_training_step[relu6-float32]": 64 * sum(fan_in * fan_out for fan_in, fan_out in layers),
    }
    for name, products in passes.items():
        info, median = found[name]["extra_info"], found[name]["stats"]["median"]
        assert info["flop"] == 6 * products
        assert info["gflop_per_s"] == pytest.approx(6 * products / median / 1e9)
        assert info["fraction_of_limit"] == pytest.approx(info["gflop_per_s"] / info["limit_gflop_per_s"])
        assert info["limit"] == "fma float32"
    # for every example h and c of 101 states, four gates and x of 100 steps; and a slope for each unit
    assert found["test_cell[lstm-tanh-forward_backward-T100-N32-H128-float32]"]["extra_info"]["saved_bytes"] == (
        4 * (32 * (2 * 101 * 128 + 100 * (4 * 128 + 128)) + 128)
    )


def test_passes_without_products_are_held_against_the_cache_that_holds_them(timed):
    found = measured(timed)
    moved = {
        "test_norm[layer_norm-forward_backward-1024x256-float32]": (1024 * 256, 5, 4),
        "test_optimizer[adam-165k-float32]": (10 * (128 * 128 + 128), 7, 4),
        "test_clipping[by_global_norm-165k-float32]": (10 * (128 * 128 + 128), 3, 1),
    }
    for name, (count, streams, arrays) in moved.items():
        info, median = found[name]["extra_info"], found[name]["stats"]["median"]
        assert info["gb_per_s"] == pytest.approx(4 * streams * count / median / 1e9)
        assert info["limit"] == f"triad {level_of(2 * arrays * count)}"
        assert info["fraction_of_limit"] == pytest.approx(info["gb_per_s"] / info["limit_gb_per_s"])


@pytest.mark.parametrize(
    ("size", "level"), [(1.0, "L2"), (1.9, "L2"), (2.1, "L3"), (31.0, "L3"), (33.0, "DRAM")], ids=str
)
def test_arrays_that_are_partly_in_a_cache_are_held_against_it(monkeypatch, size, level):
    """An L2 of 1 MiB, of an L3 16 times as much; the next level's bandwidth they could exceed."""
    monkeypatch.setattr("suites.levels.caches", lambda: {"L1": 2**15, "L2": 2**20, "L3": 2**28})
    assert layers.against_bandwidth(2, 4, int(size * 2**20)) == {
        "level": level,
        "bytes_per_element": 8,
        "probe": "copy",
    }


def test_every_cell_norm_architecture_and_optimizer_is_timed():
    first = {test: {values[0] for values, _ in cells(test)} for test in NAMED}
    assert first[bench_recurrent.test_cell] | first[bench_layers.test_architecture] == set(ARCHITECTURES)
    assert first[bench_layers.test_norm] == {"layer_norm", "rms_norm", "batch_norm", "batch_norm_evaluate"}
    assert first[bench_optimizers.test_optimizer] == set(OPTIMIZERS)
    for test in NAMED:
        quick = [values for values, left in cells(test) if not left]
        assert {values[0] for values in quick} == first[test]
        assert len(quick) < len(cells(test))


NAMED = (
    bench_attention.test_attention,
    bench_attention.test_block,
    bench_layers.test_architecture,
    bench_layers.test_loss,
    bench_layers.test_norm,
    bench_optimizers.test_clipping,
    bench_optimizers.test_optimizer,
    bench_recurrent.test_cell,
)


def test_what_a_layer_adds_is_a_ratio_to_its_product(timed):
    benchmark = measured(timed)["test_overhead[relu6-float32]"]
    info, median = benchmark["extra_info"], benchmark["stats"]["median"]
    assert info["gflop_per_s"] == pytest.approx(2 * 1024**3 / median / 1e9)
    assert info["ratio"] > 0


def test_attenuation_stands_beside_its_time(timed):
    found = measured(timed)
    for name, experiment, per in (
        ("test_depth[relu6-he_normal]", "depth", "layer"),
        ("test_time[relu6-xavier_normal]", "time", "step"),
    ):
        rows = pd.read_parquet(timed / f"{experiment}.parquet")
        (row,) = summary.attenuation(rows, experiment).to_dict("records")
        info = found[name]["extra_info"]
        for key in ("total_decades", f"decades_per_{per}", f"predicted_decades_per_{per}"):
            assert info[key] == (pytest.approx(row[key]) if math.isfinite(row[key]) else None)
        assert rows[rows.metric == "log10_gradient"].seed.nunique() == bench_attenuation.SEEDS
        assert info["ns_per_element"] > 0
