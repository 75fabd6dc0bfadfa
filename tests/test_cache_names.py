"""In the cache kernels keep apart: of one name, of one factory, of two signatures that are saved at the same time."""

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

CACHE_ONE = """
import json
import numpy as np
from kernels import ACTIVATIONS, channels
x, a = np.array([[-2.0]], dtype=np.float32), np.zeros(1, np.float32)
channels.forward(ACTIVATIONS[{name!r}].f)(x.copy(), x, a)
print(json.dumps(None))
"""
ONE_CALLER_OF_TWO = """
import json
import numpy as np
from kernels import ACTIVATIONS, channels
from kernels.jit import kernel
first, second = (channels.forward(ACTIVATIONS[name].f) for name in ("relu", "tanh"))
@kernel(name="caller_of_two")
def both(y, z, x, a):
    first(y, x, a)
    second(z, x, a)
x, a = np.array([[-2.0]], dtype=np.float32), np.zeros(1, np.float32)
y, z = np.empty_like(x), np.empty_like(x)
both(y, z, x, a)
print(json.dumps([y.item(), z.item()]))
"""


def test_kernels_cached_by_two_processes_keep_apart(tmp_path, run_code):
    for name in ("relu", "tanh"):
        run_code(CACHE_ONE.format(name=name), tmp_path, tmp_path)
    script = tmp_path / "caller.py"  # a cached function needs a file
    script.write_text(ONE_CALLER_OF_TWO)
    relu, tanh = run_code(f"import runpy; runpy.run_path({str(script)!r})", tmp_path, tmp_path)
    assert relu == 0
    assert tanh == pytest.approx(-0.9640275800758169)


TWICE_TANH = """
from kernels.jit import scalar
@scalar
def tanh(x, a):
    return type(x)({slope:d}) * x
@scalar
def tanh_derivative(x, y, a):
    return type(x)({slope})
"""
OWN_ACTIVATIONS = """
import importlib.util
import json
import sys
from dataclasses import replace
import numpy as np
from kernels import ACTIVATIONS, INITIALIZERS
from kernels.dense import dense_activation
from kernels.rnn import rnn
def load(path):
    spec = importlib.util.spec_from_file_location("own", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
modules = [load(path) for path in sys.argv[1:]]
# the second has the derivative of ours, which other kernels close over, too
rows = [replace(ACTIVATIONS["tanh"], f=module.tanh, df=module.tanh_derivative) for module in modules]
rows += [ACTIVATIONS["tanh"], replace(rows[1], df=ACTIVATIONS["tanh"].df)]
x = np.full((2, 3), 0.25, np.float32)
y, dx = np.empty_like(x), np.empty_like(x)
found = []
for row in rows:
    row.forward(y, x)
    row.backward(dx, x, x, y)
    found.append([float(y[0, 0]), float(dx[0, 0])])
    row.forward_backward(y, dx, x, x)
    found.append([float(y[0, 0]), float(dx[0, 0])])
for make, row, inputs in ((dense_activation, rows[0], x), (dense_activation, rows[1], x), (rnn, rows[1], x[None])):
    layer = make(row, INITIALIZERS["constant"], 3)
    state = layer.init(np.random.default_rng(1), inputs.shape, inputs.dtype)
    y = layer.forward(state, inputs)
    found.append([float(y.flat[0]), float(layer.backward(state, np.full_like(y, 0.25)).flat[0])])
print(json.dumps(found))
"""


def test_scalars_of_one_name_are_different_kernels(tmp_path, run_code):
    """Own activations, of any file: called as one of ours is, or edited between two processes."""
    files = [tmp_path / "one.py", tmp_path / "two.py"]
    for slopes in ((2, 3), (2, 5)):
        for file, slope in zip(files, slopes, strict=True):
            file.write_text(TWICE_TANH.format(slope=slope))
        found = run_code(OWN_ACTIVATIONS, tmp_path, tmp_path, arguments=files)
        one, two = ([0.25 * slope, 0.25 * slope] for slope in slopes)
        ours = [math.tanh(0.25), 0.25 * (1 - math.tanh(0.25) ** 2)]
        by_row = [row for row in (one, two, ours, [two[0], ours[1]]) for _ in range(2)]
        np.testing.assert_allclose(found, [*by_row, one, two, two], rtol=1e-6)


def test_two_kernels_of_one_name_are_refused():
    from kernels.jit import kernel

    def body(x):
        return x

    kernel(name="test_two_kernels_of_one_name")(body)
    with pytest.raises(ValueError, match="test_two_kernels_of_one_name"):
        kernel(name="test_two_kernels_of_one_name")(body)


# Numba's index of a kernel is read, and only written when another process has read it too.
ONE_SIGNATURE_OF_TWO = """
import json
import sys
import time
import numpy as np
from numba.core.caching import IndexDataCacheFile
from kernels import jit, layer
load = IndexDataCacheFile._load_index
def slowly(index):
    found = load(index)
    time.sleep(float(sys.argv[2]))
    return found
IndexDataCacheFile._load_index = slowly
x = np.ones(4, sys.argv[1])
y = np.empty_like(x)
layer._scale(y, x, x.dtype.type(3))
hits, misses = jit.compile_counts()
print(json.dumps(dict(y=y.tolist(), hits=hits, misses=misses)))
"""


def test_signatures_cached_at_the_same_time_keep_apart(tmp_path, run_code):
    """Else the one machine code is found under the other's name, or nowhere."""
    expected = {"y": [3, 3, 3, 3]}
    with ThreadPoolExecutor() as threads:
        both = [
            threads.submit(run_code, ONE_SIGNATURE_OF_TWO, tmp_path, tmp_path, arguments=(dtype, "1"))
            for dtype in ("float32", "float64")
        ]
        assert [process.result() for process in both] == [expected | {"hits": 0, "misses": 1}] * 2
    for dtype in ("float32", "float64"):
        found = run_code(ONE_SIGNATURE_OF_TWO, tmp_path, tmp_path, arguments=(dtype, "0"))
        assert found == expected | {"hits": 1, "misses": 0}
