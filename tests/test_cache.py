"""Kernels are compiled once: in subprocesses, because a cache is only seen from a second process."""

import re
import shutil
from pathlib import Path

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
from kernels.eigenvalues import gram_eigenvalues
from kernels.layer import set_training
from kernels.loss import mse, softmax_cross_entropy
from kernels.rms_norm import rms_norm
from kernels.softmax import softmax_backward, softmax_forward
from kernels.subnormal import gradient_of_inputs
from kernels.summaries import flatness, log10_norm, relative_gram, variance
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
gradient_of_inputs(dx, np.float32(1e-42) * dy, square)
log10_norm(x), variance(x), flatness(x, 0.1), relative_gram(np.empty((min(x.shape),) * 2), x)
gram_eigenvalues(np.repeat(np.eye(3)[None], 12, axis=0))
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


def test_second_process_compiles_nothing(tmp_path, run_code):
    """In the cache of all tests, where the first process finds what others have compiled."""
    first, second = (run_code(EVERY_KERNEL, tmp_path, NUMBA_NUM_THREADS="2") for _ in range(2))
    assert first["wrong"] == second["wrong"] == []
    assert second["misses"] == 0
    assert second["hits"] == first["misses"] + first["hits"]
    files = {file.name: file.read_text().splitlines() for file in (ROOT / "kernels").glob("*.py")}
    decorators = {
        f"{name}:{i}"
        for name, lines in files.items()
        for i, line in enumerate(lines, 1)
        if re.match(r" *@kernel\(", line)
    }
    assert set(second["ran"]) == decorators


def test_importing_compiles_nothing(tmp_path, run_code):
    code = "import json; from kernels import jit; print(json.dumps([*jit.compile_counts(), jit.compile_seconds()]))"
    assert run_code(code, tmp_path, tmp_path) == [0, 0, 0]


ONE_KERNEL = """
import json
import numpy as np
from kernels import ACTIVATIONS, jit
x = np.array([-2.0], dtype=np.float32)
ACTIVATIONS["tanh"].forward(x.copy(), x)
hits, misses = jit.compile_counts()
print(json.dumps(dict(hits=hits, misses=misses, folder=str(jit.CACHE_DIR), seconds=jit.compile_seconds())))
"""


def test_editing_an_imported_file_compiles_all_again(tmp_path, run_code):
    source = tmp_path / "source"
    shutil.copytree(ROOT / "kernels", source / "kernels", ignore=shutil.ignore_patterns("__pycache__"))
    first = run_code(ONE_KERNEL, tmp_path, tmp_path, source)
    vecmath = source / "kernels" / "vecmath.py"
    vecmath.write_text(vecmath.read_text() + "\n# edited\n")
    second, third = (run_code(ONE_KERNEL, tmp_path, tmp_path, source) for _ in range(2))
    assert second["folder"] == third["folder"] != first["folder"]
    assert [(run["hits"], run["misses"]) for run in (first, second, third)] == [(0, 1), (0, 1), (1, 0)]
    assert third["seconds"] < second["seconds"]
