"""Benchmark sessions end to end: the results folder, the profile, the gate, interruption and resuming."""

import json
import re
import shutil
import signal
import time

import pytest

from suites.levels import elements

ONE = "suites/bench_activations.py::test_activation[relu6-forward-L2-float32]"
# relu6 forward in L2: float32 in the quick profile, float64 left to the full one
FEW = ("suites/bench_activations.py", "-k", "relu6-forward-L2")


def cost(folder):
    """cost.json of a results folder."""
    return json.loads((folder / "cost.json").read_text())


def journal(folder):
    """Names of the finished benchmarks, as they went to disk."""
    lines = (folder / "cost.jsonl").read_text().splitlines() if (folder / "cost.jsonl").exists() else []
    return [json.loads(line)["name"] for line in lines]


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture(scope="module")
def unfinished(session, tmp_path_factory):
    """A folder of one benchmark that `gradfade run` has measured and left open; not to be changed."""
    folder = tmp_path_factory.mktemp("unfinished") / "out"
    done = session(ONE, "--benchmark-only", "--gradfade-out", folder, "--gradfade-unfinished")
    assert done.returncode == 0, done.stdout
    return folder


def test_a_session_leaves_a_complete_folder(session, out):
    done = session(*FEW, "--benchmark-only", "--gradfade-out", out)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout
    assert "1 benchmarks left to the full profile" in done.stdout
    assert f"results: {out}" in done.stdout
    assert re.search(r"s compiling, not in any time: \d+ kernels compiled, \d+ from the cache", done.stdout)

    document, environment = cost(out), json.loads((out / "environment.json").read_text())
    assert environment["finished"]
    assert environment["configuration"] == {"command": "bench", "profile": "quick", "seed": 0}
    assert {"machine_info", "commit_info", "benchmarks", "datetime", "version"} <= document.keys()
    assert document["gradfade"]["denormals"] == {"before": "kept", "after": "kept"}
    assert document["gradfade"]["left_to_full"] == 1
    compiled = document["gradfade"]["compile"]
    assert compiled["seconds"] >= 0
    assert compiled["from_cache"] + compiled["compiled"] > 0
    (benchmark,) = document["benchmarks"]
    assert benchmark["name"] == "test_activation[relu6-forward-L2-float32]"
    assert benchmark["group"] == "activation forward L2 float32"
    assert benchmark["params"] == {"activation": "relu6", "direction": "forward", "level": "L2", "dtype": "float32"}
    assert benchmark["stats"]["rounds"] == len(benchmark["stats"]["data"]) >= 5

    info, median = benchmark["extra_info"], benchmark["stats"]["median"]
    n = elements("L2", "float32")
    assert {key: info[key] for key in ("op", "activation", "direction", "shape", "n", "dtype", "level")} == {
        "op": "activation",
        "activation": "relu6",
        "direction": "forward",
        "shape": [n],
        "n": n,
        "dtype": "float32",
        "level": "L2",
    }
    assert info["bytes_per_element"] == 8
    assert info["ns_per_element"] == pytest.approx(median / n * 1e9)
    assert info["gb_per_s"] == pytest.approx(8 * n / median / 1e9)
    assert info["limit"] == "copy L2"
    assert info["limit_gb_per_s"] == document["gradfade"]["limits"]["copy"]["L2"]
    assert info["fraction_of_limit"] == pytest.approx(info["gb_per_s"] / info["limit_gb_per_s"])
    assert info["compile_seconds"] >= 0


def test_a_red_gate_fails_the_benchmark_and_nothing_is_timed(session, out, tmp_path):
    (tmp_path / "planted_fault.py").write_text(
        "from kernels.elementwise import Activation\n"
        "right = Activation.forward\n"
        "def forward(self, y, x, a=None):\n"
        "    right(self, y, x, a)\n"
        "    y[-2] += 1e-4\n"
        "Activation.forward = forward\n"
    )
    done = session(ONE, "-p", "planted_fault", "--benchmark-only", "--gradfade-out", out, path=[tmp_path])
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert "1 failed" in done.stdout
    assert "error" not in done.stdout.splitlines()[-1]
    worst = elements("L2", "float32") - 2
    assert f"relu6 forward L2 float32: y: 1 of {elements('L2', 'float32')} elements are wrong" in done.stdout
    assert f"worst at ({worst},)" in done.stdout
    assert cost(out)["benchmarks"] == []


def test_an_interrupted_session_is_readable_and_resumed(session, out):
    selection = ("suites/bench_activations.py", "--gradfade-out", out, "--benchmark-only")
    running = session(*selection, "-k", "relu6 or hardtanh", "--benchmark-max-time=0.5", wait=False)
    deadline = time.monotonic() + 300
    while len(journal(out)) < 2 and running.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    output, _ = running.communicate(timeout=60)
    assert running.returncode == pytest.ExitCode.INTERRUPTED, output
    assert f"results: {out}" in output
    measured = journal(out)
    assert [benchmark["name"] for benchmark in cost(out)["benchmarks"]] == measured
    assert json.loads((out / "environment.json").read_text())["finished"] is None

    one_more = "softsign-forward-L2"
    wanted = measured[0].removeprefix("test_activation[").removesuffix("]")
    done = session(*selection, "-k", f"{wanted} or {one_more}")
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout
    assert "resumed" in done.stdout
    assert journal(out) == [*measured, f"test_activation[{one_more}-float32]"]
    assert json.loads((out / "environment.json").read_text())["finished"]

    refused = session(*selection, "-k", one_more)
    assert refused.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"\nERROR: {out} holds a run finished at" in f"\n{refused.stdout}"


def test_a_folder_of_another_configuration_is_refused_before_anything_runs(session, unfinished, out):
    shutil.copytree(unfinished, out)
    assert json.loads((out / "environment.json").read_text())["finished"] is None
    before = journal(out)
    for more, difference in (
        (("--gradfade-unfinished", "--gradfade-seed", "1"), "seed: 0 there, 1 asked"),
        ((), "command: 'run' there, 'bench' asked"),
    ):
        refused = session(ONE, "--benchmark-only", "--gradfade-out", out, *more)
        assert refused.returncode == pytest.ExitCode.USAGE_ERROR
        assert f"another configuration ({difference})" in refused.stdout
        assert journal(out) == before


def test_a_folder_that_holds_all_that_is_selected_is_finished(session, out):
    running = session(*FEW, "--benchmark-only", "--gradfade-out", out)
    record = json.loads((out / "environment.json").read_text())
    (out / "environment.json").write_text(json.dumps(record | {"finished": None}))
    before = journal(out)
    done = session(*FEW, "--benchmark-only", "--gradfade-out", out)
    assert (running.returncode, done.returncode) == (0, 0), done.stdout
    assert "resumed, 1 benchmarks were done" in done.stdout
    assert journal(out) == before
    assert json.loads((out / "environment.json").read_text())["finished"]


@pytest.mark.parametrize("seed", ["-1", "1.5", "one"])
def test_a_seed_that_is_none_is_refused_before_anything_is_written(session, out, seed):
    refused = session(ONE, "--benchmark-only", "--gradfade-out", out, f"--gradfade-seed={seed}")
    assert refused.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"--gradfade-seed: must be a whole number of 0 or more, got '{seed}'" in refused.stdout
    assert not out.exists()


@pytest.mark.parametrize(("line", "reason"), [("{torn", "damaged"), ('{"name": "a"}', "not a benchmark")])
def test_a_damaged_journal_is_named(session, unfinished, out, line, reason):
    shutil.copytree(unfinished, out)
    content = line + "\n" + (out / "cost.jsonl").read_text()
    (out / "cost.jsonl").write_text(content)
    refused = session(ONE, "--benchmark-only", "--gradfade-out", out, "--gradfade-unfinished")
    assert refused.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"\nERROR: {out}/cost.jsonl, line 1: {reason}" in f"\n{refused.stdout}"
    assert (out / "cost.jsonl").read_text() == content


def test_saving_and_comparing_are_pytest_benchmarks_own(session, out, tmp_path):
    options = (ONE, "--benchmark-only", "--benchmark-max-time=0.01", f"--benchmark-storage=file://{tmp_path}/storage")
    saved = session(*options, "--benchmark-save=first", "--gradfade-out", out)
    assert saved.returncode == 0, saved.stdout
    (file,) = (tmp_path / "storage").rglob("*_first.json")
    assert json.loads(file.read_text())["gradfade"]["profile"] == "quick"
    compared = session(*options, "--benchmark-compare", "--benchmark-autosave", "--gradfade-out", tmp_path / "second")
    assert compared.returncode == 0, compared.stdout
    assert "(NOW)" in compared.stdout
    assert "(0001_first)" in compared.stdout


def test_a_benchmark_named_in_full_is_timed_in_any_profile(session, out):
    named = ONE.replace("float32", "float64")
    done = session(named, "--benchmark-only", "--gradfade-out", out)
    assert done.returncode == 0, done.stdout
    assert [benchmark["name"] for benchmark in cost(out)["benchmarks"]] == [named.partition("::")[2]]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("-k", "no_such_name"), pytest.ExitCode.NO_TESTS_COLLECTED),
        (("-k", "relu6-forward-L2", "--collect-only", "-q"), pytest.ExitCode.OK),
        (("-k", "relu6-forward-L2", "--benchmark-disable"), pytest.ExitCode.OK),
    ],
)
def test_nothing_timed_leaves_no_folder(session, out, arguments, code):
    done = session("suites/bench_activations.py", *arguments, "--gradfade-out", out)
    assert done.returncode == code, done.stdout
    assert not out.exists()
