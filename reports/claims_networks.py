"""Claims on Transformers, on diagnosis by norms, and on the eras of remedies."""

from reports.bounds import FEW, MORE, STEADY, VANISHED, WITHIN_TWO, Bound
from reports.claim import Claim, Figure, Part, untestable
from reports.claim_evidence import Configuration, Evidence, at, figure
from reports.measures import Measure, across_depth, across_time, gained, kept, mean_over_layers, total
from reports.measures_parameters import (
    deep_as_expected,
    flagged,
    not_flagged,
    shallow_as_expected,
    share_of,
)
from reports.measures_training import accuracy

POST, PRE = "transformer_post", "transformer_pre"
UNCHANGED = Bound("a factor of 1 to two decimals", 0.995, 1.005)
NINETY_FIVE = Bound("95 % or more is kept, and no more than that much is added", 0.95, 1 / 0.95)
ALL = Bound("all of them", least=1.0)
SUMMED = 1.806  # decades: a loss summed over 64 examples beside their mean


def transformer(name: str) -> Configuration:
    """100 blocks."""
    return across_depth(name, "relu", "xavier_normal", 100)


def skip(architecture: str) -> Measure:
    """The factor per block on the path of the skips alone."""

    def measure(evidence: Evidence) -> Figure:
        rows = evidence.rows(Configuration("skip_path", architecture, "relu", "xavier_normal"), "log10_skip_path")
        return figure(10 ** (at(rows, 0) / rows.position.max()))

    return measure


def diagnosis(what: str, measure: Measure) -> Part:
    """A share that the thresholds of D2's section 10 get right."""
    return Part(what=what, said=1.0, unit="", measure=measure, bound=ALL)


def era(what: str, of: Configuration, bound: Bound) -> Part:
    """The gradient of an era's recipe."""
    return Part(what=f"{what}: {of}", measure=total(of), bound=bound)


NETWORKS = (
    Claim(
        number=19,
        source="D2 8",
        short="Add & Norm keeps a path of factor 1; LayerNorm keeps inputs sensitive; attention shortens the path",
        quote="数学表达：`y = x + F(x)` … 保证梯度至少有一条衰减率为1的传播路径 … 将数据保持在激活函数的敏感区间 … "
        "任意位置直接连接 → 缩短梯度传播路径",
        translation="y = x + F(x) guarantees the gradient at least one path of factor 1 … (LayerNorm) keeps the data "
        "in the activation's sensitive range … any two positions are directly connected, which shortens the "
        "gradient's path.",
        parts=(
            Part(what="factor per block on the path of the skips alone: post-norm, as D2 draws it", said=1.0, unit="",
                 measure=skip(POST), bound=UNCHANGED),
            Part(what="the same: pre-norm", said=1.0, unit="", measure=skip(PRE), bound=UNCHANGED),
            *(
                Part(what=f"share of saturated units under LayerNorm, {name}, saturating weights, 10 layers", unit="",
                     measure=mean_over_layers(across_depth("layernorm", name, "saturating", 10), "saturated_share"),
                     bound=FEW)
                for name in ("sigmoid", "tanh")
            ),
            *(
                Part(what=f"more arrives over 100 steps through {name} than through an RNN (tanh, Xavier weights)",
                     measure=gained(across_time(name, "relu", "xavier_normal"),
                                    across_time("rnn", "tanh", "xavier_normal")), bound=MORE)
                for name in (POST, PRE)
            ),
        ),
    ),
    Claim(
        number=22,
        source="D2 9",
        short="Transformer, 100 layers: the gradient changes by less than 2x, 95 % of it is kept",
        quote="| Transformer | 100层 | <2倍 | 维持95%梯度 |",
        translation="Transformer, 100 layers, decay of the gradient without optimisation below 2x, with it 95 % of "
        "the gradient is kept.",
        parts=tuple(
            part
            for name in (POST, PRE)
            for part in (
                Part(what=f"{transformer(name)}", said=WITHIN_TWO.most, measure=total(transformer(name)),
                     bound=WITHIN_TWO),
                Part(what=f"share that arrives: {transformer(name)}", said=0.95, unit="",
                     measure=kept(transformer(name)), bound=NINETY_FIVE),
            )
        ),
    ),
    Claim(
        number=23,
        source="D2 10",
        short="a parameter's gradient norm tells: shallow 0.001 to 0.1 expected, deep above 1e-4, vanished below 1e-6",
        quote="浅层：0.001-0.1 … 深层：>0.0001 (若<10⁻⁶则出现梯度消失)",
        translation="Expected: shallow layers 0.001 to 0.1; deep layers above 0.0001 (below 1e-6 the gradient "
        "vanishes).",
        parts=(
            diagnosis("of networks that lose six decades, the share with a norm below 1e-6",
                      share_of("vanishing", flagged())),
            diagnosis("of those that lose one at most, the share without", share_of("healthy", not_flagged)),
            diagnosis("of these, the share whose first layer has a norm of 0.001 to 0.1",
                      share_of("healthy", shallow_as_expected)),
            diagnosis("of these, the share whose last layer has a norm above 0.0001",
                      share_of("healthy", deep_as_expected)),
            diagnosis("of networks that lose six decades, the share with a norm below 1e-6 where the loss is the sum "
                      "over 64 examples, not the mean", share_of("vanishing", flagged(SUMMED))),
        ),
    ),
    Claim(
        number=25,
        source="D2 closing",
        short="the eras: sigmoid vanishes; gates; ReLU with careful initialisation; residuals and norms; attention",
        quote="**1980s**：Sigmoid激活 → 梯度消失严重 … **2000s**：LSTM/GRU门控机制 … **2010s**：ReLU+智能初始化 … "
        "**2015+**：残差连接+标准化层 … **2017+**：注意力架构革命",
        translation="1980s: sigmoid activations, gradients vanish severely. 2000s: the gates of LSTM and GRU. 2010s: "
        "ReLU and careful initialisation. 2015 on: residual connections and norms. 2017 on: the revolution of "
        "attention.",
        parts=(
            era("1980s", across_depth("plain", "sigmoid", "xavier_normal"), VANISHED),
            *(
                Part(what=f"2000s: more arrives over 100 steps through {name.upper()} than through an RNN of sigmoid",
                     measure=gained(across_time(name, "tanh", "xavier_normal"),
                                    across_time("rnn", "sigmoid", "xavier_normal")), bound=MORE)
                for name in ("lstm", "gru")
            ),
            era("2010s", across_depth("plain", "relu", "he_normal"), STEADY),
            *(
                era("2015 on", across_depth(name, "relu", "he_normal"), STEADY)
                for name in ("residual", "residual_scaled", "batchnorm", "layernorm")
            ),
            *(era("2017 on", transformer(name), STEADY) for name in (POST, PRE)),
            *(
                Part(what=f"{name} with {rule}, 10 layers or more, is trained: test accuracy", unit="",
                     measure=accuracy(name, deep=True, initializer=rule), bound=bound)
                for name, rule, bound in (
                    ("sigmoid", "xavier_normal", Bound("no more than half of the digits", most=0.5)),
                    ("relu", "he_normal", Bound("nine digits in ten", least=0.9)),
                )
            ),
            untestable("the dates", "they are not measured; GRU is of 2014 (Cho et al.), LSTM of 1997"),
        ),
    ),
)  # fmt: skip
