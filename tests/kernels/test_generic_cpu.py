"""On a CPU without AVX-512, AVX or FMA everything is right, only slower: the same tests, compiled for such a CPU."""

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

from kernels.activations import ACTIVATIONS
from kernels.architectures import ARCHITECTURES

ROOT = Path(__file__).parents[2]
PLAIN = "x86-64" if platform.machine() in ("x86_64", "AMD64") else "generic"

# Activations: float32 of all binades against the float64 reference, float64 against mpmath. Whatever else has a
# reference: in float32, cells with tanh alone.
TESTS = (
    "keeps_its_promise_over_all_binades or keeps_2_ulps"
    " or the_reference and float32 and not (every_activation or every_method or relu or gelu or elu)"
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
    options = ["-q", "-p", "no:cacheprovider", "-n", "0", "--durations=8", "-k", TESTS]
    done = subprocess.run(
        [sys.executable, "-c", RUN, PLAIN, *options, "tests/kernels"],
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
    assert int(passed[1]) > 3 * len(ACTIVATIONS) + 12 * len(ARCHITECTURES)  # one in float32, two in float64, of each
