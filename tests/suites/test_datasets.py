"""The digits: the whole set, split by class, standardised by the training part alone."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from suites.datasets import DATASETS, adding, digits


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


@pytest.mark.parametrize("steps", [2, 3, 7, 100])
def test_the_adding_problem_has_a_mark_in_each_half(steps):
    x, target = adding(np.random.default_rng(steps), steps, 4000)
    assert (x.shape, target.shape, x.dtype) == ((steps, 4000, 2), (4000, 1), np.float64)
    marks, half = x[..., 1], steps // 2
    assert np.isin(marks, (0.0, 1.0)).all()
    assert (marks[:half].sum(axis=0) == 1).all()
    assert (marks[half:].sum(axis=0) == 1).all()
    assert marks.mean(axis=1) == pytest.approx(
        np.where(np.arange(steps) < half, 1 / half, 1 / (steps - half)), abs=0.04
    )
    assert target[:, 0] == pytest.approx(np.sum(x[..., 0] * marks, axis=0))
    assert np.mean((target - 1) ** 2) == pytest.approx(1 / 6, abs=0.01)
    assert x[..., 0].min() >= 0
    assert x[..., 0].max() < 1


def test_one_step_has_no_two_halves():
    with pytest.raises(ValueError, match="needs 2 steps or more, got 1"):
        adding(np.random.default_rng(0), 1, 3)
