"""The certificate of accuracy as people read it: in a terminal, on the page, and as docs/accuracy.md."""

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from reports.tables import emit
from reports.words import listed, several
from suites.certificate import BROKEN, KEPT, NO_PROMISE, UNFINISHED, trades
from suites.certify import ALL, PEERS
from suites.errors import UserError
from suites.results import write_whole

# What fits a terminal; the other formats have all.
SHOWN = ["name", "direction", "a", "dtype", "by", "largest_ulp", "promised_ulp", "at", "correctly_rounded", "verdict"]
SHORT = {
    "largest_ulp": "ulp", "promised_ulp": "promised", "correctly_rounded": "right", "monotonicity_breaks": "steps back",
    "non_finite_mismatches": "not finite", "sign_of_zero_mismatches": "zero sign", "flushed_subnormals": "flushed",
}  # fmt: skip
# Counts and further errors, where a run has any.
COUNTS = ["monotonicity_breaks", "non_finite_mismatches", "sign_of_zero_mismatches", "flushed_subnormals"]
DETAILS = ["subnormal_ulp", "largest_absolute", *COUNTS]
# What the figures depend on.
LIBRARIES = ["numba", "llvmlite", "numpy", "scipy", "mpmath", *PEERS]
PEERS_TITLE = "Beside other libraries: largest float32 errors in ULP, on the sample; wrong NaN and infinities apart"
LINE = ["name", "direction", "a", "dtype"]
ULP, UNMET = "_ulp", "_non_finite"  # what a peer's columns end with

ABOUT = """\
A unit in the last place (ULP) is the spacing of floating-point numbers at the exact value; a correctly rounded result
is at most 0.5 off. float32 results are compared with float64 references that share no code with the kernels, and that
tests hold against mpmath; float64 results with mpmath itself. An infinite result counts as the number after the
largest one.

- **promised**: by the table of activations, in ULP; float64's promise is 2 forward and 4 for derivatives, of every row.
- **largest error**, **at**: in ULP, and the input where it was met, in digits and bits.
- **correctly rounded**: the share of inputs whose result is the number nearest to the exact value.
- **subnormal ulp**: the largest error where the input or the exact result is subnormal.
- **largest absolute**: around the zero that a derivative crosses, where |f'| < 2^-5, the promise is not in ULP but
  absolute: 2^-25 in float32, 2^-54 in float64.
- **monotonicity breaks**: neighbouring inputs between which the result steps the other way than the exact value.
  Results within half an ULP cannot; a larger promise allows them, so they are counted, not judged.
- Never allowed: a NaN or infinity that the exact value is not, or the reverse (**non finite mismatches**); a zero with
  another sign than the exact value, or than x where -0.0 keeps its sign (**sign of zero mismatches**); a zero where the
  exact result is a subnormal number (**flushed subnormals**).
- Of your own activations nothing is promised. What they are compared with are the float64 forms in their file, or what
  their functions give in float64 where it has none.
"""


def shown(table: pd.DataFrame) -> pd.DataFrame:
    """The columns of a certificate that fit a terminal under short names, counts only where there are any."""
    return table[[*SHOWN, *(name for name in COUNTS if table[name].any())]].rename(columns=SHORT)


def beside(table: pd.DataFrame) -> pd.DataFrame:
    """gradfade's rows of a certificate, each peer's largest error and mismatches in columns of its name beside them."""
    if table.empty:
        return table
    own = table[table.verdict != ""].drop(columns="by")
    for peer, rows in table[table.verdict == ""].groupby("by", sort=False):
        theirs = rows[LINE].assign(**{f"{peer}{ULP}": rows.largest_ulp, f"{peer}{UNMET}": rows.non_finite_mismatches})
        own = own.merge(theirs, on=LINE, how="left")
    return own


def section(table: pd.DataFrame) -> dict[str, Any]:
    """What the page shows of such a table (see beside): finding, rows, counts that are not all 0, peers, trades.

    Empty without rows.
    """
    if table.empty:
        return {}
    return {
        "finding": finding(table),
        "rows": table.to_dict("records"),
        "counts": [name for name in COUNTS if table[name].any()],
        "peers": peers(table),
        "trades": trades(table),
    }


def peers(table: pd.DataFrame) -> list[str]:
    """The peers that stand beside in such a table."""
    return [name.removesuffix(UNMET) for name in table if name.endswith(UNMET)]


def finding(table: pd.DataFrame) -> str:
    """The verdict of a certificate in sentences."""
    own, table = table[table.verdict == NO_PROMISE], table[table.verdict != NO_PROMISE]
    failed, unfinished = (table[table.verdict == verdict] for verdict in (BROKEN, UNFINISHED))
    broken = [f"{row.direction.replace('_', ' ')} of {row.name} in {row.dtype}" for row in failed.itertuples()]
    where = listed([*dict.fromkeys(broken)])
    kept = f"{(table.verdict == KEPT).sum()} of {several(len(table), 'promise')} of accuracy are kept"
    text = kept + (f"; broken: {where}." if where else ".") if len(table) else ""
    if len(unfinished):
        share = (unfinished.points / ALL).min()
        text += f" {several(len(unfinished), 'promise')} not tested on all inputs yet, but on {share:.0%} at least."
    worst = table[table.dtype == "float32"].groupby("direction", sort=False).largest_ulp.max()
    errors = listed([f"{error:.3g} ULP ({direction.replace('_', ' ')})" for direction, error in worst.items()])
    text += f" The largest errors in float32 are {errors}." if errors else ""
    worst = own.groupby("name", sort=False, observed=True).largest_ulp.max()
    errors = listed([f"{error:.3g} ULP ({name})" for name, error in worst.items()])
    text += f" Your own activations promise nothing; their largest errors are {errors}." if errors else ""
    return text.strip()


def check_writable(path: Path) -> None:
    """UserError where no document could be written, before hours of work are done for it."""
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise UserError(f"cannot write {path}: give a file in a folder that is there and can be written")


def write(path: Path, table: pd.DataFrame, environment: Mapping[str, Any]) -> None:
    """Write a certificate as Markdown, with the commit and the machine; UserError where the file cannot be written."""
    text = document(table, environment)
    write_whole(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def document(table: pd.DataFrame, environment: Mapping[str, Any]) -> str:
    """A certificate as Markdown: what was measured where, a table per dtype, peers beside float32, reasons."""
    own = beside(table)
    parts = [
        "# Accuracy\n",
        "Made by `gradfade certify --document`, with `--exhaustive` where all inputs were tested; do not edit.\n",
        finding(own) + "\n",
        _made(environment),
        ABOUT,
    ]
    for (dtype, tested), rows in own.groupby(["dtype", "tested"], sort=False):
        parts.append(_markdown(_readable(rows), f"{dtype}, {tested}: {rows.points.min():,} inputs per row at least"))
    names = peers(own)
    if names:
        rows = own.dropna(subset=[f"{name}{ULP}" for name in names], how="all")
        columns = ["name", "direction", "largest_ulp", *(f"{name}{end}" for end in (ULP, UNMET) for name in names)]
        parts.append(_markdown(rows[columns].rename(columns={"largest_ulp": "gradfade_ulp"}), PEERS_TITLE))
    if reasons := [f"- **{name}**: {reason}" for name, reason in trades(own).items()]:
        parts += [f"### {TRADES}\n", *reasons, ""]
    return "\n".join(parts)


TRADES = "What promises above 1 ULP buy, or above 2 of the derivative (docs/performance.md has the log)"


def _readable(rows: pd.DataFrame) -> pd.DataFrame:
    """Columns of the document: details only where there are any."""
    details = [name for name in DETAILS if rows[name].notna().any() and rows[name].any()]
    columns = ["name", "a", "direction", "promised_ulp", "largest_ulp", "at", "at_bits", "correctly_rounded", *details]
    rounded = rows.correctly_rounded.map(lambda share: f"{100 * share:.4f} %")
    table = rows.assign(correctly_rounded=rounded)[[*columns, "verdict"]]
    return table.rename(columns=lambda name: name.replace("_", " ").replace("ulp", "ULP"))


def _made(environment: Mapping[str, Any]) -> str:
    versions = environment["versions"]
    modified = " (modified)" if environment["modified"] else ""
    facts = {
        "date": environment["time"],
        "commit": f"{environment['commit'] or 'unknown'}{modified}",
        "machine": f"{environment['cpu']}, {environment['cores']} cores, compiled for {environment['target']}",
        "versions": ", ".join(f"{name} {versions[name]}" for name in LIBRARIES if name in versions),
    }
    return "\n".join(f"- {name}: {fact}" for name, fact in facts.items()) + "\n"


def _markdown(table: pd.DataFrame, title: str) -> str:
    file = io.StringIO()
    emit(table, "markdown", file, title)
    return file.getvalue()
