"""Whole training steps in PyTorch, the peer of bench/engine: answers one JSON line to each it reads.

Reads {"network", "mode", "batch", "format", "compile", "steps"}; format is contiguous or channels_last. Modes: frozen
(batch-norm statistics frozen), batch (the batch's own), last-third and head (what is not trained runs without gradients,
its statistics frozen). Answers {"imagesPerSecond"}, the median of some steps after two to warm up, or {"error"}. SGD
with momentum; models are kept between questions.
"""

import os
import time

import torch
from torch import nn
from torch.nn import functional as F

from answers import answer_each

torch.set_num_threads(int(os.environ.get("BENCH_THREADS", "2")))


class Block(nn.Module):
    """A basic residual block (He et al. 2015)."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


def resnet18_cifar(width):
    layers = [nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    channels = width
    for stage in range(4):
        for i in range(2):
            layers.append(Block(channels, width << stage, 2 if i == 0 and stage > 0 else 1))
            channels = width << stage
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))


TIMM = {
    "mobilenetv2": "mobilenetv2_100",
    "efficientnet-lite0": "efficientnet_lite0",
    "vit-tiny": "vit_tiny_patch16_224",
    "convnext-atto": "convnext_atto",
}
# The last blocks that hold a third of the depth, by timm's names.
LAST_THIRD = {"mobilenetv2": ("blocks.5", "blocks.6", "conv_head", "bn2", "classifier")}


def build(network):
    """The model and the side of its images."""
    if network.startswith("resnet18-cifar-w"):
        return resnet18_cifar(int(network.removeprefix("resnet18-cifar-w"))), 32
    import timm

    return timm.create_model(TIMM[network], num_classes=10), 224


class Training:
    """A model with its optimizer, batch and step."""

    def __init__(self, network, mode, batch, memory_format, compiled):
        model, side = build(network)
        model.train()
        if mode != "batch":
            for module in model.modules():
                if isinstance(module, (nn.BatchNorm2d, nn.Dropout)):
                    module.eval()
        trained = {"head": ("classifier",), "last-third": LAST_THIRD.get(network)}.get(mode)
        if trained is not None:
            for name, parameter in model.named_parameters():
                parameter.requires_grad_(name.startswith(trained))
        self.images = torch.randn(batch, 3, side, side)
        self.labels = torch.randint(0, 10, (batch,))
        if memory_format == "channels_last":
            model = model.to(memory_format=torch.channels_last)
            self.images = self.images.to(memory_format=torch.channels_last)
        self.optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1e-6, momentum=0.9)
        self.model = torch.compile(model) if compiled else model
        self.warm = False

    def step(self):
        self.optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(self.model(self.images), self.labels).backward()
        self.optimizer.step()

    def rate(self, steps):
        for _ in range(1 if self.warm else 3):
            self.step()
        self.warm = True
        times = []
        for _ in range(steps):
            start = time.perf_counter()
            self.step()
            times.append(time.perf_counter() - start)
        return len(self.labels) / sorted(times)[steps // 2]


class Trainings:
    """Those of one network at a time: others would only fill the memory."""

    def __init__(self):
        self.known = {}

    def answer(self, asked):
        key = tuple(asked[name] for name in ("network", "mode", "batch", "format", "compile"))
        if key not in self.known:
            self.known = {other: value for other, value in self.known.items() if other[:2] == key[:2]}
            self.known[key] = Training(*key)
        return {"imagesPerSecond": self.known[key].rate(asked["steps"])}


if __name__ == "__main__":
    answer_each(Trainings().answer)
