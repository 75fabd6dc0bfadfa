"""What the help of the commands on attenuation says is what they print."""

import pytest
from typer.testing import CliRunner

from reports.measuring import attenuate
from suites import summary
from suites.experiment import EXPERIMENTS

SMALL = {
    "depth": {"depths": [3], "widths": [6], "batch": 2, "seeds": 2},
    "time": {"lengths": [3], "widths": [6], "batch": 2, "seeds": 2, "architectures": ["rnn"]},
}


@pytest.mark.parametrize("experiment", SMALL)
def test_help_explains_every_column_that_is_printed(experiment):
    row = EXPERIMENTS[experiment]
    table = summary.attenuation(row.run(row.cells(**SMALL[experiment])), experiment)
    columns = [name for name in table if name not in summary.CONFIGURATION]
    assert columns == [*summary.meaning(experiment)]
    result = CliRunner().invoke(attenuate, [experiment, "--help"], env={"COLUMNS": "80"})
    lines = [line.strip() for line in result.stdout.splitlines()]
    for name in columns:
        (line,) = [line for line in lines if line.startswith(f"{name}: ")]
        assert len(line) > len(name) + 10
    assert max(map(len, result.stdout.splitlines())) <= 80
    told = " ".join(lines)
    assert ("mean square 1" in told) == (experiment == "depth")
    assert "share the standard normals" in told
