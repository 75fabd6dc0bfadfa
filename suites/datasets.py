"""The data that networks are trained on."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

TEST_SHARE = 0.2


@dataclass(frozen=True)
class Dataset:
    """x (examples, features) float64, standardised by the training examples; labels (examples,) int64."""

    name: str
    x: Array
    labels: Array
    test_x: Array
    test_labels: Array

    @property
    def classes(self) -> int:
        """How many labels there are."""
        return int(self.labels.max()) + 1


@cache
def digits() -> Dataset:
    """scikit-learn's handwritten digits: 1797 images of 8 x 8, a fifth of each class held out, always the same one.

    Pixels that never change stay 0. Source: Alpaydin & Kaynak 1998, UCI optical recognition of handwritten digits.
    """
    from sklearn.datasets import load_digits  # here, because importing it takes seconds, which every worker would pay
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    x, test_x, labels, test_labels = train_test_split(
        images, labels, test_size=TEST_SHARE, stratify=labels, random_state=0
    )
    mean, deviation = x.mean(axis=0), x.std(axis=0)
    deviation[deviation == 0] = 1.0
    return Dataset("digits", (x - mean) / deviation, labels, (test_x - mean) / deviation, test_labels)


def adding(rng: np.random.Generator, steps: int, examples: int) -> tuple[Array, Array]:
    """The adding problem: x (steps, examples, 2), float64, and the target (examples, 1), the sum of the two marked.

    x[..., 0] are values U[0, 1), x[..., 1] is 1 at one step of the first half and at one of the second, 0 elsewhere.
    Who always answers 1 has a mean squared error of 1/6. ValueError unless there are 2 steps or more.

    Source: Hochreiter & Schmidhuber 1997, Long short-term memory, section 5.4, with the values of Le et al. 2015, A
    simple way to initialize recurrent networks of rectified linear units, section 4.1.
    """
    if steps < 2:
        raise ValueError(f"the adding problem needs 2 steps or more, got {steps}")
    x = np.zeros((steps, examples, 2))
    x[..., 0] = rng.random((steps, examples))
    one = np.arange(examples)
    marked = rng.integers(0, steps // 2, examples), rng.integers(steps // 2, steps, examples)
    for step in marked:
        x[step, one, 1] = 1.0
    return x, sum(x[step, one, 0] for step in marked)[:, None]


DATASETS = {"digits": digits}
