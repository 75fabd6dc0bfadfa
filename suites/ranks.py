"""How many directions activations span: the effective rank of Roy & Vetterli."""

import math

import numpy as np

from kernels.blas import matmul
from kernels.layer import Array


def effective_rank(x: Array) -> float:
    """The effective rank of x (..., F), taken as (N, F), float32 or float64: from 1 to min(N, F).

    The exponential of the entropy of the singular values, as shares of their sum (Roy & Vetterli 2007, The effective
    rank, section 2, equations 2 to 4); x is not centred. By the eigenvalues of the float64 Gram matrix of the smaller
    side: right to about 1e-5. NaN where x is all zeros, for which it is not defined, or not finite.
    """
    rows = x.reshape(-1, x.shape[-1]).astype(np.float64)
    largest = float(np.abs(rows).max(initial=0.0))
    if not 0.0 < largest < math.inf:
        return math.nan
    rows /= largest
    wide = rows.shape[0] <= rows.shape[1]
    gram = np.empty((min(rows.shape),) * 2)
    matmul(gram, rows, rows, transpose_a=not wide, transpose_b=wide)
    singular = np.sqrt(np.maximum(np.linalg.eigvalsh(gram), 0.0))
    shares = singular[singular > 0] / singular.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))
