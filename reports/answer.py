"""The answer at the top of a report: which activations cost what and keep how much gradient, in sentences."""

import numpy as np
import pandas as pd

from reports.summary import keeps
from reports.words import listed, number, percent, several, signed


def answer(ranking: pd.DataFrame) -> list[str]:
    """Sentences about summary.ranking, those that its columns allow."""
    parts = (_gradient, _cost, _training, _theory)
    return [sentence for part in parts if (sentence := part(ranking))]


def _names(rows: pd.DataFrame) -> str:
    return listed(list(rows.activation), most=len(rows))


def _gradient(ranking: pd.DataFrame) -> str:
    known = ranking[ranking.decades_per_layer.notna()]
    if known.empty:
        return ""
    kept, lost, grown = known[keeps(known)], known[known.total_decades < -1], known[known.total_decades > 1]
    depths = " or ".join(str(depth) for depth in sorted(known.depth.unique()))
    text = f"Each with the initialiser that suits it best, {len(kept)} of {several(len(known), 'activation')} carry a "
    text += f"gradient through {depths} layers within a factor of ten{': ' * bool(len(kept))}{_names(kept)}."
    if len(lost):
        worst = lost.loc[lost.decades_per_layer.idxmin()]
        text += f" {len(lost)} lose more, most of all {worst.activation} ({signed(worst.decades_per_layer)} per layer)."
    return text + (f" {len(grown)} inflate it more: {_names(grown)}." if len(grown) else "")


def _cost(ranking: pd.DataFrame) -> str:
    known = ranking[ranking.ns_per_element.notna()].sort_values("ns_per_element", kind="stable")
    if known.empty:
        return ""
    first, last = known.iloc[0], known.iloc[-1]
    text = (
        f"Forward and backward, {first.activation} is the cheapest at {number(first.ns_per_element)} ns per element "
        f"and {last.activation} the dearest at {number(last.ns_per_element)} ns."
    )
    kept = known[keeps(known)]
    if len(kept):
        best = kept.iloc[0]
        text += f" Cheapest of those that keep the gradient: {best.activation} ({number(best.ns_per_element)} ns)."
    return text


def _training(ranking: pd.DataFrame) -> str:
    known = ranking[ranking.accuracy.notna()].sort_values("accuracy", ascending=False, kind="stable")
    if known.empty:
        return ""
    best, last = known.iloc[0], known.iloc[-1]
    # Intervals that overlap the best one's do not tell the two apart.
    rivals = known[known.accuracy_high >= best.accuracy_low].iloc[1:]
    text = f"On the handwritten digits {best.activation} reaches the best test accuracy, {percent(best.accuracy)}"
    text += f"; the intervals of {several(len(rivals), 'other')} overlap with its own." if len(rivals) else "."
    return text + (f" Last is {last.activation} with {percent(last.accuracy)}." if len(known) > 1 else "")


def _theory(ranking: pd.DataFrame) -> str:
    gap = (ranking.decades_per_layer - ranking.predicted_decades_per_layer).abs()
    gap = gap[np.isfinite(gap)]
    if gap.empty:
        return ""
    worst = ranking.loc[gap.idxmax()]
    return (
        "Theory, computed from the configuration alone, foretells the decades per layer to "
        f"{number(gap.median(), 2)} in the median; it is furthest off for {worst.activation} (measured "
        f"{signed(worst.decades_per_layer, 3)}, predicted {signed(worst.predicted_decades_per_layer, 3)})."
    )
