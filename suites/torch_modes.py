"""How PyTorch runs while its calls are timed."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any


def inference() -> AbstractContextManager[Any]:
    """Without PyTorch's bookkeeping for autograd, as one computes where no gradient is asked for."""
    import torch

    return torch.inference_mode()


@contextmanager
def in_threads(n: int) -> Iterator[None]:
    """Its operators in n threads, and in one again afterwards."""
    import torch

    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(1)
