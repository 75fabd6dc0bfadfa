"""The FIGURES of a report: what each shows, from which tables, and the sentence that says what to see."""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure as Canvas

from reports import figures_attenuation as attenuation
from reports import figures_cost as cost
from reports import figures_lyapunov as lyapunov
from reports import figures_phase as phase
from reports import figures_remedies as remedies
from reports import figures_shapes as shapes
from reports import figures_spectrum as spectrum
from reports import figures_tradeoff as tradeoff
from reports import figures_training as training
from reports.load import Tables


@dataclass(frozen=True)
class Figure:
    """One figure.

    data picks what is drawn out of a run (it is saved as CSV; empty where the run lacks it), draw makes the
    figure from that alone, under style.theme(), and finding says what to see in it, with its numbers. reading
    explains the marks. needs names the tables that data reads.
    """

    title: str
    needs: tuple[str, ...]
    data: Callable[[Tables], pd.DataFrame]
    draw: Callable[[pd.DataFrame], Canvas]
    finding: Callable[[pd.DataFrame], str]
    reading: str


CURVE_READING = (
    "Each panel is one activation, each colour an initialiser. A line flat at 0 loses nothing; one that falls towards "
    "the left loses gradient on its way back to the input (position 0). Solid is measured, the mean of log₁₀ over the "
    "seeds with its 95 % interval, which may leave the panel where seeds are few; dashed is what theory predicts of "
    "the mean square from the configuration alone. With one sample (batch 1) a grey band holds 95 % of single "
    "networks; it is centred on their median, below the dashed line. A triangle on the lower edge marks where the "
    "stored gradient became exactly 0."
)

FIGURES = {
    "tradeoff": Figure(
        "Cost against decades lost",
        ("cost", "depth", "time"),
        tradeoff.tradeoff_data,
        tradeoff.draw_tradeoff,
        tradeoff.tradeoff_finding,
        "Each point is one activation with the initialiser that changes its gradient least. Left is cheap. On the "
        "dashed line the gradient is kept as it is; below it vanishes, above it explodes. The axis "
        "is linear within a hundredth of a decade of 0 and logarithmic beyond.",
    ),
    "heat": Figure(
        "Decades per layer and per step, every combination",
        ("depth", "time"),
        attenuation.heat_data,
        attenuation.draw_heat,
        attenuation.heat_finding,
        "Each number is measured: how many powers of ten one layer or one time step adds to the gradient. White is "
        "kept, red lost, blue inflated. A hundredth of a decade is invisible in one layer and a factor of three in 50.",
    ),
    "depth": Figure(
        "Gradient across depth",
        ("depth",),
        attenuation.depth_data,
        attenuation.draw_depth,
        attenuation.depth_finding,
        CURVE_READING,
    ),
    "time": Figure(
        "Gradient across time",
        ("time",),
        attenuation.time_data,
        attenuation.draw_time,
        attenuation.time_finding,
        CURVE_READING,
    ),
    "phase": Figure(
        "Where a gradient vanishes or explodes",
        ("phase",),
        phase.phase_data,
        phase.draw_phase,
        phase.phase_finding,
        "Each cell is a deep plain network with normal weights and biases of these variances. Red loses gradient in "
        "each layer, blue gains it, white keeps it: measured. The line is where theory says that a settled network "
        "keeps it, chi = 1; ReLU's does not depend on the biases. An activation without a line has none in this plane.",
    ),
    "spectrum": Figure(
        "Singular values of the input-output Jacobian",
        ("spectrum",),
        spectrum.spectrum_data,
        spectrum.draw_spectrum,
        spectrum.spectrum_finding,
        "Each panel is one activation, each colour an initialiser. A singular value s is the factor by which the whole "
        "network multiplies one direction of a gradient; what is left of 0 is shrunk beside the others. A steep curve "
        "treats all directions alike. Upright lines: where s² is one standard deviation above its mean, solid as "
        "measured, dashed as predicted. Orthogonal weights narrow the spectrum; what they leave is the slopes' own.",
    ),
    "lyapunov": Figure(
        "Lyapunov spectra of recurrent cells",
        ("lyapunov",),
        lyapunov.lyapunov_data,
        lyapunov.draw_lyapunov,
        lyapunov.lyapunov_finding,
        "Each line is a cell's spectrum, the fastest direction first: by how many decades a difference of the state in "
        "that direction grows per step, mean over the seeds with its 95 % interval. The first one is the rate of the "
        "gradient over long times, dotted is the rate that theory predicts. Directions that are lost at once are not "
        "drawn.",
    ),
    "remedies": Figure(
        "Remedies: decades bought, and what they cost",
        ("remedies", "remedy_times"),
        remedies.remedies_data,
        remedies.draw_remedies,
        remedies.remedies_finding,
        "Each panel is a baseline, each point that network with one change. Up is more decades of gradient, counted "
        "towards keeping it as it is; right is a slower training step, in nanoseconds per unit, sample and layer or "
        "time step; both with 95 % intervals. Behind a name stand the decades that it buys per added nanosecond; free "
        "is what adds nothing that can be told. Where a baseline is trained, clipping and Adam change the update, not "
        "the gradient: decades are then of the first step's update relative to the weights.",
    ),
    "cost": Figure(
        "Cost per element",
        ("cost",),
        cost.cost_data,
        cost.draw_cost,
        cost.cost_finding,
        "Activations are sorted, cheapest on top. A colour is the part of memory that the arrays fit in, a panel the "
        "direction and number format. Points are medians, whiskers the quartiles. On a shared machine the times of "
        "one run vary by 10 to 30 %: smaller differences, here or in any time on this page, mean little.",
    ),
    "limits": Figure(
        "Share of the machine's limit",
        ("cost",),
        cost.limits_data,
        cost.draw_limits,
        cost.limits_finding,
        "Percent of the bandwidth of each memory level, as probed in the same session. A kernel near 100 is bound by "
        "memory. One that computes much, such as gelu_tanh, is bound by arithmetic, so bandwidth is not its limit. A "
        "share a little above 100 means that the machine was faster than when it was probed.",
    ),
    "layers": Figure(
        "Cost inside whole layers",
        ("cost",),
        cost.layers_data,
        cost.draw_layers,
        cost.layers_finding,
        "The same activations as part of a dense layer, a recurrent sequence or a whole training step. Points "
        "are medians, whiskers the quartiles. A gradient below 1.2e-38 is subnormal in float32, and many CPUs "
        "multiply such numbers many times slower: in a deep network a vanishing gradient also costs time.",
    ),
    "accuracy": Figure(
        "Training: test accuracy",
        ("training",),
        training.accuracy_data,
        training.draw_accuracy,
        training.accuracy_finding,
        "Each panel shows one activation in colour, mean over the seeds with its 95 % interval, before all others in "
        "grey.",
    ),
    "loss": Figure(
        "Training: loss",
        ("training",),
        training.loss_data,
        training.draw_loss,
        training.loss_finding,
        "As above, for the training loss on a logarithmic scale, where the mean is the geometric one. A line that "
        "stays flat did not learn.",
    ),
    "activations": Figure(
        "Every activation and its derivative",
        ("curves",),
        shapes.shapes_data,
        shapes.draw_shapes,
        shapes.shapes_finding,
        "Solid is f(x), dashed its derivative: the factor by which it multiplies a gradient on the way back.",
    ),
    "tails": Figure(
        "What the derivative from the output loses",
        ("curves",),
        shapes.tails_data,
        shapes.draw_tails,
        shapes.tails_finding,
        "Some frameworks save only the output y and compute the derivative from it, as y(1-y) or 1-y². Where y rounds "
        "to 1 that is exactly 0.",
    ),
}
