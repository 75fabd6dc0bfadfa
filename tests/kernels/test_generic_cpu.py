"""On a CPU without AVX-512, AVX or FMA everything is right, only slower: the same tests, compiled for such a CPU."""

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

from kernels.activations import ACTIVATIONS

ROOT = Path(__file__).parents[2]
PLAIN = "x86-64" if platform.machine() in ("x86_64", "AMD64") else "generic"

# Float32 of all binades against the float64 reference, float64 against mpmath, and layers against reference.py.
TESTS = (
    "test_activations.py::test_float32_keeps_its_promise_over_all_binades",
    "test_reference_activations.py::test_the_float64_kernel_keeps_2_ulps_forward_and_4_backward",
    "test_dense.py::test_dense_is_the_reference",
    "test_rnn.py::test_rnn_is_the_reference",
)
RUN = """
import sys
import pytest
from kernels.jit import TARGET
assert TARGET == (sys.argv[1], ""), TARGET
sys.exit(pytest.main(sys.argv[2:]))
"""


def test_promises_are_kept_on_a_generic_cpu(tmp_path):
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    env |= {"NUMBA_CPU_NAME": PLAIN, "NUMBA_CPU_FEATURES": "", "NUMBA_CACHE_DIR": str(tmp_path)}
    options = ["-q", "-p", "no:cacheprovider", "-k", "not rnn or tanh"]
    done = subprocess.run(
        [sys.executable, "-c", RUN, PLAIN, *options, *(f"tests/kernels/{test}" for test in TESTS)],
        env=env | {"PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed
    assert int(passed[1]) > 3 * len(ACTIVATIONS)  # one test in float32, two in float64, of each
