"""A diagnosis as a terminal shows it: sentences, and a table of a few columns for each kind of row."""

import math
import re
from typing import Any

import pandas as pd
import typer

from reports.remedy_prices import known, legend, priced
from reports.tables import cell as text_of
from reports.tables import emit, say
from reports.words import listed, number, power, several, signed
from suites.diagnosis import CAUSE, NO_EVIDENCE, OTHERWISE, UNTESTED
from suites.diagnosis_scales import UNMEASURED
from suites.norm_thresholds import NO_GRADIENT, SCALE
from suites.summary import FACTORS
from suites.verdicts import CANNOT_TELL, HEALTHY, NO_NUMBER

FEW = 20  # parameters that are listed one by one
LARGER, SMALLER = "explodes", "vanishes"
TOLD = {NO_EVIDENCE: "No evidence of", UNTESTED: "Untested (no change takes it alone away)"}


def show(table: pd.DataFrame, format: str) -> None:
    """Print a diagnosis: a terminal gets sentences and a section for each kind of row, the other formats all rows."""
    if format != "table":
        emit(table, format)
        return
    say(headline(table))
    for kind, section in SECTIONS.items():
        part = table[table.kind == kind]
        if len(part):
            section(part, factor(table))


def factor(table: pd.DataFrame) -> str:
    """What one factor is called: layer or step."""
    return next((name for _, name in FACTORS.values() if f"decades_per_{name}" in table), "layer")


def headline(table: pd.DataFrame) -> str:
    """The verdict, the scale that decides, and what is to be said against it."""
    (row,) = table[table.kind == "subject"].to_dict("records")
    return _of_norms(row, table) if "scale" in row else _of_decades(row, factor(table))


def _of_decades(row: dict[str, Any], factor: str) -> str:
    joined = f", {'but' if row['verdict'] == HEALTHY else 'and'} {row['caveats']}" if row["caveats"] else ""
    text = f"{row['name']}: {row['verdict']}{joined}. "
    total, per = row["decades"], f"decades_per_{factor}"
    if math.isnan(total):
        return f"{text}{row['about'][:1].upper()}{row['about'][1:]}."
    zero, seeds = row.get("seeds_zero", row["seeds"]), row["seeds"]
    some = f" in {zero} of {seeds} seeds" if 0 < zero < seeds else ""
    text += f"{_left(total)}{some}: {signed(total)} decades, {signed(row[per], 4)} per {factor}{_interval(row, per)}"
    if not row["certain"] and row["seeds"] > 1:
        text += ", so that the verdict is not certain"
    predicted = row["predicted_decades"]
    if not math.isnan(predicted):
        text += f"; predicted {signed(predicted)}, {signed(row[f'predicted_{per}'], 4)} per {factor}"
    return text + (f"; {row['about']}" if row["about"] else "") + "."


def _left(decades: float) -> str:
    if decades == -math.inf:
        return "Nothing of the gradient is left, it is exactly 0"
    if signed(decades) == "0.00":
        return "All of the gradient is left"
    size = power(decades)
    return f"{size} of the gradient is left" if decades <= 0 else f"The gradient arrives {size} times as large"


def _of_norms(row: dict[str, Any], table: pd.DataFrame) -> str:
    """By absolute norms where these decide; the line through all of them is told beside it, where there is one."""
    matrices = table[(table.kind == "parameter") & table.verdict.notna()]
    text = f"{row['name']}: {row['verdict']}, by {row['scale']}. "
    for verdict, limit in ((SMALLER, "under"), (LARGER, "over")):
        part = matrices[matrices.verdict == verdict]
        if len(part):
            (threshold,) = table.threshold[(table.unit == "matrices") & (table.verdict == verdict)]
            which = listed([f"{name}: {text_of(value) or NO_NUMBER}" for name, value in zip(
                part.name, part.value, strict=True)], 4)  # fmt: skip
            text += f"{len(part)} of {len(matrices)} {limit} {threshold:g} ({which}). "
    if not math.isnan(row["decades"]):
        text += f"Along a line through all, from the last to the first: {signed(row['decades'])} decades, "
        text += f"{signed(row['decades_per_layer'], 4)} per layer{_interval(row, 'decades_per_layer')}"
        text += ", which may be chance. " if (table.verdict == CANNOT_TELL).any() else ". "
    elif len(matrices) > 1:
        text += "Some are 0 or not finite, so no line is drawn through them. "
    return f"{text}{row['about'][0].upper()}{row['about'][1:]}."


def _interval(row: dict[str, Any], name: str) -> str:
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    return f" ({signed(low, 4)} to {signed(high, 4)})" if math.isfinite(low) else ""


def _scales(part: pd.DataFrame, factor: str) -> None:
    def value(row: Any) -> str:
        if row.unit == "position":
            return "nowhere" if math.isnan(row.value) else f"from {factor} {row.value:.0f} on"
        if row.unit == "matrices":
            return f"{row.value:.0f} {row.about.partition(' weight')[0]}"
        if math.isnan(row.value):
            return row.unit if row.unit.startswith(UNMEASURED) else NO_NUMBER
        if row.unit == "decades":
            return f"{signed(row.value)} decades"
        return text_of(row.value) + ("" if row.unit == "norm" else " of their size apart")

    values = [value(row) for row in part.itertuples()]
    names = part.name + part.decides.fillna(False).map({True: " (decides)", False: ""})
    shown = pd.DataFrame({"scale": names, "value": values, "verdict": part.verdict})
    emit(shown, title="\nThe same gradient on several scales")


def _kinds(part: pd.DataFrame, factor: str) -> None:
    names = {"name": "parameters", "matrices": "n", "smallest": "smallest", "largest": "largest", "worst": "worst"}
    part = part.assign(smallest=known(part.smallest), largest=known(part.largest))
    shown = part[[*names, "verdict"]].rename(columns=names)
    emit(shown, title="\nNorms of weight gradients, by kind of matrix")
    losses = part.about.dropna().str.extract(r"loss: (.*)")[0].dropna().unique()
    say("".join(f"Loss: {loss}.\n" for loss in losses) + f"{SCALE[0].upper()}{SCALE[1:]}.")


def _parameters(part: pd.DataFrame, factor: str) -> None:
    """Of a network of one's own: all where they are few, elsewhere the first of those that vanish or explode."""
    if part.about.str.contains("loss: ").any():
        return
    shown = part if len(part) <= FEW else part[part.verdict.isin([SMALLER, LARGER])].head(FEW)
    if len(shown):
        norm = known(shown.value, shown.about != NO_GRADIENT)
        emit(pd.DataFrame({"name": shown.name, "norm": norm, **shown[["verdict", "about"]]}), title="\nBy parameter")
    if len(shown) < len(part):
        typer.echo(f"{len(part) - len(shown)} more parameters: --format csv")


def _causes(part: pd.DataFrame, factor: str) -> None:
    tested = part[part.becomes.notna()]
    if len(tested):
        becomes = [re.sub(r"\b(architecture|activation|initializer) ", "", text) for text in tested.becomes]
        shown = {
            "cause": tested.name,
            "effect": tested.effect,
            "without it": becomes,
            "decades": known(tested.decades),
        }
        emit(pd.DataFrame(shown), title="\nWhy: the same without each candidate, measured")
    rest = part[part.becomes.isna()]
    for effect, names in rest.groupby("effect", sort=False)["name"]:
        say(f"{TOLD[effect]}: {listed([*names], 12)}.")
    if (part.effect == OTHERWISE).any():
        say(f"{OTHERWISE}: a last resort, and without another cause alone most of what is wrong is gone.")
    say(reason(part))


def reason(part: pd.DataFrame) -> str:
    """Which candidates are causes, and what they are, in sentences: the certain ones, then what the seeds hide."""
    causes, untested, untold = (part[part.effect == effect] for effect in (CAUSE, UNTESTED, CANNOT_TELL))
    lines = []
    if len(causes):
        found = [f"{row['name']} (without it {signed(row['decades'])} decades)" for row in causes.to_dict("records")]
        each = ", each by itself" if len(found) > 1 else ""
        lines = [f"{several(len(found), 'cause')}{each}: {listed(found)}.", *_abouts(causes)]
    if len(untold):
        lines.append(f"{'Of the others' if lines else 'Cause:'} {_untold(untold)}")
    if lines:
        return "\n".join(lines)
    if len(untested):
        return "\n".join(["Cause: none of those that can be tested.", *_abouts(untested)])
    told = "no change that removes one brings the gradient nearer to being kept"
    return f"Cause: none of the candidates; {told} by more than seeds differ, and a quarter of what is wrong."


def _untold(part: pd.DataFrame) -> str:
    """What the seeds hide. More of them are asked for where it is whether there is any change, and not how large."""
    seeds = part.seeds.min()
    who, wanted = ("one seed", "2 or more") if seeds == 1 else (f"{seeds} seeds", "more")
    text = f"{who} cannot tell: {listed([*part.name])}"
    ends = part.reindex(columns=["decades_bought_low", "decades_bought_high"]).to_numpy(float)
    some = ((ends > 0).all(axis=1) | (ends < 0).all(axis=1)) & (seeds > 1)
    if not some.any():
        return f"{text}; give --seeds {wanted}."
    changes = "changes" if some.sum() == 1 else "change"
    about = f"{listed([*part.name[some]])} {changes} the decades, by about the quarter that makes a cause"
    return f"{text}; {about}" + ("." if some.all() else f"; for the rest give --seeds {wanted}.")


def _abouts(part: pd.DataFrame) -> list[str]:
    return [f"{row['name']}: {row['about'].partition(';')[0]}" for row in part.to_dict("records")]


def _remedies(part: pd.DataFrame, factor: str) -> None:
    base = part.baseline_nanoseconds.iloc[0]
    emit(priced(part.rename(columns={"name": "remedy"})), title="\nWhat would mend it, measured")
    say(legend(part, f"{number(base)} ns per unit, sample and {factor}"))
    for row in part[part.norm_before.notna()].itertuples():
        norms = f"{number(row.norm_before)} before and {number(row.norm_after)} after"
        say(f"clip: the gradient's global norm is {norms}; {row.about}.")


SECTIONS = {
    "scale": _scales,
    "parameters": _kinds,
    "parameter": _parameters,
    "cause": _causes,
    "remedy": _remedies,
}
