"""PyTorch's layers and losses, eager, as its users call them.

A model is made of a problem's own numbers; a gradient comes back in gradfade's layout, where W is (fan_in, fan_out).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kernels.layer import Array
from suites.problems import Entry, Problem


@dataclass(frozen=True, kw_only=True)
class Model:
    """forward(x, *leaves), the leaves to learn, and names: those of the parameters that each leaf holds, side by side.

    batch_first: x and y are (N, T, F) to it, and (T, N, F) to gradfade.
    """

    forward: Callable[..., Any]
    leaves: Sequence[Array]
    names: Sequence[Sequence[str]]
    batch_first: bool = False


def turned(array: Any) -> Any:
    """Weights between PyTorch's layout and gradfade's."""
    return array.T if array.ndim == 2 else array


def layer(build: Callable[[Any, Problem], Model]) -> Callable[[Problem, str], Entry]:
    """A layer's forward pass without, or with all gradients by autograd."""

    def entry(problem: Problem, direction: str) -> Entry:
        import torch

        model = build(torch, problem)
        order = (lambda array: array.swapaxes(0, 1)) if model.batch_first else (lambda array: array)
        x, dy = (torch.from_numpy(order(array).copy()) for array in (problem.x, problem.dy))
        leaves = [torch.from_numpy(np.ascontiguousarray(leaf).copy()) for leaf in model.leaves]
        if direction == "forward":
            return Entry(call=lambda: model.forward(x, *leaves), read=lambda y: [order(y.numpy())])
        for leaf in (x, *leaves):
            leaf.requires_grad_()

        def both() -> tuple[Any, ...]:
            y = model.forward(x, *leaves)
            return (y, *torch.autograd.grad(y, [x, *leaves], dy))

        def read(results: Any) -> list[Any]:
            y, dx, *gradients = (result.detach().numpy() for result in results)
            found: dict[str, Any] = {}
            for names, gradient in zip(model.names, gradients, strict=True):
                found |= zip(names, map(turned, np.split(gradient, len(names))), strict=True)
            ends = [order(y), order(dx)] if y.ndim else [y, dx]
            return [*ends, *(found[name] for name in problem.params)]

        return Entry(call=both, read=read)

    return entry


def _each(problem: Problem) -> dict[str, Any]:
    """Leaves and names where every parameter is a leaf of its own."""
    return {"leaves": [turned(p) for p in problem.params.values()], "names": [[name] for name in problem.params]}


def rnn(torch: Any, problem: Problem) -> Model:
    """Its two biases are added: gradfade's is the first, the second stays 0."""
    return _cell(torch._VF.rnn_tanh, 1, torch, problem)


def lstm(torch: Any, problem: Problem) -> Model:
    """Gates in the order i, f, g, o, as gradfade's."""
    return _cell(torch._VF.lstm, 2, torch, problem)


def gru(torch: Any, problem: Problem) -> Model:
    """Gates in the order r, z, n, as gradfade's; of the second bias the new gate's part alone is a parameter there."""
    return _cell(torch._VF.gru, 1, torch, problem)


def _cell(operator: Callable[..., Any], states: int, torch: Any, problem: Problem) -> Model:
    p, batch, hidden = problem.params, problem.x.shape[1], problem.given["hidden"]
    second = np.zeros_like(p["b"])
    second[second.size - hidden :] = p.get("bh", 0.0)
    zero = torch.zeros(1, batch, hidden)
    start = zero if states == 1 else [zero] * states
    # has biases, layers, dropout, training, bidirectional, batch first
    how = (True, 1, 0.0, True, False, False)
    parts = [["rest"] * (second.size // hidden - 1) + ["bh"]] if "bh" in p else [["rest"]]
    return Model(
        forward=lambda x, *leaves: operator(x, start, leaves, *how)[0],
        leaves=[p["Wx"].T, p["Wh"].T, p["b"], second],
        names=[["Wx"], ["Wh"], ["b"], *parts],
    )


def softmax(torch: Any, problem: Problem) -> Model:
    """Over the last axis."""
    return Model(forward=lambda x: torch.softmax(x, -1), **_each(problem))


def layer_norm(torch: Any, problem: Problem) -> Model:
    """Over the last axis."""
    width = problem.x.shape[-1:]
    return Model(forward=lambda x, *leaves: torch.nn.functional.layer_norm(x, width, *leaves, 1e-5), **_each(problem))


def rms_norm(torch: Any, problem: Problem) -> Model:
    """Over the last axis."""
    width = problem.x.shape[-1:]
    return Model(forward=lambda x, *leaves: torch.nn.functional.rms_norm(x, width, *leaves, 1e-5), **_each(problem))


def batch_norm(torch: Any, problem: Problem) -> Model:
    """By the batch's statistics, with running ones kept."""
    running = torch.zeros(problem.x.shape[-1]), torch.ones(problem.x.shape[-1])
    apply = torch.nn.functional.batch_norm
    return Model(forward=lambda x, *leaves: apply(x, *running, *leaves, True, 0.1, 1e-5), **_each(problem))


def attention(torch: Any, problem: Problem) -> Model:
    """One product for queries, keys and values, as in torch.nn.MultiheadAttention, and its fused kernel."""
    linear, apply = torch.nn.functional.linear, _attend(torch, problem)
    return Model(
        forward=lambda x, W, b, Wo, bo: linear(apply(x, W, b), Wo, bo),
        leaves=_attention_leaves(problem.params),
        names=_ATTENTION,
        batch_first=True,
    )


_ATTENTION = [["Wq", "Wk", "Wv"], ["bq", "bk", "bv"], ["Wo"], ["bo"]]


def _attention_leaves(params: Mapping[str, Array]) -> list[Array]:
    return [np.concatenate([turned(params[name]) for name in names]) for names in _ATTENTION]


def _attend(torch: Any, problem: Problem) -> Callable[[Any, Any, Any], Any]:
    """x (N, T, F), W (3 F, F), b (3 F,) to what the heads give, (N, T, F)."""
    functional, heads, causal = torch.nn.functional, problem.given["heads"], problem.given.get("causal", False)

    def apply(x: Any, W: Any, b: Any) -> Any:
        batch, steps, width = x.shape
        split = functional.linear(x, W, b).view(batch, steps, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(*split.unbind(0), is_causal=causal)
        return mixed.transpose(1, 2).reshape(batch, steps, width)

    return apply


def transformer(post: bool) -> Callable[[Any, Problem], Model]:
    """Attention and two dense layers of GELU, each with its Add & Norm after it, or the norm before it."""

    def build(torch: Any, problem: Problem) -> Model:
        functional, attend = torch.nn.functional, _attend(torch, problem)
        linear, width = functional.linear, problem.x.shape[-1:]

        def norm(x: Any, gamma: Any, beta: Any) -> Any:
            return functional.layer_norm(x, width, gamma, beta, 1e-5)

        def forward(x: Any, *leaves: Any) -> Any:
            W, b, Wo, bo, g1, b1, g2, b2, W1, c1, W2, c2 = leaves
            if post:
                x = norm(x + linear(attend(x, W, b), Wo, bo), g1, b1)
                return norm(x + linear(functional.gelu(linear(x, W1, c1)), W2, c2), g2, b2)
            x = x + linear(attend(norm(x, g1, b1), W, b), Wo, bo)
            return x + linear(functional.gelu(linear(norm(x, g2, b2), W1, c1)), W2, c2)

        others = ["gamma1", "beta1", "gamma2", "beta2", "W1", "b1", "W2", "b2"]
        return Model(
            forward=forward,
            leaves=[*_attention_leaves(problem.params), *(turned(problem.params[name]) for name in others)],
            names=[*_ATTENTION, *([name] for name in others)],
            batch_first=True,
        )

    return build


def cross_entropy(torch: Any, problem: Problem) -> Model:
    """Its mean over the rows."""
    labels = torch.from_numpy(problem.given["labels"])
    return Model(forward=lambda x: torch.nn.functional.cross_entropy(x, labels), **_each(problem))


def mse(torch: Any, problem: Problem) -> Model:
    """Its mean over all elements."""
    target = torch.from_numpy(problem.given["target"])
    return Model(forward=lambda x: torch.nn.functional.mse_loss(x, target), **_each(problem))
