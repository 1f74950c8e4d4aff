"""Writes colour.json, or equalize.json: what Pillow and torchvision make of an image by operations of colour.

    python test/augment/golden/colour.py > test/augment/golden/colour.json
    python test/augment/golden/colour.py equalize > test/augment/golden/equalize.json

Needs torchvision, pillow.
"""

import json
import sys

import numpy as np
import torch
from PIL import Image, ImageEnhance, ImageOps
from structured_image import encoded, structured_image, with_image
from torchvision.transforms.v2 import functional as F

# Equalising does nothing to an image of fewer pixels than there are values.
equalizes = sys.argv[1:] == ["equalize"]
pixels = structured_image(43, 29) if equalizes else structured_image(17, 12)
# Narrower than the full range, so that stretching has something to do.
pixels = (pixels * 0.75 + 20).astype(np.uint8)
image = Image.fromarray(pixels)
tensor = torch.from_numpy(pixels).permute(2, 0, 1)
cases = []


def case(operation, values, pillow, torchvision):
    entry = {"operation": operation, "values": values}
    if pillow is not None:
        entry["pillow"] = encoded(np.asarray(pillow.convert("RGB")))
    if torchvision is not None:
        entry["torchvision"] = encoded(torchvision.expand(3, -1, -1).permute(1, 2, 0).numpy())
    cases.append(entry)


if equalizes:
    case("equalize", {"amount": 1}, ImageOps.equalize(image), F.equalize(tensor))
    print(json.dumps(with_image(pixels, cases), indent=0))
    sys.exit()
for factor in (0, 0.35, 1, 1.9):
    for operation, enhance, adjust in (
        ("brightness", ImageEnhance.Brightness, F.adjust_brightness),
        ("contrast", ImageEnhance.Contrast, F.adjust_contrast),
        ("saturation", ImageEnhance.Color, F.adjust_saturation),
        ("sharpness", ImageEnhance.Sharpness, F.adjust_sharpness),
    ):
        case(operation, {"factor": factor}, enhance(image).enhance(factor), adjust(tensor, factor))
for turn in (-0.5, -0.2, 0.05, 0.4):
    case("hue", {"turn": turn}, F.adjust_hue(image, turn), F.adjust_hue(tensor, turn))
for exponent in (0.4, 2.2):
    case("gamma", {"exponent": exponent}, F.adjust_gamma(image, exponent), F.adjust_gamma(tensor, exponent))
for threshold in (0, 100, 200):
    case("solarize", {"threshold": threshold}, ImageOps.solarize(image, threshold), F.solarize(tensor, threshold))
for bits in (1, 4, 6, 8):
    case("posterize", {"bits": bits}, ImageOps.posterize(image, bits), F.posterize(tensor, bits))
case("invert", {}, ImageOps.invert(image), F.invert(tensor))
case("grayscale", {"amount": 1}, image.convert("L"), F.rgb_to_grayscale(tensor))
case("autocontrast", {"amount": 1}, ImageOps.autocontrast(image), F.autocontrast(tensor))
print(json.dumps(with_image(pixels, cases), indent=0))
