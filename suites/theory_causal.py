"""Predictions of causal Transformers across time: covariances of all tokens, forth, and of their gradients, back.

The gradient enters at the last token. Of a probability, which looks at n steps, the mean is 1/n, and what two queries'
probabilities of one key have in common comes from what the queries have in common; see theory_transformers for the
same where all tokens are alike.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from suites.attending import softmax_sums
from suites.prediction import Array, NoTheoryError, Prediction, ingredients
from suites.theory_transformers import FeedForward, soft

LONGEST = 2048  # tokens whose covariances are followed


def across_time(
    *, pre: bool, activation: str, initializer: str, depth: int, width: int, length: int, **_: Any
) -> Prediction:
    """The curve over the length + 1 tokens that enter."""
    field, rule = ingredients(activation, initializer)
    tokens = length + 1
    if tokens > LONGEST:
        raise NoTheoryError(f"the covariances of all pairs of tokens are followed for up to {LONGEST} of them")
    attend, feed = CausalAttention(soft(rule.linear(), width), tokens), FeedForward(field, rule, width)
    stream = np.eye(tokens)
    way = []
    for branch in (attend, feed) * depth:
        scale = np.sqrt(np.diag(stream))
        correlation = np.clip(stream / np.outer(scale, scale), 0.0, 1.0)
        stream = stream + branch.forward(correlation)
        after = np.ones(tokens) if pre else np.sqrt(np.diag(stream))
        stream = stream / np.outer(after, after)
        way.append((branch, correlation, np.outer(scale, scale), np.outer(after, after)))
    gradient = np.zeros((tokens, tokens))
    gradient[-1, -1] = 1.0
    for branch, correlation, before, after in reversed(way):
        gradient = gradient / after
        gradient = gradient + branch.backward(gradient, correlation) / before
        gradient /= gradient[-1, -1]
    curve = 0.5 * np.log10(np.diag(gradient))
    return Prediction(curve - curve[-1], np.full(tokens, np.nan))


class CausalAttention:
    """Forward and backward of covariances (T, T), T tokens; s is fan_in times the variance of each of the four weights.

    Derived here. The output of query a is the sum over keys j <= a of P_aj v_j, times the output weights. With Gaussian
    logits, independent between keys but for what two queries share, E[P_aj P_bj] has a mean part 1/(n_a n_b), which
    gives the means of the values' covariances, and an excess, which sums to (kept - 1)/max(n_a, n_b) and counts only
    where keys differ, 1 - rho. Backward the same by way of the values; by way of logits dP/dlogit = P (1 - P) and
    -P P', whose products over keys are softmax_sums, times s for each further weight: those of a key go to it and,
    so that they sum to 0, against all others (_to_keys); those of a query are sums over keys of variance (1 - rho)^2.
    """

    def __init__(self, s: float, tokens: int) -> None:
        self.s, steps = s, np.arange(1.0, tokens + 1)
        self.fewer, self.more = np.minimum.outer(steps, steps), np.maximum.outer(steps, steps)
        self.kept, self.sloped = _sums(s * s, tokens)

    def forward(self, correlation: Array) -> Array:
        """The covariances of all tokens' outputs (T, T), given the correlations (T, T) of inputs of variance 1."""
        apart, shared = self._logits(correlation)
        excess = (self.kept(self.fewer, shared) - 1) / self.more * apart
        return self.s**2 * (_means(_means(correlation).T).T + excess)

    def backward(self, gradient: Array, correlation: Array) -> Array:
        """The covariances (T, T) of the gradients at all tokens' inputs, given those at the outputs (T, T)."""
        s, (apart, shared) = self.s, self._logits(correlation)
        sloped = self.sloped(self.fewer, shared) / self.more  # of one key, summed over keys
        values = s**2 * gradient * (self.kept(self.fewer, shared) - 1) / (self.fewer * self.more)
        keys = s**4 * gradient * correlation * apart * sloped / self.fewer
        queries = s**4 * gradient * apart**2 * sloped
        return s**2 * _means_back(_means_back(gradient).T).T + _to_keys(values + keys) + queries

    def _logits(self, correlation: Array) -> tuple[Array, Array]:
        """1 - rho of the keys that both of two queries see, and the covariance of their logits of one key."""
        n = np.arange(1.0, len(correlation) + 1)
        inside = np.diag(np.cumsum(np.cumsum(correlation, 0), 1)) / n**2  # the mean over pairs of the first n
        apart = np.clip((1 - inside) * n / np.maximum(n - 1, 1), 0.0, 1.0)
        both = apart[self.fewer.astype(int) - 1]
        return both, self.s**2 * both * correlation


@cache
def _sums(variance: float, tokens: int) -> list[Callable[[Array, Array], Array]]:
    """softmax_sums times the number of steps, as functions of that number and of the logits' variance."""
    from scipy.interpolate import RectBivariateSpline  # here, because importing it takes a second

    steps = np.unique(np.geomspace(1, max(tokens, 5), 24).astype(int))
    spread = np.linspace(0.0, variance, 6)
    known = np.array([[np.multiply(n, softmax_sums(v, n)) for v in spread] for n in steps])
    return [_of_steps(RectBivariateSpline(np.log(steps), spread, known[..., i])) for i in (0, 1)]


def _of_steps(spline: Any) -> Callable[[Array, Array], Array]:
    return lambda steps, variance: spline.ev(np.log(steps), variance)


def _means(x: Array) -> Array:
    """Row a of the result: the mean of rows 0 to a."""
    return np.cumsum(x, 0) / np.arange(1, len(x) + 1)[:, None]


def _means_back(x: Array) -> Array:
    """The transposed of _means: row b is the sum over a >= b of row a over its number of steps."""
    return np.cumsum((x / np.arange(1, len(x) + 1)[:, None])[::-1], 0)[::-1]


def _to_keys(pairs: Array) -> Array:
    """What pairs of queries (T, T) give to each key that both see, summed: to two keys what keeps the sum at 0."""
    steps = np.arange(len(pairs))
    fewer, more = np.minimum.outer(steps, steps), np.maximum.outer(steps, steps)
    by_fewer = np.bincount(fewer.ravel(), pairs.ravel(), len(pairs))
    one, two = (np.cumsum(sums[::-1])[::-1] for sums in (by_fewer, by_fewer / np.maximum(steps, 1)))
    return np.where(fewer == more, one[fewer], -two[more])
