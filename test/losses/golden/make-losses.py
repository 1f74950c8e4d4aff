"""Writes losses.json with PyTorch's own losses and their gradients: python make-losses.py (PyTorch 2.15)."""

import json
from pathlib import Path

import torch
import torch.nn.functional as F

torch.manual_seed(3)
N, K = 5, 4
LOGITS = {
    "plain": torch.randn(N, K) * 2,
    # Exponentials overflow and vanish here unless the loss is written with care.
    "extreme": torch.tensor([[1e4, -1e4, 0, 5], [-90, 90, 0, 0], [0, 0, 0, 0], [200, 199, 198, 0], [-1e3, -1e3, -1e3, -1e3]]),
}
INDICES = torch.tensor([0, 3, 1, 2, 3])
SOFT = torch.softmax(torch.randn(N, K), 1)
WEIGHTS = torch.tensor([0.5, 2.0, 1.0, 0.25])
POSITIVE = torch.tensor([3.0, 1.0, 0.5, 2.0])

cases = []


def record(loss, name, logits_name, labels, options, compute):
    logits = LOGITS[logits_name].double().requires_grad_()
    value = compute(logits)
    value.sum().backward()
    cases.append(
        {
            "loss": loss,
            "name": name,
            "logits": LOGITS[logits_name].tolist(),
            "labels": labels,
            "options": options,
            "value": value.detach().reshape(-1).tolist(),
            "gradient": logits.grad.tolist(),
        }
    )


def cross_entropy(labels_name, labels, logits_name, reduction, smoothing, weights):
    options = {"reduction": reduction}
    if smoothing:
        options["smoothing"] = smoothing
    if weights is not None:
        options["classWeights"] = weights.tolist()
    target = labels if labels_name == "indices" else labels.double()
    record(
        "crossEntropy",
        f"{logits_name} {labels_name} {reduction} smoothing {smoothing} {'weighted' if weights is not None else ''}",
        logits_name,
        labels.tolist(),
        options,
        lambda z: F.cross_entropy(
            z, target, weight=None if weights is None else weights.double(), reduction=reduction, label_smoothing=smoothing
        ),
    )


for labels_name, labels in (("indices", INDICES), ("soft", SOFT)):
    for reduction in ("mean", "sum", "none"):
        for smoothing in (0.0, 0.1):
            for weights in (None, WEIGHTS):
                cross_entropy(labels_name, labels, "plain", reduction, smoothing, weights)
cross_entropy("indices", INDICES, "extreme", "none", 0.0, None)
cross_entropy("indices", INDICES, "extreme", "mean", 0.1, WEIGHTS)

ONE_HOT = F.one_hot(INDICES, K).float()
for logits_name in LOGITS:
    for labels_name, labels, dense in (("indices", INDICES, ONE_HOT), ("soft", SOFT, SOFT)):
        for weights, positive in ((None, None), (WEIGHTS, POSITIVE)):
            options = {"reduction": "mean"}
            if weights is not None:
                options["classWeights"] = weights.tolist()
                options["positiveWeights"] = positive.tolist()
            record(
                "binaryCrossEntropy",
                f"{logits_name} {labels_name} {'weighted' if weights is not None else ''}",
                logits_name,
                labels.tolist(),
                options,
                lambda z: F.binary_cross_entropy_with_logits(
                    z,
                    dense.double(),
                    weight=None if weights is None else weights.double(),
                    pos_weight=None if positive is None else positive.double(),
                ),
            )

Path(__file__).with_name("losses.json").write_text(json.dumps(cases) + "\n")
