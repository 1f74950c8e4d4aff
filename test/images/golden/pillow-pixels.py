"""Writes pillow-pixels.json: what Pillow makes of ../shared/data/odd-images by the rule of src/images/decode.ts.

    python test/images/golden/pillow-pixels.py ../shared/data/odd-images > test/images/golden/pillow-pixels.json

For each file that Pillow reads: its upright size and the RGB values at 16 places (centres of a 4 x 4 grid).
Left out: CMYK without a profile (Pillow has no press profile) and images that are cropped (over 16:1).
"""

import io
import json
import os
import sys

import numpy as np
from PIL import Image, ImageCms, ImageOps

Image.MAX_IMAGE_PIXELS = 100_000_000
root = sys.argv[1]
SRGB = ImageCms.createProfile("sRGB")


def eight_bits(image):
    """1 bit, palettes and 16 bits to L, LA, RGB, RGBA or CMYK."""
    if image.mode.startswith("I"):
        return Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8), "L")
    if image.mode == "1":
        return image.convert("L")
    if image.mode == "P" or "transparency" in image.info:
        return image.convert("RGBA" if "transparency" in image.info else "RGB")
    return image


def over_white(image):
    rgba = np.asarray(image.convert("RGBA")).astype(np.float64)
    alpha = rgba[..., 3:] / 255
    return np.floor(rgba[..., :3] * alpha + 255 * (1 - alpha) + 0.5)


def pixels(path):
    with Image.open(path) as image:
        profile = image.info.get("icc_profile")
        if image.size[0] * image.size[1] > Image.MAX_IMAGE_PIXELS:
            return None
        if image.mode == "CMYK" and not profile:
            return None
        image.load()
        image = ImageOps.exif_transpose(eight_bits(image))
        if profile and image.mode in ("RGB", "CMYK"):
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            image = ImageCms.profileToProfile(image, source, SRGB, ImageCms.Intent.PERCEPTUAL, outputMode="RGB")
        if max(image.size) > 16 * min(image.size):
            return None
        return over_white(image).astype(int)


result = {}
for folder, _, names in sorted(os.walk(root)):
    for name in sorted(names):
        path = os.path.join(folder, name)
        try:
            rgb = pixels(path)
        except Exception:  # whatever Pillow refuses is not its witness
            continue
        if rgb is None:
            continue
        height, width = rgb.shape[:2]
        at = [
            [(2 * i + 1) * height // 8, (2 * j + 1) * width // 8] for i in range(4) for j in range(4)
        ]
        key = os.path.relpath(path, root).replace(os.sep, "/")
        result[key] = [width, height, [int(v) for y, x in at for v in rgb[y, x]]]
lines = [f"  {json.dumps(key)}: {json.dumps(value, separators=(',', ':'))}" for key, value in result.items()]
print("{\n" + ",\n".join(lines) + "\n}")
