"""The journal keeps what was written, and nothing of a torn line."""

import json

import pytest

from suites.errors import UserError
from suites.journal import Journal, read


def benchmark(name, **extra_info):
    """The fields of a benchmark that a journal wants."""
    return {"fullname": name, "group": "", "stats": {}, "extra_info": extra_info}


A, B, C = (benchmark(name) for name in "abc")


def test_records_come_back_in_order(tmp_path):
    journal = Journal(tmp_path / "j.jsonl")
    assert journal.records == []
    journal.append(benchmark("a", value=1.5))
    journal.append(benchmark("b", value=None))
    assert Journal(tmp_path / "j.jsonl").records == [benchmark("a", value=1.5), benchmark("b", value=None)]


@pytest.mark.parametrize("torn", ['{"fullname": "b", "gr', json.dumps(B), "\x00\x00\x00", "\r"])
def test_a_torn_last_line_is_dropped_and_the_next_starts_afresh(tmp_path, torn):
    path = tmp_path / "j.jsonl"
    path.write_bytes(f"{json.dumps(A)}\n{torn}".encode())
    assert read(path) == [A]
    journal = Journal(path)
    assert journal.records == [A]
    journal.append(C)
    assert path.read_text() == f"{json.dumps(A)}\n{json.dumps(C)}\n"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"fullname": "b", "gr', "damaged"),
        (b"\xff\xfe", "damaged"),
        (b"", "damaged"),
        (b"3", "not a benchmark"),
        (b'["fullname", "group", "stats", "extra_info"]', "not a benchmark"),
        (b'{"name": "b", "group": "", "stats": {}, "extra_info": {}}', "not a benchmark, which has .*fullname"),
    ],
)
def test_a_damaged_line_in_the_middle_is_named(tmp_path, line, reason):
    path = tmp_path / "j.jsonl"
    content = b"\n".join([json.dumps(A).encode(), line, json.dumps(C).encode(), b""])
    path.write_bytes(content)
    with pytest.raises(UserError, match=rf"j\.jsonl, line 2: {reason}"):
        read(path)
    with pytest.raises(UserError, match="line 2"):
        _ = Journal(path).records
    assert path.read_bytes() == content


def test_a_number_that_json_lacks_is_refused_whole(tmp_path):
    journal = Journal(tmp_path / "j.jsonl")
    with pytest.raises(ValueError, match="JSON"):
        journal.append(benchmark("a", value=float("nan")))
    assert not journal.path.exists()
