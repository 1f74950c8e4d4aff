"""Whole training steps in PyTorch eager, the peer of bench/training-steps: prints one JSON line.

Arguments: network, batch size, memory format (contiguous or channels_last), steps to time. Frozen batch-norm
statistics for the photo networks, the batch's own for the CIFAR ones; SGD with momentum, two threads.
"""

import json
import os
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

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


def network(name):
    """The model, the side of its images, and whether batch-norm statistics are frozen."""
    if name.startswith("resnet18-cifar-w"):
        return resnet18_cifar(int(name.removeprefix("resnet18-cifar-w"))), 32, False
    if name == "mobilenetv2":
        from torchvision.models import mobilenet_v2

        return mobilenet_v2(num_classes=10, dropout=0.0), 224, True
    import timm

    if name == "efficientnet-lite0":
        return timm.create_model("efficientnet_lite0", num_classes=10), 224, True
    if name == "vit-tiny":
        return timm.create_model("vit_tiny_patch16_224", num_classes=10), 224, False
    raise SystemExit(f"unknown network {name}")


def main():
    name, batch, memory_format, steps = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    model, side, frozen = network(name)
    model.train()
    if frozen:
        for module in model.modules():
            if isinstance(module, (nn.BatchNorm2d, nn.Dropout)):
                module.eval()
    images = torch.randn(batch, 3, side, side)
    labels = torch.randint(0, 10, (batch,))
    if memory_format == "channels_last":
        model = model.to(memory_format=torch.channels_last)
        images = images.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    times = []
    for _ in range(steps + 2):
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        times.append(time.perf_counter() - start)
    median = sorted(times[2:])[steps // 2]
    print(json.dumps({"network": name, "batch": batch, "format": memory_format, "imagesPerSecond": batch / median}))


main()
