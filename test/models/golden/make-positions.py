"""Positions of a vision transformer on another grid, as timm's resample_abs_pos_embed has them (bicubic, antialiased).

Writes positions.json: what test/models/token-positions.test.ts must reach. Needs torch; run: python make-positions.py
"""

import json
import pathlib

import torch
from torch.nn import functional as F


def resampled(before, after, others, width):
    """[others + patches, width], the sine of each number's place, on the grid `after`."""
    count = others + before[0] * before[1]
    positions = torch.sin(torch.arange(count * width, dtype=torch.float64)).reshape(count, width)
    grid = positions[others:].reshape(1, *before, width).permute(0, 3, 1, 2)
    grid = F.interpolate(grid, size=after, mode="bicubic", antialias=True, align_corners=False)
    return torch.cat([positions[:others], grid[0].permute(1, 2, 0).reshape(-1, width)]).tolist()


cases = [
    {"before": before, "after": after, "others": others, "positions": resampled(before, after, others, 4)}
    for before, after, others in [((4, 4), (3, 3), 1), ((4, 4), (2, 3), 5), ((2, 3), (4, 4), 0)]
]
(pathlib.Path(__file__).parent / "positions.json").write_text(json.dumps(cases) + "\n")
