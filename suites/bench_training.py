"""A whole training step per activation: forward, loss, backward, Adam, on a batch of real digits.

The network is that of the training experiment. The learning rate is 0 while time runs, so that every round does the
same work on the same weights. ns_per_element is the time per example.
"""

import numpy as np

from kernels import ACTIVATIONS, INITIALIZERS, OPTIMIZERS
from kernels.checks import DTYPES
from kernels.layer import parameters
from kernels.loss import softmax_cross_entropy
from suites import gate, layer_gate, loss_gate
from suites.datasets import digits
from suites.grids import grid
from suites.measure import Work
from suites.own_activations import lookup_activation
from suites.training import BATCH, LEARNING_RATE, network


@grid(quick=lambda dtype, **_: dtype == "float32", activation=ACTIVATIONS, dtype=DTYPES)
def test_training_step(timed, seed, activation, dtype):
    data = digits()
    x, labels = data.x[:BATCH].astype(dtype), data.labels[:BATCH]
    model = network(lookup_activation(activation), INITIALIZERS["he_normal"], data.classes)
    state = model.init(np.random.default_rng(seed), x.shape, DTYPES[dtype])
    logits = state.saved["y"]
    dlogits = np.empty_like(logits)
    _, values, grads = zip(*parameters(state), strict=True)
    still = OPTIMIZERS["adam"].make(values, grads, 0.0)

    def step(update):
        loss = softmax_cross_entropy(dlogits, model.forward(state, x), labels)
        model.backward(state, dlogits)
        update()
        return loss

    def check():
        name = f"training step {activation} {dtype}"
        before = [value.astype(np.float64) for value in values]
        layer_gate.poison(state)
        gate.poison(dlogits)
        loss = step(OPTIMIZERS["adam"].make(values, grads, LEARNING_RATE))
        check_adam(name, before, values, grads)
        for value, old in zip(values, before, strict=True):
            value[...] = old
        loss_gate.cross_entropy(name, loss, dlogits, logits, labels)
        layer_gate.check(name, model, state)

    products = sum(value.size for value in values if value.ndim == 2)
    work = Work(
        op="training_step",
        activation=activation,
        direction="forward_backward",
        shape=(BATCH,),
        dtype=dtype,
        flop=6.0 * BATCH * products,
    )
    timed(work, lambda: step(still), check)


def check_adam(name, before, after, grads):
    """The first step of Adam: p - rate * g / (|g| + 1e-8); GateError where it is wrong."""
    for old, new, grad in zip(before, after, grads, strict=True):
        g = grad.astype(np.float64)
        eps = float(np.finfo(new.dtype).eps)
        expected = old - LEARNING_RATE * g / (np.abs(g) + 1e-8)
        gate.check(f"{name}: Adam", new, expected, eps * (np.abs(old) + 16 * LEARNING_RATE))
