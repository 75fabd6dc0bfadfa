"""The parameters of a layer by name."""

from collections import Counter

from kernels.layer import Array, State, parameters


def named(state: State) -> dict[str, tuple[Array, Array]]:
    """Name -> (parameter, gradient) in the order of the layers; of several of one name W1, W2 ... as they follow."""
    found = [(path.rpartition(".")[2], value, gradient) for path, value, gradient in parameters(state)]
    total, so_far = Counter(name for name, *_ in found), Counter[str]()
    pairs = {}
    for name, value, gradient in found:
        so_far[name] += 1
        pairs[f"{name}{so_far[name]}" if total[name] > 1 else name] = value, gradient
    return pairs
