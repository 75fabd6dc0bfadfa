"""The report: figures with their data, and one page that holds them all and opens anywhere."""

import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from reports import accuracy, claims, layers, ratios
from reports.answer import answer
from reports.figures import FIGURES, Figure
from reports.load import Tables, load
from reports.method import setup
from reports.record import record
from reports.style import GRID, INK, MUTED, theme
from reports.summary import ranking, training
from reports.words import fixed, kept, percent, readable, signed
from suites.certificate import certificate
from suites.results import write_whole

REPORT, PAGE, FOLDER = "report", "index.html", "figures"
LONG = 100  # characters of an environment entry beyond which it is folded
THEMED = {INK: "var(--ink)", MUTED: "var(--muted)", GRID: "var(--grid)"}


@dataclass(frozen=True)
class Section:
    """A figure as the page shows it."""

    name: str
    title: str
    finding: str
    reading: str
    svg: Markup


def render(folder: Path) -> Path:
    """Write report/index.html and report/figures/*.svg and *.csv of a run; returns the page's path.

    The same tables give the same bytes.

    Raises:
        UserError: folder is no results folder, a file in it is damaged, or the report cannot be written.
    """
    run = load(folder)
    target = folder / REPORT
    sections = [section for name in FIGURES if (section := _section(name, FIGURES[name], run, target / FOLDER))]
    ranked, trained = ranking(run), training(run["training"])
    peers = ratios.cells(run["peers"])
    certified = accuracy.beside(certificate(run["accuracy"]))
    costs = layers.costs(run["cost"])
    ledger = claims.judged(run)
    always, judged = {"ranking": ranked, "table1": trained}, claims.details(ledger) if claims.section(ledger) else []
    others = {"peers": peers, "certificate": certified, "layer_costs": costs, "claims": judged}
    for name, table in (always | others).items():
        if name in always or len(table):
            _write_csv(target / FOLDER / f"{name}.csv", table)
    text = _template().render(
        name=folder.resolve().name, cpu=run.environment.get("cpu"), entries=record(run), setup=setup(run),
        notes=_notes(run),
        answer=answer(ranked), ranking=ranked.to_dict("records"), training=trained.to_dict("records"),
        accuracy=accuracy.section(certified), layers=layers.section(costs), claims=claims.section(ledger),
        peers=ratios.section(peers, run.session, run.environment.get("caches", {})),
        sections=sections, folder=FOLDER, LONG=LONG,
    )  # fmt: skip
    write_whole(target / PAGE, lambda path: path.write_text(text, encoding="utf-8"))
    return target / PAGE


def _section(name: str, figure: Figure, run: Tables, folder: Path) -> Section | None:
    """Draw and save one figure; None where the run has nothing for it."""
    data = figure.data(run)
    if data.empty:
        return None
    with theme():
        buffer = io.BytesIO()
        # Without these four the file would name its maker and the time.
        nameless = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.draw(data).savefig(buffer, format="svg", metadata=nameless)
    write_whole(folder / f"{name}.svg", lambda path: path.write_bytes(buffer.getvalue()))
    _write_csv(folder / f"{name}.csv", data)
    return Section(name, figure.title, figure.finding(data), figure.reading, _inline(buffer.getvalue().decode(), name))


def _write_csv(path: Path, table: pd.DataFrame) -> None:
    write_whole(path, lambda temporary: table.to_csv(temporary, index=False, lineterminator="\n"))


def _inline(svg: str, name: str) -> Markup:
    """svg to stand in a page: as wide as its place, in the page's theme, its ids apart from other figures'."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r'(<svg[^>]*?) width="[^"]*"| height="[^"]*"(?=[^>]*viewBox)', r"\1", body, count=2)
    body = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", body)
    for colour, variable in THEMED.items():
        body = body.replace(colour, variable)
    return Markup(body.replace("<svg", f'<svg role="img" aria-labelledby="{name}-title {name}-finding"', 1))


def _notes(run: Tables) -> list[str]:
    """What this run lacks, in sentences."""
    wanted = dict.fromkeys(name for figure in FIGURES.values() for name in figure.needs)
    absent = [
        f"{name}: not in this run, so there is nothing for "
        + ", ".join(f"“{figure.title}”" for figure in FIGURES.values() if name in figure.needs) + "."
        for name in wanted if name not in run
    ]  # fmt: skip
    return [*run.notes, *absent]


def _template() -> Any:
    environment = Environment(
        loader=PackageLoader("reports"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters.update(fixed=fixed, signed=signed, percent=percent, readable=readable, kept=kept)
    return environment.get_template("page.html.j2")
