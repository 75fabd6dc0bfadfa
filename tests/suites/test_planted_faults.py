"""Every gate is awake: a fault planted into what a benchmark times turns that benchmark red.

One benchmark session runs them all, with this very file as its plugin; each fault is there while its own test runs.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kernels import ARCHITECTURES
from kernels.elementwise import Activation
from kernels.optimizers import Optimizer
from suites import gate
from suites.comparisons import COMPARISONS, WAYS
from suites.peers import CONTENDERS, Contender
from suites.problems import Entry


@dataclass(frozen=True)
class Fault:
    """plant(patch, module) breaks what a test in that module calls, unless that is the wrong contender below.

    red is the result that its gate names.
    """

    red: str
    plant: Callable[[pytest.MonkeyPatch, Any], None] = lambda patch, module: None


def bump(array):
    """Make the last element wrong, by as much as the largest is and more."""
    array.flat[-1] += 0.1 + np.abs(array).max()


def bumped(position):
    """bump of the argument there."""
    return lambda *arguments: bump(arguments[position])


def leave_out(array):
    """Leave an element unwritten that no sample of a large array compares."""
    array.flat[1] = np.nan


def broken(function, spoil):
    """function, after which spoil(*its arguments) does damage."""

    def wrong(*arguments, **more):
        result = function(*arguments, **more)
        spoil(*arguments)
        return result

    return wrong


def method(name, spoil):
    """A fault in a method of every activation."""
    return lambda patch, module: patch.setattr(Activation, name, broken(getattr(Activation, name), spoil))


def function(name, spoil):
    """A fault in a function that the benchmarks' module imports."""
    return lambda patch, module: patch.setattr(module, name, broken(getattr(module, name), spoil))


def spoilt(make, spoil):
    """make, of a layer whose backward pass goes wrong."""

    def wrong(*arguments):
        layer = make(*arguments)
        return replace(layer, backward=broken(layer.backward, lambda state, dy: spoil(state)))

    return wrong


def layer(name, spoil):
    """A fault in the backward pass of the layer that a function of the benchmarks' module makes."""
    return lambda patch, module: patch.setattr(module, name, spoilt(getattr(module, name), spoil))


def architecture(name, spoil):
    """A fault in the backward pass of an architecture."""
    row = ARCHITECTURES[name]
    return lambda patch, module: patch.setitem(ARCHITECTURES, name, replace(row, make=spoilt(row.make, spoil)))


def row(table, name, spoil):
    """A fault in a function of a table of the benchmarks' module: of a layer's backward pass where it makes layers."""

    def plant(patch, module):
        rows = getattr(module, table)
        wrap = broken if table == "CLIPPING" else spoilt
        patch.setitem(rows, name, wrap(rows[name], spoil))

    return plant


def optimizer(patch, module):
    """A step of every optimiser that spoils its first parameter."""
    right = Optimizer.make

    def make(self, params, grads, rate):
        return broken(right(self, params, grads, rate), lambda: bump(params[0]))

    patch.setattr(Optimizer, "make", make)


def wrong_loss(patch, module):
    """A loss that is too large, with the right gradient."""
    right = module.softmax_cross_entropy
    patch.setattr(module, "softmax_cross_entropy", lambda *arguments: right(*arguments) + 0.01)


ACTIVATIONS, DENSE, RECURRENT = "bench_activations.py::test_activation", "bench_dense.py", "bench_recurrent.py"
TRAINING, ATTENUATION, PEERS = "bench_training.py::test_training_step", "bench_attenuation.py", "bench_peers.py"
LAYERS, ATTENTION, OPTIMIZERS = "bench_layers.py", "bench_attention.py", "bench_optimizers.py"

FAULTS = {
    f"{ACTIVATIONS}[relu6-forward-L2-float32]": Fault("y", method("forward", bumped(1))),
    f"{ACTIVATIONS}[relu6-backward-L2-float32]": Fault("dx", method("backward", bumped(1))),
    f"{ACTIVATIONS}[relu6-forward_backward-L2-float32]": Fault("y", method("forward_backward", bumped(1))),
    f"{ACTIVATIONS}[tanh-forward_backward-L2-float32]": Fault("dx", method("forward_backward", bumped(2))),
    f"{ACTIVATIONS}[relu6-forward-DRAM-float32]": Fault("y", method("forward", lambda self, y, *_: leave_out(y))),
    f"{ACTIVATIONS}[relu6-backward-DRAM-float32]": Fault("dx", method("backward", lambda self, dx, *_: leave_out(dx))),
    f"{DENSE}::test_dense[forward-64x256x256-float32]": Fault("y", function("dense_forward", bumped(0))),
    f"{DENSE}::test_dense[backward-64x256x256-float32]": Fault("dx", function("dense_backward", bumped(0))),
    f"{DENSE}::test_dense[backward-64x256x256-float64]": Fault("dW", function("dense_backward", bumped(1))),
    f"{DENSE}::test_dense[backward-256x1024x1024-float32]": Fault("db", function("dense_backward", bumped(2))),
    f"{DENSE}::test_dense_activation[relu6-forward-64x256x256-float32]": Fault(
        "dW", layer("dense_activation", lambda state: bump(state.grads["W"]))
    ),
    f"{DENSE}::test_network[relu6-forward_backward-float32]": Fault(
        "layer 49: dW", architecture("plain", lambda state: bump(state.children[-1].grads["W"]))
    ),
    f"{RECURRENT}::test_cell[rnn-relu6-forward_backward-T100-N32-H128-float32]": Fault(
        "dWh", architecture("rnn", lambda state: bump(state.grads["Wh"]))
    ),
    f"{RECURRENT}::test_cell[lstm-tanh-forward_backward-T100-N1-H64-float32]": Fault(
        "dc", architecture("lstm", lambda state: bump(state.saved["dc"][1:]))
    ),
    f"{RECURRENT}::test_cell[gru-tanh-backward-T100-N1-H64-float64]": Fault(
        "dbh", architecture("gru", lambda state: bump(state.grads["bh"]))
    ),
    f"{LAYERS}::test_norm[layer_norm-forward_backward-1024x256-float32]": Fault(
        "dgamma", row("NORMS", "layer_norm", lambda state: bump(state.grads["gamma"]))
    ),
    f"{LAYERS}::test_norm[batch_norm-forward-1024x256-float32]": Fault(
        "y", row("NORMS", "batch_norm", lambda state: bump(state.saved["y"]))
    ),
    f"{LAYERS}::test_softmax[backward-1024x256-float32]": Fault("dx", function("softmax_backward", bumped(0))),
    f"{LAYERS}::test_loss[mse-128x10-float32]": Fault("gradient", function("mse", bumped(0))),
    f"{LAYERS}::test_loss[cross_entropy-128x10-float32]": Fault("loss", wrong_loss),
    f"{LAYERS}::test_architecture[residual-tanh-forward_backward-float32]": Fault(
        "layer 0: dx", architecture("residual", lambda state: bump(state.children[0].saved["dx"]))
    ),
    f"{ATTENTION}::test_attention[causal-forward-T64-N1-D128-A4-float32]": Fault(
        "dWq", layer("attention", lambda state: bump(state.grads["Wq"]))
    ),
    f"{ATTENTION}::test_block[transformer_post-gelu-forward-T64-N1-D128-A4-float32]": Fault(
        "layer 1: dbeta", row("BLOCKS", "transformer_post", lambda state: bump(state.children[1].grads["beta"]))
    ),
    f"{OPTIMIZERS}::test_optimizer[momentum-165k-float32]": Fault("p", optimizer),
    f"{OPTIMIZERS}::test_clipping[by_value-165k-float32]": Fault(
        "gradient", row("CLIPPING", "by_value", lambda grads, limit: bump(grads[0]))
    ),
    f"{TRAINING}[relu6-float32]": Fault("Adam", optimizer),
    f"{TRAINING}[tanh-float32]": Fault("loss", wrong_loss),
    f"{TRAINING}[softsign-float32]": Fault("gradient", function("softmax_cross_entropy", bumped(0))),
    f"{TRAINING}[identity-float32]": Fault(
        "layer 0: dW", layer("network", lambda state: bump(state.children[0].grads["W"]))
    ),
    f"{ATTENUATION}::test_depth[relu6-he_normal]": Fault(
        "layer 0: dx", architecture("plain", lambda state: bump(state.children[0].saved["dx"]))
    ),
    f"{ATTENUATION}::test_time[relu6-xavier_normal]": Fault(
        "dh", architecture("rnn", lambda state: bump(state.saved["dh"][0]))
    ),
    f"{PEERS}::test_element[planted-tanh-forward_backward-65536-preallocated-float32]": Fault(
        "planted tanh forward_backward"
    ),
    f"{PEERS}::test_element[planted-relu-forward-16777216-preallocated-float32]": Fault("planted relu forward"),
    f"{PEERS}::test_network[planted-tanh]": Fault("planted against gradfade, tanh network"),
    f"{PEERS}::test_layer[planted-softmax-1024x256-forward_backward-1]": Fault("result 1"),
}


def wrong_contender():
    """gradfade itself, but for one element, of a large array one left out; and the negative of its network."""
    right = CONTENDERS["gradfade"]

    def element(activation, direction, into, arrays):
        call = right.element(activation, direction, into, arrays)

        def wrong():
            results = call()
            (bump if len(arrays.x) <= gate.SAMPLE else leave_out)(results[-1])
            return results

        return wrong

    def network(activation, network, state, x, dy):
        return lambda: [-array for array in right.network(activation, network, state, x, dy)()]

    return Contender(name="planted", needs=("numpy",), element=element, network=network)


def wrong_way(problem, direction):
    """gradfade itself, but for one element of the last result."""

    def wrong():
        results = [array.copy() for array in problem.own[direction].call()]
        bump(results[-1])
        return results

    return Entry(call=wrong)


def pytest_configure(config):
    """As a plugin: before the benchmarks are collected."""
    CONTENDERS["planted"] = wrong_contender()
    COMPARISONS["softmax"].ways["planted"] = wrong_way
    WAYS["planted"] = "planted"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """As a plugin: a fault for each test."""
    with pytest.MonkeyPatch.context() as patch:
        FAULTS[item.nodeid.partition("/")[2]].plant(patch, item.module)
        return (yield)


@pytest.fixture(scope="module")
def output(session):
    """What a session of all of them prints."""
    names = [f"suites/{name}" for name in FAULTS]
    done = session(*names, "--benchmark-disable", "-vv", "-p", Path(__file__).stem, path=[Path(__file__).parent])
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout
    return done.stdout


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_turns_its_benchmark_red(output, name):
    red = re.escape(FAULTS[name].red)
    found = rf"FAILED suites/{re.escape(name)} - suites\.gate\.GateError: [^\n]*\b{red}: [^\n]*elements are (wrong|NaN)"
    assert re.search(found, output), output
