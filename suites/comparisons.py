"""COMPARISONS: layers, losses, optimisers and training steps, and how each contender does them on the same numbers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from kernels import ACTIVATIONS, ARCHITECTURES, INITIALIZERS
from kernels.attention import attention
from kernels.batch_norm import batch_norm
from kernels.layer_norm import layer_norm
from kernels.rms_norm import rms_norm
from kernels.transformer import post_norm_block, pre_norm_block
from suites import gate, jax_layers, onnx_layers, problems, torch_layers, torch_training
from suites.peers import CONTENDERS
from suites.problems import Entry, Problem
from suites.sizes import LOGITS, NETWORKS, PARAMETERS, ROWS, SEQUENCES, TOKENS

Way = Callable[[Problem, str], Entry]

LAYER = ("forward", "forward_backward")
UPDATE = ("step",)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One thing compared: make(size, rng) gives the numbers, ways how each contender goes about it, by its name.

    kind is the table of the report where it stands. A way is "contender" or "contender lane". largest is the distance
    of results, relative in Frobenius norm, up to which they are the same: rounding.
    quick is how many of the sizes stand beside PyTorch in the quick profile; beside the others it is the first.
    """

    name: str
    kind: str
    sizes: Mapping[str, Any]
    make: Callable[..., Problem]
    ways: dict[str, Way] = field(default_factory=dict)
    directions: tuple[str, ...] = LAYER
    largest: float = 1e-4
    quick: int = 1

    def has(self, way: str, size: str, direction: str, threads: int) -> bool:
        """Whether this is to be compared: forward alone with who has no gradients, two threads with who can switch."""
        contender = CONTENDERS[WAYS[way]]
        if contender.absent or way not in self.ways or size not in self.sizes or direction not in self.directions:
            return False
        return (contender.trains or direction == "forward") and (threads == 1 or contender.in_threads is not None)


def _layer(
    name: str, sizes: Mapping[str, Any], make: Callable[..., Problem], quick: int = 1, **builds: Any
) -> Comparison:
    """A layer, of which each contender named builds its own."""
    wrap: dict[str, Callable[[Any], Way]]
    wrap = {"torch": torch_layers.layer, "jax": jax_layers.layer, "onnxruntime": onnx_layers.layer}
    ways = {contender: wrap[contender](build) for contender, build in builds.items()}
    return Comparison(name=name, kind="layer", sizes=sizes, make=make, ways=ways, quick=quick)


def _builds(name: str) -> dict[str, Any]:
    """A layer that is called the same in every contender's module."""
    modules = {"torch": torch_layers, "jax": jax_layers, "onnxruntime": onnx_layers}
    return {contender: getattr(module, name) for contender, module in modules.items()}


def _recurrent(name: str) -> Comparison:
    make = partial(problems.recurrent, make=ARCHITECTURES[name].build)
    return _layer(name, SEQUENCES, make, len(SEQUENCES), **_builds(name))


def _norm(name: str, make: Callable[[], Any], **builds: Any) -> Comparison:
    return _layer(name, ROWS, partial(problems.layer, make=make), len(ROWS), **builds)


def _attention(name: str, causal: bool) -> Comparison:
    def make(size: tuple[int, ...], rng: np.random.Generator) -> Problem:
        *shape, heads = size
        build = partial(attention, INITIALIZERS["xavier_normal"], heads, causal)
        return problems.layer(tuple(shape), rng, make=build, heads=heads, causal=causal)

    return _layer(name, TOKENS, make, **_builds("attention"))


def _transformer(name: str, block: Callable[..., Any], post: bool) -> Comparison:
    def make(size: tuple[int, ...], rng: np.random.Generator) -> Problem:
        *shape, heads = size
        build = partial(block, ACTIVATIONS["gelu"], INITIALIZERS["xavier_normal"], shape[-1], heads)
        return problems.layer(tuple(shape), rng, make=build, heads=heads)

    builds = {contender: way(post) for contender, way in _builds("transformer").items()}
    return _layer(name, TOKENS, make, **builds)


def _loss(name: str, make: Callable[..., Problem]) -> Comparison:
    """A loss, which gradfade computes with its gradient only."""
    whole = _layer(name, LOGITS, make, torch=getattr(torch_layers, name), jax=getattr(jax_layers, name))
    return replace(whole, directions=("forward_backward",))


def _optimizer(name: str, peer: str, *lanes: str, **options: Any) -> Comparison:
    """A row of OPTIMIZERS, and torch.optim's class in its default way and in the lanes (its arguments) named."""
    way = partial(torch_training.optimizer, peer, **options)
    ways = {"torch": way()} | {f"torch {lane}": way(**{lane: True}) for lane in lanes}
    make = partial(problems.optimizer, name=name)
    return Comparison(name=name, kind="optimizer", sizes=PARAMETERS, make=make, ways=ways, directions=UPDATE)


def _training(activation: str) -> Comparison:
    ways: dict[str, Way] = {"torch": torch_training.training_step, "jax": jax_layers.training_step}
    make = partial(problems.training_step, activation=activation)
    return Comparison(
        name=f"training_{activation}",
        kind="training_step",
        sizes=NETWORKS,
        make=make,
        ways=ways,
        directions=UPDATE,
        largest=1e-3,
    )


_ROWS = (
    *map(_recurrent, ("rnn", "lstm", "gru")),
    _norm("layer_norm", layer_norm, **_builds("layer_norm")),
    _norm("rms_norm", rms_norm, **_builds("rms_norm")),
    _norm("batch_norm", batch_norm, torch=torch_layers.batch_norm, jax=jax_layers.batch_norm),
    _layer("softmax", ROWS, problems.softmax, len(ROWS), **_builds("softmax")),
    _attention("attention", causal=False),
    _attention("attention_causal", causal=True),
    _transformer("transformer_post", post_norm_block, post=True),
    _transformer("transformer_pre", pre_norm_block, post=False),
    _loss("cross_entropy", problems.cross_entropy),
    _loss("mse", problems.mean_squared),
    _optimizer("sgd", "SGD", "fused"),
    _optimizer("momentum", "SGD", "fused", momentum=0.9),
    _optimizer("rmsprop", "RMSprop"),
    _optimizer("adam", "Adam", "fused"),
    _optimizer("adamw", "AdamW", "fused"),
    Comparison(
        name="clip_by_norm",
        kind="optimizer",
        sizes=PARAMETERS,
        make=problems.clipping,
        ways={"torch": torch_training.clip_by_norm},
        directions=UPDATE,
    ),
    *map(_training, ("relu", "tanh", "gelu")),
)

COMPARISONS = {row.name: row for row in _ROWS}

# Way -> contender: "torch fused" is torch's, in a lane of its own.
WAYS = {way: way.partition(" ")[0] for row in COMPARISONS.values() for way in row.ways}
# What one result is beside the largest of them when its own size is rounding.
NOTHING = 1e-2


def check_same(name: str, theirs: Sequence[Any], ours: Sequence[Any], largest: float) -> None:
    """Whether each result is the other's up to that distance, relative in Frobenius norm; GateError where not.

    A result that is nothing beside the others is relative to them: the gradient of the keys' bias is rounding alone.
    """
    others, owns = ([np.asarray(array, np.float64) for array in results] for results in (theirs, ours))
    least = NOTHING * max(np.linalg.norm(own) for own in owns)
    for position, (other, own) in enumerate(zip(others, owns, strict=True)):
        if other.shape != own.shape:
            raise gate.GateError(f"{name}: result {position} has shape {other.shape}, gradfade's {own.shape}")
        distance = np.array(np.linalg.norm(other - own) / max(np.linalg.norm(own), least))
        gate.check(f"{name}: result {position}", distance, np.zeros(()), largest)
