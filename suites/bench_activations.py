"""What an activation costs per element: every row of ACTIVATIONS, each direction, each cache level, both dtypes.

Pre-activations and upstream gradients are standard normal with a fixed seed (what an initialised network feeds them),
preallocated and aligned to cache lines. In L1, where an array is some thousand bytes, the time is mostly that of the
checked call itself. Two threads are timed where one no longer has what it works on in its own cache.
"""

import numpy as np

from kernels import ACTIVATIONS
from kernels.blas import set_threads
from suites import gate
from suites.buffers import inputs, outputs
from suites.grids import grid
from suites.levels import elements, levels
from suites.limits import THREADS, in_threads
from suites.measure import Work
from suites.own_activations import lookup_activation

# Arrays that a pass reads and writes besides those of f' that the row names in saves.
STREAMS = {"forward": 2, "backward": 2, "forward_backward": 4}


def streams(activation, direction):
    """How many arrays one pass reads or writes, from the row."""
    return STREAMS[direction] + (len(activation.saves) if direction == "backward" else 0)


def checked(activation, direction, level, dtype, seed):
    """The call to time, and the gate that compares what it writes with the row's float64 reference."""
    x, dy = inputs(elements(level, dtype), dtype, seed)
    y, dx = outputs(x.size, dtype)
    if direction == "backward":
        activation.forward(y, x)
    call = {
        "forward": lambda: activation.forward(y, x),
        "backward": lambda: activation.backward(dx, dy, x, y),
        "forward_backward": lambda: activation.forward_backward(y, dx, dy, x),
    }[direction]

    def check():
        call()
        name = f"{activation.name} {direction} {level} {dtype}"
        at = gate.sample(x.size)
        point, upstream = x[at].astype(np.float64), dy[at].astype(np.float64)
        a = None if activation.a is None else float(np.dtype(dtype).type(activation.a))
        if direction != "backward":
            value = activation.reference(point, a)
            gate.check(f"{name}: y", y[at], value, gate.promised_forward(activation, value, dtype))
            gate.check_written(f"{name}: y", y)
        if direction != "forward":
            slope = activation.reference_derivative(point, a)
            allowed = gate.promised_backward(activation, upstream, point, a, slope, dtype)
            gate.check(f"{name}: dx", dx[at], upstream * slope, allowed)
            gate.check_written(f"{name}: dx", dx)

    return call, check


@grid(
    quick=lambda level, dtype, **_: dtype == "float32" and level in ("L2", "DRAM"),
    activation=ACTIVATIONS,
    direction=STREAMS,
    level=levels(),
    dtype=("float32", "float64"),
)
def test_activation(timed, seed, activation, direction, level, dtype):
    row = lookup_activation(activation)
    call, check = checked(row, direction, level, dtype, seed)
    timed(work("activation", row, direction, level, dtype, 1), call, check)


@grid(
    quick=lambda **_: False,
    activation=ACTIVATIONS,
    direction=STREAMS,
    level=[level for level in levels() if level not in ("L1", "L2")],
    dtype=("float32", "float64"),
    threads=[threads for threads in THREADS if threads > 1],
)
def test_activation_in_threads(timed, seed, activation, direction, level, dtype, threads):
    row = lookup_activation(activation)
    call, check = checked(row, direction, level, dtype, seed)
    set_threads(threads)
    try:
        timed(work("activation_in_threads", row, direction, level, dtype, threads), call, check)
    finally:
        set_threads(1)


def work(op, row, direction, level, dtype, threads):
    """What one call does, held against the probe with as many arrays and threads."""
    count = streams(row, direction)
    return Work(
        op=op,
        activation=row.name,
        direction=direction,
        shape=(elements(level, dtype),),
        dtype=dtype,
        level=level,
        size="" if threads == 1 else f"{threads} threads",
        bytes_per_element=count * np.dtype(dtype).itemsize,
        probe=in_threads("copy" if count == 2 else "triad", threads),
    )
