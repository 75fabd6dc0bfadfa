"""A diagnosis as a terminal shows it: sentences, and a table of a few columns for each kind of row."""

import math
import re
from typing import Any

import pandas as pd
import typer

from reports.tables import cell as text_of
from reports.tables import emit
from reports.words import listed, number, power, several, signed
from suites.diagnosis import CAUSE, NO_EVIDENCE, OTHERWISE, UNTESTED
from suites.diagnosis_scales import UNMEASURED
from suites.norm_thresholds import NO_GRADIENT, SCALE
from suites.prices import FREE
from suites.summary import FACTORS
from suites.verdicts import CANNOT_TELL, EASES, HARMS, HEALTHY, MENDS, NO_EFFECT, NO_NUMBER

FEW = 20  # parameters that are listed one by one
LARGER, SMALLER = "explodes", "vanishes"
TOLD = {NO_EVIDENCE: "No evidence of", UNTESTED: "Untested (no change takes it alone away)"}
ORDER = (MENDS, EASES, "overshoots", NO_EFFECT, CANNOT_TELL, HARMS)


def show(table: pd.DataFrame, format: str) -> None:
    """Print a diagnosis: a terminal gets sentences and a section for each kind of row, the other formats all rows."""
    if format != "table":
        emit(table, format)
        return
    typer.echo(headline(table))
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
        text += f"{signed(row['decades_per_layer'], 4)} per layer{_interval(row, 'decades_per_layer')}. "
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


def _known(values: "pd.Series[float]", there: "pd.Series[bool] | bool" = True) -> "pd.Series[Any]":
    """values, as texts where what is there is no number: a blank would say that nothing is there."""
    unknown = values.isna() & there
    return values.map(text_of).mask(unknown, NO_NUMBER) if unknown.any() else values


def _kinds(part: pd.DataFrame, factor: str) -> None:
    names = {"name": "parameters", "matrices": "n", "smallest": "smallest", "largest": "largest", "worst": "worst"}
    part = part.assign(smallest=_known(part.smallest), largest=_known(part.largest))
    shown = part[[*names, "verdict"]].rename(columns=names)
    emit(shown, title="\nNorms of weight gradients, by kind of matrix")
    losses = part.about.dropna().str.extract(r"loss: (.*)")[0].dropna().unique()
    typer.echo("".join(f"Loss: {loss}.\n" for loss in losses) + f"{SCALE[0].upper()}{SCALE[1:]}.")


def _parameters(part: pd.DataFrame, factor: str) -> None:
    """Of a network of one's own: all where they are few, elsewhere the first of those that vanish or explode."""
    if part.about.str.contains("loss: ").any():
        return
    shown = part if len(part) <= FEW else part[part.verdict.isin([SMALLER, LARGER])].head(FEW)
    if len(shown):
        norm = _known(shown.value, shown.about != NO_GRADIENT)
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
            "decades": _known(tested.decades),
        }
        emit(pd.DataFrame(shown), title="\nWhy: the same without each candidate, measured")
    rest = part[part.becomes.isna()]
    for effect, names in rest.groupby("effect", sort=False)["name"]:
        typer.echo(f"{TOLD[effect]}: {listed([*names], 12)}.")
    if (part.effect == OTHERWISE).any():
        typer.echo(f"{OTHERWISE}: a last resort, and without another cause alone most of what is wrong is gone.")
    typer.echo(reason(part))


def reason(part: pd.DataFrame) -> str:
    """Which candidates are causes, and what they are, in sentences: the certain ones, then what the seeds hide."""
    causes, untested, untold = (part[part.effect == effect] for effect in (CAUSE, UNTESTED, CANNOT_TELL))
    lines = []
    if len(causes):
        found = [f"{row['name']} (without it {signed(row['decades'])} decades)" for row in causes.to_dict("records")]
        each = ", each by itself" if len(found) > 1 else ""
        lines = [f"{several(len(found), 'cause')}{each}: {listed(found)}.", *_abouts(causes)]
    if len(untold):
        seeds = untold.seeds.min()
        who, wanted = ("one seed", "2 or more") if seeds == 1 else (f"{seeds} seeds", "more")
        text = f"{who} cannot tell: {listed([*untold.name])}; give --seeds {wanted}."
        lines.append(f"Of the others {text}" if lines else f"Cause: {text}")
    if lines:
        return "\n".join(lines)
    if len(untested):
        return "\n".join(["Cause: none of those that can be tested.", *_abouts(untested)])
    told = "no change that removes one brings the gradient nearer to being kept"
    return f"Cause: none of the candidates; {told} by more than seeds differ, and a quarter of what is wrong."


def _abouts(part: pd.DataFrame) -> list[str]:
    return [f"{row['name']}: {row['about'].partition(';')[0]}" for row in part.to_dict("records")]


def _remedies(part: pd.DataFrame, factor: str) -> None:
    base = part.baseline_nanoseconds.iloc[0]
    emit(priced(part.rename(columns={"name": "remedy"})), title="\nWhat would mend it, measured")
    typer.echo(legend(part, f"{number(base)} ns per unit, sample and {factor}"))
    for row in part[part.norm_before.notna()].itertuples():
        norms = f"{number(row.norm_before)} before and {number(row.norm_after)} after"
        typer.echo(f"clip: the gradient's global norm is {norms}; {row.about}.")


def priced(part: pd.DataFrame) -> pd.DataFrame:
    """Columns remedy, decades, effect, bought, time and per ns of remedies with their prices, the best first.

    An effect that is not certain has a question mark; what costs nothing, or does not help, has no price.
    """
    unsure = part.certain.eq(False) & (part.effect == MENDS)
    helps = part.effect.isin([MENDS, EASES])
    free = part.free.eq(True) & part.decades_per_nanosecond.eq(math.inf)
    shown = pd.DataFrame({
        "remedy": part.remedy,
        "decades": _known(part.decades),
        "effect": part.effect.mask(unsure, f"{MENDS}?"),
        "bought": part.decades_bought,
        "time": [f"{ratio:.2f}" for ratio in part.time_ratio],
        "per ns": part.decades_per_nanosecond.map(text_of).mask(free, "free").mask(_noisy(part), "?").where(helps, ""),
    })  # fmt: skip
    rank = [ORDER.index(effect.partition(":")[0]) for effect in part.effect]
    return shown.iloc[sorted(range(len(shown)), key=rank.__getitem__)]


def _noisy(part: pd.DataFrame) -> "pd.Series[bool]":
    """Where decades are bought, at a price that is noise."""
    return (part.decades_bought_low > 0) & (part.time_ratio_low <= 1) & part.free.eq(False)


def legend(part: pd.DataFrame, base: str) -> str:
    """What the columns of priced are; base: what a step of the baseline takes."""
    text = [f"time: a training step over the baseline's, {base}; per ns: decades bought per nanosecond added to that."]
    if part.decades_per_nanosecond.eq(math.inf).any():
        text.append(f"{FREE[0].upper()}{FREE[1:]}.")
    if (part.certain.eq(False) & (part.effect == MENDS)).any():
        text.append(f"{MENDS}?: the interval over seeds reaches beyond healthy.")
    if _noisy(part).any():
        text.append("?: the rounds of timing differ too much to tell what is added.")
    return "\n".join(text)


SECTIONS = {
    "scale": _scales,
    "parameters": _kinds,
    "parameter": _parameters,
    "cause": _causes,
    "remedy": _remedies,
}
