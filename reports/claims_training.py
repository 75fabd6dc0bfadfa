"""Claims on training: plateaus, layers that do not learn, convergence."""

from reports.bounds import KEPT, VANISHED, Bound
from reports.claim import Claim, Part, untestable
from reports.measures import across_depth, reached, total
from reports.measures_parameters import first_over_last
from reports.measures_training import accuracy, deeper_is_worse, fall, moved, slower
from suites.verdicts import LIMIT

LAST_LAYERS = Bound("D1 counts the last 2 or 3 layers", most=3)
FLAT = Bound("a twentieth of the first loss", most=0.05)
UNMOVED = Bound("“hardly”: a hundredth of their norm", most=0.01)
SLOWER = Bound("more steps than the other", least=1.01)
WORSE = Bound("a percentage point or more", most=-0.01)


def effective(activation: str) -> Part:
    """How many of ten layers get a gradient within a factor of ten of the last one's."""
    of = across_depth("plain", activation, "xavier_normal", 10)
    return Part(what=f"layers, from the last, within a factor of ten of its gradient: {of}", said=3, unit="layers",
                measure=reached(of), bound=LAST_LAYERS)  # fmt: skip


TRAINING = (
    Claim(
        number=4,
        source="D1 3.1",
        short="deep sigmoid and tanh networks: the loss falls fast, then stays on a plateau; more epochs do not help",
        quote="训练早期，损失函数在初始快速下降后迅速进入**平台期**，长期停滞。 … 即使增加训练轮次（Epoch），"
        "损失下降曲线也几乎保持水平。",
        translation="Early in training, after a fast initial fall, the loss soon enters a plateau and stagnates. Even "
        "with more epochs the loss curve stays almost level.",
        parts=(
            Part(what="sigmoid, 10 layers or more: the loss falls over the second half of the training by", unit="",
                 measure=fall("sigmoid", 0.5, 1.0), bound=FLAT),
            Part(what="tanh, 10 layers or more: the same", unit="", measure=fall("tanh", 0.5, 1.0), bound=FLAT),
            Part(what="sigmoid, 10 layers or more: over the first quarter it falls by", unit="",
                 measure=fall("sigmoid", 0.0, 0.25), bound=Bound("“fast”: a tenth of the first loss", least=0.1)),
            Part(what="sigmoid's steps to the target over ReLU's, a few layers on digits", unit="",
                 measure=slower("sigmoid", "relu", deep=False), bound=SLOWER),
            Part(what="tanh's steps to the target over ReLU's, a few layers on digits", unit="",
                 measure=slower("tanh", "relu", deep=False), bound=SLOWER),
            untestable("sigmoid took 273 seconds", "Table 1 is not given, nor the machine, the network and the data"),
        ),
    ),
    Claim(
        number=5,
        source="D1 3.2",
        short="in a network of 10 layers the first 7 hardly move from initialisation; the last 2 or 3 are its depth",
        quote="一个10层的网络，其前7层的权重与随机初始化状态相比几乎未变。 … 网络的实际有效深度“退化”为最后2-3层",
        translation="In a network of 10 layers the weights of the first 7 are almost unchanged from their random "
        "initialisation. Its effective depth degenerates to the last 2 or 3 layers.",
        parts=(
            Part(what="sigmoid, 10 layers or more: change of the first 7 layers' weights over their norm", unit="",
                 measure=moved("sigmoid", 7), bound=UNMOVED),
            *(effective(name) for name in ("sigmoid", "tanh", "relu")),
        ),
    ),
    Claim(
        number=14,
        source="D2 5",
        short="shallow weights hardly update, convergence is slow, only simple patterns are learned, deep is worse",
        quote="浅层权重几乎不更新 … 模型收敛速度极慢 … 模型只能学习简单模式 … 深层网络性能反而下降",
        translation="Vanishing gradients: the shallow layers' weights hardly update; the model converges extremely "
        "slowly; it learns simple patterns only; deep networks do worse.",
        parts=(
            Part(what="first step of SGD: update of the first layer's weights over the last one's, sigmoid, 50 layers",
                 measure=first_over_last("log10_update", "sigmoid", 50, optimizer="sgd"), bound=VANISHED),
            Part(what="the gradient over the same 50 layers",
                 measure=total(across_depth("plain", "sigmoid", "xavier_normal")), bound=VANISHED),
            Part(what="sigmoid's steps to the target over ReLU's, 10 layers or more", unit="",
                 measure=slower("sigmoid", "relu", deep=True), bound=SLOWER),
            Part(what="sigmoid's test accuracy with 10 layers or more above that with a few", unit="",
                 measure=deeper_is_worse("sigmoid"), bound=WORSE),
            untestable("only simple patterns", "no measure of a pattern's simplicity is given"),
        ),
    ),
    Claim(
        number=18,
        source="D2 7.3",
        short="Kaiming-normal initialisation, Adam (1e-3) and clipping by the global norm 1.0 remedy it",
        quote="nn.init.kaiming_normal_(layer.weight)  # He初始化 … torch.optim.Adam(model.parameters(), lr=1e-3) … "
        "torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)",
        translation="(Training tricks:) He initialisation; Adam with learning rate 1e-3; clipping by the global norm "
        "1.0.",
        parts=(
            Part(what="He weights keep the gradient of ReLU over 50 layers", said=0.0,
                 measure=total(across_depth("plain", "relu", "he_normal")),
                 bound=KEPT),
            Part(what="He weights keep that of sigmoid", said=0.0,
                 measure=total(across_depth("plain", "sigmoid", "he_normal")),
                 bound=KEPT),
            *(
                Part(what=f"Adam's first step moves the first layer as the last one: sigmoid, {layers} layers",
                     measure=first_over_last("log10_update", "sigmoid", layers, optimizer="adam"),
                     bound=KEPT)
                for layers in (10, 50)
            ),
            Part(what="clipping changes what reaches the first layer, beside the last: sigmoid, 10 layers",
                 measure=first_over_last("log10_weight_gradient", "sigmoid", 10, clip=1.0, over_unclipped=True),
                 bound=Bound("a factor of ten gained", least=LIMIT)),
            Part(what="a network of sigmoid, 10 layers or more, learns with them: test accuracy", unit="",
                 measure=accuracy("sigmoid", deep=True, initializer="he_normal"),
                 bound=Bound("half of the digits or more: chance is a tenth", least=0.5)),
        ),
    ),
)  # fmt: skip
