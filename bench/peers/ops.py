"""Single training ops in PyTorch, the peer of bench/ops: answers one JSON line to each it reads.

Reads {"op", "pass", "x", ..., "format"}; format is contiguous or channels_last. Answers {"ms", "form"}, the median of a
few runs after some to warm up, or {"error"}; with "skip" where a format is another's equal. Gradients are taken by the
functions that autograd itself calls, on tensors that are there already; "both" is forward and backward through autograd.
Updates are those of torch.optim: of its forms (for each, foreach, fused) a format stands for the two fastest kinds.
"""

import functools
import json
import os
import sys
import time

import torch
from torch.nn import functional as F

import engine as whole

torch.set_num_threads(int(os.environ.get("BENCH_THREADS", "2")))
aten = torch.ops.aten


class Skip(Exception):
    """The other format measures the same."""


def floats(shape, channels_last, grad=False):
    x = torch.rand(shape) * 2 - 1
    if channels_last and x.ndim == 4:
        x = x.contiguous(memory_format=torch.channels_last)
    return x.requires_grad_(grad)


def conv(q, cl):
    x, w = floats(q["x"], cl), floats(q["w"], cl)
    geometry = [[q["stride"]] * 2, [q["pad"]] * 2, [1, 1]]
    if q["pass"] == "forward":
        return lambda: aten.convolution(x, w, None, *geometry, False, [0, 0], q["group"])
    dy = torch.ones_like(aten.convolution(x, w, None, *geometry, False, [0, 0], q["group"])).mul_(0.3)
    mask = [q["pass"] == "dX", q["pass"] == "dW", False]
    return lambda: aten.convolution_backward(dy, x, w, [0], *geometry, False, [0, 0], q["group"], mask)


def batch_norm(q, cl):
    x = floats(q["x"], cl)
    scale, bias = torch.ones(q["x"][1]), torch.zeros(q["x"][1])
    if q["pass"] == "forward":
        return lambda: aten.native_batch_norm(x, scale, bias, None, None, True, 0.1, 1e-5)
    _, mean, inverse = aten.native_batch_norm(x, scale, bias, None, None, True, 0.1, 1e-5)
    dy = floats(q["x"], cl)
    return lambda: aten.native_batch_norm_backward(
        dy, x, scale, None, None, mean, inverse, True, 1e-5, [True, True, True]
    )


ACTIVATIONS = {
    "ReluGrad": lambda dy, x: aten.threshold_backward(dy, x, 0),
    "ClipGrad": lambda dy, x: aten.hardtanh_backward(dy, x, 0.0, 6.0),
    "HardSwishGrad": aten.hardswish_backward,
    "Gelu": aten.gelu_backward,
    "SiLU": aten.silu_backward,
}


def activation(q, cl):
    if cl and len(q["x"]) != 4:
        raise Skip
    dy, x = floats(q["x"], cl), floats(q["x"], cl)
    return functools.partial(ACTIVATIONS[q["op"]], dy, x)


def max_pool(q, cl):
    x = floats(q["x"], cl)
    geometry = [[q["k"]] * 2, [q["stride"]] * 2, [q["pad"]] * 2, [1, 1], False]
    if q["pass"] == "forward":
        return lambda: aten.max_pool2d_with_indices(x, *geometry)
    y, indices = aten.max_pool2d_with_indices(x, *geometry)
    dy = torch.ones_like(y)
    return lambda: aten.max_pool2d_with_indices_backward(dy, x, *geometry, indices)


def global_pool(q, cl):
    x = floats(q["x"], cl)
    if q["pass"] == "forward":
        return lambda: F.adaptive_avg_pool2d(x, 1)
    x.requires_grad_()
    y = F.adaptive_avg_pool2d(x, 1)
    dy = torch.ones_like(y)
    return lambda: torch.autograd.grad(y, x, dy, retain_graph=True)


def autograd(q, make, inputs):
    """Forward alone, or forward and backward."""
    if q["pass"] == "forward":
        with torch.no_grad():
            return lambda: make(*inputs)
    y = make(*inputs)
    dy = torch.ones_like(y)
    return lambda: torch.autograd.grad(make(*inputs), inputs, dy)


def plain_only(build):
    """For ops on which channels last has no meaning."""

    def checked(q, cl):
        if cl:
            raise Skip
        return build(q)

    return checked


def cross_entropy(q):
    labels = torch.zeros(q["x"][0], dtype=torch.int64)
    return autograd(q, lambda x: F.cross_entropy(x, labels), [floats(q["x"], False, True)])


def layer_norm(q):
    c = q["x"][-1:]
    inputs = [floats(q["x"], False, True), floats(c, False, True), floats(c, False, True)]
    return autograd(q, lambda x, w, b: F.layer_norm(x, c, w, b, 1e-6), inputs)


def attention(q):
    return autograd(q, F.scaled_dot_product_attention, [floats(q["x"], False, True) for _ in range(3)])


def linear(q):
    inputs = [floats(q["x"], False, True), floats([q["outputs"], q["x"][1]], False, True)]
    return autograd(q, F.linear, inputs)


def update(q, cl):
    model, _ = whole.build(q["network"])
    parameters = list(model.parameters())
    for p in parameters:
        p.grad = torch.rand_like(p) * 1e-6
    # For each, foreach and fused are the same numbers: the first format stands for fused, the second for foreach.
    form = {"foreach": True} if cl else {"fused": True}
    if q["optimizer"] == "sgd":
        optimizer = torch.optim.SGD(parameters, lr=1e-6, momentum=0.9, **form)
    else:
        optimizer = torch.optim.AdamW(parameters, lr=1e-6, weight_decay=0.05, **form)
    return optimizer.step


BUILDERS = {
    "conv": conv,
    "batch-norm": batch_norm,
    "max-pool": max_pool,
    "global-pool": global_pool,
    "cross-entropy": plain_only(cross_entropy),
    "layer-norm": plain_only(layer_norm),
    "attention": plain_only(attention),
    "linear": plain_only(linear),
    "update": update,
    **dict.fromkeys(ACTIVATIONS, activation),
}


def timed(run, runs):
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        run()
        times.append(1000 * (time.perf_counter() - start))
    return sorted(times)[runs // 2]


def form_of(q):
    if q["op"] == "update":
        return "foreach" if q["format"] == "channels_last" else "fused"
    return q["format"]


def main():
    current, runs = {}, {}
    row = None
    for line in sys.stdin:
        asked = json.loads(line)
        form = asked["format"]
        same = {name: value for name, value in asked.items() if name != "format"}
        if same != row:
            current, runs, row = {}, {}, same
        try:
            if form not in current:
                current[form] = BUILDERS[asked["op"]](asked, form == "channels_last")
                timed(current[form], 2)
                runs[form] = min(20, max(1, int(10 / max(timed(current[form], 1), 1e-3))))
            current[form]()
            answer = {"ms": timed(current[form], runs[form]), "form": form_of(asked)}
        except Skip:
            answer = {"error": "the same as contiguous", "skip": True}
        except Exception as error:  # noqa: BLE001: an op that does not work is an answer
            answer = {"error": f"{type(error).__name__}: {error}"[:300]}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
