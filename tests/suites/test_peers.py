"""The contenders: each computes what it says it does, and their results become rows."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from kernels import ACTIVATIONS, ARCHITECTURES, INITIALIZERS, jit
from reports.ratios import TITLES
from suites import limits, peers
from suites.bench_peers import ABSENT, ELEMENTS, NETWORKS, PRODUCTS, exists, quick, quick_layer
from suites.comparisons import COMPARISONS
from suites.peers import CONTENDERS, DIRECTIONS, NAMES, Arrays, Contender, expected, reason
from suites.session import peer_rows

# torch.compile takes a second each: a plain function, one that is composed, and one with a learned slope
COMPILED = ("relu6", "softsign", "prelu")
OFFERED = [
    (contender, activation, direction, into, dtype)
    for contender in ELEMENTS
    for activation in (COMPILED if contender == "torch.compile" else NAMES)
    for direction in DIRECTIONS
    for into in (True, False)
    for dtype in ("float32", "float64")
    if CONTENDERS[contender].has(activation, direction, into, dtype)
]


def test_contenders_run_or_are_absent_with_a_reason():
    assert {*ELEMENTS, *NETWORKS, *PRODUCTS, *ABSENT} == set(CONTENDERS)
    assert set(ABSENT.values()) <= {
        "torch not installed", "jax not installed", "onnxruntime and onnx not installed", "numexpr not installed",
        "there is no C++ compiler",
    }  # fmt: skip
    assert Contender(name="x", needs=("no_such_package", "numpy", "nor_this")).absent == (
        "no_such_package and nor_this not installed"
    )


def test_every_activation_but_identity_is_compared():
    assert set(NAMES) == set(ACTIVATIONS) - {"identity"}


def test_compiled_code_needs_a_compiler(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert CONTENDERS["torch.compile"].obstacle() == "there is no C++ compiler"
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/g++" if name == "g++" else None)
    assert CONTENDERS["torch.compile"].obstacle() == ""


def test_the_quick_profile_has_each_comparison_in_one_lane():
    def lanes(contender, activation, direction, size=65_536):
        return [
            lane
            for lane in ("preallocated", "allocating")
            if exists(contender, activation, direction, size, lane, "float32")
            and quick(contender, activation, direction, size, lane, "float32")
        ]

    for activation in NAMES:
        assert len(lanes("torch", activation, "forward_backward")) == 1
        assert lanes("jax", activation, "forward") == ["allocating"]
    assert lanes("torch", "mish", "forward") == ["preallocated"]
    assert lanes("torch", "mish", "backward") == ["allocating"]
    assert lanes("onnxruntime", "erf", "forward") == ["preallocated"]
    assert lanes("onnxruntime", "erf", "backward") == []
    assert lanes("numexpr", "erf", "forward") == []
    assert lanes("torch", "relu", "forward", size=1024) == []


def test_the_quick_profile_has_every_comparison_with_pytorch_in_one_thread():
    for name, row in COMPARISONS.items():
        sizes, direction = list(row.sizes), row.directions[-1]
        assert [quick_layer("torch", name, size, direction, 1) for size in sizes] == [
            place < row.quick for place in range(len(sizes))
        ]
        assert not quick_layer("torch", name, sizes[0], direction, 2)
    assert quick_layer("onnxruntime", "lstm", "T100-N32-H128", "forward", 1)
    assert not quick_layer("torch", "lstm", "T100-N32-H128", "forward", 1)
    assert not quick_layer("jax", "lstm", "T500-N64-H64", "forward_backward", 1)


@pytest.mark.parametrize("contender", ["gradfade", "torch"])
def test_threads_are_put_back_to_one(contender):
    row = CONTENDERS[contender]
    if row.absent:
        pytest.skip(f"{contender}: {row.absent}")
    with row.in_threads(limits.THREADS[-1]):
        assert threads(contender) == limits.THREADS[-1]
    assert threads(contender) == 1


def threads(contender):
    """How many a contender uses now."""
    if contender == "torch":
        import torch

        return torch.get_num_threads()
    return jit.num_threads()


@pytest.mark.parametrize(("contender", "activation", "direction", "into", "dtype"), OFFERED)
def test_a_contender_computes_the_activation(contender, activation, direction, into, dtype):
    row, rng = ACTIVATIONS[activation], np.random.default_rng(0)
    x, dy = (rng.standard_normal(1003).astype(dtype) for _ in range(2))
    y = row.reference(x.astype(np.float64), row.a).astype(dtype)
    arrays = Arrays(x, dy, y.copy(), np.full_like(x, np.nan))
    with CONTENDERS[contender].mode():
        results = [np.atleast_1d(result) for result in ELEMENTS[contender](activation, direction, into, arrays)()]
    # PyTorch's slope of hardsigmoid is float32's 1/6, in float64 too
    relative, absolute = (1e-4, 1e-6) if dtype == "float32" else (1e-7, 1e-12)
    for result, (reference, magnitude) in zip(results, expected(row, direction, x, dy), strict=True):
        assert result.dtype == dtype
        assert (np.abs(result - reference) <= relative * magnitude + absolute).all()
    given = {"forward": [arrays.y], "backward": [arrays.dx], "forward_backward": [arrays.y, arrays.dx]}[direction]
    for result, array in zip(results, given, strict=False):
        assert np.shares_memory(result, array) == into


@pytest.mark.parametrize("activation", ["sigmoid", "prelu", "relu"])
def test_what_is_expected_follows_from_the_formula(activation):
    x, dy = np.array([-2.0, 0.5, 3.0], np.float32), np.array([1.0, -2.0, 0.25], np.float32)
    sigmoid = 1 / (1 + np.exp(-x.astype(np.float64)))
    right = {
        "sigmoid": [sigmoid, dy * sigmoid * (1 - sigmoid)],
        "prelu": [[-0.5, 0.5, 3.0], [0.25, -2.0, 0.25], [-2.0]],
        "relu": [[0.0, 0.5, 3.0], [0.0, -2.0, 0.25]],
    }[activation]
    results = expected(ACTIVATIONS[activation], "forward_backward", x, dy)
    for (result, magnitude), value in zip(results, right, strict=True):
        np.testing.assert_allclose(result, value, rtol=1e-12)
        np.testing.assert_allclose(magnitude, np.abs(value), rtol=1e-12)
    forward = expected(ACTIVATIONS[activation], "forward", x, dy)
    assert len(forward) == 1
    assert len(expected(ACTIVATIONS[activation], "backward", x, dy)) == len(right) - 1


@pytest.mark.parametrize("activation", ["tanh", "prelu"])
@pytest.mark.parametrize("contender", NETWORKS)
def test_a_contender_computes_the_network(contender, activation):
    row, rng = ACTIVATIONS[activation], np.random.default_rng(0)
    network = ARCHITECTURES["plain"].build(row, INITIALIZERS["framework_default"], 6, 3)
    state = network.init(rng, (4, 6), np.dtype(np.float32))
    x, dy = (rng.standard_normal((4, 6), dtype=np.float32) for _ in range(2))
    y, dx = NETWORKS[contender](activation, network, state, x, dy)()
    h, slopes = x.astype(np.float64), []
    for child in state.children:
        z = h @ child.params["W"] + child.params["b"]
        h = np.tanh(z) if activation == "tanh" else np.where(z > 0, z, 0.25 * z)
        slopes.append(1.0 - h * h if activation == "tanh" else np.where(z > 0, 1.0, 0.25))
    gradient = dy.astype(np.float64)
    for child, slope in zip(reversed(state.children), reversed(slopes), strict=True):
        gradient = (gradient * slope) @ child.params["W"].T
    np.testing.assert_allclose(np.asarray(y), h, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(np.asarray(dx), gradient, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("contender", PRODUCTS)
def test_a_contender_computes_the_product(contender, dtype):
    rng = np.random.default_rng(1)
    a, b = rng.standard_normal((7, 5)).astype(dtype), rng.standard_normal((5, 9)).astype(dtype)
    out = np.full((7, 9), np.nan, dtype)
    with CONTENDERS[contender].mode():
        (result,) = PRODUCTS[contender](out, a, b)()
    assert np.shares_memory(np.asarray(result), out)
    wide_a, wide_b = a.astype(np.float64), b.astype(np.float64)
    np.testing.assert_allclose(out, np.einsum("ik,kj->ij", wide_a, wide_b), rtol=1e-4, atol=1e-5)


def test_the_first_reason_that_fits_is_given(monkeypatch):
    monkeypatch.setattr(
        peers, "REASONS", {("torch", "tanh", "forward"): "one", ("torch", "", "backward"): "two", ("jax", "", ""): "x"}
    )
    assert reason("torch", "tanh", "forward") == "one"
    assert reason("torch", "tanh", "backward") == "two"
    assert reason("torch", "gelu", "forward") == "no reason known"
    assert reason("jax", "gelu", "network") == "x"


def test_reasons_are_of_what_there_is():
    for contender, activation, what in peers.REASONS:
        assert contender in ("", *CONTENDERS)
        assert activation in ("", *ACTIVATIONS, *COMPARISONS)
        assert what in ("", *DIRECTIONS, *TITLES)


def test_straight_lines_are_behind_for_the_same_reason():
    said = {reason("torch", name, "forward") for name in ("relu", "leaky_relu", "prelu", "hardtanh", "relu6")}
    assert len(said) == 1
    assert "read and write" in said.pop()
    assert reason("torch", "gelu", "backward") == "no reason known"


def test_a_comparison_becomes_rows():
    info = {
        "op": "peer", "activation": "tanh", "dtype": "float32", "direction": "forward", "lane": "preallocated",
        "n": 65_536, "contender": "torch", "ns_per_element": 2.0, "gradfade_ns_per_element": 0.5, "ratio": 4.0,
    }  # fmt: skip
    rows = peer_rows([{"op": "activation"}, info])
    assert rows[["contender", "metric", "value", "unit"]].to_numpy().tolist() == [
        ["torch", "ns_per_element", 2.0, "ns"],
        ["gradfade", "ns_per_element", 0.5, "ns"],
        ["torch", "ratio", 4.0, "1"],
    ]
    assert (rows[["direction", "lane", "n"]] == ["forward", "preallocated", 65_536]).to_numpy().all()
    assert (rows[["threads", "subject", "size"]] == [1, "", ""]).to_numpy().all()
    assert len(peer_rows([{"op": "activation"}])) == 0
    layer = info | {"op": "peer_layer", "activation": "", "subject": "lstm", "size": "T5", "threads": 2}
    rows = peer_rows([layer])
    assert (rows[["experiment", "threads", "subject", "size"]] == ["peer_layer", 2, "lstm", "T5"]).to_numpy().all()


def test_absent_contenders_are_skipped_by_name(session, tmp_path):
    done = session("suites/bench_peers.py", "--benchmark-only", "-k", "absent", "--gradfade-out", tmp_path / "out")
    assert done.returncode == (0 if ABSENT else pytest.ExitCode.NO_TESTS_COLLECTED), done.stdout
    assert all(f"{contender}: {why}" in done.stdout for contender, why in ABSENT.items())


def test_a_comparison_is_timed_and_written(session, tmp_path):
    selection = "openblas-512-float32"
    done = session("suites/bench_peers.py", "--benchmark-only", "-k", selection, "--gradfade-out", tmp_path / "out")
    assert done.returncode == 0, done.stdout
    (benchmark,) = json.loads((tmp_path / "out" / "cost.json").read_text())["benchmarks"]
    info, median = benchmark["extra_info"], benchmark["stats"]["median"]
    assert info["gflop_per_s"] == pytest.approx(2 * 512**3 / median / 1e9)
    assert info["ratio"] == pytest.approx(info["ns_per_element"] / info["gradfade_ns_per_element"])
    table = pd.read_parquet(tmp_path / "out" / "peers.parquet")
    assert set(table.experiment) == {"peer_product"}
    assert table[table.metric == "ratio"].value.tolist() == [info["ratio"]]
