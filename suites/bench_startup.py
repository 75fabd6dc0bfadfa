"""What starting costs: importing kernels beside numba, the first call of each kernel, and compiling them all.

Each is asked of fresh processes. The time of a benchmark is that of a whole process, from its start to its end; what
it tells of itself is in extra_info. The process's first call starts LLVM and is told apart. Where Python is forbidden
to write bytecode (PYTHONDONTWRITEBYTECODE), an import from a checkout includes making it.
"""

from functools import partial
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import pytest

from kernels import ACTIVATIONS
from suites import gate
from suites.measure import Work, once, race
from suites.startup import arrays, called, fresh, imported

NAMES = list(ACTIVATIONS)
DIRECTIONS = ["forward", "backward", "forward_backward"]
IMPORTS, PROCESSES = 4, 2


def work(what, direction="", dtype=""):
    """Starting once."""
    return Work(op=f"startup_{what}", activation="", direction=direction, shape=(1,), dtype=dtype)


def check(found, cached=None):
    """Raise GateError unless all results are right and, where cached is given, no kernel was compiled, or some were."""
    x, dy = (array.astype(np.float64) for array in arrays())
    for name, direction, what, values in found["results"]:
        row, got = ACTIVATIONS[name], np.array(values, np.float32)
        a = None if row.a is None else float(np.float32(row.a))
        if what == "y":
            wanted = row.reference(x, a)
            allowed = gate.promised_forward(row, wanted, got.dtype)
        else:
            slope = row.reference_derivative(x, a)
            wanted, allowed = dy * slope, gate.promised_backward(row, dy, x, a, slope, got.dtype)
        gate.check(f"first call, {name} {direction}: {what}", got, wanted, allowed)
    if cached is not None and cached == (found["compiled"] > 0):
        raise gate.GateError(f"{found['compiled']} kernels were compiled from a {'warm' if cached else 'cold'} cache")


def test_import(benchmark, timed):
    """ratio is the seconds of importing kernels over those of importing numba, in turns."""
    own, numba = [], []

    def once_each():
        for module in ("kernels", "numba"):
            fresh(imported, module)

    rival = partial(race, rival=lambda: numba.append(fresh(imported, "numba")), rounds=IMPORTS)
    timed(work("import"), lambda: own.append(fresh(imported, "kernels")), once_each, rival)
    if benchmark.enabled:
        ratio = median(own) / median(numba)
        benchmark.extra_info.update(import_seconds=median(own), numba_import_seconds=median(numba), ratio=ratio)


def test_first_call(benchmark, timed):
    """From a warm cache: median and largest of the activations' first calls, each the median over processes."""
    rounds = []

    def warm():
        check(fresh(called, NAMES, ["forward"]))

    def process():
        found = fresh(called, NAMES, ["forward"])
        check(found, cached=True)
        rounds.append(found["seconds"])

    timed(work("first_call", "forward", "float32"), process, warm, partial(once, rounds=PROCESSES))
    if benchmark.enabled:
        llvm, *calls = np.median(rounds, axis=0) * 1e3
        benchmark.extra_info.update(first_call_ms=median(calls), largest_first_call_ms=max(calls), llvm_ms=llvm)


@pytest.mark.full
def test_cold_compile(benchmark, timed):
    """Every activation in every direction, float32, in a cache of its own that is deleted afterwards."""
    found = {}

    def warm():
        check(fresh(called, NAMES, DIRECTIONS))

    def cold():
        with TemporaryDirectory() as folder:
            found.update(fresh(called, NAMES, DIRECTIONS, NUMBA_CACHE_DIR=folder))

    timed(work("cold_compile", dtype="float32"), cold, warm, once)
    check(found, cached=False)
    if benchmark.enabled:
        benchmark.extra_info.update(cold_compile_seconds=sum(found["seconds"]), kernels=found["compiled"])
