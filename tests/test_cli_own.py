"""One's own activation, FILE.py:NAME, on the command line: judged as the known ones are, refused in one line."""

import json

import pytest

FILE = """
import math


def swoosh(x, a):
    T = type(x)
    return x / (T(1) + math.exp(-a * x))


def swoosh_derivative(x, y, a):
    T = type(x)
    gate = T(1) / (T(1) + math.exp(-a * x))
    return gate + a * y * (T(1) - gate)


swoosh_a = 1.0


def halved(x):
    return x * x


def halved_derivative(x):
    return x
"""


@pytest.fixture(autouse=True)
def file(tmp_path):
    (tmp_path / "own.py").write_text(FILE)


def test_it_survives_as_the_same_function_by_its_known_name_does(gradfade):
    """SiLU is a row of ACTIVATIONS: weights and inputs are the same, so is all but the rounding."""
    given = ("--activation", "own.py:swoosh", "--activation", "swish", "--depth", "6", "--width", "16", "--seeds", "3")
    code, out, err = gradfade("attenuate", "depth", *given, "--format", "json")
    assert code == 0, err
    own, known = json.loads(out)
    assert (own.pop("activation"), known.pop("activation")) == ("own.py:swoosh", "swish")
    for name, value in own.items():
        assert known[name] == (pytest.approx(value, rel=1e-4, abs=1e-5) if isinstance(value, float) else value), name


def test_it_is_timed_beside_the_known_ones_and_stands_in_the_tables(gradfade, tmp_path):
    select = "forward-L2-float32 and (swoosh or swish) and not backward"
    asked = ("bench", "activations", "-k", select, "--activation", "own.py:swoosh", "--out", "out", "--format", "json")
    code, out, err = gradfade(*asked)
    assert code == 0, err
    rows = {row["benchmark"]: row for row in json.loads(out)}
    assert {name.partition("::")[2].partition("[")[2].partition("-")[0] for name in rows} >= {"own.py:swoosh", "swish"}
    row = rows["bench_activations.py::test_activation[own.py:swoosh-forward-L2-float32]"]
    assert (row["activation"], row["op"], row["dtype"]) == ("own.py:swoosh", "activation", "float32")
    assert row["ns_per_element"] > 0
    record = json.loads((tmp_path / "out" / "environment.json").read_text())
    assert [*record["configuration"]["activations"]] == ["own.py:swoosh"]


@pytest.mark.parametrize("command", ["run", "bench"])
def test_a_wrong_one_is_refused_before_anything_is_written(gradfade, tmp_path, command):
    code, out, err = gradfade(command, "--activation", "own.py:halved")
    assert (code, out) == (2, "")
    assert err == "gradfade: own.py:halved: halved_derivative(1) is 1, but differences of halved give 2\n"
    assert [path.name for path in tmp_path.iterdir()] == ["own.py"]
