"""Activations as a user writes them: SiLU with a = 1.25 in every way to write it, and tanh with float64 forms."""

import math

import numpy as np


def gate(x):
    T = type(x)
    return T(1) / (T(1) + math.exp(-x))


def full(x, a):
    return x * gate(a * x)


def full_derivative(x, y, a):
    s = gate(a * x)
    return s + a * y * (type(x)(1) - s)


full_a = 1.25


def by_x(x):
    return full(x, type(x)(1.25))


def by_x_derivative(x):
    return full_derivative(x, full(x, type(x)(1.25)), type(x)(1.25))


def by_y(x):
    return full(x, type(x)(1.25))


def by_y_derivative(x, y):
    return full_derivative(x, y, type(x)(1.25))


def by_a(x, a):
    return full(x, a)


def by_a_derivative(x, a):
    return full_derivative(x, full(x, a), a)


by_a_a = 1.25


def tanh(x):
    return math.tanh(x)


def tanh_derivative(x, y):
    return type(x)(1) - y * y


def tanh_reference(x):
    return np.tanh(x)


def tanh_reference_derivative(x):
    return 1 / np.cosh(x) ** 2


leaky = lambda x: x if x > 0 else x / type(x)(8)  # noqa: E731
leaky_derivative = lambda x: type(x)(1) if x > 0 else type(x)(0.125)  # noqa: E731
leaky_kinks = [0]
