"""The page: complete, self-contained, accessible, the same for the same run."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from reports.figures import FIGURES
from reports.load import load
from reports.page import render
from reports.summary import ranking
from reports.words import MINUS
from suites.errors import UserError

VOID = {"meta", "br", "link"}


class Page(HTMLParser):
    """Collects tags, ids and addresses, and checks that tags are closed in order."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.ids, self.addresses, self.open = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in ("src", "href", "xlink:href"):
                self.addresses.append(value)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag


@pytest.fixture(scope="module")
def rendered(finished):
    """The folder of a run whose report is written; not to be changed."""
    render(finished)
    return finished


@pytest.fixture
def text(rendered):
    """The rendered page."""
    return (rendered / "report" / "index.html").read_text(encoding="utf-8")


def test_writes_a_page_and_every_figure_with_its_data(rendered, text):
    report = rendered / "report"
    assert {path.name for path in report.iterdir()} == {"index.html", "figures"}
    names = {path.name for path in (report / "figures").iterdir()}
    drawn = {f"{name}.{kind}" for name in FIGURES for kind in ("svg", "csv")}
    assert names == drawn | {"ranking.csv", "table1.csv", "layer_costs.csv", "claims.csv"}


def test_is_sound_html(text):
    page = Page(text)
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    assert page.tags.count("h1") == 1
    assert page.tags.count("figure") == page.tags.count("figcaption") == len(FIGURES)


def test_asks_nothing_of_the_network(rendered, text):
    page = Page(text)
    assert "script" not in page.tags
    assert not {"link", "img", "iframe"} & set(page.tags)
    assert "@import" not in text
    for address in page.addresses:
        assert not re.match(r"[a-z]+:|//", address)
        if address.startswith("#"):
            assert address[1:] in page.ids
        else:
            assert (rendered / "report" / address).is_file()
    assert all(target in page.ids for target in re.findall(r"url\(#([^)]*)\)", text))


def test_figures_have_names_for_those_who_do_not_see_them(text):
    page = Page(text)
    for labels in re.findall(r'<svg role="img" aria-labelledby="([^"]*)"', text):
        assert set(labels.split()) <= set(page.ids)
    assert text.count('role="img"') == len(FIGURES)


def test_csv_are_the_data_of_the_figures(rendered, text):
    tables = load(rendered)
    for name, figure in FIGURES.items():
        data = figure.data(tables)
        saved = pd.read_csv(rendered / "report" / "figures" / f"{name}.csv")
        assert list(saved.columns) == list(data.columns)
        for column in data.select_dtypes("number"):
            assert np.allclose(saved[column], data[column].astype(float), equal_nan=True, rtol=1e-12), (name, column)
    saved = pd.read_csv(rendered / "report" / "figures" / "ranking.csv")
    assert np.allclose(saved.ns_per_element, ranking(tables).ns_per_element)


def test_the_same_run_gives_the_same_bytes(rendered, text):
    figures = sorted((rendered / "report" / "figures").iterdir())
    before = [path.read_bytes() for path in figures]
    assert render(rendered).read_text(encoding="utf-8") == text
    assert [path.read_bytes() for path in figures] == before


def test_answers_the_question(text):
    assert "2 of 3 activations carry a gradient through 50 layers within a factor of ten: relu and tanh." in text
    assert f"1 lose more, most of all sigmoid ({MINUS}0.60 per layer)." in text
    assert "relu is the cheapest at 0.22 ns per element and sigmoid the dearest at 0.88 ns." in text
    assert "relu reaches the best test accuracy, 97.0 %; the intervals of 1 other overlap with its own." in text


def test_the_answer_is_of_the_depth_that_was_measured(keep, edit):
    run = keep("depth", "cost")
    edit(run, "depth", lambda table: table.assign(depth=50 + 50 * (table.activation == "tanh")))
    text = render(run).read_text(encoding="utf-8")
    assert "2 of 3 activations carry a gradient through 50 or 100 layers within a factor of ten" in text
    edit(run, "depth", lambda table: table.assign(depth=20, value=table.value / 10))
    text = render(run).read_text(encoding="utf-8")
    assert "2 of 3 activations carry a gradient through 20 layers within a factor of ten: relu and tanh." in text
    assert f"1 lose more, most of all sigmoid ({MINUS}0.15 per layer)." in text


def test_table_1(text):
    row = re.search(r'<tr><th scope="row">sigmoid</th><td>he_normal</td>.*?</tr>', text, re.DOTALL)[0]
    assert "0 of 4" in row
    assert "The target is a test accuracy of 95.0 %" in text
    assert "10.0 %" in row


def test_environment(text):
    assert re.search(r"<th scope=\"row\">blas core</th><td>SkylakeX</td>", text)
    assert re.search(r"<th scope=\"row\">commit</th><td>unknown</td>", text)
    assert "<details><summary>avx2 avx512f" in text


def test_tells_what_was_run(text):
    assert "<dt>Across depth</dt><dd>Architecture plain: depth 50, width 256, batch 32, float32, 4 seeds." in text
    assert "kept before and after" in text


def test_says_what_is_missing(keep):
    run = keep("depth", "cost")
    record = json.loads((run / "environment.json").read_text())
    (run / "environment.json").write_text(json.dumps(record | {"finished": None, "cpu": "<script>alert(1)</script>"}))
    text = render(run).read_text(encoding="utf-8")
    assert "This run did not finish; what it had measured is shown." in text
    assert "time: not in this run, so there is nothing for" in text
    assert '<section id="time">' not in text
    assert "<script>" not in text
    assert Page(text).open == []


def test_a_run_with_nothing_measured_yet(keep):
    text = render(keep()).read_text(encoding="utf-8")
    assert "Nothing was measured yet" in text
    assert "<figure>" not in text


def test_damaged_run_writes_nothing(run):
    (run / "cost.json").write_text("{")
    with pytest.raises(UserError):
        render(run)
    assert not (run / "report").exists()


def test_the_ledger_has_every_claim_its_sentence_folded_and_its_verdict_marked(text):
    ledger = text[text.index('<section id="claims">') :]
    ledger = ledger[: ledger.index("</section>")]
    assert ledger.count("<details>") == ledger.count('<blockquote lang="zh">') == 25
    assert '<a href="#claims">' in text
    assert "20. fully connected, 50 layers" in ledger
    assert re.search(r'<td class="verdict holds"><span aria-hidden="true">✓</span> holds', ledger)
    assert re.search(r'<td class="verdict missing"><span aria-hidden="true">…</span> not measured in this run', ledger)
    assert "needs the deep training suite with sigmoid" in ledger


def test_no_ledger_where_nothing_for_it_was_measured(keep):
    run = keep("cost")
    text = render(run).read_text(encoding="utf-8")
    assert 'id="claims"' not in text
    assert not (run / "report" / "figures" / "claims.csv").exists()
