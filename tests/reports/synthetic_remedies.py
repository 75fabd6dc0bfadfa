"""Remedies in a synthetic run: what they buy and cost follows simple laws that the tests know."""

import math

from suites.schema import merge, rows

NETWORKS = {"": "xavier_normal", "critical": "critical", "layernorm": "xavier_normal"}


def _network(name, **more):
    architecture = name if name == "layernorm" else "plain"
    names = {"architecture": architecture, "activation": "sigmoid", "initializer": NETWORKS[name]}
    return {**names, "dtype": "float32", "width": 8, "batch": 4, "depth": 50, **more}


CLIPPED = {
    "architecture": "residual",
    "activation": "relu",
    "initializer": "he_normal",
    "dataset": "digits",
    "depth": 50,
}


def remedies():
    """Of a baseline that loses 30 decades: all come back, or 20; and what clipping to 1 does in training."""
    tables = [
        rows(_network(remedy, experiment="depth"), seed=[0, 1, 2], position=0, metric="log10_gradient", value=decades)
        for remedy, total in {"": -30.0, "critical": 0.0, "layernorm": -10.0}.items()
        for decades in [[total - 0.1, total, total + 0.1]]
    ]
    norms = {"norm_before": [8.0, 4.0, 6.0, 0.5], "norm_after": [1.0, 1.0, 1.0, 0.5], "loss": [4.0, 3.0, 2.0, 1.0]}
    for optimizer, clip, share in (("sgd", None, 0.0), ("sgd", 1.0, 0.75)):
        cell = {
            **CLIPPED,
            "experiment": "remedies",
            "optimizer": optimizer,
            "clip_norm": math.nan if clip is None else clip,
            "seed": 0,
        }
        tables.append(rows(cell, metric="clipped_share", value=share))
        tables += [rows(cell, step=[1, 2, 3, 4], metric=name, value=value) for name, value in norms.items()]
        for metric, values in (("log10_gradient_norm", [2.0, 3.0]), ("log10_relative_update", [-1.0, 0.0])):
            tables.append(rows(cell, step=1, position=[1, 2], parameter="W", metric=metric, value=values))
        tables.append(rows(cell, step=1, position=[1, 2], parameter="W", metric="log10_update", value=[-1.0, 0.0]))
    return merge(tables)


def remedy_times():
    """Critical weights cost nothing, a LayerNorm twice a step of 1.9 to 2.1 ns, clipping a tenth."""
    tables = []
    for remedy, ratio, base in (("", 1.0, None), ("critical", 1.0, 1.9), ("layernorm", 2.0, 2.1)):
        cell = _network(remedy, experiment="remedy_times", baseline="plain sigmoid", remedy=remedy)
        tables += _times(cell, ratio, base)
    for remedy, ratio, base, clip in (("", 1.0, None, math.nan), ("clip", 1.1, 4.0, 1.0)):
        cell = {**CLIPPED, "experiment": "remedy_times", "baseline": "residual relu in training", "remedy": remedy}
        tables += _times({**cell, "optimizer": "sgd", "clip_norm": clip}, ratio, base)
    return merge(tables)


def _times(cell, ratio, base):
    found = {"time_ratio": ratio}
    if base is not None:
        found |= {"time_ratio_low": ratio - 0.05, "time_ratio_high": ratio + 0.05, "baseline_nanoseconds": base}
    return [rows(cell, metric=name, value=value) for name, value in found.items()]
