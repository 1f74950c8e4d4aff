"""Writes jensen-shannon.json: AugMix's consistency loss as its paper's code computes it, and its gradient.

python make-jensen-shannon.py (needs torch; made with PyTorch 2.15). In float64, of logits rounded to float32. The mean of
the three distributions is clamped at 1e-7 as there; the script makes sure that no mean is smaller, so that the golden
values are those of the formula without a clamp, too.
"""

import json
from pathlib import Path

import torch
import torch.nn.functional as F

torch.manual_seed(12)
N, K, WEIGHT = 5, 4, 12.0
LABELS = torch.tensor([0, 3, 1, 2, 3])
CASES = {
    "views that differ": torch.randn(N, 3, K) * 2,
    "views that nearly agree": torch.randn(N, 1, K) * 2 + torch.randn(N, 3, K) * 0.01,
    "large logits of sure views": torch.randn(N, 3, K) * 3 + 5e3,
}


def divergence(clean, first, second):
    """Summed over the samples; all arguments [N, K] logits."""
    p_clean, p_first, p_second = (F.softmax(z, dim=1) for z in (clean, first, second))
    mean = (p_clean + p_first + p_second) / 3
    assert mean.min() > 1e-7
    log_mean = torch.clamp(mean, 1e-7, 1).log()
    return sum(F.kl_div(log_mean, p, reduction="sum") for p in (p_clean, p_first, p_second)) / 3


cases = []
for name, logits in CASES.items():
    z = logits.double().requires_grad_()
    each = torch.stack([divergence(*(z[i, v : v + 1] for v in range(3))) for i in range(N)])
    (gradient,) = torch.autograd.grad(each.sum(), z)
    # What a step of training minimises: cross-entropy of the clean views, consistency of all, means over samples.
    z = logits.double().requires_grad_()
    step = F.cross_entropy(z[:, 0], LABELS) + WEIGHT * divergence(z[:, 0], z[:, 1], z[:, 2]) / N
    step.backward()
    cases.append(
        {
            "name": name,
            "logits": logits.tolist(),
            "labels": LABELS.tolist(),
            "value": each.tolist(),
            "gradient": gradient.tolist(),
            "weight": WEIGHT,
            "step": {"value": step.item(), "gradient": z.grad.tolist()},
        }
    )

Path(__file__).with_name("jensen-shannon.json").write_text(json.dumps(cases) + "\n")
