"""What softmax makes of random logits, on average: how much of itself a step keeps, how much two steps share.

A step's logits are iid N(0, variance); its probabilities are P. All sums are over the steps that it looks at.
"""

import math
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

# Gauss-Hermite for a logit; ln u for the Laplace integrals E[1 / S^k] = the integral of u^(k-1) e^(-u S) / (k-1)!
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(40)
LOG_U = np.linspace(-30.0, 12.0, 421)


def softmax_sums(variance: float, steps: int) -> tuple[float, float]:
    """E[sum P^2], and E[sum P^2 (1 - 2 P + sum P^2)], that of the squared slopes of P by a logit, summed.

    Without variance 1/steps and (1 - 1/steps)/steps.
    """
    weights, e = WEIGHTS / WEIGHTS.sum(), np.exp(math.sqrt(variance) * NODES)
    u = np.exp(LOG_U)[:, None]
    none, two, three, four = (np.exp(-u * e) * e**k @ weights for k in (0, 2, 3, 4))
    u, du = u[:, 0], u[:, 0] * (LOG_U[1] - LOG_U[0])
    rest = none ** (steps - 1)
    squares = steps * float((u * two * rest) @ du)
    cubes = steps * float((u**2 * three * rest) @ du) / 2
    pairs = (steps - 1) * two**2 * none ** max(steps - 2, 0)
    fourths = steps * float((u**3 * (four * rest + pairs)) @ du) / 6
    return squares, max(squares - 2 * cubes + fourths, 0.0)
