"""Norms of gradients, by parameter, as people have them: printed by a loop over the parameters, or in a table."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from suites.errors import UserError
from suites.written_numbers import Written, read, readings, unwrapped

# Words that tell what stands beside them and are no part of a name: "Layer: fc1, Gradient Norm: 0.1".
NAMES = ("name", "parameter", "parameters", "param", "params", "variable", "layer", "layers", "module")
GRADIENT, NORM = {"gradient", "gradients", "grad", "grads"}, {"norm", "norms", "l2"}
BESIDES = {"shape", "size", "numel", "dtype", "mean", "std", "max", "min", "step", "epoch"}
LABELS = {*NAMES, *GRADIENT, *NORM, *BESIDES, "of", "for", "per", "by", "the", "is", "total"}
WORD = re.compile(r"[lL]2|[A-Z]?[a-z]+|[A-Z]+|\d+")

# What is not split: quotes, brackets, and, behind a space or an equals sign, a number with commas.
WHOLE = r'"(?:[^"]|"")*"|\((?:[^()]|\([^()]*\))*\)|\[[^][]*\]|(?:(?<=[^,\s]\s)|(?<==))\d+(?:,\d+)+'
DELIMITERS = (r"\t", ";", r"\|", ",")
LABELLED, SPACE = r":(?=\s|$)|=", r"\s+"
EXTENT = r"[\w.]*[(\[][\[(\d\s,)\]]*[)\]]|\d+(?:\s*[x\N{MULTIPLICATION SIGN}*]\s*\d+)+"
SHAPE = re.compile(rf"{EXTENT}|\((?:shape\W*)?(?:{EXTENT})\)|\[(?:{EXTENT})\]")  # in brackets of its own, too
VECTOR = re.compile(r"""(^|[\s,;|"=:([]|Size\()[(\[]\s*\d*\s*,?\s*[)\]]""")  # a shape of one axis, or none
TIMES, LOSS = {"step", "epoch"}, {"loss"}  # of which the lines of a log are, that give no parameter's norm
ABSENT = ("none", "null")  # stands for a gradient that is not there
SHOWN = 60  # characters of a line in a message


@dataclass(frozen=True)
class Norm:
    """The norm of one parameter's gradient, None where it has no gradient; line is where it stands.

    taken: how its commas were read, "" where there are none. vector: whether a shape beside it says that it is of a
    parameter of one axis, or none.
    """

    name: str
    value: float | None
    line: int
    taken: str = ""
    vector: bool = False


@dataclass(frozen=True)
class _Header:
    """What the columns are called, and where."""

    labels: list[str]
    delimiter: str
    line: int


def read_norms(lines: Iterable[str], source: str) -> list[Norm]:
    """The norms in lines of a name and a norm, as they are printed, or as a table with any columns.

    A line has fields between tabs, semicolons, bars or commas, the first of these that it has; quotes and brackets hold
    what is in them together. A field may have a label, "Gradient Norm: 0.1", or the first line may label all. The norm
    is in the field whose label says so, elsewhere in the last; the name in the one whose label says that, elsewhere in
    the first. Shapes without a label are passed over, and so are words that label in a name, "grad norm of fc1.weight",
    and lines without a letter or digit, or of such words alone. A single field is a name and the norm behind it.

    None is the norm of what has no gradient, inf and nan are those of a network that has exploded. Commas in numbers
    are read as suites.written_numbers.read has it. UserError, with source and the line's number, where a norm is none
    of these, or under 0, where it cannot be told what is the norm, where a line is a log's, "epoch 1 loss 0.3", where a
    name comes twice, and where there is none.
    """
    header: _Header | None = None
    found: dict[str, tuple[int, Written]] = {}
    vectors = set()
    for number, line in enumerate(lines, start=1):
        text, place = line.strip().removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}").strip(), f"{source}: line {number}"
        delimiter, fields = _fields(text.rstrip(","))
        first = not found and not header
        if not re.search(r"\w", text) or (first and not delimiter and _is_label(text)):
            continue
        if first and _heads(fields):
            header = _Header(fields, delimiter, number)
            _columns(fields, place)
            continue
        name, norm = _of_table(text, header, place) if header else _of_line(fields, text, place)
        if name in found:
            raise UserError(f"{place}: {name} comes twice, in line {found[name][0]} before; give those of one step")
        values = readings(norm := unwrapped(norm)).values()
        if norm.lower() not in ABSENT and (not values or min(values) < 0):
            order = "; names stand first, unless a header says otherwise" if readings(name) and not values else ""
            raise UserError(f"{place}: a norm must be a number of 0 or more, inf, nan or None, got {norm!r}{order}")
        found[name] = number, Written(norm, place, delimiter == ";")
        vectors |= {name} if VECTOR.search(text) else set()
    if not found:
        raise UserError(f"{source}: no norms; a line is a parameter's name and its norm, as in fc1.weight,0.0123")
    there = {name: norm for name, (_, norm) in found.items() if norm.text.lower() not in ABSENT}
    numbers, way = read([*there.values()])
    known = dict(zip(there, numbers, strict=True))
    return [
        Norm(name, known.get(name), line, way if "," in norm.text else "", name in vectors)
        for name, (line, norm) in found.items()
    ]


def _split(text: str, separator: str) -> list[str]:
    """The parts between separators; WHOLE is left as it is."""
    return [part.strip() for part in re.sub(f"({WHOLE})|{separator}", lambda at: at[1] or "\0", text).split("\0")]


def _between(text: str, delimiter: str) -> list[str]:
    return _split(text.strip("|") if delimiter == r"\|" else text, delimiter)


def _fields(text: str) -> tuple[str, list[str]]:
    """The first delimiter that text has, "" if none, and what is between."""
    for delimiter in DELIMITERS:
        if len(fields := _between(text, delimiter)) > 1:
            return delimiter, fields
    return "", [text]


def _plain(text: str) -> str:
    """Without quotes."""
    return text[1:-1].replace('""', '"') if len(text) > 1 and text[0] == text[-1] == '"' else text.strip("'")


def _words(text: str) -> set[str]:
    return {word.lower() for word in WORD.findall(text)}


def _is_label(text: str) -> bool:
    """Whether all of text labels something."""
    return bool(words := _words(text)) and words <= LABELS and not re.search(r"[./]", text)


def _bare(text: str) -> str:
    """What is left without shapes, signs, and words that label."""
    words = [word for word in _split(text, SPACE) if re.search(r"\w", word)]
    return " ".join(word for word in words if not _is_label(word) and not SHAPE.fullmatch(word))


def _heads(fields: Sequence[str]) -> bool:
    """Whether these fields label columns: one is of words that label, and none is a value or has a label itself."""
    plain = [_plain(field) for field in fields]
    values = (readings(text) or text.lower() in ABSENT or SHAPE.fullmatch(text) for text in plain)
    labelled = (len(_split(field, LABELLED)) > 1 for field in fields)
    return len(fields) > 1 and any(map(_is_label, plain)) and not any(values) and not any(labelled)


def _columns(labels: Sequence[str], place: str) -> tuple[int, int]:
    """Which of the labels is that of the name, and which that of the norm."""
    scores = [_score(_words(label)) for label in labels]
    best = [i for i, score in enumerate(scores) if score and score == max(scores)]
    if len(best) != 1 and (best or len(labels) > 2):
        told = ", ".join(labels[i] for i in best or range(len(labels)))
        raise UserError(f"{place}: one column must be the norm, as norm or grad_norm, and not several; got {told}")
    norm = best[0] if best else len(labels) - 1
    others = [i for i in range(len(labels)) if i != norm]
    named = [i for word in NAMES for i in others if word in _words(labels[i])]
    return (named or others)[0], norm


def _score(words: set[str]) -> int:
    """How surely words are of a gradient's norm: a gradient's before others', and no mean of it, say."""
    norm, gradient = bool(words & NORM), bool(words & GRADIENT)
    return 0 if words & BESIDES and not norm else 4 * gradient + 2 * norm


def _of_table(text: str, header: _Header, place: str) -> tuple[str, str]:
    """The name and the norm in a row of a table."""
    fields = [_plain(field) for field in _between(text, header.delimiter)]
    if len(fields) != len(header.labels):
        told = f"{len(fields)} columns, where the header in line {header.line} has {len(header.labels)}"
        raise UserError(f"{place}: {told}, got {text[:SHOWN]!r}; in quotes, what is between columns is text")
    name, norm = (fields[i] for i in _columns(header.labels, place))
    if not (name and norm):
        told = "no norm: it must be a number, or None where there is no gradient" if name else "no name"
        raise UserError(f"{place}: {told}, got {text[:SHOWN]!r}")
    return name, norm


def _of_line(fields: Sequence[str], text: str, place: str) -> tuple[str, str]:
    """The name and the norm in a line by itself."""
    pairs = [pair for field in fields for pair in _labelled(field)]
    if len(pairs) == 1:
        ((label, value),) = pairs
        words = [label, value] if label else _split(value, SPACE)
        if len(words) == 1:
            words = re.split(r":(?=[^:]+$)", value)
        pairs = [("", " ".join(words[:-1])), ("", words[-1])]
    if len(pairs) != 2 or not all(part for _, part in pairs):
        raise UserError(f"{place}: must be name,norm or name: norm, or columns under a header, got {text[:SHOWN]!r}")
    name, norm = (pairs[i][1] for i in _columns([label for label, _ in pairs], place))
    short = _bare(name)
    if _words(short) == LOSS or (" " in name and TIMES & {word.strip(":,").lower() for word in name.split()}):
        raise UserError(f"{place}: a step, an epoch or a loss is no parameter and norm, got {text[:SHOWN]!r}")
    return _plain(short if re.search(r"[^\W\d]", short) else name), _plain(_bare(norm) or norm)


def _labelled(field: str) -> list[tuple[str, str]]:
    """What is in a field, with labels; no shape, and nothing that is told beside a norm."""
    pairs, label = [], ""
    *heads, last = [part for part in _split(field, LABELLED) if part] or [""]
    for part in heads:
        if not _is_label(part):
            pairs.append((label, part))
        label = part if _is_label(part) else ""
    words = _words(label)
    if not (SHAPE.fullmatch(_plain(last)) or (words & BESIDES and not _score(words))):
        pairs.append((label, last))
    return pairs
