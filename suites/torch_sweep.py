"""A sweep across depth by hooks in eager PyTorch, as one writes it: norms of activation and weight gradients.

Weights are drawn by torch.nn.init for each configuration and seed; the modules are made once per activation.
"""

from collections.abc import Callable, Sequence
from typing import Any

from kernels.layer import Array
from suites.depth import DepthCell

# Activation -> its class in torch.nn, initialiser -> its function in torch.nn.init: those of the sweep. The default of
# torch.nn.Linear is that of its own reset.
MODULES = {
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "relu": "ReLU",
    "leaky_relu": "LeakyReLU",
    "elu": "ELU",
    "selu": "SELU",
    "gelu": "GELU",
    "swish": "SiLU",
    "mish": "Mish",
    "softplus": "Softplus",
    "softsign": "Softsign",
    "hardswish": "Hardswish",
}
DRAWS = {
    "xavier_normal": "xavier_normal_",
    "he_normal": "kaiming_normal_",
    "orthogonal": "orthogonal_",
    "framework_default": "",
}


class Hooked:
    """A plain network whose hooks leave the norm of the gradient at each layer's output."""

    def __init__(self, activation: str, depth: int, width: int) -> None:
        import torch

        self.linears = [torch.nn.Linear(width, width) for _ in range(depth)]
        activations = [getattr(torch.nn, MODULES[activation])() for _ in range(depth)]
        pairs = zip(self.linears, activations, strict=True)
        self.network = torch.nn.Sequential(*(module for pair in pairs for module in pair))
        self.found: dict[int, Any] = {}
        for position, module in enumerate(activations, 1):
            module.register_full_backward_hook(self._hook(position))

    def _hook(self, position: int) -> Callable[..., None]:
        def hook(module: Any, into: Any, out: Any) -> None:
            self.found[position] = out[0].norm()

        return hook

    def draw(self, initializer: str) -> None:
        """New weights."""
        import torch

        for linear in self.linears:
            if DRAWS[initializer]:
                getattr(torch.nn.init, DRAWS[initializer])(linear.weight)
                torch.nn.init.zeros_(linear.bias)
            else:
                linear.reset_parameters()

    def norms(self, x: Any, dy: Any) -> list[float]:
        """Of the gradient at positions 0 to the last, then of each layer's weight and bias."""
        self.network.zero_grad()
        x.requires_grad_()
        self.network(x).backward(dy)
        self.found[0] = x.grad.norm()
        return [
            *(self.found[position].item() for position in range(len(self.linears) + 1)),
            *(parameter.grad.norm().item() for parameter in self.network.parameters()),
        ]


def sweep(cells: Sequence[DepthCell]) -> None:
    """Measure all cells on their seeds."""
    import torch

    networks: dict[str, Hooked] = {}
    for cell in cells:
        if cell.activation not in networks:
            networks[cell.activation] = Hooked(cell.activation, cell.depth, cell.width)
        for seed in range(cell.seed, cell.seed + cell.seeds):
            torch.manual_seed(seed)
            networks[cell.activation].draw(cell.initializer)
            x, dy = torch.randn(2, cell.batch, cell.width)
            networks[cell.activation].norms(x.clone(), dy)


def norms_of(cell: DepthCell, weights: Sequence[Array], biases: Sequence[Array], x: Array, dy: Array) -> list[float]:
    """Hooked.norms of a network of these weights (fan_in, fan_out)."""
    import torch

    hooked = Hooked(cell.activation, cell.depth, cell.width)
    with torch.no_grad():
        for linear, W, b in zip(hooked.linears, weights, biases, strict=True):
            linear.weight.copy_(torch.from_numpy(W.T.copy()))
            linear.bias.copy_(torch.from_numpy(b))
    return hooked.norms(torch.from_numpy(x.copy()), torch.from_numpy(dy))
