"""What is checked of one's own activation: every mistake is found, and told with its numbers in one line."""

import re

import numpy as np
import pytest

from suites import own_checks
from suites.errors import UserError
from suites.own_activations import own

HEAD = "import math\nimport numpy as np\n"
TANH = "def f(x):\n    return math.tanh(x)\n"
SLOPE = "def f_derivative(x, y):\n    return type(x)(1) - y * y\n"

# Text of the file -> what is told of f.
MISTAKES = {
    "float32 becomes float64": (
        "def f(x):\n    return x / (1.0 + math.exp(-x))\ndef f_derivative(x):\n    return x\n",
        "f of float32 returns float64; constants take the argument's type: T = type(x), then T(0.5)",
    ),
    "the derivative becomes float64": (
        TANH + "def f_derivative(x, y):\n    return 1 - y * y\n",
        "f_derivative of float32 returns float64; constants",
    ),
    "no number at all": (
        "def f(x):\n    if x > 0:\n        return x\ndef f_derivative(x):\n    return x\n",
        "f of float32 returns float32 or None; it must return a number",
    ),
    "no such function": (
        "def f(x):\n    return math.fanh(x)\n" + SLOPE,
        "f reads math.fanh, which there is not (line 4)",
    ),
    "no such operation": (
        "def f(x):\n    return x + 'a'\n" + SLOPE,
        "f does not compile: Numba has no add(float32, Literal[str](a)) (line 4)",
    ),
    "no such name": (
        TANH + "def f_derivative(x, y):\n    return slope(x)\n",
        "f_derivative reads slope, which the file does not define (line 6)",
    ),
    "a name that only Python has": (
        "def f(x):\n    try:\n        return x\n    except ValueError as error:\n        return x\n" + SLOPE,
        "f does not compile: Exception object cannot be stored into variable (error) (line 6)",
    ),
    "text": ("def f(x):\n    return 'x'\n" + SLOPE, "f of float32 returns str; it must return a number"),
    "two numbers": ("def f(x):\n    return x, x\n" + SLOPE, "f of float32 returns a tuple; it must"),
    "an integer": ("def f(x):\n    return 1\n" + SLOPE, "f of float32 returns int; it must"),
    "nothing": ("def f(x):\n    x + x\n" + SLOPE, "f of float32 returns None; it must"),
    "it raises": (
        "def f(x):\n    if x > 3:\n        raise ValueError('too large')\n    return x\n"
        "def f_derivative(x):\n    return x\n",
        "f or its derivative raises at x = 3.03125: ValueError: too large",
    ),
    "a without a value": (
        "def f(x, a):\n    return a * x\ndef f_derivative(x, y, a):\n    return a\n",
        "f depends on a, of which no value is given: write f_a = 1.0, say",
    ),
    "overflow in float32": (
        "def f(x):\n    return math.log(type(x)(1) + math.exp(x))\n"
        "def f_derivative(x):\n    return type(x)(1) / (type(x)(1) + math.exp(-x))\n",
        "f(89.1250916) is inf in float32, 89.1250916 in float64",
    ),
    "not a number at 0": (
        "def f(x):\n    return math.sin(x) / x\n"
        "def f_derivative(x):\n    return (x * math.cos(x) - math.sin(x)) / (x * x)\n",
        "f(0) is not a number",
    ),
    "another function's derivative": (
        TANH + "def f_derivative(x, y):\n    return type(x)(1) - y\n",
        "f_derivative(1) is 0.238405844, but differences of f give 0.419974342",
    ),
    "half the derivative": (
        "def f(x):\n    return x * x\ndef f_derivative(x):\n    return x\n",
        "f_derivative(1) is 1, but differences of f give 2",
    ),
    "wrong in the tail alone": (
        TANH + "def f_derivative(x, y):\n    return type(x)(1) - y * y if x < 15 else type(x)(1e-6)\n",
        "f_derivative(15) is 1e-06, but differences of f give 3.68",
    ),
    "a kink that is not declared": (
        "def f(x):\n    return x if x > 0 else x / type(x)(8)\n"
        "def f_derivative(x):\n    return type(x)(1) if x > 0 else type(x)(0.125)\n",
        "f_derivative jumps at x = 0 from 0.125 to 1; where that is meant, write f_kinks = (0.0,)",
    ),
    "another kink than those declared": (
        "def f(x):\n    return max(x, type(x)(2.7))\n"
        "def f_derivative(x):\n    return type(x)(1) if x > type(x)(2.7) else type(x)(0)\nf_kinks = (2.5,)\n",
        "f_derivative jumps at x = 2.7 from 0 to 1; where that is meant, write f_kinks = (2.5, 2.7)",
    ),
    "a step": (
        "def f(x):\n    return type(x)(1) if x > 0.5 else type(x)(0)\ndef f_derivative(x):\n    return type(x)(0)\n",
        "f jumps at x = 0.5 from 0 to 1; no derivative tells that",
    ),
    "a reference of something else": (
        TANH + SLOPE + "def f_reference(x):\n    return 1.01 * np.tanh(x)\n"
        "def f_reference_derivative(x):\n    return 1 - np.tanh(x) ** 2\n",
        "f_reference(1) is 0.769210098, but f gives 0.761594156",
    ),
    "a reference's derivative of something else": (
        TANH + SLOPE + "def f_reference(x):\n    return np.tanh(x)\n"
        "def f_reference_derivative(x, a):\n    return 1 - np.tanh(x)\n",
        "f_reference_derivative(1) is 0.238405844, but f_derivative gives 0.419974342",
    ),
    "a reference of one number": (
        TANH + SLOPE + "def f_reference(x):\n    return math.tanh(x)\n"
        "def f_reference_derivative(x):\n    return 1 - np.tanh(x) ** 2\n",
        "f_reference fails: TypeError: only",
    ),
    "a reference in float32": (
        TANH + SLOPE + "def f_reference(x):\n    return np.tanh(x).astype(np.float32)\n"
        "def f_reference_derivative(x):\n    return 1 - np.tanh(x) ** 2\n",
        "f_reference of a float64 array of shape (1679,) returns float32 of shape (1679,)",
    ),
}

FINE = {
    "an overflow that is one": "def f(x):\n    return math.exp(x)\ndef f_derivative(x, y):\n    return y\n",
    "no slope that is lost to rounding": TANH + SLOPE,
    "steep": "def f(x):\n    return math.tanh(type(x)(50) * x)\n"
    "def f_derivative(x, y):\n    return type(x)(50) * (type(x)(1) - y * y)\n",
    "cut off": "def f(x):\n    T = type(x)\n    return math.tanh(min(max(x, T(-10)), T(10)))\n" + SLOPE,
    "wavy": "f = lambda x: math.sin(x)\nf_derivative = lambda x: math.cos(x)\n",
    "of a period that steps of differences hit": "def f(x):\n    return x + math.sin(x) * math.sin(x)\n"
    "def f_derivative(x):\n    return type(x)(1) + math.sin(x + x)\n",
    "wavier": "def f(x):\n    T = type(x)\n    return x + math.sin(T(30) * x) / T(30)\n"
    "def f_derivative(x):\n    T = type(x)\n    return T(1) + math.cos(T(30) * x)\n",
    "kinks where nothing bends": TANH + SLOPE + "f_kinks = [1, 2.5]\n",
    "large": "def f(x):\n    return x * x * x\ndef f_derivative(x):\n    return type(x)(3) * x * x\n",
    "kinks that float32 does not have": "def f(x):\n    T = type(x)\n    return max(T(-1), min(T(1), T(100) * x))\n"
    "def f_derivative(x):\n    T = type(x)\n    return T(100) if abs(T(100) * x) < T(1) else T(0)\n"
    "f_kinks = (-0.01, 0.01)\n",
    "straight": "def f(x):\n    return x\ndef f_derivative(x):\n    return type(x)(1)\n",
}


@pytest.fixture
def name(tmp_path):
    """name(text): a file with that text, as f of it is called."""

    def written(text):
        path = tmp_path / "own.py"
        path.write_text(HEAD + text)
        return f"{path}:f"

    return written


@pytest.mark.parametrize("mistake", MISTAKES)
def test_every_mistake_is_told_in_one_line(name, mistake):
    text, expected = MISTAKES[mistake]
    with pytest.raises(UserError, match=re.escape(expected)) as error:
        own(name(text))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("what", FINE)
def test_what_is_right_passes(name, what):
    assert own(name(FINE[what])).row.name.endswith("own.py:f")


def test_points_are_float32_numbers_of_both_tails_and_near_the_kinks():
    x = own_checks.points((0.3,))
    assert np.array_equal(x, np.unique(x.astype(np.float32)).astype(np.float64))
    assert (x[0], x[-1]) == (-1e4, 1e4)
    assert {0.0, 1.0, -1.0, float(np.float32(0.3))} <= {*x.tolist()}
    for side in (-1, 1):
        assert (side * (x - 0.3) > 0).any()
        assert np.abs(x - 0.3)[side * (x - 0.3) > 1e-6].min() < 2e-4
