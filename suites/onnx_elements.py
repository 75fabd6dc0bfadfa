"""ONNX Runtime as its users call it: a graph of one operator per activation, forward only."""

from typing import Any

from suites.gradfade_calls import Arrays, Call

# Operator, attributes and further inputs, in ONNX's operator set 24.
_ONNX: dict[str, tuple[str, dict[str, Any], tuple[float, ...]]] = {
    "sigmoid": ("Sigmoid", {}, ()),
    "tanh": ("Tanh", {}, ()),
    "relu": ("Relu", {}, ()),
    "leaky_relu": ("LeakyRelu", {"alpha": 0.01}, ()),
    "prelu": ("PRelu", {}, (0.25,)),
    "elu": ("Elu", {}, ()),
    "selu": ("Selu", {}, ()),
    "celu": ("Celu", {}, ()),
    "gelu": ("Gelu", {}, ()),
    "gelu_tanh": ("Gelu", {"approximate": "tanh"}, ()),
    "swish": ("Swish", {}, ()),
    "mish": ("Mish", {}, ()),
    "softplus": ("Softplus", {}, ()),
    "softsign": ("Softsign", {}, ()),
    "hardtanh": ("Clip", {}, (-1.0, 1.0)),
    "hardsigmoid": ("HardSigmoid", {"alpha": 1 / 6}, ()),
    "hardswish": ("HardSwish", {}, ()),
    "relu6": ("Clip", {}, (0.0, 6.0)),
    "erf": ("Erf", {}, ()),
}


def onnxruntime_has(activation: str, direction: str, into: bool) -> bool:
    """Whether there is an operator; ONNX Runtime is for inference."""
    return direction == "forward" and activation in _ONNX


def onnxruntime(activation: str, direction: str, into: bool, arrays: Arrays) -> Call:
    """A graph of the one operator, float32."""
    import onnxruntime
    from onnx import TensorProto, helper

    operator, attributes, constants = _ONNX[activation]
    names = [f"c{i}" for i in range(len(constants))]
    node = helper.make_node(operator, ["x", *names], ["y"], **attributes)
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in "xy"]
    tensors = [helper.make_tensor(name, TensorProto.FLOAT, (), [c]) for name, c in zip(names, constants, strict=True)]
    graph = helper.make_graph([node], activation, ends[:1], ends[1:], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 24)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    if not into:
        return lambda: tuple(session.run(None, {"x": arrays.x}))
    binding = session.io_binding()
    binding.bind_cpu_input("x", arrays.x)
    binding.bind_ortvalue_output("y", onnxruntime.OrtValue.ortvalue_from_numpy(arrays.y))

    def call() -> tuple[Any, ...]:
        session.run_with_iobinding(binding)
        return (arrays.y,)

    return call
