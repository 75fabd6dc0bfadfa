"""Networks in plain float64 NumPy, a few lines each, that share no code with kernels or theory: what theory should say.

Each returns log10 of the root mean square, over seeds, of |gradient at position 0| / |gradient at the last one|, and
its standard error, which is that of one mean of squares: theory is of the mean square.
"""

import numpy as np
from scipy.special import ndtr


def sigmoid(x):
    return 0.5 + 0.5 * np.tanh(x / 2)


# name -> f, f'
FUNCTIONS = {
    "identity": (lambda x: x, np.ones_like),
    "relu": (lambda x: np.maximum(x, 0), lambda x: (x > 0) * 1.0),
    "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    "sigmoid": (sigmoid, lambda x: sigmoid(x) * (1 - sigmoid(x))),
    "swish": (lambda x: x * sigmoid(x), lambda x: sigmoid(x) * (1 + x * (1 - sigmoid(x)))),
    "elu": (lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))), lambda x: np.exp(np.minimum(x, 0))),
    "gelu": (lambda x: x * ndtr(x), lambda x: ndtr(x) + x * np.exp(-x * x / 2) / np.sqrt(2 * np.pi)),
    "hardswish": (
        lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
        lambda x: np.where(abs(x) < 3, x / 3 + 0.5, (x > 0) * 1.0),
    ),
    "softsign": (lambda x: x / (1 + abs(x)), lambda x: (1 + abs(x)) ** -2.0),
}


def over_seeds(network, seeds, **sizes):
    """What network(rng, **sizes) gives, squared ratios of norms, over seeds."""
    squares = np.array([network(np.random.default_rng(seed), **sizes) for seed in range(seeds)])
    mean = squares.mean(0)
    error = squares.std(0, ddof=1) / np.sqrt(seeds)
    return 0.5 * np.log10(mean), 0.5 * error / mean / np.log(10)


def typical(network, seeds, **sizes):
    """The mean over such generators of log10 of the norm ratio at position 0, and its standard error."""
    logs = [0.5 * np.log10(np.ravel(network(np.random.default_rng(seed), **sizes))[0]) for seed in seeds]
    return np.mean(logs), np.std(logs, ddof=1) / np.sqrt(len(logs))


def gaussian(rng, fan_in, fan_out, sw2):
    return rng.standard_normal((fan_in, fan_out)) * np.sqrt(sw2 / fan_in)


def layers(rng, *, name, norm, sw2, sb2=0.0, depth, width, batch):
    """depth layers f(norm(x W + b)), norm "", "batch" or "layer" (eps 1e-5); first pre-activations of variance 1."""
    f, df = FUNCTIONS[name]
    axis = {"": None, "batch": 0, "layer": 1}[norm]
    x, kept = rng.standard_normal((batch, width)), []
    for layer in range(depth):
        W = gaussian(rng, width, width, sw2)
        b = rng.standard_normal(width) * np.sqrt(sb2)
        if layer == 0:
            x *= np.sqrt((1 - np.mean(b * b)) / np.mean((x @ W) ** 2))
        z, sd = x @ W + b, 1.0
        if norm:
            z = z - z.mean(axis, keepdims=True)
            sd = np.sqrt(np.mean(z * z, axis, keepdims=True) + 1e-5)
            z = z / sd
        kept.append((W, z, sd))
        x = f(z)
    g = rng.standard_normal((batch, width))
    end = np.sum(g * g)
    for W, z, sd in reversed(kept):
        d = g * df(z)
        if norm:
            d = (d - d.mean(axis, keepdims=True) - z * np.mean(d * z, axis, keepdims=True)) / sd
        g = d @ W.T
    return np.sum(g * g) / end


def blocks(rng, *, name, s1, s2, scale, depth, width, batch):
    """depth blocks x + scale f(x W1) W2; first pre-activations of variance 1."""
    f, df = FUNCTIONS[name]
    x, kept = rng.standard_normal((batch, width)) / np.sqrt(s1), []
    for _ in range(depth):
        W1, W2 = gaussian(rng, width, width, s1), gaussian(rng, width, width, s2)
        kept.append((W1, W2, x @ W1))
        x = x + scale * f(x @ W1) @ W2
    g = rng.standard_normal((batch, width))
    end = np.sum(g * g)
    for W1, W2, z in reversed(kept):
        g = g + scale * ((g @ W2.T) * df(z)) @ W1.T
    return np.sum(g * g) / end


def normalise(x):
    sd = np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    return (x - x.mean(-1, keepdims=True)) / sd, sd


def normalise_back(g, y, sd):
    return (g - g.mean(-1, keepdims=True) - y * np.mean(g * y, -1, keepdims=True)) / sd


def attend(x, weights, heads, causal):
    """x (N, T, F) -> y, and its backward."""
    N, T, F = x.shape
    Wq, Wk, Wv, Wo = weights

    def split(a):
        return a.reshape(N, T, heads, F // heads).transpose(0, 2, 1, 3)

    def join(a):
        return a.transpose(0, 2, 1, 3).reshape(N, T, F)

    scale = np.sqrt(F // heads)
    q, k, v = (split(x @ W) for W in (Wq, Wk, Wv))
    logits = q @ k.swapaxes(-1, -2) / scale
    if causal:
        logits = np.where(np.tril(np.ones((T, T), bool)), logits, -np.inf)
    p = np.exp(logits - logits.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)

    def back(g):
        gh = split(g @ Wo.T)
        dv, dp = p.swapaxes(-1, -2) @ gh, gh @ v.swapaxes(-1, -2)
        dl = p * (dp - np.sum(dp * p, -1, keepdims=True)) / scale
        return join(dl @ k) @ Wq.T + join(dl.swapaxes(-1, -2) @ q) @ Wk.T + join(dv) @ Wv.T

    return join(p @ v) @ Wo, back


def feed(x, weights, name):
    f, df = FUNCTIONS[name]
    W1, W2 = weights
    z = x @ W1
    return f(z) @ W2, lambda g: ((g @ W2.T) * df(z)) @ W1.T


def transformer(rng, *, name, pre, s, s1, s2, depth, width, batch, tokens, heads=4, causal=False):
    """Squared gradient norms over that at the end: of all tokens, at each block; causal: of each token."""
    x, backs = rng.standard_normal((batch, tokens, width)), []
    for _ in range(depth):
        for branch in ("attend", "feed"):
            y, sd = normalise(x) if pre else (x, None)
            if branch == "attend":
                out, back = attend(y, [gaussian(rng, width, width, s) for _ in range(4)], heads, causal)
            else:
                sizes = ((width, 4 * width, s1), (4 * width, width, s2))
                out, back = feed(y, [gaussian(rng, *size) for size in sizes], name)
            x = x + out
            after = None
            if not pre:
                x, after = normalise(x)
            backs.append((back, y, sd, x, after))
    g = rng.standard_normal(x.shape)
    if causal:
        g[:, :-1] = 0
    curve = [np.sum(g * g)]
    for back, y, sd, after, after_sd in reversed(backs):
        if pre:
            g = g + normalise_back(back(g), y, sd)
        else:
            g = normalise_back(g, after, after_sd)
            g = g + back(g)
        curve.append(np.sum(g * g))
    if causal:
        each = np.sum(g * g, axis=(0, 2))
        return each / each[-1]
    return np.array(curve[::-2]) / curve[0]


def recurrent(rng, *, name, sw2, vx, inputs, length, width, batch):
    """Squared norm of the gradient of h at every step over that at the last; vx: variance of x Wx."""
    f, df = FUNCTIONS[name]
    W = gaussian(rng, width, width, sw2)
    Wx = gaussian(rng, inputs, width, vx)
    h, slopes = np.zeros((batch, width)), []
    for _ in range(length):
        z = h @ W + rng.standard_normal((batch, inputs)) @ Wx
        slopes.append(df(z))
        h = f(z)
    g = rng.standard_normal((batch, width))
    norms = [np.sum(g * g)]
    for slope in reversed(slopes):
        g = (g * slope) @ W.T
        norms.append(np.sum(g * g))
    return np.array(norms[::-1]) / norms[0]


def gated(rng, *, cell, name, sw2, vx, keep, take, length, width, batch, inputs=None):
    """Squared norm of the gradient of h at every step over that at the last; biases keep and take of f and i (z).

    inputs None are so many that x Wx is independent from unit to unit and from step to step.
    """
    f, df = FUNCTIONS[name]
    gates = 4 if cell == "lstm" else 3
    W = np.hstack([gaussian(rng, width, width, sw2) for _ in range(gates)])
    Wx = gaussian(rng, inputs, gates * width, vx) if inputs else None
    h = c = np.zeros((batch, width))
    kept = []
    for _ in range(length):
        if inputs:
            x = rng.standard_normal((batch, inputs)) @ Wx
        else:
            x = rng.standard_normal((batch, gates * width)) * np.sqrt(vx)
        parts = np.split(h @ W, gates, 1)
        if cell == "lstm":
            i, forget, o = (
                sigmoid(p + e + b) for p, e, b in zip(parts[:3], np.split(x, 4, 1), (take, keep, 0), strict=False)
            )
            u = parts[3] + np.split(x, 4, 1)[3]
            new = forget * c + i * f(u)
            kept.append((i, forget, o, u, c, new))
            c, h = new, o * f(new)
        else:
            xs = np.split(x, 3, 1)
            r, z = sigmoid(parts[0] + xs[0]), sigmoid(parts[1] + xs[1] + keep)
            u = xs[2] + r * parts[2]
            kept.append((r, z, u, parts[2], h))
            h = (1 - z) * f(u) + z * h
    g = rng.standard_normal((batch, width))
    gc, norms = np.zeros_like(g), [np.sum(g * g)]
    for step in reversed(kept):
        if cell == "lstm":
            i, forget, o, u, before, after = step
            gc = gc + g * o * df(after)
            deltas = (
                gc * f(u) * i * (1 - i),
                gc * before * forget * (1 - forget),
                g * f(after) * o * (1 - o),
                gc * i * df(u),
            )
            gc, g = gc * forget, np.hstack(deltas) @ W.T
        else:
            r, z, u, q, before = step
            du = g * (1 - z) * df(u)
            deltas = (du * q * r * (1 - r), g * (before - f(u)) * z * (1 - z), du * r)
            g = g * z + np.hstack(deltas) @ W.T
        norms.append(np.sum(g * g))
    return np.array(norms[::-1]) / norms[0]
