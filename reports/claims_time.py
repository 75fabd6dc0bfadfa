"""Claims on the gradient across time: recurrent networks and their gates."""

import math

from reports.bounds import KEPT, MORE, SHRINKS, STRAIGHT, VANISHED, WITHIN_TWO, Bound, factor, order_of
from reports.claim import Claim, Figure, Part
from reports.claim_evidence import Configuration, Evidence, figure
from reports.measures import Measure, across_depth, across_time, change_of_variance, gained, straightness, total
from reports.measures_training import remembers

RNN = across_time("rnn", "tanh", "xavier_normal")
BELOW_ONE = Bound("below 1, as the claim supposes", most=1 - 1e-6)
FORGETS = Bound("no better than the answer 1, but for a tenth", least=0.9)
LEARNS = Bound("half of the loss of the answer 1", most=0.5)


def lost(of: Configuration) -> Part:
    """Six decades and more between the last step and the first."""
    return Part(what=f"{of}", measure=total(of), bound=VANISHED)


def better(of: Configuration, over: Configuration = RNN) -> Part:
    """More arrives than in another cell."""
    return Part(what=f"{of}: more arrives than in {over}", measure=gained(of, over), bound=MORE)


def recurrent(metric: str, initializer: str) -> Measure:
    """Spectral norm or radius of an RNN's recurrent weights."""

    def measure(evidence: Evidence) -> Figure:
        rows = evidence.rows(Configuration("recurrent_weights", "rnn", "tanh", initializer), metric)
        return figure(rows.set_index("seed").value)

    return measure


def contracting(metric: str, initializer: str) -> tuple[Part, Part, Part]:
    """That |Whh| < 1, in one sense of it, and that then the gradient decays exponentially."""
    of = across_time("rnn", "tanh", initializer)
    return (
        Part(what=f"the gradient decays: {of}", measure=total(of), bound=SHRINKS),
        Part(what=f"where the {metric.replace('_', ' ')} of Whh is below 1: {initializer} weights", unit="",
             bound=BELOW_ONE, measure=recurrent(metric, initializer)),
        Part(what=f"exponentially, R² of a straight line: {of}", unit="", measure=straightness(of), bound=STRAIGHT),
    )  # fmt: skip


TIME = (
    Claim(
        number=7,
        source="D1 3.4",
        short="RNN gradients from early steps vanish, long-range patterns are not learned; LSTM and GRU answer it",
        quote="处理长序列时，早期时间步的梯度会因多次连乘Sigmoid/Tanh的导数而消失。 … 导致RNN“遗忘”遥远的上下文信息，"
        "无法学习文本、语音等数据中的长期模式 … 这也是LSTM/GRU被提出的直接原因",
        translation="In long sequences the gradients of early time steps vanish under repeated products of the "
        "derivatives of sigmoid or tanh. The RNN “forgets” distant context and cannot learn long-range patterns in "
        "text, speech and the like … which is the direct reason for which LSTM and GRU were proposed.",
        parts=(
            lost(across_time("rnn", "sigmoid", "xavier_normal")),
            *(lost(across_time("rnn", "tanh", rule)) for rule in ("xavier_normal", "framework_default", "orthogonal")),
            *(better(across_time(name, "tanh", "xavier_normal")) for name in ("lstm", "gru")),
            *(better(across_time("lstm", "tanh", rule)) for rule in ("forget_one", "chrono")),
            Part(what="an RNN does not learn the adding problem over 100 steps: its loss over that of the answer 1",
                 unit="", measure=remembers("rnn", 100), bound=FORGETS),
            *(
                Part(what=f"{name.upper()} learns it", unit="", measure=remembers(name, 100), bound=LEARNS)
                for name in ("lstm", "gru")
            ),
        ),
    ),
    Claim(
        number=15,
        source="D2 6",
        short="the product of tanh′ Whh decays exponentially if |Whh| < 1; at 100 steps and more it is about 0",
        quote="∏_{i=0}^{k-1} tanh' * W_hh → (|W_hh|<1时指数衰减) … 当序列较长时（如100+步），早期时间步的梯度趋近于0",
        translation="The product of tanh′ Whh decays exponentially if |Whh| < 1. In long sequences (100 steps and "
        "more) the gradients of early steps approach 0.",
        parts=(
            *contracting("spectral_norm", "too_small"),
            *contracting("spectral_radius", "framework_default"),
            *(lost(across_time("rnn", "tanh", rule)) for rule in ("xavier_normal", "orthogonal", "he_normal")),
        ),
    ),
    Claim(
        number=17,
        source="D2 7.2",
        short="LSTM's gates protect the gradient; identity skips; LayerNorm stabilises; attention replaces recurrence",
        quote="| LSTM | 1997 | 门控机制保护梯度 | … | 残差连接 | 2015 | 恒等映射提供直通路径 | … | LayerNorm | 2016 | "
        "稳定激活值分布 | … | Transformer | 2017 | 自注意力替代循环 |",
        translation="LSTM, 1997: its gates protect the gradient. Residual connections, 2015: the identity gives a "
        "straight path. LayerNorm, 2016: stabilises the distribution of activations. Transformer, 2017: "
        "self-attention replaces recurrence.",
        parts=(
            better(across_time("lstm", "tanh", "xavier_normal")),
            better(across_time("lstm", "tanh", "framework_default"), across_time("rnn", "tanh", "framework_default")),
            better(across_time("lstm", "tanh", "forget_one")),
            better(across_time("lstm", "tanh", "chrono")),
            *(
                Part(what=f"{of}", said=0.0, measure=total(of), bound=KEPT)
                for of in (across_depth("residual", name, "xavier_normal") for name in ("sigmoid", "tanh"))
            ),
            Part(what="LayerNorm: variance of the last layer over the first's, ReLU, Xavier weights", said=0.0,
                 measure=change_of_variance(across_depth("layernorm", "relu", "xavier_normal")), bound=WITHIN_TWO),
            Part(what="the same without a norm, which needs it", bound=SHRINKS,
                 measure=change_of_variance(across_depth("plain", "relu", "xavier_normal"))),
            *(better(across_time(name, "relu", "xavier_normal")) for name in ("transformer_post", "transformer_pre")),
        ),
    ),
    Claim(
        number=21,
        source="D2 9",
        short="LSTM, 100 steps: the gradient decays to 1e-25 without remedies; with them +700 %",
        quote="| LSTM | 100步 | 10⁻²⁵ | 700% |",
        translation="LSTM, 100 steps, decay of the gradient without optimisation 1e-25, improvement with it 700 % "
        "(read here as: eight times the gradient arrives).",
        parts=(
            *(
                Part(what=f"{of}", said=-25, measure=total(of), bound=order_of(-25))
                for of in (across_time("lstm", "tanh", rule) for rule in ("xavier_normal", "framework_default"))
            ),
            *(
                Part(what=f"gain of {of} over Xavier weights", said=math.log10(8), bound=factor(8),
                     measure=gained(of, across_time("lstm", "tanh", "xavier_normal")))
                for of in (across_time("lstm", "tanh", rule) for rule in ("forget_one", "chrono"))
            ),
        ),
    ),
)  # fmt: skip
