"""The command line as a user meets it: its output, its exit code; of a process, but where one would only be slower."""

import importlib
import io
import json
import signal
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kernels import jit
from kernels.elementwise import Activation

ROOT = Path(__file__).parents[1]
SMALL = ("--depth", "6", "--width", "16", "--batch", "4", "--seeds", "3")
ONE = ("bench", "activations", "-k", "relu-forward-L2-float32 and not leaky_relu and not prelu")


MISTAKES = {
    "unknown activation": (("attenuate", "depth", "--activation", "tahn"), "tanh"),
    "unknown initialiser": (("attenuate", "time", "--init", "he"), "he_normal"),
    "unknown architecture": (("attenuate", "depth", "--architecture", "rnn"), "plain"),
    "initialiser of gates": (("attenuate", "depth", "--init", "chrono"), "plain has none"),
    "no critical point": (
        ("attenuate", "time", "--activation", "softplus", "--init", "critical"),
        "softplus has no critical initialiser",
    ),
    "one sample": (("attenuate", "depth", "--architecture", "batchnorm", "--batch", "1"), "a batch of 2 or more"),
    "no clipping": (("train", "--clip", "-1"), "clip must be a number above 0"),
    "negative depth": (("attenuate", "depth", "--depth", "-3"), "depth must be a whole number of 1 or more, got -3"),
    "no seeds": (("attenuate", "time", "--seeds", "0"), "seeds must be"),
    "features of the task": (("attenuate", "time", "--trained", "5", "--inputs", "3"), "inputs must be 2"),
    "negative seed": (("run", "--seed", "-1"), "seed must be"),
    "unknown dtype": (("attenuate", "depth", "--dtype", "float16"), "float32 or float64"),
    "unknown format": (("list", "--format", "xml"), "valid: table, markdown, csv, json"),
    "unknown option": (("attenuate", "depth", "--dept", "3"), "--depth"),
    "unknown command": (("atenuate",), "attenuate"),
    "unknown kind": (("list", "activation"), "activations"),
    "unknown suite": (("bench", "activation"), "activations"),
    "nothing selected": (("bench", "-k", "tahn"), "nearest: tanh"),
    "only of the full profile": (("bench", "-k", "tanh-forward-L1-float64"), "--profile full"),
    "unwritable output": (("attenuate", "depth", *SMALL, "--out", "/proc/nowhere"), "/proc/nowhere"),
    "no such results": (("report", "nowhere"), "nowhere: no such folder"),
    "nothing to compare": (("compare", "nowhere", "elsewhere"), "nowhere"),
    "unknown activation to certify": (("certify", "tanh", "gellu"), "nearest: gelu"),
    "unknown dtype to certify": (("certify", "tanh", "--dtype", "float16"), "float32, float64"),
    "unwritable document": (("certify", "tanh", "--document", "nowhere/accuracy.md"), "nowhere/accuracy.md"),
    "threshold": (("compare", "nowhere", "elsewhere", "--fail-over", "10"), "10%"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_gets_one_line_and_exit_code_2(tmp_path, mistake, inside):
    arguments, advice = MISTAKES[mistake]
    code, out, err = inside(*arguments)
    assert (code, out) == (2, "")
    assert advice in err
    assert len(err.splitlines()) == 1
    assert err.startswith("gradfade: ")
    assert not list(tmp_path.iterdir())


def test_attenuate_prints_flat_json_and_nothing_else_on_standard_output(gradfade):
    names = ("--activation", "silu", "--activation", "relu", "--init", "he_normal")
    code, out, _ = gradfade("attenuate", "depth", *names, *SMALL, "--format", "json")
    rows = json.loads(out)
    assert code == 0
    assert [row["activation"] for row in rows] == ["swish", "relu"]
    assert all((row["depth"], row["width"], row["seeds"]) == (6, 16, 3) for row in rows)
    assert all(row["decades_per_layer"] == pytest.approx(row["total_decades"] / 6) for row in rows)
    assert rows[1]["predicted_total_decades"] == pytest.approx(0, abs=1e-9)
    assert all(row["total_decades_low"] < row["total_decades"] < row["total_decades_high"] for row in rows)


def test_certify_prints_a_row_per_direction_and_writes_a_document(tmp_path, gradfade):
    certify = ("certify", "relu", "--dtype", "float32", "--document", "accuracy.md", "--out", "run", "--format", "json")
    code, out, err = gradfade(*certify)
    assert code == 0, err
    own = {row["direction"]: row for row in json.loads(out) if row["by"] == "gradfade"}
    assert list(own) == ["forward", "derivative"]
    for row in own.values():
        assert (row["name"], row["dtype"], row["a"], row["verdict"]) == ("relu", "float32", None, "kept")
        assert row["points"] >= 2**22
        assert row["largest_ulp"] == row["promised_ulp"] == 0
        assert row["correctly_rounded"] == 1
    assert "| relu |" in (tmp_path / "accuracy.md").read_text()
    assert set(pd.read_parquet(tmp_path / "run" / "accuracy.parquet").activation) == {"relu"}


def test_certify_exits_with_1_where_a_promise_is_broken(monkeypatch, capsys):
    """In this process, since a fault planted here is not in another one."""
    monkeypatch.syspath_prepend(str(ROOT))
    interrupt = signal.getsignal(signal.SIGINT)
    command = importlib.import_module("gradfade")
    signal.signal(signal.SIGINT, interrupt)  # which the command takes into its hands
    right = Activation.backward

    def wrong(self, dx, dy, x, *more):
        right(self, dx, dy, x, *more)
        dx[x == 2] = np.float32(1) + 3 * np.finfo(np.float32).eps

    monkeypatch.setattr(Activation, "backward", wrong)
    monkeypatch.setattr("suites.workers.workers", nullcontext)
    monkeypatch.setattr(command.notes, "file", sys.stderr)  # it may have been that of another test
    arguments = ["certify", "relu", "identity", "--dtype", "float32", "--format", "csv"]
    assert command.app(arguments, standalone_mode=False) == 1
    out, _ = capsys.readouterr()
    table = pd.read_csv(io.StringIO(out)).query("by == 'gradfade'")
    assert table.verdict.tolist() == ["kept", "broken"] * 2
    assert set(table.broken_by.dropna()) == {"largest_ulp at 2.0"}


def test_attenuate_takes_several_architectures(inside):
    names = ("--architecture", "residual_scaled", "--architecture", "transformer_pre", "--tokens", "3")
    code, out, _ = inside("attenuate", "depth", *names, *SMALL, "--format", "json")
    rows = json.loads(out)
    assert code == 0
    assert [(row["architecture"], row["length"]) for row in rows] == [("residual_scaled", None), ("transformer_pre", 3)]
    assert all(row["predicted_total_decades"] > 0 and row["total_decades"] > 0 for row in rows)


def test_train_takes_an_architecture_an_optimizer_and_a_limit(gradfade):
    names = ("--architecture", "lstm", "--activation", "tanh", "--init", "forget_one", "--optimizer", "adamw")
    code, out, _ = gradfade("train", *names, "--clip", "1", "--epochs", "2", "--seeds", "1", "--format", "json")
    (row,) = json.loads(out)
    assert code == 0
    assert (row["architecture"], row["optimizer"], row["clip_norm"], row["length"]) == ("lstm", "adamw", 1, 8)
    assert row["accuracy"] > 0.3


def test_attenuate_time_takes_several_sizes_and_trained_weights(inside):
    sizes = ("--length", "4", "--length", "6", "--width", "8", "--width", "5", "--batch", "4", "--seeds", "2")
    code, out, err = inside("attenuate", "time", *sizes, "--trained", "3", "--format", "json")
    rows = json.loads(out)
    assert code == 0, err
    assert [(row["width"], row["length"]) for row in rows] == [(8, 4), (8, 6), (5, 4), (5, 6)]
    assert all((row["dataset"], row["inputs"], row["optimizer"]) == ("adding", 2, "adam") for row in rows)
    assert all(row["predicted_total_decades"] is None for row in rows)


def test_one_seed_has_no_interval_and_null_says_so(inside):
    _, out, _ = inside("attenuate", "time", *SMALL[2:6], "--length", "5", "--seeds", "1", "--format", "json")
    (row,) = json.loads(out)
    assert row["total_decades_low"] is None
    assert row["z"] is None


def test_rows_hold_the_whole_curve(tmp_path, inside):
    _, out, _ = inside("attenuate", "depth", *SMALL, "--rows", "--format", "csv")
    (tmp_path / "rows.csv").write_text(out)
    rows = pd.read_csv(tmp_path / "rows.csv")
    curve = rows[(rows.metric == "log10_gradient") & (rows.seed == 2)]
    assert list(curve.position) == list(range(7))
    assert curve.value.iloc[-1] == 0


def test_a_finished_output_is_refused_and_kept(tmp_path, inside):
    command = ("attenuate", "depth", *SMALL, "--out", "run")
    assert inside(*command)[0] == 0
    before = {path: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    code, _, err = inside(*command)
    assert code == 2
    assert "finished" in err
    assert {path: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before


def test_a_torn_results_file_is_named(tmp_path, inside):
    inside("attenuate", "depth", *SMALL, "--out", "run")
    table = tmp_path / "run" / "depth.parquet"
    table.write_bytes(table.read_bytes()[:100])
    code, _, err = inside("report", "run")
    assert code == 2
    assert "depth.parquet" in err
    assert len(err.splitlines()) == 1


def test_bench_report_and_compare_follow_one_another(tmp_path, gradfade):
    for name in ("a", "b"):
        code, out, _ = gradfade(*ONE, "--out", name, "--format", "json")
        assert code == 0
        assert [row["activation"] for row in json.loads(out)] == ["relu"]
    code, out, _ = gradfade("report", "a")
    assert code == 0
    assert Path(tmp_path, out.strip()).name == "index.html"
    code, out, _ = gradfade("compare", "a", "b", "--format", "csv")
    assert code == 0
    assert "test_activation[relu-forward-L2-float32]" in out

    cost = json.loads((tmp_path / "b" / "cost.json").read_text())
    for benchmark in cost["benchmarks"]:
        benchmark["stats"]["median"] *= 100
    (tmp_path / "b" / "cost.json").write_text(json.dumps(cost))
    assert gradfade("compare", "a", "b", "--fail-over", "10%")[0] == 1


def test_bench_peers_ends_with_the_means_of_its_ratios(gradfade):
    code, out, _ = gradfade("bench", "peers", "-k", "openblas-512-float32", "--format", "markdown")
    assert code == 0
    assert "### Products of square matrices, float32" in out
    assert "| geometric mean |" in out
    assert "### Geometric means" in out


def test_doctor_reports_cache_and_limits_and_clears_the_cache(tmp_path, monkeypatch, gradfade):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    code, out, _ = gradfade("doctor", "--format", "json")
    table = {(row["subject"], row["name"]): row["value"] for row in json.loads(out)}
    assert code == 0
    assert table["environment", "blas core"]
    assert float(table["cache", "MiB"]) > 0
    assert float(table["limit", "fma, float32"]) > 0
    assert gradfade("doctor", "--clear-cache")[0] == 0
    assert not list(tmp_path.glob("cache/**/*.nbc"))


def test_a_mistake_ends_a_process_too(gradfade):
    code, out, err = gradfade("attenuate", "depth", "--activation", "tahn")
    assert (code, out, err) == (2, "", "gradfade: unknown activation 'tahn'; nearest: tanh, hardtanh\n")


def test_list_and_version(gradfade):
    code, out, _ = gradfade("list", "activations", "--format", "json")
    names = [row["name"] for row in json.loads(out)]
    assert code == 0
    assert {"sigmoid", "prelu", "mish"} <= set(names)
    assert gradfade("--version")[1].startswith("gradfade ")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("format", ["table", "csv"])
def test_what_a_full_disk_cannot_take_is_told(format):
    """The system names no file that is written through a descriptor: the output, or a kernel by Numba."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, ROOT / "gradfade.py", "list", "activations", "--format", format],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=300,
        )
    assert done.returncode == 2
    told = f"gradfade: cannot write the output, or compiled kernels below {jit.CACHE_DIR}: No space left on device\n"
    assert done.stderr == told
