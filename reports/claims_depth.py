"""Claims on the gradient across depth: exponential decay, initialisation, remedies."""

import math

from reports.bounds import (
    FEW,
    KEPT,
    MOST,
    NOTHING,
    SHRINKS,
    STEADY,
    STRAIGHT,
    VANISHED,
    Bound,
    factor,
    order_of,
    share,
)
from reports.claim import Claim, Figure, Part, untestable
from reports.claim_evidence import Configuration, Evidence, figure
from reports.measures import (
    Measure,
    across_depth,
    gained,
    mean_over_layers,
    quickening,
    recovered,
    straightness,
    total,
)
from reports.measures_training import accuracy, best_by, slower

CHANCE = Bound("within ten percentage points of chance, a tenth", most=0.2)
SHARPLY = Bound("“sharply”: half as many decades again per layer", least=1.5)
UNITS_DEAD = Bound("a hundredth of the units or more", least=0.01)


def shrinks(activation: str, initializer: str) -> tuple[Part, Part]:
    """That the gradient shrinks, and on a straight line."""
    of = across_depth("plain", activation, initializer)
    return (
        Part(what=f"shrinks: {of}", measure=total(of), bound=SHRINKS),
        Part(what=f"exponentially, R² of a straight line: {of}", unit="", measure=straightness(of), bound=STRAIGHT),
    )


def saturated(architecture: str, activation: str, initializer: str, bound: Bound) -> Part:
    """The share of saturated units over ten layers."""
    of = across_depth(architecture, activation, initializer, 10)
    return Part(what=f"share of saturated units: {of}", unit="", measure=mean_over_layers(of, "saturated_share"),
                bound=bound)  # fmt: skip


def unlike_units(parameter: str) -> Measure:
    """How far units differ under constant weights: outputs, or gradients of W; of all layers but the last."""

    def measure(evidence: Evidence) -> Figure:
        rows = evidence.rows(Configuration("symmetry", "plain", "tanh", "constant"), "unit_spread")
        rows = rows[(rows.parameter == parameter) & (rows.position < rows.position.max())]
        return figure(rows.groupby("seed").value.max(), 0.0)

    return measure


def fewer_dead() -> Measure:
    """Share of dead units of ReLU less that of Leaky ReLU."""

    def measure(evidence: Evidence) -> Figure:
        relu, leaky = (
            evidence.rows(across_depth("plain", name, "he_normal"), "dead_share").groupby("seed").value.mean()
            for name in ("relu", "leaky_relu")
        )
        return figure((relu - leaky).dropna())

    return measure


def unremedied(activation: str, initializer: str) -> Part:
    """One fully connected network without remedies."""
    of = across_depth("plain", activation, initializer)
    return Part(what=f"{of}", said=-10, measure=total(of), bound=order_of(-10))


def remedied(architecture: str, initializer: str = "he_normal") -> Part:
    """A remedy's gain over ReLU with Xavier weights."""
    of, over = across_depth(architecture, "relu", initializer), across_depth("plain", "relu", "xavier_normal")
    return Part(what=f"gain of {of} over {over}", said=math.log10(4), measure=gained(of, over), bound=factor(4))


DEPTH = (
    Claim(
        number=6,
        source="D1 3.3",
        short="initial |z| > 4 makes the gradient vanish and training fail at once; Xavier and He avoid it",
        quote="若初始化权重使得大部分神经元预激活值 \\( z \\) 落入饱和区（\\( |z| > 4 \\)），则网络立即陷入梯度消失，"
        "训练失败。",
        translation="If the initial weights put most units' pre-activations z into saturation (|z| > 4), the gradient "
        "of the network vanishes at once, and training fails. (This forces Xavier or He initialisation.)",
        parts=(
            *(
                Part(what=f"the gradient vanishes: {of}", measure=total(of), bound=SHRINKS)
                for of in (across_depth("plain", name, "saturating", 10) for name in ("sigmoid", "tanh"))
            ),
            *(saturated("plain", name, "saturating", MOST) for name in ("sigmoid", "tanh")),
            *(
                saturated("plain", name, rule, FEW)
                for name in ("sigmoid", "tanh")
                for rule in ("xavier_normal", "he_normal")
            ),
            Part(what="Xavier weights avoid the vanishing of sigmoid over 10 layers", bound=KEPT,
                 measure=total(across_depth("plain", "sigmoid", "xavier_normal", 10))),
            Part(what="training of sigmoid with saturating weights fails: test accuracy, a few layers on digits",
                 unit="", measure=accuracy("sigmoid", deep=False, initializer="saturating"), bound=CHANCE),
        ),
    ),
    Claim(
        number=9,
        source="D1 4",
        short="residual connections carry the gradient past the layers; BatchNorm pulls inputs out of saturation",
        quote="引入**残差连接**（ResNet），通过恒等映射将梯度直接绕道传至底层，物理上避免了梯度消失路径。 … "
        "使用**批归一化（BatchNorm）** 等技术，将每层的输入主动拉回至激活函数的非饱和区",
        translation="Residual connections (ResNet) carry the gradient by the identity around the layers to the lowest "
        "ones, which avoids the vanishing path. … Batch normalisation and the like pull each layer's inputs back to "
        "the activation's non-saturated region.",
        parts=(
            *(
                Part(what=f"nothing vanishes: {of}", said=0.0, measure=total(of), bound=KEPT)
                for of in (across_depth("residual", name, "xavier_normal") for name in ("sigmoid", "tanh"))
            ),
            Part(what="nor explodes with ReLU and He weights, unscaled", said=0.0, bound=STEADY,
                 measure=total(across_depth("residual", "relu", "he_normal"))),
            Part(what="nor with the branch over √depth", said=0.0, bound=STEADY,
                 measure=total(across_depth("residual_scaled", "relu", "he_normal"))),
            *(saturated("batchnorm", name, "saturating", FEW) for name in ("sigmoid", "tanh")),
            *(saturated("plain", name, "saturating", MOST) for name in ("sigmoid", "tanh")),
        ),
    ),
    Claim(
        number=10,
        source="D2 1 and 3",
        short="the gradient shrinks exponentially with depth",
        quote="在反向传播过程中，**梯度值随网络层数增加而指数级减小**的现象",
        translation="In backpropagation the gradient's size shrinks exponentially as the number of layers grows.",
        parts=(
            *shrinks("sigmoid", "xavier_normal"),
            *shrinks("tanh", "framework_default"),
            *shrinks("relu", "xavier_normal"),
            *shrinks("tanh", "xavier_normal"),
            shrinks("relu", "he_normal")[0],
        ),
    ),
    Claim(
        number=12,
        source="D2 4.2",
        short="weights below 0.01 make gradients decay exponentially; constant ones make all units learn the same",
        quote="权重过小：例如W<0.01 → 连乘后梯度指数衰减 … 对称初始化：导致所有神经元学习相同特征",
        translation="Too small weights, W < 0.01 for example: gradients decay exponentially under repeated products. "
        "Symmetric initialisation: all neurons learn the same features.",
        parts=(
            Part(what="weights N(0, 0.01²), tanh, 50 layers (10,000 units wide they would be Xavier's)", bound=VANISHED,
                 measure=total(across_depth("plain", "tanh", "too_small"))),
            Part(what="on a straight line: R²", unit="", bound=STRAIGHT,
                 measure=straightness(across_depth("plain", "tanh", "too_small"))),
            Part(what="weights N(0, 0.01²), ReLU, 50 layers", bound=VANISHED,
                 measure=total(across_depth("plain", "relu", "too_small"))),
            Part(what="difference of units under constant weights, tanh, 10 layers: outputs", said=0.0, unit="",
                 measure=unlike_units(""), bound=NOTHING),
            Part(what="and gradients of their weights, below the last layer", said=0.0, unit="",
                 measure=unlike_units("W"), bound=NOTHING),
        ),
    ),
    Claim(
        number=13,
        source="D2 4.3",
        short="beyond 50 layers the risk grows sharply; without skips there is one path",
        quote="层数过深：超过50层的网络风险剧增 … 无跳跃连接：梯度传播路径单一",
        translation="Too many layers: beyond 50 the risk grows sharply. No skip connections: a single path for "
        "gradients.",
        parts=(
            *(
                Part(what=f"decades per layer of {name} in {deep} layers over those in {shallow}", unit="",
                     measure=quickening(across_depth("plain", name, "xavier_normal", deep),
                                        across_depth("plain", name, "xavier_normal", shallow)), bound=SHARPLY)
                for name in ("sigmoid", "relu") for deep, shallow in ((100, 50), (50, 20), (20, 10))
            ),
            Part(what="with skips (branch over √depth) 100 layers keep the gradient", bound=STEADY,
                 measure=total(across_depth("residual_scaled", "relu", "he_normal", 100))),
            Part(what="without, ReLU with Xavier weights does not", bound=SHRINKS,
                 measure=total(across_depth("plain", "relu", "xavier_normal", 100))),
        ),
    ),
    Claim(
        number=16,
        source="D2 7.1",
        short="ReLU eases 80 % of the problem; Leaky ReLU eases dead units; ELU converges better; GELU is state of "
        "the art",
        quote="| ReLU | 正区间梯度恒为1 | 缓解80%问题 | … | LeakyReLU | 负区间小梯度α | 缓解神经元死亡 | … | ELU | "
        "负区间平滑过渡 | 更好收敛性 | … | GELU | 随机正则化形式 | SOTA效果 |",
        translation="ReLU: slope always 1 for x > 0, eases 80 % of the problem. Leaky ReLU: small slope α for x < 0, "
        "eases the death of neurons. ELU: smooth for x < 0, converges better. GELU: a form of stochastic "
        "regularisation, state of the art.",
        parts=(
            *(
                Part(what=f"share of the decades of sigmoid with Xavier weights that ReLU with {rule} does not lose, "
                     "50 layers", said=0.8, unit="", bound=share(0.8),
                     measure=recovered(across_depth("plain", "relu", rule),
                                       across_depth("plain", "sigmoid", "xavier_normal")))
                for rule in ("xavier_normal", "he_normal")
            ),
            Part(what="share of dead units of ReLU less that of Leaky ReLU, He weights, 50 layers", unit="",
                 measure=fewer_dead(), bound=UNITS_DEAD),
            Part(what="ELU's steps to the target over ReLU's, a few layers on digits", unit="",
                 measure=slower("elu", "relu", deep=False), bound=Bound("fewer steps than the other", most=0.99)),
            best_by("gelu"),
            untestable("GELU is state of the art", "no task and no time is named"),
        ),
    ),
    Claim(
        number=20,
        source="D2 9",
        short="fully connected, 50 layers: the gradient decays to 1e-10 without remedies; with them +300 %",
        quote="| 全连接网络 | 50 | 10⁻¹⁰ | 300% |",
        translation="Fully connected network, 50 layers, decay of the gradient without optimisation 1e-10, "
        "improvement with it 300 % (read here as: four times the gradient arrives).",
        parts=(
            *(
                unremedied(name, rule)
                for rule in ("xavier_normal", "framework_default")
                for name in ("sigmoid", "tanh", "relu")
            ),
            *(remedied(name) for name in ("plain", "residual_scaled", "batchnorm", "layernorm")),
        ),
    ),
)  # fmt: skip
