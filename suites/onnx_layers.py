"""ONNX Runtime's layers, forward: graphs of ONNX's operators with a problem's parameters in them."""

from collections.abc import Callable
from typing import Any

import numpy as np

from kernels.jit import num_threads
from kernels.layer import Array
from suites.problems import Entry, Problem

OPERATORS = 24  # of ONNX's set


class Graph:
    """A graph in the making: called with an operator, inputs (names or arrays) and attributes, it names the output."""

    def __init__(self) -> None:
        from onnx import helper, numpy_helper

        self.helper, self.numpy_helper = helper, numpy_helper
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def __call__(self, operator: str, *inputs: str | Array, outputs: int = 1, **attributes: Any) -> Any:
        """The name of the output, or a list of names of outputs."""
        made = [f"{operator}{len(self.nodes)}_{i}" for i in range(outputs)]
        given = [self._constant(entry) if isinstance(entry, np.ndarray) else entry for entry in inputs]
        self.nodes.append(self.helper.make_node(operator, given, made, **attributes))
        return made[0] if outputs == 1 else made

    def _constant(self, array: Array) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(self.numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def session(self, y: str, x: Array, threads: int) -> Any:
        """A session that computes y of x."""
        import onnxruntime
        from onnx import TensorProto

        start = self.helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)
        end = self.helper.make_tensor_value_info(y, TensorProto.FLOAT, None)
        graph = self.helper.make_graph(self.nodes, "layer", [start], [end], self.constants)
        operators = [self.helper.make_opsetid("", OPERATORS)]
        model = self.helper.make_model(graph, opset_imports=operators, ir_version=10)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def layer(build: Callable[[Graph, Problem], str]) -> Callable[[Problem, str], Entry]:
    """A layer's forward pass; build gives the name of the output."""

    def entry(problem: Problem, direction: str) -> Entry:
        graph = Graph()
        session = graph.session(build(graph, problem), problem.x, num_threads())
        return Entry(call=lambda: session.run(None, {"x": problem.x}))

    return entry


def cell(operator: str, order: tuple[int, ...], **attributes: Any) -> Callable[[Graph, Problem], str]:
    """A recurrent operator; order names which of gradfade's gates stands at each place of ONNX's."""

    def build(graph: Graph, problem: Problem) -> str:
        p, hidden = problem.params, problem.given["hidden"]

        def gates(array: Array) -> Array:
            blocks = np.split(array, len(order), axis=-1)
            return np.concatenate([blocks[gate] for gate in order], axis=-1)

        second = np.zeros_like(p["b"])
        second[second.size - hidden :] = p.get("bh", 0.0)
        weights = [gates(p["Wx"]).T[None], gates(p["Wh"]).T[None], np.concatenate([gates(p["b"]), gates(second)])[None]]
        y = graph(operator, "x", *weights, hidden_size=hidden, **attributes)
        return str(graph("Squeeze", y, np.array([1])))

    return build


rnn = cell("RNN", (0,))
lstm = cell("LSTM", (0, 3, 1, 2))  # i, o, f, c
gru = cell("GRU", (1, 0, 2), linear_before_reset=1)  # z, r, h


def softmax(graph: Graph, problem: Problem) -> str:
    """Over the last axis."""
    return str(graph("Softmax", "x", axis=-1))


def layer_norm(graph: Graph, problem: Problem) -> str:
    """Over the last axis."""
    return str(graph("LayerNormalization", "x", *problem.params.values(), axis=-1, epsilon=1e-5))


def rms_norm(graph: Graph, problem: Problem) -> str:
    """Over the last axis."""
    return str(graph("RMSNormalization", "x", *problem.params.values(), axis=-1, epsilon=1e-5))


def attention(graph: Graph, problem: Problem) -> str:
    """The operator Attention between the projections."""
    return _attention(graph, problem, "x")


def _attention(graph: Graph, problem: Problem, x: str) -> str:
    p, heads = problem.params, problem.given["heads"]
    projected = [graph("Add", graph("MatMul", x, p[f"W{name}"]), p[f"b{name}"]) for name in "qkv"]
    turned = [graph("Transpose", array, perm=[1, 0, 2]) for array in projected]
    how = {"q_num_heads": heads, "kv_num_heads": heads, "is_causal": int(problem.given.get("causal", False))}
    mixed = graph("Transpose", graph("Attention", *turned, **how), perm=[1, 0, 2])
    return str(graph("Add", graph("MatMul", mixed, p["Wo"]), p["bo"]))


def transformer(post: bool) -> Callable[[Graph, Problem], str]:
    """Attention and two dense layers of GELU, each with its Add & Norm after it, or the norm before it."""

    def build(graph: Graph, problem: Problem) -> str:
        p = problem.params

        def norm(x: str, which: int) -> Any:
            return graph("LayerNormalization", x, p[f"gamma{which}"], p[f"beta{which}"], axis=-1, epsilon=1e-5)

        def dense(x: str) -> Any:
            hidden = graph("Gelu", graph("Add", graph("MatMul", x, p["W1"]), p["b1"]))
            return graph("Add", graph("MatMul", hidden, p["W2"]), p["b2"])

        if post:
            x = norm(graph("Add", "x", _attention(graph, problem, "x")), 1)
            return str(norm(graph("Add", x, dense(x)), 2))
        x = graph("Add", "x", _attention(graph, problem, norm("x", 1)))
        return str(graph("Add", x, dense(norm(x, 2))))

    return build
