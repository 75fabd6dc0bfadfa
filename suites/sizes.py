"""The sizes at which layers, losses and optimisers are benchmarked, alone and beside their peers, by name."""

from collections.abc import Mapping
from typing import Any

# steps, batch, inputs and hidden units
SEQUENCES = {
    "T100-N32-H128": (100, 32, 128, 128),
    "T100-N1-H64": (100, 1, 64, 64),
    "T500-N64-H64": (500, 64, 64, 64),
}
# steps, batch, width and heads
TOKENS = {
    "T64-N16-D128-A4": (64, 16, 128, 4),
    "T64-N1-D128-A4": (64, 1, 128, 4),
    "T256-N4-D256-A8": (256, 4, 256, 8),
}
# rows and features
ROWS = {"1024x256": (1024, 256), "512x1024": (512, 1024), "128x8192": (128, 8192)}
# rows and classes
LOGITS = {"1024x1000": (1024, 1000), "128x10": (128, 10)}
# the parameters of ten dense layers, and one matrix or sixteen of a million
PARAMETERS = {
    "165k": ((128, 128), (128,)) * 10,
    "1M": ((1024, 1024),),
    "16M": ((1024, 1024),) * 16,
}
# batch, width and depth
NETWORKS = {"10x128-N128": (128, 128, 10)}


def first(sizes: Mapping[str, Any]) -> str:
    """The name of the size that the quick profile times."""
    return next(iter(sizes))
