"""Writes one small model a case into the folder models/ beside this file: `<case>.<opset>.onnx`.

The test reads each, lifts and writes it, and asks the engine for the outputs of both.
Usage: python make_models.py
"""

import pathlib
import shutil

import numpy as np
from onnx import AttributeProto, checker, helper, numpy_helper, save
from onnx import TensorProto as T

FOLDER = pathlib.Path(__file__).parent / "models"
IR = {11: 6, 12: 7, 13: 7, 14: 7, 15: 8, 16: 8, 17: 8, 18: 8, 19: 9, 20: 9, 21: 10, 22: 10, 23: 11, 24: 12, 25: 13, 26: 13}
rng = np.random.default_rng(7)


def weights(*shape):
    return rng.standard_normal(shape).astype(np.float32)


def value(name, spec):
    dtype, shape = spec if isinstance(spec, tuple) else (T.FLOAT, spec)
    return helper.make_tensor_value_info(name, dtype, shape)


def constants(items):
    return [numpy_helper.from_array(np.asarray(array), name) for name, array in items.items()]


def model(case, opset, nodes, inputs, outputs, initializers=None, functions=None, imports=(), value_info=()):
    """outputs: names, or name -> element type."""
    outputs = outputs if isinstance(outputs, dict) else {name: T.FLOAT for name in outputs}
    graph = helper.make_graph(
        nodes,
        case,
        [value(name, spec) for name, spec in inputs.items()],
        [helper.make_tensor_value_info(name, dtype, None) for name, dtype in outputs.items()],
        constants(initializers or {}),
    )
    made = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", opset), *imports],
        ir_version=max(IR[opset], 8) if functions else IR[opset],
        functions=functions or [],
        producer_name="golden",
    )
    save(made, FOLDER / f"{case}.{opset}.onnx")


def one(case, opset, op, inputs, outputs=("y",), initializers=None, domain="", order=None, **attributes):
    """A model of one node. Its inputs are the model's, then the initializers, unless `order` says otherwise."""
    names = order if order is not None else [*inputs, *(initializers or {})]
    node = helper.make_node(op, names, list(outputs), name=f"{op}_node", domain=domain, **attributes)
    imports = [helper.make_opsetid(domain, 1)] if domain else []
    model(case, opset, [node], inputs, outputs, initializers, imports=imports)


shutil.rmtree(FOLDER, ignore_errors=True)
FOLDER.mkdir()
ints = lambda *values: np.array(values, np.int64)  # noqa: E731
X = {"x": [2, 3, 4, 5]}

# Softmax and its kin: coerced to a matrix before opset 13.
for opset in (11, 12):
    for op in ("Softmax", "LogSoftmax", "Hardmax"):
        one(f"{op.lower()}_default", opset, op, X)
one("softmax_axis_2", 11, "Softmax", X, axis=2)
one("softmax_axis_last", 11, "Softmax", X, axis=3)
one("softmax_axis_0", 11, "Softmax", X, axis=0)
one("softmax_axis_negative", 11, "Softmax", X, axis=-2)
one("softmax_symbolic", 11, "Softmax", {"x": ["N", 3, "H"]}, axis=1)
for op in ("Softmax", "LogSoftmax", "Hardmax"):
    one(f"{op.lower()}_axis_1", 13, op, X, axis=1)
    one(f"{op.lower()}_default", 13, op, X)

# Reductions: axes from attribute to input.
for op in ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare"):
    name = f"Reduce{op}"
    positive = {"x": [2, 3, 4, 5]}
    one(f"{name.lower()}_axes", 11, name, positive, axes=[1, -1])
    one(f"{name.lower()}_flat", 11, name, positive, keepdims=0)
    if op == "Sum":
        one(f"{name.lower()}_axes", 13, name, positive, initializers={"axes": ints(2, 3)}, keepdims=0)
        one(f"{name.lower()}_noop", 13, name, positive, noop_with_empty_axes=1)
    else:
        one(f"{name.lower()}_axes", 13, name, positive, axes=[2], keepdims=0)
        one(f"{name.lower()}_axes", 17, name, positive, axes=[0, 3])
    one(f"{name.lower()}_axes", 18, name, positive, initializers={"axes": ints(2, -1)})

# Split, Squeeze, Unsqueeze.
one("split_sizes", 11, "Split", X, outputs=("a", "b"), axis=3, split=[2, 3])
one("split_equal", 11, "Split", X, outputs=("a", "b"), axis=2)
one("split_equal", 13, "Split", X, outputs=("a", "b"), axis=0)
one("split_sizes", 13, "Split", X, outputs=("a", "b", "c"), initializers={"sizes": ints(1, 3, 1)}, axis=-1)
one("split_uneven", 18, "Split", X, outputs=("a", "b"), axis=3, num_outputs=2)
one("squeeze_axes", 11, "Squeeze", {"x": [1, 3, 1, 4]}, axes=[0, -2])
one("squeeze_all", 11, "Squeeze", {"x": [1, 3, 1, 4]})
one("squeeze_axes", 13, "Squeeze", {"x": [1, 3, 1, 4]}, initializers={"axes": ints(2)})
one("unsqueeze_axes", 11, "Unsqueeze", {"x": [3, 4]}, axes=[0, -1])
one("unsqueeze_axes", 13, "Unsqueeze", {"x": [3, 4]}, initializers={"axes": ints(1, 3)})

# Pad.
pads = {"pads": ints(0, 0, 1, 2, 0, 0, 3, 1)}
one("pad_default", 11, "Pad", X, initializers=pads)
one("pad_value", 11, "Pad", X, initializers={**pads, "value": np.float32(1.5)})
one("pad_reflect", 11, "Pad", X, initializers=pads, mode="reflect")
one("pad_edge", 13, "Pad", X, initializers=pads, mode="edge")
one("pad_negative", 13, "Pad", X, initializers={"pads": ints(0, 0, -1, 0, 0, 1, 0, -2)})
one("pad_axes", 18, "Pad", X, initializers={"pads": ints(1, 2), "axes": ints(-2)}, order=["x", "pads", "", "axes"])
one("pad_wrap", 19, "Pad", X, initializers=pads, mode="wrap")

# Resize.
empty = np.array([], np.float32)
scales = np.array([1, 1, 1.5, 2], np.float32)
sizes = ints(2, 3, 7, 9)
near = dict(mode="nearest", nearest_mode="floor")
one("resize_tf_nearest", 11, "Resize", X, initializers={"roi": empty, "s": scales}, coordinate_transformation_mode="tf_half_pixel_for_nn", **near)
one("resize_empty_scales", 11, "Resize", X, initializers={"roi": empty, "e": empty, "sizes": sizes}, mode="linear")
one("resize_linear", 11, "Resize", X, initializers={"roi": empty, "s": scales}, mode="linear", coordinate_transformation_mode="pytorch_half_pixel")
one("resize_corners", 11, "Resize", X, initializers={"roi": empty, "s": scales}, mode="linear", coordinate_transformation_mode="align_corners")
one("resize_cubic", 13, "Resize", X, initializers={"sizes": sizes}, order=["x", "", "", "sizes"], mode="cubic", cubic_coeff_a=-0.5)
one("resize_asymmetric", 13, "Resize", X, initializers={"s": scales}, order=["x", "", "s"], coordinate_transformation_mode="asymmetric", **near)
one("resize_empty_roi", 13, "Resize", X, initializers={"roi": empty, "s": scales}, mode="nearest")
one("resize_antialias", 18, "Resize", X, initializers={"sizes": ints(2, 3)}, order=["x", "", "", "sizes"], mode="linear", antialias=1, axes=[2, 3])
one("resize_not_larger", 18, "Resize", X, initializers={"sizes": ints(7, 7)}, order=["x", "", "", "sizes"], mode="linear", axes=[2, 3], keep_aspect_ratio_policy="not_larger")
one("resize_symmetric", 19, "Resize", X, initializers={"s": scales}, order=["x", "", "s"], mode="linear", coordinate_transformation_mode="half_pixel_symmetric")

# Dropout, BatchNormalization, GroupNormalization and other normalisations.
one("dropout_ratio", 11, "Dropout", X, ratio=0.3)
one("dropout_ratio", 12, "Dropout", X, initializers={"ratio": np.float32(0.3)})
one("dropout_off", 13, "Dropout", X, initializers={"ratio": np.float32(0.3), "training": np.array(False)})
statistics = {"scale": weights(3), "bias": weights(3), "mean": weights(3), "var": np.abs(weights(3))}
for opset in (11, 14, 15):
    one("batchnorm", opset, "BatchNormalization", X, initializers=statistics, epsilon=1e-3)
one("batchnorm_training", 14, "BatchNormalization", X, ("y", "m", "v"), initializers=statistics, training_mode=1, momentum=0.8)
one("batchnorm_training", 15, "BatchNormalization", X, ("y", "m", "v"), initializers=statistics, training_mode=1)
one("groupnorm_per_channel", 21, "GroupNormalization", {"x": [2, 4, 3, 3]}, initializers={"scale": weights(4), "bias": weights(4)}, num_groups=2)
one("groupnorm_per_group", 18, "GroupNormalization", {"x": [2, 4, 3, 3]}, initializers={"scale": weights(2), "bias": weights(2)}, num_groups=2)
one("instancenorm", 11, "InstanceNormalization", X, initializers={"scale": weights(3), "bias": weights(3)})
one("layernorm", 17, "LayerNormalization", X, ("y", "m", "d"), initializers={"scale": weights(4, 5), "bias": weights(4, 5)}, axis=2)
one("rmsnorm", 23, "RMSNormalization", X, initializers={"scale": weights(5)})
one("lrn", 11, "LRN", X, size=3)

# Pooling and sampling.
for opset in (11, 19, 22):
    one("averagepool_ceil", opset, "AveragePool", {"x": [1, 2, 6, 7]}, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
    one("averagepool_pads", opset, "AveragePool", {"x": [1, 2, 6, 7]}, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    one("averagepool_count_pads", opset, "AveragePool", {"x": [1, 2, 6, 7]}, kernel_shape=[3, 2], pads=[1, 0, 1, 1], count_include_pad=1)
one("averagepool_same", 11, "AveragePool", {"x": [1, 2, 6, 7]}, kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER")
one("maxpool_ceil", 11, "MaxPool", {"x": [1, 2, 6, 8]}, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
one("maxpool_ceil_pads", 12, "MaxPool", {"x": [1, 2, 7, 8]}, kernel_shape=[2, 2], strides=[3, 3], pads=[0, 0, 1, 1], ceil_mode=1)
one("maxpool_dilated", 11, "MaxPool", {"x": [1, 2, 9, 9]}, kernel_shape=[3, 2], dilations=[2, 3])
one("lppool", 11, "LpPool", {"x": [1, 2, 6, 8]}, kernel_shape=[2, 3], strides=[2, 1])
for op in ("GlobalAveragePool", "GlobalMaxPool"):
    one(op.lower(), 11, op, X)
one("roialign", 11, "RoiAlign", {"x": [1, 2, 8, 8]}, initializers={"rois": np.array([[0, 0, 7, 7], [1, 2, 5, 6]], np.float32), "batch": ints(0, 0)}, output_height=3, output_width=2, sampling_ratio=2)
one("roialign", 16, "RoiAlign", {"x": [1, 2, 8, 8]}, initializers={"rois": np.array([[0, 0, 7, 7], [1, 2, 5, 6]], np.float32), "batch": ints(0, 0)}, output_height=3, output_width=2, sampling_ratio=2)
grid = (rng.random((1, 3, 4, 2)) * 2 - 1).astype(np.float32)
one("gridsample_default", 16, "GridSample", {"x": [1, 2, 5, 6]}, initializers={"grid": grid})
one("gridsample_bicubic", 16, "GridSample", {"x": [1, 2, 5, 6]}, initializers={"grid": grid}, mode="bicubic")
one("gridsample_nearest", 16, "GridSample", {"x": [1, 2, 5, 6]}, initializers={"grid": grid}, mode="nearest", align_corners=1)
one("gridsample_cubic", 20, "GridSample", {"x": [1, 2, 5, 6]}, initializers={"grid": grid}, mode="cubic")
one("dft_default", 17, "DFT", {"x": [1, 8, 1]})
one("dft_axis", 17, "DFT", {"x": [1, 4, 6, 1]}, axis=2)

# Convolutions.
one("conv", 11, "Conv", {"x": [2, 3, 7, 8]}, initializers={"w": weights(4, 3, 3, 3), "b": weights(4)}, strides=[2, 2], pads=[1, 1, 1, 1])
one("conv_depthwise", 11, "Conv", {"x": [2, 3, 7, 8]}, initializers={"w": weights(6, 1, 3, 3)}, group=3, dilations=[2, 1])
one("conv_same_lower", 11, "Conv", {"x": [2, 3, 7, 8]}, initializers={"w": weights(4, 3, 3, 2)}, strides=[2, 3], auto_pad="SAME_LOWER")
one("conv_valid", 22, "Conv", {"x": [2, 3, 7, 8]}, initializers={"w": weights(4, 3, 3, 2)}, auto_pad="VALID")
one("conv_1d", 11, "Conv", {"x": [2, 3, 9]}, initializers={"w": weights(4, 3, 4)}, pads=[2, 1])
one("conv_symbolic", 11, "Conv", {"x": ["N", 3, "H", "W"]}, initializers={"w": weights(4, 3, 3, 3)}, pads=[1, 1, 1, 1])
one("convtranspose", 11, "ConvTranspose", {"x": [2, 3, 4, 5]}, initializers={"w": weights(3, 2, 3, 3), "b": weights(4)}, group=1, strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 0], order=["x", "w"])
one("convtranspose_groups", 11, "ConvTranspose", {"x": [2, 4, 4, 5]}, initializers={"w": weights(4, 3, 2, 3)}, group=2, dilations=[2, 1])
one("convtranspose_shape", 11, "ConvTranspose", {"x": [2, 3, 4, 5]}, initializers={"w": weights(3, 2, 3, 3)}, strides=[2, 2], output_shape=[8, 10])

# Products.
one("gemm", 11, "Gemm", {"x": [4, 3]}, initializers={"w": weights(4, 5), "b": weights(5)}, transA=1, alpha=0.5, beta=2.0)
one("matmul_batched", 13, "MatMul", {"x": [2, 1, 3, 4]}, initializers={"w": weights(5, 4, 2)})
one("matmul_vector", 13, "MatMul", {"x": [4]}, initializers={"w": weights(2, 4, 3)})
one("matmul_by_vector", 13, "MatMul", {"x": [2, 3, 4]}, initializers={"w": weights(4)})
for i, equation in enumerate(("bij,bjk->bik", "bhid,bhjd->bhij", "...ij,...kj", "bij->bj")):
    shapes = [([2, 3, 4], [2, 4, 5]), ([2, 2, 3, 4], [2, 2, 5, 4]), ([2, 3, 4], [2, 5, 4]), ([2, 3, 4], None)][i]
    one(f"einsum_{i}", 12, "Einsum", {"x": shapes[0]}, initializers={} if shapes[1] is None else {"w": weights(*shapes[1])}, equation=equation)
one("fusedmatmul", 13, "FusedMatMul", {"x": [2, 4, 3]}, initializers={"w": weights(2, 5, 4)}, domain="com.microsoft", transA=1, transB=1, alpha=0.5)

# Attention.
qkv = {"q": [2, 3, 8], "k": [2, 5, 8], "v": [2, 5, 12]}
one("attention_flat", 24, "Attention", qkv, q_num_heads=4, kv_num_heads=4)
one("attention_heads", 24, "Attention", {"q": [2, 4, 3, 8], "k": [2, 2, 5, 8], "v": [2, 2, 5, 6]})
one("multiheadattention", 17, "MultiHeadAttention", {"q": [2, 3, 8], "k": [2, 5, 8], "v": [2, 5, 8]}, domain="com.microsoft", num_heads=2)
one("skiplayernorm", 17, "SkipLayerNormalization", {"x": [2, 3, 8], "s": [2, 3, 8]}, initializers={"g": weights(8), "b": weights(8)}, domain="com.microsoft")
one("quickgelu", 17, "QuickGelu", X, domain="com.microsoft")
one("biasgelu", 17, "BiasGelu", {"x": [2, 3, 8]}, initializers={"b": weights(8)}, domain="com.microsoft")

# Element by element.
for op, opset in (("Relu", 11), ("Sigmoid", 11), ("HardSigmoid", 11), ("HardSwish", 14), ("Elu", 11), ("Selu", 11), ("Celu", 12), ("Mish", 18), ("Gelu", 20), ("Erf", 11), ("Softplus", 11), ("Softsign", 11), ("ThresholdedRelu", 11), ("Shrink", 11), ("LeakyRelu", 11), ("Round", 11), ("Sign", 11)):
    one(op.lower(), opset, op, X)
one("clip_both", 11, "Clip", X, initializers={"low": np.float32(-0.5), "high": np.float32(0.5)})
one("clip_high", 12, "Clip", X, initializers={"high": np.float32(0.5)}, order=["x", "", "high"])
one("prelu", 11, "PRelu", X, initializers={"slope": weights(3, 1, 1)})
one("pow_int", 13, "Pow", X, initializers={"e": np.array(2, np.int64)})
one("add_broadcast", 13, "Add", X, initializers={"b": weights(3, 1, 5)})
one("max_three", 13, "Max", X, initializers={"a": weights(4, 1), "b": weights(5)})

# Layout and indexing.
one("reshape_zero", 11, "Reshape", X, initializers={"shape": ints(0, -1, 5)})
one("reshape_allowzero", 14, "Reshape", {"x": [0, 3]}, initializers={"shape": ints(3, 0)}, allowzero=1)
one("flatten_0", 11, "Flatten", X, axis=0)
one("flatten_negative", 11, "Flatten", X, axis=-1)
one("transpose_default", 11, "Transpose", X)
one("transpose", 11, "Transpose", X, perm=[0, 2, 3, 1])
one("expand", 11, "Expand", {"x": [3, 1]}, initializers={"shape": ints(2, 1, 6)})
one("tile", 11, "Tile", X, initializers={"repeats": ints(1, 2, 1, 3)})
one("concat", 11, "Concat", {"x": [2, 3], "z": [2, 4]}, axis=-1)
one("depthtospace", 11, "DepthToSpace", {"x": [1, 8, 2, 3]}, blocksize=2)
one("spacetodepth", 11, "SpaceToDepth", {"x": [1, 2, 4, 6]}, blocksize=2)
one("slice_steps", 11, "Slice", X, initializers={"starts": ints(-1, 1), "ends": ints(-(2**63), 2**63 - 1), "axes": ints(2, 3), "steps": ints(-1, 2)})
one("slice_default", 11, "Slice", X, initializers={"starts": ints(0, 1), "ends": ints(2, 9)})
one("gather", 11, "Gather", X, initializers={"i": ints([0, -1], [2, 1])}, axis=1)
one("gatherelements", 11, "GatherElements", {"x": [3, 3]}, initializers={"i": ints([0, 2, 1], [1, 1, 0])}, axis=0)
one("gathernd_batch", 12, "GatherND", {"x": [2, 3, 4]}, initializers={"i": ints([[1], [0]], [[2], [2]])}, batch_dims=1)
one("scatternd", 11, "ScatterND", {"x": [4, 3]}, initializers={"i": ints([1], [3]), "u": weights(2, 3)})
one("scatterelements_max", 18, "ScatterElements", {"x": [3, 3]}, initializers={"i": ints([0, 2, 1]), "u": weights(1, 3)}, reduction="max")
model("topk", 11, [helper.make_node("TopK", ["x", "k"], ["v", "i"])], X, {"v": T.FLOAT, "i": T.INT64}, {"k": ints(2)})
model("argmax", 11, [helper.make_node("ArgMax", ["x"], ["i"], axis=1, keepdims=0)], X, {"i": T.INT64})
model("onehot", 11, [helper.make_node("OneHot", ["x", "d", "v"], ["y"], axis=1)], {"x": (T.INT64, [4])}, ["y"], {"d": ints(4), "v": np.array([0, 1], np.float32)})
model("shape_range", 15, [helper.make_node("Shape", ["x"], ["y"], start=1, end=-1)], X, {"y": T.INT64})
model("cumsum", 11, [helper.make_node("CumSum", ["x", "a"], ["y"], reverse=1)], X, ["y"], {"a": np.array(1, np.int32)})
one("trilu", 14, "Trilu", {"x": [2, 3, 3]}, upper=0)
model("where", 16, [helper.make_node("Greater", ["x", "z"], ["c"]), helper.make_node("Where", ["c", "x", "z"], ["y"])], {"x": [2, 1, 4], "z": [3, 1]}, ["y"])
model("cast", 13, [helper.make_node("Cast", ["x"], ["h"], to=T.FLOAT16), helper.make_node("Cast", ["h"], ["y"], to=T.INT32)], X, {"y": T.INT32})

# Quantization.
quantized = {"s": np.float32(0.05), "z": np.uint8(120)}
for opset in (11, 13, 19, 21):
    model("quantize", opset, [helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]), helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"])], X, {"q": T.UINT8, "y": T.FLOAT}, quantized)
axis = {"s": np.array([0.05, 0.1, 0.02], np.float32), "z": np.array([0, 3, -4], np.int8)}
model("quantize_channels", 13, [helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], axis=1), helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"], axis=1)], X, {"q": T.INT8, "y": T.FLOAT}, axis)
q8 = lambda *shape: rng.integers(0, 255, shape).astype(np.uint8)  # noqa: E731
model(
    "qlinearconv", 13,
    [helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]), helper.make_node("QLinearConv", ["q", "s", "z", "w", "s", "z", "s2", "z"], ["y"], pads=[1, 1, 1, 1])],
    {"x": [1, 3, 5, 5]}, {"y": T.UINT8}, {**quantized, "w": q8(4, 3, 3, 3), "s2": np.float32(0.5)},
)
model(
    "dynamic_quantized", 13,
    [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
        helper.make_node("MatMulInteger", ["q", "w", "z"], ["i"]),
        helper.make_node("Cast", ["i"], ["f"], to=T.FLOAT),
        helper.make_node("Mul", ["f", "s"], ["y"]),
    ],
    {"x": [2, 6]}, ["y"], {"w": rng.integers(-127, 127, (6, 4)).astype(np.int8)},
)

# Float16 and int4 weights.
model("float16", 13, [helper.make_node("MatMul", ["x", "w"], ["y"])], {"x": (T.FLOAT16, [2, 6])}, {"y": T.FLOAT16}, {"w": weights(6, 4).astype(np.float16)})
int4 = helper.make_tensor("w", T.INT4, [3, 5], rng.integers(-8, 7, 15).tolist())
graph = helper.make_graph(
    [helper.make_node("DequantizeLinear", ["w", "s"], ["f"]), helper.make_node("Gemm", ["x", "f"], ["y"])],
    "int4", [value("x", [2, 3])], [helper.make_tensor_value_info("y", T.FLOAT, None)],
    [int4, numpy_helper.from_array(np.float32(0.1), "s")],
)
save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), FOLDER / "int4.21.onnx")

# Control flow: old operators inside of bodies, values captured from outside.
then_branch = helper.make_graph([helper.make_node("Squeeze", ["x"], ["t"], axes=[0])], "then", [], [value("t", [3, 4])])
else_branch = helper.make_graph([helper.make_node("ReduceMean", ["x"], ["e"], axes=[0], keepdims=0)], "else", [], [value("e", [3, 4])])
model("if_dynamic", 11, [helper.make_node("If", ["c"], ["y"], then_branch=then_branch, else_branch=else_branch)], {"x": [1, 3, 4], "c": (T.BOOL, [])}, ["y"])
model("if_known", 11, [helper.make_node("If", ["c"], ["y"], then_branch=then_branch, else_branch=else_branch)], {"x": [1, 3, 4]}, ["y"], {"c": np.array(True)})
body = helper.make_graph(
    [helper.make_node("Identity", ["keep"], ["keep_out"]), helper.make_node("Add", ["state", "x"], ["state_out"]), helper.make_node("Unsqueeze", ["state_out"], ["row"], axes=[0])],
    "body",
    [value("i", (T.INT64, [])), value("keep", (T.BOOL, [])), value("state", [4])],
    [value("keep_out", (T.BOOL, [])), value("state_out", [4]), value("row", [1, 4])],
)
model("loop", 11, [helper.make_node("Loop", ["n", "c", "x"], ["last", "all"], body=body)], {"x": [4]}, ["last", "all"], {"n": np.array(3, np.int64), "c": np.array(True)})

# Local functions: attributes by reference, nesting, an opset of their own.
local = "local"
scaled = helper.make_function(
    local, "Scaled", ["a"], ["b"],
    [helper.make_node("Constant", [], ["k"]), helper.make_node("Mul", ["a", "k"], ["b"])],
    [helper.make_opsetid("", 17)], attributes=["factor"],
)
reference = AttributeProto(name="value_float", ref_attr_name="factor", type=AttributeProto.FLOAT)
scaled.node[0].attribute.append(reference)
mean = helper.make_function(
    local, "CentredTwice", ["a"], ["b"],
    [
        helper.make_node("ReduceMean", ["a"], ["m"], axes=[1]),
        helper.make_node("Sub", ["a", "m"], ["d"]),
        helper.make_node("Scaled", ["d"], ["b"], domain=local, factor=2.0),
    ],
    [helper.make_opsetid("", 17), helper.make_opsetid(local, 1)],
)
model(
    "functions", 17,
    [
        helper.make_node("CentredTwice", ["x"], ["h"], domain=local, name="first"),
        helper.make_node("CentredTwice", ["h"], ["g"], domain=local, name="second"),
        helper.make_node("Scaled", ["g"], ["y"], domain=local, factor=3.0),
    ],
    {"x": [2, 5]}, ["y"], functions=[scaled, mean], imports=[helper.make_opsetid(local, 1)],
)

# Constant nodes in all their forms.
forms = [
    ("a", dict(value=numpy_helper.from_array(weights(2, 2)))), ("b", dict(value_float=1.5)), ("c", dict(value_floats=[1.0, 2.0])),
]
model(
    "constants", 13,
    [helper.make_node("Constant", [], [name], **form) for name, form in forms]
    + [helper.make_node("Sum", ["x", "a", "b", "c"], ["y"]), helper.make_node("Constant", [], ["k"], value_ints=[1, 2]), helper.make_node("Constant", [], ["j"], value_int=5), helper.make_node("Add", ["k", "j"], ["z"])],
    {"x": [2, 2]}, {"y": T.FLOAT, "z": T.INT64},
)

# Every encoding of an initializer: raw bytes and typed fields.
kinds = [T.FLOAT, T.DOUBLE, T.FLOAT16, T.INT8, T.UINT8, T.INT16, T.UINT16, T.INT32, T.UINT32, T.INT64, T.UINT64, T.BOOL]
tensors, nodes, outs = [], [], {}
for kind in kinds:
    array = np.array([1, 0, 3, 1]).astype(helper.tensor_dtype_to_np_dtype(kind))
    if kind in (T.INT8, T.INT16, T.INT32, T.INT64, T.FLOAT, T.DOUBLE, T.FLOAT16):
        array[2] = -3
    name = T.DataType.Name(kind).lower()
    if kind == T.FLOAT16:
        tensors.append(T(name=f"{name}_fields", data_type=kind, dims=[4], int32_data=array.view(np.uint16).tolist()))
    else:
        tensors.append(helper.make_tensor(f"{name}_fields", kind, [4], array))
    tensors.append(helper.make_tensor(f"{name}_raw", kind, [4], array.tobytes(), raw=True))
    for form in ("fields", "raw"):
        nodes.append(helper.make_node("Identity", [f"{name}_{form}"], [f"{name}_{form}_out"]))
        outs[f"{name}_{form}_out"] = kind
graph = helper.make_graph(nodes, "encodings", [], [helper.make_tensor_value_info(n, k, [4]) for n, k in outs.items()], tensors)
made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
checker.check_model(made)
save(made, FOLDER / "encodings.13.onnx")
