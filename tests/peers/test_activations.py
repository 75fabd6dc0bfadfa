"""Activations against PyTorch: outputs and autograd's gradients, both held against the float64 reference."""

import numpy as np
import pytest

from kernels import ACTIVATIONS
from suites import gate
from suites.peers import CONTENDERS, NAMES
from suites.pytorch import OPERATORS

torch = pytest.importorskip("torch", reason="PyTorch is not installed: tox -e peers has it")

# PyTorch's own errors where it is meant to be accurate; in float64 its slope of hardsigmoid is float32's 1/6.
THEIRS = {"float32": (1e-4, 1e-5), "float64": (1e-7, 1e-12)}
# The reference's own, relative and absolute: float64 operations in a row, which tails and zeros magnify.
REFERENCE = {"float32": (0.0, 0.0), "float64": (1e-13, 1e-15)}


def inputs(dtype):
    """x over all pieces of every function, between its kinks, and dy."""
    rng = np.random.default_rng(11)
    x = np.concatenate([np.linspace(-8.01, 8, 4001), rng.standard_normal(4096)]).astype(dtype)
    return x, rng.standard_normal(x.size).astype(dtype)


def assert_agree(name, ours, theirs, reference, promised, dtype):
    """Ours within its promise of the reference, theirs within THEIRS, and the two within the sum of both."""
    promised, allowed = (
        extra + relative * np.abs(reference) + absolute
        for extra, (relative, absolute) in ((promised, REFERENCE[dtype]), (0.0, THEIRS[dtype]))
    )
    gate.check(f"gradfade {name}", ours, reference, promised)
    gate.check(f"torch {name}", theirs, reference, allowed)
    assert (np.abs(ours.astype(np.float64) - theirs) <= promised + allowed).all()


@pytest.mark.parametrize("dtype", THEIRS)
@pytest.mark.parametrize("name", NAMES)
def test_outputs_and_gradients(name, dtype):
    row, (x, dy) = ACTIVATIONS[name], inputs(dtype)
    y, dx, both_y, both_dx = (np.full_like(x, np.nan) for _ in range(4))
    row.forward(y, x)
    row.backward(dx, dy, x, y)
    row.forward_backward(both_y, both_dx, dy, x)
    leaf = torch.tensor(x, requires_grad=True)
    value = OPERATORS[name](torch).forward(leaf)
    value.backward(torch.tensor(dy))
    theirs_y, theirs_dx = value.detach().numpy(), leaf.grad.numpy()
    point, upstream = x.astype(np.float64), dy.astype(np.float64)
    a = None if row.a is None else float(np.dtype(dtype).type(row.a))
    f, df = row.reference(point, a), row.reference_derivative(point, a)
    for ours in (y, both_y):
        assert_agree(name, ours, theirs_y, f, gate.promised_forward(row, f, dtype), dtype)
    promised = gate.promised_backward(row, upstream, point, a, df, dtype)
    for ours in (dx, both_dx):
        assert_agree(f"{name}'", ours, theirs_dx, upstream * df, promised, dtype)


@pytest.mark.parametrize("dtype", THEIRS)
def test_the_gradient_of_a_learned_slope(dtype):
    row, (x, dy) = ACTIVATIONS["prelu"], inputs(dtype)
    y, dx, da = np.empty_like(x), np.empty_like(x), np.empty(1, dtype)
    row.forward(y, x)
    row.backward(dx, dy, x, y, da=da)
    slope = torch.full((1,), row.a, dtype=getattr(torch, dtype), requires_grad=True)
    OPERATORS["prelu"](torch).forward(torch.tensor(x), slope).backward(torch.tensor(dy))
    terms = dy.astype(np.float64) * np.minimum(x.astype(np.float64), 0)
    for result in (da, slope.grad.numpy()):
        assert abs(result[0] - terms.sum()) <= THEIRS[dtype][0] * np.abs(terms).sum()


def test_every_contender_runs_here():
    """The environment of tox -e peers has them all; torch.compile asks for a C++ compiler besides."""
    absent = {row.name: row.absent for row in CONTENDERS.values() if row.absent}
    assert absent in ({}, {"torch.compile": "there is no C++ compiler"})
