"""The options that several commands of the command line share."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from reports.tables import FORMATS
from suites.errors import known
from suites.profiles import PROFILES


def one_of(table: Mapping[str, Any], kind: str) -> Callable[[str], str]:
    """A check of an option: the name of a row of table."""

    def check(name: str) -> str:
        known(table, kind, [name])
        return name

    return check


Names = list[str]
Out = Annotated[Path | None, typer.Option("--out", help="Results folder. Default: a new one below results/.")]
KeptOut = Annotated[Path | None, typer.Option("--out", help="Results folder to keep the rows in. Default: none.")]
Format = Annotated[str, typer.Option(help=", ".join(FORMATS) + ".", callback=one_of(FORMATS, "format"))]
Profile = Annotated[
    str, typer.Option(help="quick: about two minutes; full: everything.", callback=one_of(PROFILES, "profile"))
]
Seed = Annotated[int, typer.Option(help="First seed.")]
Seeds = Annotated[int, typer.Option(help="Number of seeds.")]
Activations = Annotated[Names, typer.Option("--activation", help="Name, or FILE.py:NAME; may be repeated.")]
Own = Annotated[
    Names, typer.Option("--activation", help="FILE.py:NAME, one of your own beside the known ones; may be repeated.")
]
Architectures = Annotated[Names, typer.Option("--architecture", help="Name; may be repeated.")]
Initializers = Annotated[Names, typer.Option("--init", help="Name of an initialiser; may be repeated.")]
Width = Annotated[int, typer.Option(help="Units per layer.")]
Widths = Annotated[list[int], typer.Option("--width", help="Units per layer; may be repeated.")]
Depths = Annotated[list[int], typer.Option("--depth", help="Layers or blocks; may be repeated.")]
Lengths = Annotated[list[int], typer.Option("--length", help="Time steps; may be repeated.")]
DTypes = Annotated[Names, typer.Option("--dtype", help="float32 or float64; may be repeated.")]
Inputs = Annotated[int, typer.Option(help="Features of a cell's input.")]
Batch = Annotated[int, typer.Option(help="Samples.")]
DType = Annotated[str, typer.Option(help="float32 or float64.")]
Workers = Annotated[int, typer.Option(help="Processes that measure cells beside one another.")]
Dask = Annotated[
    str | None, typer.Option(help="Address of a Dask scheduler, the workers of which measure the cells instead.")
]
Rows = Annotated[bool, typer.Option("--rows", help="Print every measured row instead of a summary.")]
