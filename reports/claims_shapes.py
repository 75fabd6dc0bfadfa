"""Claims on activations by themselves: ranges, saturation, constant slopes."""

import math

import numpy as np
import pandas as pd

from reports.bounds import (
    KEPT,
    MORE,
    NOTHING,
    POSITIVE,
    SHRINKS,
    STEADY,
    STEEP_OVER,
    VANISHED,
    Bound,
    exactly,
)
from reports.claim import Claim, Figure, Part, untestable
from reports.claim_evidence import Configuration, Evidence, at, figure
from reports.measures import Measure, across_depth, gained, per_factor, shape, total
from reports.measures_training import best_by

NEURONS = Configuration("neurons", "plain", "sigmoid", "xavier_normal")
WEAKENED = math.log10(0.25)  # "at least 75 %" is gone
RECTIFIERS = ("relu", "leaky_relu", "prelu", "swish")


def largest(slope: pd.Series) -> float:
    """Of all x."""
    return slope.max()


def smallest(slope: pd.Series) -> float:
    """Of all x."""
    return slope.min()


def place(slope: pd.Series) -> float:
    """|x| where the slope is largest."""
    return abs(float(slope.idxmax()))


def spread(slope: pd.Series) -> float:
    """Largest minus smallest slope for x > 0."""
    positive = slope[slope.index > 0]
    return positive.max() - positive.min()


def left_at(x: float) -> Measure:
    """Sigmoid's slope at x over its largest."""
    exact = 1 / math.cosh(x / 2) ** 2
    return shape("sigmoid", "df", lambda slope: np.interp(x, slope.index, slope) / slope.max(), exact)


def other_than(*levels: float) -> Measure:
    """The largest distance of a slope of leaky_relu or relu, by the levels given, from the nearest of them."""
    name = "relu" if 0.0 in levels else "leaky_relu"
    return shape(name, "df", lambda slope: np.abs(np.subtract.outer(slope.to_numpy(), levels)).min(axis=1).max(), 0.0)


def gelu_from_its_mean(evidence: Evidence) -> Figure:
    """The largest |GELU(x) - x Phi(x)|, which is the mean of x times a coin that falls 1 with probability Phi(x)."""
    y = evidence.curve("gelu", "f")
    mean = pd.Series([x * 0.5 * math.erfc(-x / math.sqrt(2)) for x in y.index], y.index)
    return Figure(float((y - mean).abs().max()), theory=0.0)


def neurons(metric: str, parameter: str, position: float, theory: float = math.nan) -> Measure:
    """A number of the chain of five neurons, with the bias (parameter b) or without."""

    def measure(evidence: Evidence) -> Figure:
        rows = evidence.rows(NEURONS, metric)
        return figure(at(rows[rows.parameter == parameter], position), theory)

    return measure


def weakened(initializer: str) -> Part:
    """Every sigmoid layer, its weights included, weakens the gradient by 75 %."""
    return Part(
        what=f"a layer of sigmoid takes 75 % or more, weights of {initializer} included",
        said=WEAKENED,
        unit="decades per layer",
        measure=per_factor(across_depth("plain", "sigmoid", initializer)),
        bound=Bound("a quarter or less is left: log10 0.25", most=WEAKENED),
    )


def constant(activation: str) -> Part:
    """A constant slope for x > 0."""
    return Part(
        what=f"{activation}'s slope is the same for all x > 0 (largest minus smallest)",
        said=0.0,
        unit="",
        measure=shape(activation, "df", spread),
        bound=NOTHING,
    )


def undecayed(activation: str) -> Part:
    """He weights, 50 layers."""
    of = across_depth("plain", activation, "he_normal")
    return Part(what=f"nothing decays in {of}", said=0.0, measure=total(of), bound=KEPT)


def riskier(one: tuple[str, str], other: tuple[str, str]) -> Part:
    """The first loses more decades than the second."""
    first, second = (across_depth("plain", *names) for names in (one, other))
    what = f"{' '.join(other)} keeps more than {' '.join(one)}"
    return Part(what=what, measure=gained(second, first), bound=MORE)


SHAPES = (
    Claim(
        number=1,
        source="D1 2.1",
        short="sigmoid's slope lies in (0, 0.25], so each sigmoid weakens a gradient by at least 75 %",
        quote="Sigmoid 导数的值域为 \\( (0, 0.25] \\)，这意味着在反向传播中，"
        "**每一个流经该函数的梯度信号至少会被削弱75%**。",
        translation="The range of sigmoid's derivative is (0, 0.25], which means that in backpropagation every "
        "gradient signal that passes through the function is weakened by at least 75 %.",
        parts=(
            Part(
                what="largest slope", said=0.25, unit="", measure=shape("sigmoid", "df", largest, 0.25),
                bound=exactly(0.25),
            ),
            Part(what="|x| of the largest slope", said=0.0, unit="", measure=shape("sigmoid", "df", place, 0.0),
                 bound=exactly(0)),
            Part(what="smallest slope for |x| up to 20 is above 0", unit="", bound=POSITIVE,
                 measure=shape("sigmoid", "df", smallest, 1 / (4 * math.cosh(10) ** 2))),
            weakened("xavier_normal"),
            weakened("he_normal"),
        ),
    ),
    Claim(
        number=2,
        source="D1 2.1",
        short="sigmoid saturates beyond |x| = 2, where its slope is near zero",
        quote="当输入 \\( x > 2 \\) 时，函数曲线**极度平坦**，输出无限趋近于1。该点切线斜率（导数）趋近于0。",
        translation="For inputs x > 2 the curve is extremely flat and the output approaches 1. The slope of the "
        "tangent there (the derivative) approaches 0.",
        parts=(
            Part(what="share of the largest slope that is left at x = 2", unit="", bound=STEEP_OVER,
                 measure=left_at(2)),
            Part(what="and at x = −2", unit="", measure=left_at(-2), bound=STEEP_OVER),
            Part(what="and at x = 4, of which D1 3.3 speaks", unit="", measure=left_at(4), bound=STEEP_OVER),
        ),
    ),
    Claim(
        number=3,
        source="D1 2.2",
        short="five sigmoid layers of one neuron, w = 1.5 and slopes 0.04, lose over 5 orders of magnitude",
        quote="从第5层的梯度1.0到第1层的约 \\( 1.3 \\times 10^{-5} \\)，**梯度缩小了超过5个数量级**。",
        translation="From 1.0 at layer 5 to about 1.3e-5 at layer 1 the gradient has shrunk by more than 5 orders of "
        "magnitude.",
        parts=(
            Part(
                what="more than 5 decades are lost", said=-5.0, bound=Bound("5 or more", most=-5),
                measure=neurons("log10_gradient", "b", 1, 4 * math.log10(0.06)),
            ),
            Part(
                what="(1.5 × 0.04)⁴ is what arrives", said=math.log10(1.296e-5),
                measure=neurons("log10_gradient", "b", 1, 4 * math.log10(0.06)),
                bound=Bound("1.296e-5 to its four digits", math.log10(1.2955e-5), math.log10(1.2965e-5)),
            ),
            Part(
                what="w = 1.5 puts the units there by itself: their slope without a bias", said=0.04, unit="",
                measure=neurons("slope", "", 3), bound=Bound("0.04 to its one digit", most=0.045),
            ),
        ),
    ),
    Claim(
        number=8,
        source="D1 4",
        short="ReLU, Leaky ReLU, PReLU and Swish have a constant slope for x > 0 and end the decay; Swish is the most "
        "accurate",
        quote="它们在正区间导数为常数（如1），从根源上避免了连乘导致的指数衰减。如表1所示，"
        "Swish函数获得了最高的64%预测精度",
        translation="On the positive side their derivative is constant (1, say), which prevents the exponential decay "
        "of repeated products at its root. As Table 1 shows, Swish reached the highest accuracy, 64 %.",
        parts=(
            *(constant(name) for name in RECTIFIERS),
            *(undecayed(name) for name in RECTIFIERS),
            best_by("swish"),
            untestable("64 %", "the data set and the network are not named, and Table 1 is not given"),
        ),
    ),
    Claim(
        number=11,
        source="D2 4.1",
        short="slopes lie in (0, 0.25], (0, 1], {0, 1}, {α, 1}; risk falls from sigmoid over tanh and ReLU to Leaky "
        "ReLU",
        quote="| Sigmoid | (0, 0.25] | 极高 ⭐⭐⭐⭐ | … | Tanh | (0, 1] | 高 ⭐⭐⭐ | … | ReLU | {0,1} | 中 ⭐⭐ | … "
        "| LeakyReLU | {α,1} | 低 ⭐ |",
        translation="Sigmoid: slopes (0, 0.25], risk of a vanishing gradient extremely high; tanh (0, 1], high; ReLU "
        "{0, 1}, medium; Leaky ReLU {α, 1}, low.",
        parts=(
            Part(what="sigmoid's largest slope", said=0.25, unit="", bound=exactly(0.25),
                 measure=shape("sigmoid", "df", largest, 0.25)),
            Part(what="tanh's largest slope", said=1.0, unit="", measure=shape("tanh", "df", largest, 1.0),
                 bound=exactly(1)),
            Part(what="tanh's smallest slope for |x| up to 20 is above 0", unit="", bound=POSITIVE,
                 measure=shape("tanh", "df", smallest, 1 / math.cosh(20) ** 2)),
            Part(what="ReLU's slopes are 0 and 1: the farthest from both", said=0.0, unit="", bound=NOTHING,
                 measure=other_than(0.0, 1.0)),
            Part(what="Leaky ReLU's slopes are 0.01 and 1: the farthest from both", said=0.0, unit="", bound=NOTHING,
                 measure=other_than(0.01, 1.0)),
            riskier(("sigmoid", "xavier_normal"), ("tanh", "xavier_normal")),
            riskier(("tanh", "xavier_normal"), ("relu", "xavier_normal")),
            riskier(("tanh", "xavier_normal"), ("relu", "he_normal")),
            riskier(("relu", "xavier_normal"), ("leaky_relu", "xavier_normal")),
        ),
    ),
    Claim(
        number=24,
        source="D2 7.1 and closing",
        short="GELU is a form of stochastic regularisation; gradients decay layer by layer; the Transformer escapes "
        "that",
        quote="Transformer的成功很大程度上归功于其优雅地避开了梯度消失陷阱。",
        translation="The Transformer's success is largely due to its elegant escape from the trap of vanishing "
        "gradients.",
        parts=(
            untestable("what the Transformer's success is due to", "a success has no one cause that could be removed"),
            untestable("information is distilled layer by layer", "“distilled” is not defined as a number"),
            Part(what="GELU is deterministic, the mean of x times a coin of probability Φ(x): largest difference",
                 unit="", measure=gelu_from_its_mean, bound=NOTHING),
            Part(what="the gradient decays layer by layer: sigmoid, 50 layers", bound=VANISHED,
                 measure=total(across_depth("plain", "sigmoid", "xavier_normal"))),
            Part(what="and with ReLU and He weights", bound=SHRINKS,
                 measure=total(across_depth("plain", "relu", "he_normal"))),
            Part(what="a pre-norm Transformer of 100 blocks escapes", bound=KEPT,
                 measure=total(across_depth("transformer_pre", "relu", "xavier_normal", 100))),
            Part(what="a post-norm one, as of 2017, too", bound=STEADY,
                 measure=total(across_depth("transformer_post", "relu", "xavier_normal", 100))),
        ),
    ),
)  # fmt: skip
