"""What one's own functions may not do: told with the line of the file, and nothing of what they may."""

import pytest

from suites.errors import UserError
from suites.own_activations import own
from suites.own_code import mistake
from suites.own_files import read

MISTAKES = {
    "yield": ("def f(x):\n    yield x\n", "f is async or yields; it must return a number (line 1)"),
    "async": ("async def f(x):\n    return x\n", "f is async or yields; it must return a number (line 1)"),
    "unknown name": ("def f(x):\n    y = x\n    return g(y)\n", "f reads g, which the file does not define (line 3)"),
    "unknown attribute": ("import math\ndef f(x):\n    return math.fanh(x)\n",
                          "f reads math.fanh, which there is not (line 3)"),
    "unknown constant": ("import math\ndef f(x):\n    return x * math.tau2\n",
                         "f reads math.tau2, which there is not (line 3)"),
    "list": ("C = [1.0]\ndef f(x):\n    return C[0] * x\n",
             "f reads C, a list; compiled code can read numbers and tuples (line 3)"),
    "dict in a closure": ("def make(k):\n    def f(x):\n        return k[0]\n    return f\nf = make({})\n",
                          "f reads k, a dict; compiled code can read numbers and tuples (line 3)"),
    "counter": ("n = 0\ndef f(x):\n    global n\n    n += 1\n    return x\n",
                "f changes the global n; compiled code cannot (line 4)"),
    "recursion": ("def f(x):\n    return f(x - 1) if x > 9 else x\n", "f calls itself; compiled code cannot (line 2)"),
    "recursion of two": ("def g(x):\n    return f(x)\ndef f(x):\n    return g(x)\n",
                         "g calls f, which calls it; compiled code cannot (line 2)"),
    "helper": ("def g(x):\n    return h(x)\ndef f(x):\n    return g(x)\n",
               "g reads h, which the file does not define (line 2)"),
}  # fmt: skip
FINE = {
    "constants, helpers, builtins": "import math\nK = (0.5, 2)\ndef g(x):\n    return abs(x)\ndef f(x):\n"
    "    T = type(x)\n    return max(g(g(x)), T(K[0])) * T(math.pi)\n",
    "closure": "def make(k):\n    def f(x):\n        return k * x\n    return f\nf = make(2.0)\n",
    "lambda": "f = lambda x: -x\n",
}


def told(tmp_path, text):
    path = tmp_path / "own.py"
    path.write_text(text)
    return mistake(read(path).function("f", "xa"), "f")


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_told_with_their_line(tmp_path, name):
    text, expected = MISTAKES[name]
    assert told(tmp_path, text) == expected


@pytest.mark.parametrize("name", FINE)
def test_what_compiles_has_none(tmp_path, name):
    assert told(tmp_path, FINE[name]) is None


def test_a_derivative_has_them_too(tmp_path):
    """A generator, which Numba compiles, ends the process where it is called from compiled code."""
    path = tmp_path / "own.py"
    path.write_text("def f(x):\n    return x\ndef f_derivative(x):\n    yield x\n")
    with pytest.raises(UserError, match=r"own\.py:f: f_derivative is async or yields"):
        own(f"{path}:f")
