"""What recurrent layers share: pieces of sequences, folded gates, how weights are drawn, what they refuse."""

import platform
import re
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

from kernels import cell_loops, gru_loops, lstm_loops, rnn_loops
from kernels.activations import ACTIVATIONS
from kernels.blas import set_threads
from kernels.gru import gru
from kernels.initializers import INITIALIZERS
from kernels.jit import assembly, max_threads
from kernels.layer import copy_weights
from kernels.lstm import lstm
from kernels.rnn import rnn

TANH, LECUN = ACTIVATIONS["tanh"], INITIALIZERS["lecun_normal"]
CELLS = {"rnn": (rnn, ""), "lstm": (lstm, "ifgo"), "gru": (gru, "rzn")}
F32, F64 = np.dtype(np.float32), np.dtype(np.float64)


@pytest.fixture(params=CELLS)
def cell(request):
    """A layer function and the names of its gates."""
    return CELLS[request.param]


@pytest.fixture(params=[name for name, (_, gates) in CELLS.items() if gates])
def gated(request):
    """Of the cells those with gates."""
    return CELLS[request.param]


@pytest.mark.parametrize("x", [-2000.0, -40.0, -1.5, -0.0, 0.0, 1e-30, 0.7, 20.0, 800.0, np.inf, -np.inf])
def test_a_folded_gate_keeps_both_sides_and_the_slope(x):
    v = cell_loops.folded(x)
    for result, expected in [
        (cell_loops.opened(v), expit(x)),
        (cell_loops.closed(v), expit(-x)),
        (cell_loops.gate_slope(v), expit(x) * expit(-x)),
    ]:
        assert result == pytest.approx(expected, rel=1e-15, abs=1e-320)


def test_a_gate_of_nan_is_nan():
    v = cell_loops.folded(np.nan)
    assert all(np.isnan(side(v)) for side in (cell_loops.opened, cell_loops.closed, cell_loops.gate_slope))


def test_each_gate_is_drawn_as_a_matrix_of_its_own(rng, gated):
    make, gates = gated
    state = make(TANH, INITIALIZERS["orthogonal"], 12).init(rng, (2, 1, 20), F64)
    for i in range(len(gates)):
        columns = slice(12 * i, 12 * (i + 1))
        for W in (state.params["Wx"][:, columns], state.params["Wh"][:, columns]):
            np.testing.assert_allclose(W.T @ W, np.eye(12), atol=1e-12)
    state = make(TANH, INITIALIZERS["xavier_normal"], 100).init(rng, (2, 1, 300), F64)
    assert state.params["Wx"].std() == pytest.approx(np.sqrt(2 / 400), rel=0.02)
    assert not state.params["b"].any()


def test_framework_default_scales_every_weight_by_the_hidden_size(rng, cell):
    state = cell[0](TANH, INITIALIZERS["framework_default"], 100).init(rng, (2, 1, 400), F64)
    for parameter in state.params.values():
        assert 0.09 < np.abs(parameter).max() <= 0.1


def test_the_initializer_may_write_the_biases_of_gates(rng, gated):
    make, gates = gated

    def number(rng, biases, steps):
        assert steps == 2
        assert list(biases) == list(gates)
        for i, bias in enumerate(biases.values()):
            bias[:] += i + 1

    state = make(TANH, replace(LECUN, gates=number), 5).init(rng, (2, 1, 3), F32)
    np.testing.assert_array_equal(state.params["b"], np.repeat(np.arange(len(gates)) + 1, 5))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("tanh", LECUN, 4), TypeError, "activation must be a row of ACTIVATIONS, got str"),
        ((TANH, "lecun_normal", 4), TypeError, "initializer must be a row of INITIALIZERS, got str"),
        ((TANH, LECUN, 4.0), TypeError, "hidden must be a whole number, got 4.0"),
        ((TANH, LECUN, -1), ValueError, "hidden must be at least 1, got -1"),
    ],
)
def test_layers_refuse_what_they_cannot_be_made_of(cell, arguments, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        cell[0](*arguments)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((0, 2, 3), "shape must have at least one time step, got (0, 2, 3)"),
        ((2, 3), "shape must be (steps, rows, features), got (2, 3)"),
    ],
)
def test_layers_refuse_what_they_cannot_be_made_for(rng, cell, shape, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        cell[0](TANH, LECUN, 4).init(rng, shape, F32)


def test_without_examples_there_is_no_gradient(rng, cell, dtype):
    layer = cell[0](ACTIVATIONS["prelu"], LECUN, 4)
    state = layer.init(rng, (5, 0, 3), dtype)
    for gradient in state.grads.values():
        gradient.fill(np.nan)
    assert layer.forward(state, np.empty((5, 0, 3), dtype)).shape == (5, 0, 4)
    assert layer.backward(state, np.empty((5, 0, 4), dtype)).shape == (5, 0, 3)
    for gradient in state.grads.values():
        np.testing.assert_array_equal(gradient, np.zeros_like(gradient))


def test_a_training_step_allocates_nothing(rng, cell, peak_bytes):
    layer = cell[0](ACTIVATIONS["prelu"], LECUN, 33)
    state = layer.init(rng, (40, 16, 9), F32)  # more than a block of steps
    x, dy = np.ones((40, 16, 9), np.float32), np.ones((40, 16, 33), np.float32)
    assert peak_bytes(lambda: (layer.forward(state, x), layer.backward(state, dy))) < 8192


@pytest.mark.parametrize("power", [0, 40])
def test_two_pieces_are_the_whole_sequence(rng, cell, power):
    """Also where the gradient between them is multiplied by a power of two."""
    T, t, N, F, H = 9, 4, 3, 2, 7
    layer = cell[0](TANH, LECUN, H)
    whole, late, early = (layer.init(rng, (steps, N, F), F64) for steps in (T, T - t, t))
    carried = [name for name in ("h", "c") if name in whole.saved]
    x, dy = rng.standard_normal((T, N, F)), rng.standard_normal((T, N, H))
    for name in carried:
        early.saved[name][0] = whole.saved[name][0] = rng.standard_normal((N, H))
    layer.forward(whole, x)
    dx = layer.backward(whole, dy)

    for piece in (late, early):
        copy_weights(piece, whole)
    layer.forward(early, x[:t])
    for name in carried:
        late.saved[name][0] = early.saved[name][-1]
    layer.forward(late, x[t:])
    layer.backward(late, dy[t:])
    entering = dy[:t] * 2.0**power
    entering[-1] += late.saved["dh"][0] * 2.0**power
    if "c" in carried:
        early.saved["dc_last"][:] = late.saved["dc"][0] * 2.0**power
    layer.backward(early, entering)

    pairs = [(early.saved["dx"], dx[:t]), *((early.saved[f"d{s}"], whole.saved[f"d{s}"][: t + 1]) for s in carried)]
    for result, expected in pairs:
        np.testing.assert_allclose(result, expected * 2.0**power, rtol=1e-13)
    for name, expected in whole.grads.items():
        total = early.grads[name] * 2.0**-power + late.grads[name]
        np.testing.assert_allclose(total, expected, rtol=1e-12, atol=1e-13)


def results(make, dtype, shape=(11, 3, 2), hidden=7):
    """y and every gradient of a network."""
    layer = make(TANH, LECUN, hidden)
    state = layer.init(np.random.default_rng(1), shape, dtype)
    x, dy = (np.random.default_rng(2).standard_normal((*shape[:2], n)).astype(dtype) for n in (shape[2], hidden))
    y, dx = layer.forward(state, x), layer.backward(state, dy)
    return [y, dx, state.saved["dh"], *state.grads.values()]


def test_a_long_sequence_is_the_same_in_blocks(gated, close, dtype, monkeypatch):
    whole = results(gated[0], dtype)
    for rows in (1, 12):
        monkeypatch.setattr(cell_loops, "BLOCK_ROWS", rows)
        for result, expected in zip(results(gated[0], dtype), whole, strict=True):
            close(result, expected)


@pytest.mark.skipif(max_threads() < 2, reason="needs two CPUs")
@pytest.mark.parametrize("shape", [(11, 16, 2), (40, 21, 5)])
def test_two_threads_are_one(cell, close, dtype, monkeypatch, shape):
    one = results(cell[0], dtype, shape, 33)
    monkeypatch.setattr(cell_loops, "SHARED", 0)
    monkeypatch.setattr(cell_loops, "BLOCK_ROWS", 21)
    set_threads(2)
    try:
        two = results(cell[0], dtype, shape, 33)
    finally:
        set_threads(1)
    for result, expected in zip(two, one, strict=True):
        close(result, expected)


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="reads x86-64 assembly")
@pytest.mark.parametrize(
    ("make", "loops"),
    [
        (rnn, (rnn_loops._forward(TANH.f), rnn_loops._backward(TANH.df))),
        (lstm, (lstm_loops._forward(TANH.f), lstm_loops._backward(TANH.f, TANH.df))),
        (gru, (gru_loops._forward(TANH.f), gru_loops._backward(TANH.f, TANH.df))),
    ],
)
def test_loops_are_vector_code_of_their_dtype(rng, make, loops):
    """As many packed divisions as scalar ones (which are left of odd lengths), and no C library."""
    layer = make(TANH, LECUN, 7)
    state = layer.init(rng, (2, 3, 4), F32)
    layer.backward(state, layer.forward(state, np.ones((2, 3, 4), np.float32)))
    for loop in loops:
        code = assembly(loop, "float32")
        packed = len(re.findall(r"\bvdivps\b", code))
        assert packed >= len(re.findall(r"\bvdivss\b", code)) > 0
        assert not re.search(r"\b(?:exp|tanh|expm1|fma)f?\b", code)


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="reads x86-64 assembly")
@pytest.mark.parametrize(("make", "factory"), [(lstm, lstm_loops.slope_gradient), (gru, gru_loops.slope_gradient)])
def test_sums_over_all_steps_are_vector_code(rng, make, factory):
    prelu = ACTIVATIONS["prelu"]
    layer = make(prelu, LECUN, 7)
    state = layer.init(rng, (2, 3, 4), F32)
    layer.backward(state, layer.forward(state, np.ones((2, 3, 4), np.float32)))
    code = assembly(factory(prelu.f, prelu.df_da), "float32")
    assert len(re.findall(r"\bvaddpd\b", code)) >= len(re.findall(r"\bvaddsd\b", code)) > 0
