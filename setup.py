"""What pyproject.toml cannot say: an installed gradfade knows the commit that it was built from."""

import json
from pathlib import Path
from runpy import run_path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithCommit(build_py):
    """Writes the commit beside suites/commit.py, which reads it."""

    def run(self) -> None:
        """Build as ever, then add the file; an editable install asks git itself."""
        super().run()
        if not self.editable_mode:
            module = run_path("suites/commit.py")
            Path(self.build_lib, "suites", module["BUILT"]).write_text(json.dumps(module["commit"](Path.cwd())))


setup(cmdclass={"build_py": BuildWithCommit})
