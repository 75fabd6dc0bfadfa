"""PyTorch's optimisers, clipping and training steps, eager, as its users call them."""

from collections.abc import Callable
from typing import Any

from suites.problems import LEARNING_RATE, Entry, Problem
from suites.torch_layers import turned


def optimizer(name: str, **options: Any) -> Callable[[Problem, str], Entry]:
    """torch.optim's class of that name, with these options."""

    def entry(problem: Problem, direction: str) -> Entry:
        import torch

        params = [torch.from_numpy(array.copy()).requires_grad_() for array in problem.params.values()]
        for tensor, grad in zip(params, problem.given["grads"], strict=True):
            tensor.grad = torch.from_numpy(grad.copy())
        optimiser = getattr(torch.optim, name)(params, lr=LEARNING_RATE, **options)
        return Entry(call=optimiser.step, read=lambda _: [tensor.detach().numpy() for tensor in params])

    return entry


def clip_by_norm(problem: Problem, direction: str) -> Entry:
    """torch.nn.utils.clip_grad_norm_, on gradients that are put back before each call."""
    import torch

    start = [torch.from_numpy(array) for array in problem.given["grads"]]
    params = [torch.empty_like(tensor).requires_grad_() for tensor in start]
    for tensor, grad in zip(params, start, strict=True):
        tensor.grad = grad.clone()

    def before() -> None:
        for tensor, grad in zip(params, start, strict=True):
            tensor.grad.copy_(grad)

    return Entry(
        call=lambda: torch.nn.utils.clip_grad_norm_(params, problem.given["limit"]),
        read=lambda norm: [norm.item(), *(tensor.grad.numpy() for tensor in params)],
        before=before,
    )


def training_step(problem: Problem, direction: str) -> Entry:
    """nn.Linear and the activation in a row, cross-entropy, backward, Adam: the fused one, which is the fastest."""
    import torch

    params = [torch.from_numpy(turned(array).copy()).requires_grad_() for array in problem.params.values()]
    x, labels = torch.from_numpy(problem.x), torch.from_numpy(problem.given["labels"])
    functional, activate = torch.nn.functional, getattr(torch.nn.functional, problem.given["activation"])
    optimiser = torch.optim.Adam(params, lr=0.0, fused=True)

    def call() -> Any:
        optimiser.zero_grad()
        h = x
        for W, b in zip(params[:-2:2], params[1:-2:2], strict=True):
            h = activate(functional.linear(h, W, b))
        loss = functional.cross_entropy(functional.linear(h, *params[-2:]), labels)
        loss.backward()
        optimiser.step()
        return loss

    return Entry(call=call, read=lambda loss: [loss.item(), *(turned(p.grad.numpy()) for p in params)])
