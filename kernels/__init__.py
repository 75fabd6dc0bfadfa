"""Pure computation: arrays in, arrays out. No files, no clocks."""

from kernels.activations import ACTIVATIONS
from kernels.architectures import ARCHITECTURES
from kernels.initializers import INITIALIZERS
from kernels.layer import Layer
from kernels.optimizers import OPTIMIZERS

__all__ = ["ACTIVATIONS", "ARCHITECTURES", "INITIALIZERS", "OPTIMIZERS", "Layer"]
