"""The contenders: each computes what it says it does, and their results become rows."""

import numpy as np
import pytest

from kernels import ACTIVATIONS, ARCHITECTURES, INITIALIZERS
from kernels.names import lookup
from suites.bench_peers import ABSENT, PEERS
from suites.peers import CONTENDERS, NAMES, Arrays
from suites.session import peer_rows

OFFERED = [
    (contender, activation, direction, into)
    for contender in ["gradfade", *PEERS]
    for activation in NAMES
    for direction in ("forward", "backward", "forward_backward")
    for into in (True, False)
    if CONTENDERS[contender].offers(activation, direction, into)
]


def test_contenders_are_here_or_absent_by_name():
    assert {"gradfade", *PEERS, *ABSENT} == set(CONTENDERS)


@pytest.mark.parametrize(("contender", "activation", "direction", "into"), OFFERED)
def test_a_contender_computes_the_activation(contender, activation, direction, into):
    row = lookup(ACTIVATIONS, "activation", activation)
    rng = np.random.default_rng(0)
    x, dy = (rng.standard_normal(1003, dtype=np.float32) for _ in range(2))
    arrays = Arrays(x, dy, row.reference(x.astype(np.float64), row.a).astype(np.float32), np.full_like(x, np.nan))
    value, slope = row.reference(x.astype(np.float64), row.a), row.reference_derivative(x.astype(np.float64), row.a)
    results = [np.asarray(result) for result in CONTENDERS[contender].element(activation, direction, into, arrays)()]
    expected = {"forward": [value], "backward": [dy * slope], "forward_backward": [value, dy * slope]}[direction]
    assert len(results) == len(expected)
    for result, reference in zip(results, expected, strict=True):
        np.testing.assert_allclose(result, reference, rtol=1e-4, atol=1e-6)
    given = {"forward": [arrays.y], "backward": [arrays.dx], "forward_backward": [arrays.y, arrays.dx]}[direction]
    for result, array in zip(results, given, strict=True):
        assert np.shares_memory(result, array) == into


@pytest.mark.parametrize("contender", [name for name in ["gradfade", *PEERS] if CONTENDERS[name].network])
def test_a_contender_computes_the_network(contender):
    row, rng = ACTIVATIONS["tanh"], np.random.default_rng(0)
    network = ARCHITECTURES["plain"].build(row, INITIALIZERS["framework_default"], 6, 3)
    state = network.init(rng, (4, 6), np.dtype(np.float32))
    x, dy = (rng.standard_normal((4, 6), dtype=np.float32) for _ in range(2))
    y, dx = CONTENDERS[contender].network("tanh", network, state, x, dy)()
    h, slopes = x.astype(np.float64), []
    for child in state.children:
        h = np.tanh(h @ child.params["W"] + child.params["b"])
        slopes.append(1.0 - h * h)
    gradient = dy.astype(np.float64)
    for child, slope in zip(reversed(state.children), reversed(slopes), strict=True):
        gradient = (gradient * slope) @ child.params["W"].T
    np.testing.assert_allclose(np.asarray(y), h, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(np.asarray(dx), gradient, rtol=1e-4, atol=1e-6)


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
    assert len(peer_rows([{"op": "activation"}])) == 0


def test_absent_contenders_are_skipped_by_name(session, tmp_path):
    done = session("suites/bench_peers.py", "--benchmark-only", "-k", "absent", "--gradfade-out", tmp_path / "out")
    assert done.returncode == (0 if ABSENT else pytest.ExitCode.NO_TESTS_COLLECTED), done.stdout
    assert all(f"{contender} is not installed" in done.stdout for contender in ABSENT)
