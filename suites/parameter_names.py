"""What the name of a parameter tells: whether it is a weight matrix, of which layer, and of which kind."""

import re
from collections import defaultdict
from collections.abc import Sequence

# The last part of a name ("layers.0.weight", "3.W", "weight_hh_l0", "kernel"); of a norm's layer it is no matrix.
WEIGHT = re.compile(r"(.*weight|.*kernel|w)([_\d].*)?|W\w{0,2}", re.IGNORECASE)
BIAS = re.compile(r"bias.*|b\w{0,2}|beta", re.IGNORECASE)
NORM_LAYER = re.compile(r"(^|[._/])(\w*norm|bn|ln)(_?\w?\d*)([._/]|$)", re.IGNORECASE)
# Where a layer's name ends: behind the first part that is a number, elsewhere behind the last one with a number at its
# end; the name of the parameter itself is no part.
INDEXED = re.compile(r"(?:[^./]+[./])*?\d+(?=[./])")
NUMBERED = re.compile(r"(?:[^./]+[./])*[^./]*\d(?=[./])")
STACKED = re.compile(r"(?<=_l)\d+(?=(_reverse)?$)")  # the layer of a cell: PyTorch's weight_hh_l1_reverse
OWN = re.compile(r"\d+(?=(:\d+)?$)")  # that of W1
NUMBERS = re.compile(r"\d+(?=[./]|$)")


def group(name: str) -> str:
    """By the parameter's name: weight (a matrix), bias, or other (the scale of a norm, what is named otherwise)."""
    last = re.split(r"[./]", _stem(name))[-1]
    if BIAS.fullmatch(last):
        return "bias"
    return "weight" if WEIGHT.fullmatch(last) and not NORM_LAYER.search(name) else "other"


def kind(name: str) -> str:
    """The name without the numbers of its layer: "layers.*.self_attn.in_proj_weight", "lstm.weight_hh_l*"."""
    path, rest, number = _parts(name)
    start, end = number.span() if number else (len(rest), len(rest))
    return NUMBERS.sub("*", path) + rest[:start] + "*" * bool(number) + rest[end:]


def kinds(names: Sequence[str]) -> list[str]:
    """The kind of each; Keras' first layer, "dense/kernel", is of the kind of the others, "dense_*/kernel"."""
    found = [kind(name) for name in names]
    first = {each.replace("_*", "", 1): each for each in found if "_*" in each}
    return [first.get(each, each) for each in found]


def layers(names: Sequence[str]) -> list[int]:
    """The place of each one's layer, from 0: those of one layer, Wx and Wh of a cell, say, have one place.

    Layers are in the order in which they come first; but where those whose names differ in numbers alone are sorted as
    text, "h.10" before "h.2", they are in the order of the numbers.
    """
    owners = [_layer(name) for name in names]
    ranks = {owner: place for place, owner in enumerate(dict.fromkeys(owners))}
    alike: dict[str, list[str]] = defaultdict(list)
    for owner in ranks:
        alike[re.sub(r"\d+", "*", owner)].append(owner)
    for those in alike.values():
        if those == sorted(those):
            places = [ranks[owner] for owner in those]
            ranks.update(zip(sorted(those, key=_numbers), places, strict=True))
    return [ranks[owner] for owner in owners]


def _layer(name: str) -> str:
    path, _, number = _parts(name)
    return f"{path}/{number[0]}" if number else path


def _numbers(owner: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", owner)]


def _parts(name: str) -> tuple[str, str, re.Match[str] | None]:
    """What of a name is its layer's, "encoder.layer.11", the rest, and the number of a layer in that, if there is one.

    That of a weight without layers' names, "W1", is its own.
    """
    match = INDEXED.match(name) or NUMBERED.match(name)
    if match:
        path = match[0]
    else:
        path = name if group(name) != "weight" else name[: len(name) - len(re.split(r"[./]", name)[-1])]
    rest = name[len(path) :]
    return path, rest, STACKED.search(rest) or (None if path else OWN.search(rest))


def _stem(name: str) -> str:
    return re.sub(r":\d+$", "", name)  # TensorFlow's end in ":0"
