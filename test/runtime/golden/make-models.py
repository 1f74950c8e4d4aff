"""Writes the small models of these tests: python make-models.py (onnx 1.23)."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper

FOLDER = Path(__file__).parent


def save(name, nodes, inputs, outputs, initializers=()):
    value = lambda v: h.make_tensor_value_info(*v)
    graph = h.make_graph(nodes, name, [value(v) for v in inputs], [value(v) for v in outputs], list(initializers))
    model = h.make_model(graph, opset_imports=[h.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, FOLDER / f"{name}.onnx")


# z = x + y, two named sides
save(
    "add",
    [h.make_node("Add", ["x", "y"], ["z"])],
    [("x", T.FLOAT, ["N", 2]), ("y", T.FLOAT, ["N", 2])],
    [("z", T.FLOAT, ["N", 2])],
)
# p' = p - rate * p, and its sum: a step with a parameter that stays
save(
    "decay",
    [
        h.make_node("Mul", ["p", "rate"], ["d"]),
        h.make_node("Sub", ["p", "d"], ["next"]),
        h.make_node("ReduceSum", ["next"], ["sum"], keepdims=0),
    ],
    [("p", T.FLOAT, ["N"]), ("rate", T.FLOAT, [])],
    [("next", T.FLOAT, ["N"]), ("sum", T.FLOAT, [])],
)
# every type that may cross the binding, unchanged
TYPES = {
    "float32": T.FLOAT,
    "float64": T.DOUBLE,
    "float16": T.FLOAT16,
    "int8": T.INT8,
    "int16": T.INT16,
    "int32": T.INT32,
    "int64": T.INT64,
    "uint8": T.UINT8,
    "uint16": T.UINT16,
    "uint32": T.UINT32,
    "uint64": T.UINT64,
    "bool": T.BOOL,
    "string": T.STRING,
}
save(
    "types",
    [h.make_node("Identity", [t], [f"{t}_out"]) for t in TYPES],
    [(t, code, ["N"]) for t, code in TYPES.items()],
    [(f"{t}_out", code, ["N"]) for t, code in TYPES.items()],
)
# fails at run time: the shape of the data does not fit the constant
save(
    "reshape",
    [h.make_node("Reshape", ["x", "shape"], ["y"])],
    [("x", T.FLOAT, ["N"])],
    [("y", T.FLOAT, [2, 3])],
    [numpy_helper.from_array(np.array([2, 3]), "shape")],
)
# slow enough to be caught in the act: 40 products of 600 x 600
save(
    "slow",
    [
        h.make_node("MatMul", ["x" if i == 0 else f"t{i}", "x"], [f"t{i + 1}"])
        for i in range(40)
    ]
    + [h.make_node("ReduceMean", ["t40"], ["y"], keepdims=0)],
    [("x", T.FLOAT, [600, 600])],
    [("y", T.FLOAT, [])],
)
