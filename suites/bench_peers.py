"""Each contender against gradfade, interleaved ABBA in one run: one thread, float32, the same arrays.

The time of a benchmark is the contender's, and gradfade_ns_per_element stands beside it; ratio is that of the
medians, above 1 where gradfade is faster. Lanes: preallocated, results go into arrays given beforehand; allocating,
into fresh memory. Inputs are standard normal. Contenders that are not installed are skipped by name.
"""

from functools import partial
from statistics import median

import numpy as np
import pytest

from kernels import ACTIVATIONS, ARCHITECTURES, INITIALIZERS
from kernels.layer import empty
from kernels.names import lookup
from suites import gate
from suites.buffers import inputs
from suites.grids import always, grid
from suites.measure import Work, race
from suites.peers import CONTENDERS, NAMES, Arrays

PEERS = [row.name for row in CONTENDERS.values() if row.installed and row.needs]
NETWORKS = {row.name: row.network for row in CONTENDERS.values() if row.network}
ABSENT = [row.name for row in CONTENDERS.values() if not row.installed]
SIZES = (65_536, 16_777_216)
LANES = ("preallocated", "allocating")
DEPTH, WIDTH, BATCH = 50, 256, 64

# What makes two programs the same function in single precision; who is more exact is another matter.
RELATIVE, ABSOLUTE = 1e-4, 1e-6
# Of a deep network, in Frobenius norm: a pre-activation on the other side of a kink changes single gradients wholly.
NETWORK = 0.05


@pytest.mark.parametrize("contender", ABSENT)
def test_absent(contender, timed):
    pytest.skip(f"{contender} is not installed")


@grid(
    quick=lambda size, lane, direction, **_: size == SIZES[0] or (lane, direction) == (LANES[0], "forward"),
    exists=lambda contender, activation, direction, lane, **_: CONTENDERS[contender].offers(
        activation, direction, lane == LANES[0]
    ),
    contender=PEERS,
    activation=NAMES,
    direction=("forward", "backward", "forward_backward"),
    size=SIZES,
    lane=LANES,
)
def test_element(benchmark, timed, seed, contender, activation, direction, size, lane):
    x, dy = inputs(size, "float32", seed)
    arrays = Arrays(x, dy, empty(x.shape, x.dtype), empty(x.shape, x.dtype))
    row = lookup(ACTIVATIONS, "activation", activation)
    at = gate.sample(size)
    point, upstream = x[at].astype(np.float64), dy[at].astype(np.float64)
    value, gradient = row.reference(point, row.a), upstream * row.reference_derivative(point, row.a)
    expected = {"forward": (value,), "backward": (gradient,), "forward_backward": (value, gradient)}[direction]
    into = lane == LANES[0]
    calls = {name: CONTENDERS[name].element(activation, direction, into, arrays) for name in (contender, "gradfade")}

    def check():
        for name, call in calls.items():
            gate.poison(arrays.dx, arrays.y)
            if direction == "backward":
                row.forward(arrays.y, x)
            results = [np.asarray(result) for result in call()]
            for result, reference in zip(results, expected, strict=True):
                allowed = RELATIVE * np.abs(reference) + ABSOLUTE
                gate.check(f"{name} {activation} {direction}", result[at], reference, allowed)
                gate.check_written(f"{name} {activation} {direction}", result)

    named = {"activation": activation, "direction": direction, "dtype": "float32", "size": f"{size} {lane}"}
    work = Work(op="peer", shape=(size,), **named)
    compete(benchmark, timed, work, calls, lane, check)


@grid(
    quick=always,
    contender=[name for name in NETWORKS if name in PEERS],
    activation=NAMES,
)
def test_network(benchmark, timed, seed, contender, activation):
    row = lookup(ACTIVATIONS, "activation", activation)
    network = ARCHITECTURES["plain"].build(row, INITIALIZERS["xavier_normal"], WIDTH, DEPTH)
    rng = np.random.default_rng(seed)
    state = network.init(rng, (BATCH, WIDTH), np.dtype(np.float32))
    x, dy = (rng.standard_normal((BATCH, WIDTH), dtype=np.float32) for _ in range(2))
    calls = {name: NETWORKS[name](activation, network, state, x, dy) for name in (contender, "gradfade")}

    def check():
        for theirs, ours in zip(calls[contender](), calls["gradfade"](), strict=True):
            theirs, ours = (np.asarray(array, np.float64) for array in (theirs, ours))
            distance = np.array(np.linalg.norm(theirs - ours) / np.linalg.norm(ours))
            gate.check(f"{contender} against gradfade, {activation} network", distance, np.zeros(()), NETWORK)

    work = Work(
        op="peer_network",
        activation=activation,
        direction="forward_backward",
        shape=(BATCH, WIDTH),
        repeats=DEPTH,
        dtype="float32",
        flop=6.0 * BATCH * WIDTH * WIDTH * DEPTH,
    )
    compete(benchmark, timed, work, calls, "", check)


def compete(benchmark, timed, work, calls, lane, check):
    """Time the first call with gradfade's beside it, and say what came out in extra_info."""
    contender, own = calls
    seconds = timed(work, calls[contender], check, partial(race, rival=calls[own]), contender=contender, lane=lane)
    if benchmark.enabled:
        beside = median(seconds)
        ratio = benchmark.stats.stats.median / beside
        benchmark.extra_info.update(gradfade_ns_per_element=beside / work.n * 1e9, ratio=ratio)
