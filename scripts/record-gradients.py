"""Exports networks of timm (or torchvision, as torchvision:NAME) with random weights, and what PyTorch computes on them.

python scripts/record-gradients.py OUT NAME@SIDE ... writes OUT/NAME-EXPORTER/model.onnx and expected.safetensors by both of
PyTorch's exporters; `gleaner inspect model.onnx --verify expected.safetensors` then compares. Recorded are the gradients of
what can be told by its values in the file; torch.export folds batch norm, so that there it is less. Printed is by how much
PyTorch's gradients in float32 and float64 differ at worst, by the measure of `--verify`: where an activation lies so near to
a kink that rounding decides, no engine can agree better than that.
"""

import os
import sys

import numpy as np
import onnx
import timm
import torch
from onnx import numpy_helper
from safetensors.numpy import save_file

BATCH, CLASSES = 4, 7


def build(name, side):
    torch.manual_seed(0)
    if name.startswith("torchvision:"):
        import torchvision

        model = torchvision.models.get_model(name.partition(":")[2], weights=None, num_classes=CLASSES)
    else:
        try:
            model = timm.create_model(name, num_classes=CLASSES, img_size=side)
        except TypeError:
            model = timm.create_model(name, num_classes=CLASSES)
    model.eval()
    with torch.no_grad():
        # Values that are all equal can't be told from others of their shape, and are written once for several layers.
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * (0.01 if parameter.ndim < 2 else 0.001))
        for module in model.modules():
            if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.8, 1.2)
    return model


def gradients(model, x, labels):
    model.zero_grad()
    logits = model(x)
    loss = torch.nn.functional.cross_entropy(logits, labels)
    loss.backward()
    return logits, loss, {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def export(model, x, exporter, file):
    names = {"input_names": ["input"], "output_names": ["logits"]}
    if exporter == "torchscript":
        axes = {"input": {0: "N"}, "logits": {0: "N"}}
        mode = torch.onnx.TrainingMode.PRESERVE
        torch.onnx.export(model, (x,), file, dynamo=False, opset_version=17, dynamic_axes=axes, training=mode, **names)
    else:
        shapes = ({0: torch.export.Dim("N", min=1, max=512)},)
        torch.onnx.export(model, (x,), file, dynamo=True, dynamic_shapes=shapes, external_data=False, **names)


def matched(file, model, found):
    """Gradients by the initializers whose values are those of a parameter, as it is or transposed."""
    graph = onnx.load(file).graph
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    parameters = {name: p.detach().numpy() for name, p in model.named_parameters() if name in found}
    result = {}
    for name, value in values.items():
        if value.dtype != np.float32 or value.size < 2:
            continue
        for own, parameter in parameters.items():
            gradient = found[own].numpy()
            if parameter.size == value.size and np.array_equal(parameter.ravel(), value.ravel()):
                result[name] = gradient.reshape(value.shape)
            elif parameter.ndim == 2 and parameter.T.shape == value.shape and np.array_equal(parameter.T, value):
                result[name] = np.ascontiguousarray(gradient.T)
            else:
                continue
            del parameters[own]
            break
    return result


def worst(found, exact):
    together = torch.stack([g.norm() for g in exact.values()]).norm()
    return max(((found[n].double() - g).norm() / max(g.norm(), 1e-4 * together)).item() for n, g in exact.items())


def main(out, specs):
    for spec in specs:
        name, side = spec.rsplit("@", 1)
        model = build(name, int(side))
        x, labels = torch.randn(BATCH, 3, int(side), int(side)), torch.arange(BATCH)
        logits, loss, found = gradients(model, x, labels)
        for exporter in ("torchscript", "torch-export"):
            folder = os.path.join(out, f"{name.replace(':', '-')}-{exporter}")
            os.makedirs(folder, exist_ok=True)
            file = os.path.join(folder, "model.onnx")
            try:
                export(model, x, exporter, file)
            except Exception as error:
                print(f"{name} {exporter}: not exported ({str(error).splitlines()[0][:100]})", flush=True)
                continue
            recorded = matched(file, model, found)
            expected = {"input": x.numpy(), "labels": labels.numpy(), "logits": logits.detach().numpy()}
            expected["loss"] = loss.detach().numpy().reshape(1)
            expected |= {f"grad/{key}": value for key, value in recorded.items()}
            save_file(expected, os.path.join(folder, "expected.safetensors"))
            print(f"{name} {exporter}: {len(recorded)} gradients of {len(found)} parameters recorded", flush=True)
        _, _, exact = gradients(model.double(), x.double(), labels)
        print(f"{name}: float32 and float64 differ by {worst(found, exact):.1e}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
