"""The environment record: complete, plain, and honest about subnormal numbers."""

import ctypes
import ctypes.util
import json
import platform

import numpy as np
import pytest

from suites.environment import denormals, environment, version

FLUSH, ZERO = 0x8000, 0x0040  # of MXCSR: results to zero, operands taken as zero


def test_the_record_is_json_and_complete():
    record = json.loads(json.dumps(environment(), allow_nan=False))
    for name in ("time", "gradfade", "python", "platform", "cpu", "cores", "caches", "versions", "blas", "target"):
        assert record[name], name
    assert {"core", "threads", "version"} <= record["blas"].keys()
    assert {"numpy", "numba", "llvmlite", "scipy-openblas32"} <= record["versions"].keys()
    assert record["versions"]["numpy"] == np.__version__
    assert record["threading_layer"] in ("omp", "tbb", "workqueue")
    if "openblas" in np.show_config(mode="dicts")["Build Dependencies"]["blas"]["name"]:
        assert record["numpy_core"]
    assert record["denormals"] == {"before": denormals(), "after": None}


@pytest.mark.skipif(
    platform.machine() != "x86_64" or platform.system() != "Linux", reason="sets MXCSR through glibc's fenv_t"
)
@pytest.mark.parametrize(
    ("bits", "state"),
    [
        (0, "kept"),
        (FLUSH, "flushed to zero"),
        (ZERO, "taken as zero"),
        (FLUSH | ZERO, "flushed to zero and taken as zero"),
    ],
)
def test_flushing_is_seen(bits, state):
    library = ctypes.CDLL(ctypes.util.find_library("m"))
    before, changed = (ctypes.c_uint32 * 8)(), (ctypes.c_uint32 * 8)()
    library.fegetenv(before)
    library.fegetenv(changed)
    changed[7] = changed[7] & ~(FLUSH | ZERO) | bits
    try:
        library.fesetenv(changed)
        seen = denormals()
    finally:
        library.fesetenv(before)
    assert seen == state


def test_version_is_the_projects():
    assert version().count(".") == 2
