"""The commit: of a checkout, of an installed copy, or honestly unknown."""

import json
import subprocess

from suites.commit import BUILT, commit


def test_unknown_outside_a_checkout(tmp_path):
    assert commit(tmp_path) == {"commit": None, "modified": None}


def test_of_a_checkout_with_its_changes(tmp_path):
    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
        done = subprocess.run(["git", "-C", str(tmp_path), *identity, *arguments], check=True, capture_output=True)
        return done.stdout.decode().strip()

    git("init")
    assert commit(tmp_path) == {"commit": None, "modified": None}  # nothing committed yet
    git("commit", "--allow-empty", "-m", "first")
    head = git("rev-parse", "HEAD")
    assert commit(tmp_path) == {"commit": head, "modified": False}
    (tmp_path / "new").touch()
    assert commit(tmp_path) == {"commit": head, "modified": True}


def test_an_installed_copy_has_the_commit_it_was_built_from(tmp_path):
    record = {"commit": "abc", "modified": False}
    (tmp_path / "suites").mkdir()
    (tmp_path / "suites" / BUILT).write_text(json.dumps(record))
    assert commit(tmp_path) == record
