"""Kernels are compiled once: in subprocesses, because a cache is only seen from a second process."""

import json
import math
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]

# Every kernel: loops of every activation, and one step of whatever else has any, in float32. What is looked up in
# tables comes by itself; a test below finds what is missing. Two threads, for what is shared among them.
EVERY_KERNEL = """
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import numpy as np
from kernels import ACTIVATIONS, ARCHITECTURES, INITIALIZERS, OPTIMIZERS, jit, probe
from kernels.attention import attention_backward, attention_forward
from kernels.blas import matmul, set_threads
from kernels.clipping import clip_by_global_norm, clip_by_value
from kernels.dense import dense_backward, dense_forward
from kernels.layer import set_training
from kernels.loss import mse, softmax_cross_entropy
from kernels.rms_norm import rms_norm
from kernels.softmax import softmax_backward, softmax_forward
from kernels.summaries import flatness, log10_norm, variance
wrong = []
x = np.linspace(-3, 3, 32, dtype=np.float32)
dy, y, dx = np.ones_like(x), np.empty_like(x), np.empty_like(x)
for name, activation in ACTIVATIONS.items():
    activation.forward(y, x)
    if not np.allclose(y, activation.reference(x.astype(float), activation.a), atol=1e-6):
        wrong.append(name)
    activation.backward(dx, dy, x, y)
    if not np.allclose(dx, activation.reference_derivative(x.astype(float), activation.a), atol=1e-6):
        wrong.append(name)
for activation in (ACTIVATIONS["sigmoid"], ACTIVATIONS["elu"]):
    activation.forward_backward(y, dx, dy, x)
    activation.backward_from_output(dx, dy, y)
x, y, dx, dy = np.random.default_rng(1).standard_normal((4, 5, 3), np.float32)
a, da, square, labels = np.full(3, 0.5, np.float32), np.zeros(3, np.float32), np.eye(3, dtype="f4"), np.zeros(5, int)
prelu, draw, rng = ACTIVATIONS["prelu"], INITIALIZERS["he_normal"], np.random.default_rng(2)
prelu.forward_backward(y, dx, dy, x, a)
dense_forward(y, x, square, a)
dense_backward(dx, square.copy(), da, dy, x, square)
matmul(y, x, square)
log10_norm(x), variance(x), flatness(x, 0.1)
softmax_forward(y, x)
softmax_backward(dx, dy, y)
sequences, p = rng.standard_normal((8, 2, 5, 3), np.float32), np.empty((2, 1, 5, 5), "f4")
attention_forward(sequences[0], p, *sequences[1:4])
attention_backward(*sequences[4:7], sequences[7], p, *sequences[1:4])
layers = [row.build(prelu, draw, 3, 2 if "depth" in row.kinds else None) for row in ARCHITECTURES.values()]
for layer in (*layers, rms_norm()):
    for shape in ((4, 3), (2, 4, 3)):
        try:
            state = layer.init(rng, shape, "f4")
        except ValueError:
            continue
        inputs = rng.standard_normal(shape, np.float32)
        for training in (True, False):
            set_training(state, training)
            layer.backward(state, layer.forward(state, inputs).copy())
        break
softmax_cross_entropy(dy, y, labels)
mse(dy, y, x)
for optimizer in OPTIMIZERS.values():
    optimizer.make([x], [dy], 0.1)()
clip_by_global_norm([dy], 0.1)
clip_by_value([dy], 0.01)
probe.fma_chain(np.zeros(probe.chain_lanes(x.dtype), "f4"), 1)
probe.read(x[0])
probe.copy(y[0], x[0])
probe.triad(dx[0], y[0], x[0])
set_threads(2)
large = np.zeros(2**18, np.float32)
prelu.forward(large, large)
hits, misses = jit.compile_counts()
codes = [dispatcher.py_func.__code__ for dispatcher in jit._KERNELS.values() if dispatcher.signatures]
ran = sorted({f"{Path(code.co_filename).name}:{code.co_firstlineno}" for code in codes})
print(json.dumps(dict(hits=hits, misses=misses, wrong=wrong, ran=ran, seconds=jit.compile_seconds())))
"""


def run(code, cache, source=ROOT, arguments=(), **environment):
    """Run code as a fresh process over the kernels in source; its one line of JSON."""
    env = {**os.environ, "NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": str(source), **environment}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=env,
        cwd=cache,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_second_process_compiles_nothing(tmp_path):
    first, second = (run(EVERY_KERNEL, tmp_path, NUMBA_NUM_THREADS="2") for _ in range(2))
    assert first["wrong"] == second["wrong"] == []
    assert first["misses"] > 0
    assert second["misses"] == 0
    assert second["hits"] == first["misses"] + first["hits"]
    assert second["seconds"] < first["seconds"]
    files = {file.name: file.read_text().splitlines() for file in (ROOT / "kernels").glob("*.py")}
    decorators = {
        f"{name}:{i}"
        for name, lines in files.items()
        for i, line in enumerate(lines, 1)
        if re.match(r" *@kernel\(", line)
    }
    assert set(second["ran"]) == decorators


def test_importing_compiles_nothing(tmp_path):
    code = "import json; from kernels import jit; print(json.dumps([*jit.compile_counts(), jit.compile_seconds()]))"
    assert run(code, tmp_path) == [0, 0, 0]


def test_editing_an_imported_file_compiles_all_again(tmp_path):
    source = tmp_path / "source"
    shutil.copytree(ROOT / "kernels", source / "kernels", ignore=shutil.ignore_patterns("__pycache__"))
    code = CACHE_ONE.format(name="tanh")
    first = run(code, tmp_path, source)
    vecmath = source / "kernels" / "vecmath.py"
    vecmath.write_text(vecmath.read_text() + "\n# edited\n")
    second = run(code, tmp_path, source)
    assert second["folder"] != first["folder"]
    assert (second["hits"], second["misses"]) == (first["hits"], first["misses"]) == (0, 1)


CACHE_ONE = """
import json
import numpy as np
from kernels import ACTIVATIONS, channels, jit
x, a = np.array([[-2.0]], dtype=np.float32), np.zeros(1, np.float32)
channels.forward(ACTIVATIONS[{name!r}].f)(x.copy(), x, a)
hits, misses = jit.compile_counts()
print(json.dumps(dict(hits=hits, misses=misses, folder=str(jit.CACHE_DIR))))
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


def test_kernels_cached_by_two_processes_keep_apart(tmp_path):
    for name in ("relu", "tanh"):
        run(CACHE_ONE.format(name=name), tmp_path)
    script = tmp_path / "caller.py"  # a cached function needs a file
    script.write_text(ONE_CALLER_OF_TWO)
    relu, tanh = run(f"import runpy; runpy.run_path({str(script)!r})", tmp_path)
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


def test_scalars_of_one_name_are_different_kernels(tmp_path):
    """Own activations, of any file: called as one of ours is, or edited between two processes."""
    files = [tmp_path / "one.py", tmp_path / "two.py"]
    for slopes in ((2, 3), (2, 5)):
        for file, slope in zip(files, slopes, strict=True):
            file.write_text(TWICE_TANH.format(slope=slope))
        found = run(OWN_ACTIVATIONS, tmp_path, arguments=files)
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


def test_signatures_cached_at_the_same_time_keep_apart(tmp_path):
    """Else the one machine code is found under the other's name, or nowhere."""
    expected = {"y": [3, 3, 3, 3]}
    with ThreadPoolExecutor() as threads:
        both = [
            threads.submit(run, ONE_SIGNATURE_OF_TWO, tmp_path, arguments=(dtype, "1"))
            for dtype in ("float32", "float64")
        ]
        assert [process.result() for process in both] == [expected | {"hits": 0, "misses": 1}] * 2
    for dtype in ("float32", "float64"):
        found = run(ONE_SIGNATURE_OF_TWO, tmp_path, arguments=(dtype, "0"))
        assert found == expected | {"hits": 1, "misses": 0}
