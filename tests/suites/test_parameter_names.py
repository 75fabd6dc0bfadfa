"""Names of parameters, as PyTorch, Keras and gradfade have them: what they are, their layers and kinds."""

import pytest

from suites.parameter_names import group, kinds, layers


@pytest.mark.parametrize(
    ("name", "kind"),
    [("fc.weight", "weight"), ("3.W", "weight"), ("Wq", "weight"), ("W1", "weight"), ("lstm.weight_hh_l0", "weight"),
     ("attn.in_proj_weight", "weight"), ("dense/kernel", "weight"), ("w", "weight"), ("fc.bias", "bias"),
     ("3.b", "bias"), ("lstm.bias_ih_l0", "bias"), ("norm1.weight", "other"), ("layer_norm.weight", "other"),
     ("bn2.weight", "other"), ("ln_f.weight", "other"), ("gamma", "other"), ("window.weight", "weight"),
     ("dense/kernel:0", "weight"), ("dense/bias:0", "bias"), ("lstm/lstm_cell/recurrent_kernel:0", "weight"),
     ("layers.0.self_attn.in_proj_weight", "weight"), ("lstm.weight_hh_l1_reverse", "weight"),
     ("blocks.7.norm1.weight", "other"), ("bert.encoder.layer.1.output.LayerNorm.weight", "other"),
     ("3.W1", "weight"), ("0.Wx", "weight"), ("layer_normalization_2/gamma:0", "other")],
)  # fmt: skip
def test_what_a_name_is(name, kind):
    assert group(name) == kind


@pytest.mark.parametrize(
    ("names", "places", "of_kinds"),
    [
        (
            [f"layers.{i}.{name}" for i in (0, 1) for name in ("self_attn.in_proj_weight", "linear1.weight")],
            [0, 0, 1, 1],
            ["layers.*.self_attn.in_proj_weight", "layers.*.linear1.weight"],
        ),
        (
            [f"bert.encoder.layer.{i}.attention.self.{name}.weight" for i in (0, 11) for name in ("query", "key")],
            [0, 0, 1, 1],
            [f"bert.encoder.layer.*.attention.self.{name}.weight" for name in ("query", "key")],
        ),
        (["wte.weight", "h.0.mlp.c_fc.weight", "h.3.mlp.c_fc.weight"], [0, 1, 2],
         ["wte.weight", "h.*.mlp.c_fc.weight"]),
        (
            [f"lstm.weight_{way}_l{i}{end}" for i in (0, 1) for end in ("", "_reverse") for way in ("ih", "hh")],
            [0, 0, 0, 0, 1, 1, 1, 1],
            [f"lstm.weight_{way}_l*{end}" for end in ("", "_reverse") for way in ("ih", "hh")],
        ),
        (["rnn.weight_ih", "rnn.weight_hh", "fc.weight"], [0, 0, 1], None),
        (["Wx", "Wh"], [0, 0], ["Wx", "Wh"]),
        (["W1", "W2", "W3"], [0, 1, 2], ["W*"]),
        (["fc1.weight", "fc2.weight"], [0, 1], ["fc*.weight"]),
        (["0.weight", "2.weight"], [0, 1], ["*.weight"]),
        (["features.0.weight", "classifier.0.weight"], [0, 1], ["features.*.weight", "classifier.*.weight"]),
        (
            ["conv1.weight", "layer1.0.conv1.weight", "layer1.0.conv2.weight", "layer2.0.conv1.weight", "fc.weight"],
            [0, 1, 1, 2, 3],
            ["conv*.weight", "layer*.*.conv1.weight", "layer*.*.conv2.weight", "fc.weight"],
        ),
        (["dense/kernel:0", "dense_1/kernel:0", "dense_2/kernel:0"], [0, 1, 2], ["dense_*/kernel:0"]),
        (["conv2d/kernel:0", "conv2d_1/kernel:0"], [0, 1], ["conv2d_*/kernel:0"]),
        (["lstm/lstm_cell/kernel:0", "lstm/lstm_cell/recurrent_kernel:0"], [0, 0], None),
        (["0.Wq", "0.W1", "0.W2", "1.Wq", "1.W1", "1.W2"], [0, 0, 0, 1, 1, 1], ["*.Wq", "*.W1", "*.W2"]),
        (["Layer 1", "Layer 2"], [0, 1], ["Layer *"]),
    ],
)  # fmt: skip
def test_layers_and_kinds(names, places, of_kinds):
    assert layers(names) == places
    assert [*dict.fromkeys(kinds(names))] == (of_kinds or names)


def test_a_file_sorted_by_name_is_taken_by_number_and_no_other():
    sorted_by_name = sorted(f"h.{i}.{name}.weight" for i in range(12) for name in ("attn", "mlp"))
    assert layers(sorted_by_name) == [int(name.split(".")[1]) for name in sorted_by_name]
    assert layers(["conv1.weight", "fc1.weight", "conv2.weight", "fc2.weight"]) == [0, 1, 2, 3]
    assert layers(["up.3.weight", "up.2.weight", "up.1.weight"]) == [0, 1, 2]  # a decoder counts down
    assert layers([f"dense_{i}/kernel:0" for i in (1, 10, 2)]) == [0, 2, 1]
    assert layers([]) == []
