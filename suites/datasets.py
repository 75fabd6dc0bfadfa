"""The data that networks are trained on."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

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
    images, labels = load_digits(return_X_y=True)
    x, test_x, labels, test_labels = train_test_split(
        images, labels, test_size=TEST_SHARE, stratify=labels, random_state=0
    )
    mean, deviation = x.mean(axis=0), x.std(axis=0)
    deviation[deviation == 0] = 1.0
    return Dataset("digits", (x - mean) / deviation, labels, (test_x - mean) / deviation, test_labels)


DATASETS = {"digits": digits}
