"""Files of the user's: what they define, and every mistake in one line."""

import pytest

from kernels.jit import kernel
from suites.errors import UserError
from suites.own_files import read

MISTAKES = {
    "syntax": ("def f(x:\n", r"own.py, line 1: SyntaxError: '\(' was never closed"),
    "import": ("\nimport no_such_module\n", r"own.py, line 2: ModuleNotFoundError: No module named 'no_such_module'"),
    "exit": ("import sys\n\nsys.exit('enough')\n", r"own.py, line 3: SystemExit: enough"),
    "raise": ("def g():\n    raise KeyError('k')\ng()\n", r"own.py, line 2: KeyError: 'k'"),
    "several lines": ("raise ValueError('one\\ntwo')\n", r"own.py, line 1: ValueError: one$"),
    "null byte": ("x = 0\0\n", r"own.py: (ValueError|SyntaxError): source code (string )?cannot contain null bytes"),
}


@pytest.fixture
def own(tmp_path):
    """own(text): the file read."""

    def written(text):
        path = tmp_path / "own.py"
        path.write_text(text)
        return read(path)

    return written


@pytest.mark.parametrize("name", MISTAKES)
def test_a_file_that_cannot_be_run_is_refused_in_one_line(own, name):
    text, expected = MISTAKES[name]
    with pytest.raises(UserError, match=expected) as error:
        own(text)
    assert "\n" not in str(error.value)


def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"none\.py: No such file or directory"):
        read(tmp_path / "none.py")
    with pytest.raises(UserError, match="Is a directory"):
        read(tmp_path)


def test_what_it_prints_does_not_reach_standard_output(own, capsys):
    own("print('hello')\n")
    out, err = capsys.readouterr()
    assert (out, err) == ("", "hello\n")


def test_the_digest_is_that_of_the_text(own):
    first = own("x = 1\n").digest
    assert own("x = 2\n").digest != first
    assert own("x = 1\n").digest == first


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", r"no function f; write def f\(x, a\)"),
        ("f = 3\n", r"f is no Python function but 3; write def f\(x, a\)"),
        ("from math import tanh as f\n", "f is no Python function but <built-in function tanh>"),
        ("def f(): ...\n", r"f takes \(\); write def f\(x, a\)"),
        ("def f(x, y, a): ...\n", r"f takes \(x, y, a\); write"),
        ("def f(*x): ...\n", r"f takes \(\*x\); write"),
        ("def f(x, *, a): ...\n", r"f takes \(x, \*, a\); write"),
    ],
)
def test_what_is_no_such_function_is_refused(own, text, expected):
    with pytest.raises(UserError, match=expected):
        own(text).function("f", "xa")


def test_functions_of_the_file_call_each_other_in_kernels(own):
    f = own("def half(x):\n    return x / 2\ndef f(x):\n    return half(x) + half(half(x))\n").function("f", "xa")

    @kernel(name="called")
    def called(x):
        return f(x)

    assert called(4.0) == f(4.0) == 3.0


def test_a_function_that_numba_has_decorated_is_the_plain_one(own):
    f = own("import numba\n@numba.njit\ndef f(x):\n    return 2 * x\n").function("f", "xa")
    assert f("ab") == "abab"
