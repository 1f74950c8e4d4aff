"""Writes trajectories.json with PyTorch's optimizers, and timm's Lion and LAMB, in float64: python make-trajectories.py (PyTorch 2.15, timm 1.0)."""

import json
from pathlib import Path

import timm.optim
import torch

STEPS = 12
torch.manual_seed(5)
WEIGHT, BIAS = torch.randn(3, 4), torch.randn(4)
GRADIENTS = [(torch.randn(3, 4) * 2 ** (i % 3), torch.randn(4)) for i in range(STEPS)]
RATES = [0.1 * (1 + i) / STEPS for i in range(STEPS)]
# The bias has a rate of its own and no weight decay.
BIAS_FACTOR = 3.0

cases = []


def record(name, options, make, rate_factor=1.0, clip=None):
    weight = WEIGHT.double().requires_grad_()
    bias = BIAS.double().requires_grad_()
    decay = options.get("weightDecay", 0.0)
    groups = [{"params": [weight], "weight_decay": decay}, {"params": [bias], "weight_decay": 0.0}]
    optimizer = make(groups)
    weights, biases = [], []
    for rate, (weight_gradient, bias_gradient) in zip(RATES, GRADIENTS):
        weight.grad, bias.grad = weight_gradient.double(), bias_gradient.double()
        if clip is not None:
            torch.nn.utils.clip_grad_norm_([weight, bias], clip)
        optimizer.param_groups[0]["lr"] = rate * rate_factor
        optimizer.param_groups[1]["lr"] = rate * rate_factor * BIAS_FACTOR
        optimizer.step()
        weights.append(weight.detach().reshape(-1).tolist())
        biases.append(bias.detach().tolist())
    cases.append({"name": name, "options": options, "rateFactor": rate_factor, "weights": weights, "biases": biases})


sgd = torch.optim.SGD
record("sgd", {"name": "sgd"}, lambda g: sgd(g, lr=0.1))
record("sgd, momentum, decay", {"name": "sgd", "momentum": 0.9, "weightDecay": 0.01}, lambda g: sgd(g, lr=0.1, momentum=0.9))
record(
    "sgd, nesterov, decay",
    {"name": "sgd", "momentum": 0.9, "nesterov": True, "weightDecay": 0.01},
    lambda g: sgd(g, lr=0.1, momentum=0.9, nesterov=True),
)
record(
    "sgd, momentum, clipped",
    {"name": "sgd", "momentum": 0.9, "clipNorm": 4.0},
    lambda g: sgd(g, lr=0.1, momentum=0.9),
    clip=4.0,
)
record("adam", {"name": "adam", "weightDecay": 0.1}, lambda g: torch.optim.Adam(g, lr=0.1))
record(
    "adamw",
    {"name": "adamw", "weightDecay": 0.1, "betas": [0.8, 0.95], "epsilon": 1e-3},
    lambda g: torch.optim.AdamW(g, lr=0.1, betas=(0.8, 0.95), eps=1e-3),
)
record("lion", {"name": "lion", "weightDecay": 0.5}, lambda g: timm.optim.Lion(g, lr=0.1), rate_factor=0.1)
record(
    "lamb",
    {"name": "lamb", "weightDecay": 0.02},
    lambda g: timm.optim.Lamb(g, lr=0.1, max_grad_norm=None, eps=1e-6),
)

result = {
    "weight": WEIGHT.reshape(-1).tolist(),
    "bias": BIAS.tolist(),
    "gradients": [{"weight": w.reshape(-1).tolist(), "bias": b.tolist()} for w, b in GRADIENTS],
    "rates": RATES,
    "biasFactor": BIAS_FACTOR,
    "cases": cases,
}

# Learning rates, as factors on the peak.
probe = [torch.nn.Parameter(torch.zeros(1))]
one_cycle = []
for total in (7, 40):
    opt = torch.optim.SGD(probe, lr=1.0)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(opt, max_lr=1.0, total_steps=total)
    factors = []
    for step in range(total):
        factors.append(opt.param_groups[0]["lr"])
        opt.step()
        if step + 1 < total:
            scheduler.step()
    one_cycle.append(factors)
opt = torch.optim.SGD(probe, lr=1.0)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(opt, T_max=20)
cosine = []
for _ in range(20):
    cosine.append(scheduler.get_last_lr()[0])
    opt.step()
    scheduler.step()
opt = torch.optim.SGD(probe, lr=1.0)
scheduler = torch.optim.lr_scheduler.MultiStepLR(opt, milestones=[10, 15], gamma=0.1)
multi_step = []
for _ in range(20):
    multi_step.append(scheduler.get_last_lr()[0])
    opt.step()
    scheduler.step()
result["schedules"] = {"oneCycle": one_cycle, "cosine": cosine, "step": multi_step}
Path(__file__).with_name("trajectories.json").write_text(json.dumps(result) + "\n")
