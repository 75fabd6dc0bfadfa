import subprocess
import sys

import numpy as np
import pytest

import kernels
from kernels import ACTIVATIONS, ARCHITECTURES, INITIALIZERS

XAVIER = INITIALIZERS["xavier_normal"]


@pytest.mark.parametrize("activation", ACTIVATIONS.values(), ids=list(ACTIVATIONS))
@pytest.mark.parametrize("name", [name for name, row in ARCHITECTURES.items() if row.kind == "depth"])
def test_depth_has_a_gradient_at_every_position(rng, name, activation):
    layer = ARCHITECTURES[name].build(activation, XAVIER, 8, 6)
    state = layer.init(rng, (5, 8), np.dtype(np.float32))
    y = layer.forward(state, rng.standard_normal((5, 8), dtype=np.float32))
    layer.backward(state, np.ones_like(y))
    assert len(state.children) == 6
    assert all(np.isfinite(child.saved["dx"]).all() and child.saved["dx"].any() for child in state.children)


@pytest.mark.parametrize("activation", ACTIVATIONS.values(), ids=list(ACTIVATIONS))
@pytest.mark.parametrize("name", [name for name, row in ARCHITECTURES.items() if row.kind == "time"])
def test_time_has_a_gradient_at_every_step(rng, name, activation):
    layer = ARCHITECTURES[name].build(activation, XAVIER, 8)
    state = layer.init(rng, (6, 5, 3), np.dtype(np.float32))
    y = layer.forward(state, rng.standard_normal((6, 5, 3), dtype=np.float32))
    dy = np.zeros_like(y)
    dy[-1] = 1
    layer.backward(state, dy)
    dh = state.saved["dh"]
    assert dh.shape == (7, 5, 8)
    assert np.isfinite(dh).all()
    assert all(step.any() for step in dh)


def test_rows_are_found_by_their_own_names():
    for table in (ACTIVATIONS, ARCHITECTURES, INITIALIZERS, kernels.OPTIMIZERS):
        assert all(row.name == name for name, row in table.items())


def test_importing_kernels_compiles_nothing():
    code = "import kernels; from kernels import jit; print(jit.compile_counts(), jit.compile_seconds())"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "(0, 0) 0.0"
