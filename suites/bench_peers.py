"""Each contender against gradfade, interleaved ABBA in one run, on the same numbers: one thread, or two of both.

The time of a benchmark is the contender's, and gradfade_ns_per_element stands beside it; ratio is that of the
medians, above 1 where gradfade is faster. Lanes: preallocated, results go into arrays given beforehand; allocating,
into fresh memory. Inputs are standard normal. Contenders that cannot run here are skipped by name, with the reason.
Of layers, every output and gradient is held against gradfade's before time runs; forward alone keeps nothing for one.
"""

from contextlib import ExitStack
from functools import partial
from statistics import median

import numpy as np
import pytest

from kernels import ACTIVATIONS, ARCHITECTURES, INITIALIZERS
from kernels.layer import empty
from suites import default_sweep, gate, torch_modes, torch_sweep
from suites.buffers import inputs
from suites.comparisons import COMPARISONS, WAYS, check_same
from suites.grids import always, grid
from suites.limits import THREADS
from suites.measure import Work, nothing, race
from suites.peers import CONTENDERS, DIRECTIONS, NAMES, OWN, Arrays, expected
from suites.workers import executor

ABSENT = {row.name: row.absent for row in CONTENDERS.values() if row.absent}
PRESENT = [row for row in CONTENDERS.values() if not row.absent]
ELEMENTS = {row.name: row.element for row in PRESENT if row.element}
NETWORKS = {row.name: row.network for row in PRESENT if row.network}
PRODUCTS = {row.name: row.product for row in PRESENT if row.product}
SMALL, MIDDLE, LARGE = 1024, 65_536, 16_777_216
LANES = ("preallocated", "allocating")
DEPTH, WIDTH, BATCH = 50, 256, 64

# What makes two programs the same function; who is more exact is another matter. In float64 PyTorch's slope of
# hardsigmoid is float32's 1/6.
RELATIVE, ABSOLUTE = {"float32": 1e-4, "float64": 1e-7}, {"float32": 1e-6, "float64": 1e-12}
# Of a deep network, in Frobenius norm: a pre-activation on the other side of a kink changes single gradients wholly.
NETWORK = 0.05


def peers(calls):
    """The names of those to compare with."""
    return [name for name in calls if name != OWN]


def exists(contender, activation, direction, size, lane, dtype):
    """What there is to compare: float64 beside PyTorch at one size."""
    if dtype == "float64" and (contender, size) != ("torch", MIDDLE):
        return False
    return CONTENDERS[contender].has(activation, direction, lane == LANES[0], dtype)


def quick(contender, activation, direction, size, lane, dtype):
    """Eager PyTorch in all directions at one size, the others forward, each in the fastest lane that it has."""
    if dtype != "float32" or size != MIDDLE or (contender != "torch" and direction != "forward"):
        return False
    return lane == LANES[not CONTENDERS[contender].has(activation, direction, True, dtype)]


@grid(quick=always, contender=ABSENT)
def test_absent(contender, timed):
    pytest.skip(f"{contender}: {ABSENT[contender]}")


@grid(
    quick=quick,
    exists=exists,
    contender=peers(ELEMENTS),
    activation=NAMES,
    direction=DIRECTIONS,
    size=(SMALL, MIDDLE, LARGE),
    lane=LANES,
    dtype=("float32", "float64"),
)
def test_element(benchmark, timed, seed, contender, activation, direction, size, lane, dtype):
    row, into = ACTIVATIONS[activation], lane == LANES[0]
    x, dy = inputs(size, dtype, seed)
    arrays = Arrays(x, dy, empty(x.shape, x.dtype), empty(x.shape, x.dtype))
    at = gate.sample(size)
    wanted = expected(row, direction, x, dy, at)

    def check():
        for name, call in calls.items():
            gate.poison(arrays.dx, arrays.y)
            if direction == "backward":
                row.forward(arrays.y, x)
            for result, (reference, magnitude) in zip(map(np.atleast_1d, call()), wanted, strict=True):
                some = result[at] if result.shape == x.shape else result
                allowed = RELATIVE[dtype] * magnitude + ABSOLUTE[dtype]
                gate.check(f"{name} {activation} {direction}", some, reference, allowed)
                gate.check_written(f"{name} {activation} {direction}", result)

    work = Work(
        op="peer",
        activation=activation,
        direction=direction,
        shape=(size,),
        size=f"{size} {lane}",
        dtype=dtype,
    )
    with CONTENDERS[contender].mode():
        calls = {name: ELEMENTS[name](activation, direction, into, arrays) for name in (contender, OWN)}
        compete(benchmark, timed, work, calls, lane, check)


@grid(
    quick=always,
    contender=peers(NETWORKS),
    activation=NAMES,
)
def test_network(benchmark, timed, seed, contender, activation):
    row = ACTIVATIONS[activation]
    network = ARCHITECTURES["plain"].build(row, INITIALIZERS["xavier_normal"], WIDTH, DEPTH)
    rng = np.random.default_rng(seed)
    state = network.init(rng, (BATCH, WIDTH), np.dtype(np.float32))
    x, dy = (rng.standard_normal((BATCH, WIDTH), dtype=np.float32) for _ in range(2))
    calls = {name: NETWORKS[name](activation, network, state, x, dy) for name in (contender, OWN)}

    def check():
        for theirs, ours in zip(calls[contender](), calls[OWN](), strict=True):
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


@grid(
    quick=lambda dtype, **_: dtype == "float32",
    contender=peers(PRODUCTS),
    side=(512, 1024, 2048),
    dtype=("float32", "float64"),
)
def test_product(benchmark, timed, seed, contender, side, dtype):
    shape = (side, side)
    a, b = (array.reshape(shape) for array in inputs(side * side, dtype, seed))
    out = empty(shape, a.dtype)
    calls = {name: PRODUCTS[name](out, a, b) for name in (contender, OWN)}

    def check():
        for name, call in calls.items():
            gate.poison(out)
            call()
            gate.product(f"{name} product", out, (a, b))

    work = Work(
        op="peer_product",
        activation="",
        direction="forward",
        shape=shape,
        size=str(side),
        dtype=dtype,
        flop=2.0 * side**3,
    )
    with CONTENDERS[contender].mode():
        compete(benchmark, timed, work, calls, LANES[0], check)


def quick_layer(way, comparison, size, direction, threads):
    """One thread, forward alone with who has no gradients; as many sizes as the row says beside PyTorch, else one."""
    row, contender = COMPARISONS[comparison], CONTENDERS[WAYS[way]]
    if threads > 1 or (contender.trains and direction == "forward"):
        return False
    return size in list(row.sizes)[: row.quick if contender.name == "torch" else 1]


@grid(
    quick=quick_layer,
    exists=lambda comparison, **cell: COMPARISONS[comparison].has(**cell),
    way=WAYS,
    comparison=COMPARISONS,
    size=list(dict.fromkeys(size for row in COMPARISONS.values() for size in row.sizes)),
    direction=list(dict.fromkeys(direction for row in COMPARISONS.values() for direction in row.directions)),
    threads=THREADS,
)
def test_layer(benchmark, timed, seed, way, comparison, size, direction, threads):
    row, contender = COMPARISONS[comparison], CONTENDERS[WAYS[way]]
    with ExitStack() as stack:
        for each in (contender, CONTENDERS[OWN]):
            if each.in_threads is not None:
                stack.enter_context(each.in_threads(threads))
        problem = row.make(row.sizes[size], np.random.default_rng(seed))
        theirs, ours = row.ways[way](problem, direction), problem.own[direction]
        name = f"{way} against gradfade, {comparison} {size} {direction}"

        def check():
            check_same(name, theirs.results(), ours.results(), row.largest)

        work = Work(
            op=f"peer_{row.kind}",
            activation="",
            direction=direction,
            shape=(problem.elements,),
            size=size,
            dtype=str(problem.x.dtype),
        )
        if direction == "forward":
            stack.enter_context(contender.mode())
        calls, before = {contender.name: theirs.call, OWN: ours.call}, (theirs.before, ours.before)
        lane = way.removeprefix(contender.name).strip()
        compete(benchmark, timed, work, calls, lane, check, before, subject=comparison, threads=threads)


@grid(
    quick=lambda seeds, threads, **_: seeds == threads == 1,
    contender=NETWORKS.keys() & {"torch"},
    seeds=(1, 8),
    threads=THREADS,
)
def test_sweep(benchmark, timed, seed, contender, seeds, threads):
    cells = default_sweep.cells(seeds, seed)
    work = default_sweep.work(cells)
    with executor(threads) as pool, torch_modes.in_threads(threads):
        calls = {contender: lambda: torch_sweep.sweep(cells), OWN: lambda: default_sweep.measure(cells, pool)}

        def check():
            default_sweep.check(cells)
            default_sweep.measure(cells[:: len(cells) // threads], pool)  # have each worker ready

        compete(benchmark, timed, work, calls, "hooks", check, rounds=2, subject="sweep", threads=threads)


def compete(benchmark, timed, work, calls, lane, check, before=(nothing, nothing), rounds=None, **extra):
    """Time the first call with gradfade's beside it, each after what comes before it; say what came out."""
    contender, own = calls
    how = partial(race, rival=calls[own], rounds=rounds, before=before[0], before_rival=before[1])
    seconds = timed(work, calls[contender], check, how, contender=contender, lane=lane, **extra)
    if benchmark.enabled:
        beside = median(seconds)
        ratio = benchmark.stats.stats.median / beside
        benchmark.extra_info.update(gradfade_ns_per_element=beside / work.n * 1e9, ratio=ratio)
