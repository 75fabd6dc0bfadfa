"""The digits: the whole set, split by class, standardised by the training part alone."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from suites.datasets import DATASETS, digits


def test_every_image_is_in_one_part():
    data = digits()
    assert data.x.shape == (1437, 64)
    assert data.test_x.shape == (360, 64)
    assert data.classes == 10
    labels = load_digits().target
    everything = np.concatenate([data.labels, data.test_labels])
    assert np.bincount(everything).tolist() == np.bincount(labels).tolist()


def test_classes_are_split_alike():
    data = digits()
    shares = np.bincount(data.test_labels) / (np.bincount(data.labels) + np.bincount(data.test_labels))
    assert shares == pytest.approx(np.full(10, 0.2), abs=0.01)


def test_standardised_by_the_training_examples():
    data = digits()
    moving = data.x.std(axis=0) > 0
    assert data.x.mean(axis=0) == pytest.approx(np.zeros(64), abs=1e-12)
    assert data.x[:, moving].std(axis=0) == pytest.approx(np.ones(moving.sum()))
    assert (data.x[:, ~moving] == 0).all()
    assert np.abs(data.test_x.mean(axis=0)).max() > 0.01


def test_the_table():
    assert {"digits": digits} == DATASETS
