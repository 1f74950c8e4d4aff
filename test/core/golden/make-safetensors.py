"""Writes torch.safetensors with the reference implementation: python make-safetensors.py (safetensors 0.8)."""

from pathlib import Path

import torch
from safetensors.torch import save_file

save_file(
    {
        "weight": torch.arange(6, dtype=torch.float32).reshape(2, 3) / 4,
        "half": torch.tensor([1.5, -2.0, 65504.0], dtype=torch.float16),
        "brain": torch.tensor([1.0, -0.5], dtype=torch.bfloat16),
        "label": torch.tensor([1, -(2**62)], dtype=torch.int64),
        "mask": torch.tensor([True, False, True]),
        "bytes": torch.tensor([[0, 255]], dtype=torch.uint8),
        "scalar": torch.tensor(2.5, dtype=torch.float64),
        "empty": torch.zeros(0, 3),
        "näme \"quoted\"": torch.tensor([7], dtype=torch.int32),
    },
    Path(__file__).with_name("torch.safetensors"),
    metadata={"format": "pt", "note": "line\nbreak"},
)
