"""The journal keeps what was written, and nothing of a torn line."""

import pytest

from suites.journal import Journal


def test_records_come_back_in_order(tmp_path):
    journal = Journal(tmp_path / "j.jsonl")
    assert journal.records == []
    journal.append({"name": "a", "value": 1.5})
    journal.append({"name": "b", "value": None})
    assert Journal(tmp_path / "j.jsonl").records == [{"name": "a", "value": 1.5}, {"name": "b", "value": None}]


@pytest.mark.parametrize("torn", ['{"name": "b", "va', '{"name": "b"}', "\x00\x00\x00"])
def test_a_torn_last_line_is_dropped_and_the_next_starts_afresh(tmp_path, torn):
    path = tmp_path / "j.jsonl"
    path.write_text('{"name": "a"}\n' + torn)
    journal = Journal(path)
    assert journal.records == [{"name": "a"}]
    journal.append({"name": "c"})
    assert path.read_text() == '{"name": "a"}\n{"name": "c"}\n'


def test_a_number_that_json_lacks_is_refused_whole(tmp_path):
    journal = Journal(tmp_path / "j.jsonl")
    with pytest.raises(ValueError, match="JSON"):
        journal.append({"value": float("nan")})
    assert not journal.path.exists()
