"""Logits of timm's networks (and of the two ResNets that timm lacks) with weights that a formula gives.

Writes logits.json: what test/models/architectures.test.ts must reach with the same weights and inputs.
Needs torch and timm; run: python make-logits.py
"""

import json
import pathlib

import numpy as np
import timm
import torch
from torch import nn
from torch.nn import functional as F


def noise(name: str, count: int) -> np.ndarray:
    """Numbers in [-1, 1) from a hash of (name, index), with 32-bit arithmetic only."""
    seed = np.uint32(2166136261)
    with np.errstate(over="ignore"):
        for code in name.encode():
            seed = (seed ^ np.uint32(code)) * np.uint32(16777619)
        x = np.arange(count, dtype=np.uint32) * np.uint32(2654435761) + seed
        x = (x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D)
        x = (x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B)
        x = x ^ (x >> np.uint32(16))
    return x.astype(np.float64) / 2147483648.0 - 1.0


def value(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The weights: He-like for products, near 1 for scales and variances, small for the rest."""
    u = noise(name, int(np.prod(shape)))
    if name.endswith("running_var"):
        v = 1 + 0.5 * u
    elif name.endswith("gamma"):
        v = 0.5 + 0.2 * u
    elif name.endswith("bias") or name.endswith("running_mean"):
        v = 0.1 * u
    elif len(shape) == 1:
        v = 1 + 0.2 * u
    elif name in ("cls_token", "pos_embed"):
        v = 0.2 * u
    else:
        v = u * np.sqrt(6 / np.prod(shape[1:])) * 0.7
    return v.reshape(shape).astype(np.float32)


class CifarBlock(nn.Module):
    def __init__(self, channels, out, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        if stride != 1 or channels != out:
            self.downsample = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (self.downsample(x) if hasattr(self, "downsample") else x))


class CifarResNet(nn.Module):
    """He et al. 2015, section 4.2, with projections as shortcuts."""

    def __init__(self, n, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        channels = 16
        for stage in (1, 2, 3):
            out = 16 * 2 ** (stage - 1)
            blocks = []
            for i in range(n):
                blocks.append(CifarBlock(channels, out, 2 if stage > 1 and i == 0 else 1))
                channels = out
            setattr(self, f"layer{stage}", nn.Sequential(*blocks))
        self.fc = nn.Linear(64, classes)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(x.mean((2, 3)))


class WideBlock(nn.Module):
    def __init__(self, channels, out, stride):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        if channels != out:
            self.convShortcut = nn.Conv2d(channels, out, 1, stride, bias=False)

    def forward(self, x):
        a = F.relu(self.bn1(x))
        y = self.conv2(F.relu(self.bn2(self.conv1(a))))
        return y + (self.convShortcut(a) if hasattr(self, "convShortcut") else x)


class WideStage(nn.Module):
    def __init__(self, *blocks):
        super().__init__()
        self.layer = nn.Sequential(*blocks)

    def forward(self, x):
        return self.layer(x)


class WideResNet(nn.Module):
    """Zagoruyko and Komodakis 2016."""

    def __init__(self, depth, k, classes):
        super().__init__()
        n = (depth - 4) // 6
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        channels = 16
        for stage in (1, 2, 3):
            out = 16 * k * 2 ** (stage - 1)
            blocks = []
            for i in range(n):
                blocks.append(WideBlock(channels, out, 2 if stage > 1 and i == 0 else 1))
                channels = out
            setattr(self, f"block{stage}", WideStage(*blocks))
        self.bn1 = nn.BatchNorm2d(channels)
        self.fc = nn.Linear(channels, classes)

    def forward(self, x):
        x = self.block3(self.block2(self.block1(self.conv1(x))))
        return self.fc(F.relu(self.bn1(x)).mean((2, 3)))


CLASSES = 5
NETWORKS = {
    "cifar_resnet20": (32, lambda: CifarResNet(3, CLASSES)),
    "wide_resnet_16_2": (32, lambda: WideResNet(16, 2, CLASSES)),
}
for name, side in {
    "resnet18": 64,
    "resnet50": 64,
    "mobilenetv2_100": 96,
    "mobilenetv2_050": 64,
    "mobilenetv3_small_050": 64,
    "mobilenetv3_small_100": 64,
    "mobilenetv3_large_100": 64,
    "tf_mobilenetv3_small_100": 64,
    "efficientnet_lite0": 64,
    "efficientnet_lite2": 64,
    "tf_efficientnet_lite1": 76,
    "convnext_atto": 64,
    "convnext_tiny": 64,
}.items():
    NETWORKS[name] = (side, lambda name=name: timm.create_model(name, num_classes=CLASSES))
NETWORKS["vit_tiny_patch16_224"] = (
    48,
    lambda: timm.create_model("vit_tiny_patch16_224", num_classes=CLASSES, img_size=48),
)

result = {}
for name, (side, make) in NETWORKS.items():
    model = make().eval()
    state = {
        key: torch.from_numpy(value(key, tuple(tensor.shape))).to(tensor.dtype)
        for key, tensor in model.state_dict().items()
        if not key.endswith("num_batches_tracked")
    }
    model.load_state_dict(state, strict=False)
    x = torch.from_numpy(noise("input", 2 * 3 * side * side).reshape(2, 3, side, side).astype(np.float32))
    with torch.no_grad():
        logits = model.double()(x.double())
    assert torch.isfinite(logits).all() and logits.std() > 1e-3, (name, logits)
    result[name] = {
        "inputSize": side,
        "parameters": sum(p.numel() for p in model.parameters()),
        "logits": [[float(f"{v:.9g}") for v in row] for row in logits.tolist()],
    }
    print(name, result[name]["parameters"], logits[0].numpy().round(4))

pathlib.Path(__file__).with_name("logits.json").write_text(json.dumps(result, indent=1) + "\n")
