"""A synthetic run, written as the suites write theirs: the numbers follow simple laws that the tests know."""

import json
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from suites.schema import merge, rows

# activation -> decades per layer with each initialiser; ns per element; accuracy
DECADES = {"sigmoid": (-0.63, -0.6), "tanh": (-0.02, 0.05), "relu": (-0.15, 0.0)}
COSTS = {"sigmoid": 0.4, "tanh": 0.3, "relu": 0.1}
ACCURACY = {"sigmoid": 0.10, "tanh": 0.96, "relu": 0.97}
INITIALIZERS = ("xavier_normal", "he_normal")
LAYERS, STEPS, SEEDS = 50, 100, (0, 1, 2, 3)
LEVELS = {"L1": 1.0, "L2": 1.1, "DRAM": 2.0}
DIRECTIONS = {"forward": 1.0, "backward": 1.5, "forward_backward": 2.0}


def curves(experiment, factors, architecture):
    """Straight lines in log10: value = decades * (factors - position) + 0.01 * (seed - 1.5), predictions without it."""
    tables = []
    size = {"depth": factors} if experiment == "depth" else {"length": factors}
    position = np.arange(factors + 1.0)
    for (activation, slopes), (i, initializer) in product(DECADES.items(), enumerate(INITIALIZERS)):
        cell = {
            "experiment": experiment, "architecture": architecture, "activation": activation,
            "initializer": initializer, "dtype": "float32", "width": 256, "batch": 32, **size,
        }  # fmt: skip
        line = slopes[i] * (factors - position)
        for seed in SEEDS:
            noise = 0.01 * (seed - 1.5) * (position < factors)
            tables.append(rows(cell, seed=seed, position=position, metric="log10_gradient", value=line + noise))
        tables.append(rows(cell, position=position, metric="predicted_log10_gradient", value=line))
    return merge(tables)


def phases():
    """A plane of 3 x 2 points that lose (1 - sw2 + sb2) / 10 decades per layer; each line is critical at 1 + sb2."""
    tables = []
    for activation, sw2, sb2 in product(DECADES, (0.5, 1.0, 1.5), (0.0, 0.4)):
        cell = {
            "experiment": "phase", "architecture": "plain", "activation": activation, "dtype": "float32", "width": 64,
            "batch": 16, "depth": 30, "weight_variance": sw2, "bias_variance": sb2, "position": 0,
        }  # fmt: skip
        rate = (sw2 - 1 - sb2) / 10
        tables += [
            rows(cell, seed=seed, metric="log10_gradient", value=30 * rate + 0.01 * (seed - 1.5)) for seed in SEEDS
        ]
        theory = {"predicted_log10_gradient": 30 * rate, "chi": 10 ** (2 * rate), "fixed_point_variance": 1.0}
        theory["critical_weight_variance"] = 1 + sb2
        tables += [rows(cell, metric=name, value=value) for name, value in theory.items()]
    return merge(tables)


def spectra():
    """Four singular values of each network, the last one hidden by rounding; a spread of 2, predicted as 4."""
    tables = []
    for activation, initializer in product(DECADES, INITIALIZERS):
        cell = {
            "experiment": "spectrum", "architecture": "plain", "activation": activation, "initializer": initializer,
            "dtype": "float64", "width": 4, "batch": 1, "depth": 30,
        }  # fmt: skip
        logs = [-3.0, -3.5, -4.0, np.nan]
        for seed in SEEDS:
            values = rows(cell, seed=seed, position=range(1, 5), metric="log10_singular_value", value=logs)
            single = {
                "log10_mean_s2": -7.0 + 0.1 * seed,
                "spread_s2": 2.0 + 0.1 * (seed - 1.5),
                "log10_condition": np.nan,
            }
            tables += [values, *(rows(cell, seed=seed, metric=name, value=value) for name, value in single.items())]
        theory = {"predicted_log10_mean_s2": -6.8, "predicted_spread_s2": 4.0, "predicted_sd": 0.1}
        tables += [rows(cell, metric=name, value=value) for name, value in theory.items()]
    return merge(tables)


def training():
    """Accuracy rises from 0.1 to ACCURACY over 100 steps; sigmoid never meets its target."""
    tables = []
    step = [0, 50, 100]
    for (activation, accuracy), seed in product(ACCURACY.items(), SEEDS):
        cell = {
            "experiment": "training", "dataset": "digits", "architecture": "plain", "activation": activation,
            "initializer": "he_normal", "optimizer": "adam", "seed": seed,
        }  # fmt: skip
        final = accuracy + 0.01 * (seed - 1.5)
        scores = {"loss": [2.3, 1.0 - final / 2, 1.0 - final], "test_accuracy": [0.1, (0.1 + final) / 2, final]}
        tables += [rows(cell, step=step, metric=name, value=values) for name, values in scores.items()]
        met = np.inf if activation == "sigmoid" else 50.0
        single = {
            "seconds_per_step": 1e-3, "steps_to_target": met, "seconds_to_target": met * 1e-3,
            "final_test_accuracy": final, "target_accuracy": 0.95,
        }  # fmt: skip
        tables += [rows(cell, metric=name, value=value) for name, value in single.items()]
    return merge(tables)


def exponents():
    """Four exponents of two cells and three seeds, what their gradients do, and a prediction for the first."""
    tables = []
    for architecture, rate in (("rnn", -0.2), ("lstm", 0.1)):
        shared = {
            "experiment": "lyapunov", "architecture": architecture, "activation": "tanh",
            "initializer": "xavier_normal", "dtype": "float64", "width": 4, "batch": 1, "length": 50, "inputs": 3,
        }  # fmt: skip
        for seed in range(3):
            values = (rate + 0.01 * seed) * np.log(10) - 0.3 * np.arange(4)
            positions = range(1, 5)
            tables += [
                rows(shared, seed=seed, metric="lyapunov_exponent", position=positions, value=values, unit="nat"),
                rows(shared, seed=seed, metric="decades_per_step", value=rate + 0.02, unit="log10"),
            ]
        if architecture == "rnn":
            tables.append(rows(shared, metric="predicted_decades_per_step", value=-0.19, unit="log10"))
    return merge(tables)


def shapes():
    """f and f' of the three, and tanh's derivative from the output in float32."""
    x = np.linspace(-20, 20, 161)
    sigmoid, y = 1 / (1 + np.exp(-x)), np.tanh(x).astype(np.float32)
    functions = {
        "sigmoid": {"f": sigmoid, "df": sigmoid * (1 / (1 + np.exp(x)))},
        "tanh": {"f": np.tanh(x), "df": 1 / np.cosh(x) ** 2, "df_from_output": 1 - y * y},
        "relu": {"f": np.maximum(x, 0), "df": (x > 0) * 1.0},
    }
    return merge([
        rows({"experiment": "curves", "activation": name}, position=x, metric=metric, value=value.astype(float))
        for name, metrics in functions.items() for metric, value in metrics.items()
    ])  # fmt: skip


def benchmark(name, group, median, **extra_info):
    """One benchmark as pytest-benchmark saves it."""
    stats = {
        "min": 0.9 * median, "max": 2 * median, "mean": 1.1 * median, "stddev": 0.1 * median, "rounds": 9,
        "median": median, "iqr": 0.2 * median, "q1": 0.9 * median, "q3": 1.1 * median, "iterations": 10,
    }  # fmt: skip
    return {
        "group": group, "name": name, "fullname": f"suites/bench_activations.py::{name}", "params": None,
        "param": None, "extra_info": extra_info, "options": {"min_rounds": 5}, "stats": stats,
    }  # fmt: skip


def cost(factor=1.0):
    """Every activation in every direction and level, and one dense layer of 64 x 64."""
    n = 65536
    benchmarks = []
    for (activation, base), (direction, more), (level, far) in product(
        COSTS.items(), DIRECTIONS.items(), LEVELS.items()
    ):
        ns = base * more * far * factor
        benchmarks.append(benchmark(
            f"test_activation[{activation}-{direction}-{level}-float32]", f"activation {direction} {level} float32",
            ns * n * 1e-9, op="activation", activation=activation, direction=direction, shape=[n], n=n,
            dtype="float32", level=level, ns_per_element=ns, bytes_per_element=8, gb_per_s=8 / ns, limit_gb_per_s=160.0,
            fraction_of_limit=0.05 / ns,
        ))  # fmt: skip
    benchmarks += [
        benchmark(
            f"test_dense[{activation}-float32]", "dense forward float32", (1 + base) * 1e-4 * factor, op="dense",
            activation=activation, direction="forward", shape=[64, 64], n=4096, dtype="float32",
        )
        for activation, base in COSTS.items()
    ]  # fmt: skip
    return {
        "machine_info": {"cpu": {"brand_raw": "Test CPU", "count": 2}}, "commit_info": {"id": "abc"},
        "benchmarks": benchmarks, "datetime": "2026-01-01T00:00:00+00:00", "version": "5.3.1",
    }  # fmt: skip


ENVIRONMENT = {
    "time": "2026-01-01T00:00:00+00:00", "gradfade": "0.1.0", "commit": None, "cpu": "Test CPU", "cores": 2,
    "cpu_flags": ["avx2", "avx512f"] * 20, "blas": {"library": "OpenBLAS", "core": "SkylakeX", "threads": 1},
    "denormals": {"before": "kept", "after": "kept"}, "configuration": {"profile": "quick", "seed": 0},
    "finished": "2026-01-01T00:05:00+00:00",
}  # fmt: skip


def write_run(folder: Path, **more: pd.DataFrame) -> Path:
    """Write a finished run, with more tables by their names."""
    folder.mkdir(parents=True)
    tables: dict[str, pd.DataFrame] = {
        "depth": curves("depth", LAYERS, "plain"),
        "time": curves("time", STEPS, "rnn"),
        "phase": phases(),
        "spectrum": spectra(),
        "lyapunov": exponents(),
        "training": training(),
        "curves": shapes(),
        **more,
    }
    for name, table in tables.items():
        table.to_parquet(folder / f"{name}.parquet", index=False)
    (folder / "cost.json").write_text(json.dumps(cost()))
    (folder / "environment.json").write_text(json.dumps(ENVIRONMENT))
    return folder
