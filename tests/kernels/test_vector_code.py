"""The loops of activations, norms, softmax, losses, clipping and optimisers are vector code: packed arithmetic."""

import platform
import re

import numpy as np
import pytest

from kernels import clipping, columns, layer_norm, loops, loss, optimizers, rms_norm, softmax
from kernels.activations import ACTIVATIONS
from kernels.batch_norm import batch_norm
from kernels.jit import assembly
from kernels.layer import set_training

pytestmark = pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="reads x86-64 assembly")

ROWS = (4, 100)
F32 = np.dtype(np.float32)


def norms(make):
    """Both passes of a layer, in training and in evaluation."""
    layer = make()
    state = layer.init(np.random.default_rng(0), ROWS, F32)
    for training in (True, False):
        set_training(state, training)
        layer.backward(state, layer.forward(state, np.ones(ROWS, F32)))


def softmax_and_losses():
    x, y, dx = np.zeros((3, *ROWS), F32)
    softmax.softmax_forward(y, x)
    softmax.softmax_backward(dx, x, y)
    loss.softmax_cross_entropy(dx, x, np.zeros(len(x), np.int64))
    loss.mse(dx, x, y)


def updates():
    p, g = np.ones((2, 100), F32)
    for row in optimizers.OPTIMIZERS.values():
        row.make([p], [g], 0.1)()
    clipping.clip_by_global_norm([g], 0.1)
    clipping.clip_by_value([g], 0.01)


CALLS = {
    "layer_norm": lambda: norms(layer_norm.layer_norm),
    "rms_norm": lambda: norms(rms_norm.rms_norm),
    "batch_norm": lambda: norms(batch_norm),
    "softmax": softmax_and_losses,
    "updates": updates,
}
# Of all operations; of loops that are not vectorised it is near 0. The others are ends of rows and what is done once.
SHARE = 1 / 3
# name -> (what compiles it, the loop)
LOOPS = {
    "layer_norm": ("layer_norm", layer_norm._forward),
    "layer_norm_backward": ("layer_norm", layer_norm._backward),
    "rms_norm": ("rms_norm", rms_norm._forward),
    "rms_norm_backward": ("rms_norm", rms_norm._backward),
    "batch_norm": ("batch_norm", columns.train),
    "batch_norm_evaluate": ("batch_norm", columns.evaluate),
    "batch_norm_backward": ("batch_norm", lambda: columns.backward(True)),
    "batch_norm_evaluate_backward": ("batch_norm", lambda: columns.backward(False)),
    "softmax": ("softmax", softmax._forward),
    "softmax_backward": ("softmax", softmax._backward),
    "softmax_cross_entropy": ("softmax", loss._softmax_cross_entropy),
    "mse": ("softmax", loss._mse),
    "sum_of_squares": ("updates", clipping._squares),
    "multiply_all": ("updates", clipping._multiply),
    "cut_all": ("updates", clipping._cut),
    **{
        name: ("updates", lambda row=row: optimizers._over_all(row.update))
        for name, row in optimizers.OPTIMIZERS.items()
    },
}


@pytest.mark.parametrize("name", LOOPS)
def test_loops_are_vector_code(name):
    call, loop = LOOPS[name]
    CALLS[call]()
    code = assembly(loop())
    kinds = re.findall(r"\bv?(?:add|sub|mul|div|sqrt|max|min|fn?m(?:add|sub)\d+)([ps])[sd]\b", code)
    assert kinds.count("p") >= SHARE * len(kinds)


def machine_code(row, dtype):
    """Assembly of the three loops of a row for a dtype."""
    x, y, dx = (np.zeros(7, dtype) for _ in range(3))
    row.forward(y, x)
    row.backward(dx, x, x, y)
    row.forward_backward(y, dx, x, x)
    kernels = (
        loops.forward(row.f, False),
        loops.backward(row.df, False),
        loops.forward_backward(row.f, row.df, False),
    )
    return [assembly(kernel, str(dtype)) for kernel in kernels]


ARITHMETIC = "add|sub|mul|max|min|fn?m(?:add|sub)[123]*"


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_loops_of_activations_are_vector_code_of_their_dtype(name, dtype):
    """As much packed as scalar arithmetic (which is left of odd lengths), float32 not widened, no C library."""
    t = {"float32": "s", "float64": "d"}[str(dtype)]
    for code in machine_code(ACTIVATIONS[name], dtype):
        packed = len(re.findall(rf"\bv?(?:(?:{ARITHMETIC})p{t}|movup[sd])\b", code))
        single = len(re.findall(rf"\bv?(?:{ARITHMETIC})s{t}\b", code))
        assert packed > 0
        assert packed >= single
        assert t == "d" or not re.search(r"\bv?cvt(?:ps2pd|ss2sd)\b", code)
        assert not re.search(r"\b(?:exp|tanh|erfc?|log1p|expm1|fma)f?\b", code)
