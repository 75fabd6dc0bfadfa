"""What the gradient should do, from the configuration alone: the curves drawn beside every measurement.

A prediction is of the expected squared norm, over networks of that configuration. Where theory is known not to hold it
is silent and tells why: the bounds within which a line is drawn are constants of the files that this one gathers, and
are held against the configuration, never against a run.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from suites.prediction import NoTheoryError, Prediction
from suites.theory_causal import across_time
from suites.theory_cells import gru, lstm
from suites.theory_layers import batchnorm, layernorm, plain, residual, residual_scaled
from suites.theory_rnn import rnn
from suites.theory_transformers import across_depth

Predict = Callable[..., Prediction]


def transformer_pre(**configuration: Any) -> Prediction:
    """Blocks whose LayerNorms are in the branches (Xiong et al. 2020), across depth or, causal, across time."""
    return _transformer(pre=True, **configuration)


def transformer_post(**configuration: Any) -> Prediction:
    """Blocks whose LayerNorms are on the stream (Vaswani et al. 2017)."""
    return _transformer(pre=False, **configuration)


def _transformer(**configuration: Any) -> Prediction:
    return (across_time if "length" in configuration else across_depth)(**configuration)


def _telling(predict: Predict) -> Predict:
    """The same function, which where there is no theory gives a silent prediction with the reason."""

    @wraps(predict)
    def telling(**configuration: Any) -> Prediction:
        try:
            if configuration.get("trained"):
                raise NoTheoryError("its weights were trained, and the theory is of weights as they are drawn")
            return predict(**configuration)
        except NoTheoryError as reason:
            factors = configuration.get("length") or configuration["depth"]
            return Prediction.silent(factors + 1, str(reason))

    return telling


# Architecture -> its prediction, from the configuration of a cell of the experiments across depth or time.
PREDICTIONS: dict[str, Predict] = {
    predict.__name__: _telling(predict)
    for predict in (
        plain, residual, residual_scaled, batchnorm, layernorm, rnn, lstm, gru, transformer_post, transformer_pre,
    )
}  # fmt: skip
