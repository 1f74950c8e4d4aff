"""Makes preprocessing.json: what Pillow makes of the same images by the same recipe.

Run: python test/models/golden/preprocessing.py (needs numpy and Pillow).
"""

import base64
import json
import math
import os

import numpy as np
from PIL import Image

FILTERS = {"nearest": Image.NEAREST, "bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC}
MAX_ASPECT = 16


def picture(height, width):
    """Edges, ramps and texture, by a formula that the test repeats."""
    y, x, c = np.mgrid[0:height, 0:width, 0:3]
    return ((x * 7 + y * 13 + c * 29 + (x * y) % 31 * 5 + (x // 5 + y // 7) % 2 * 90) % 256).astype(np.uint8)


def centred(size, kept):
    start = (size - kept) // 2
    return start, start + kept


def crop(image, size, resize, fraction, interpolation):
    height, width = image.shape[:2]
    longest = MAX_ASPECT * min(height, width)
    y0, y1 = centred(height, min(height, longest))
    x0, x1 = centred(width, min(width, longest))
    image = image[y0:y1, x0:x1]
    height, width = image.shape[:2]
    target = [math.floor(side / fraction) for side in size]
    if resize == "stretch":
        resized = target
    elif target[0] * width >= target[1] * height:
        resized = [target[0], round(target[0] * width / height)]
    else:
        resized = [round(target[1] * height / width), target[1]]
    # Columns, then rows: Pillow 13 may take them in the other order, where that is less work, and the 8 bits
    # in between clip elsewhere.
    image = Image.fromarray(image).resize((resized[1], height), FILTERS[interpolation])
    image = np.asarray(image.resize((resized[1], resized[0]), FILTERS[interpolation]))
    y0, y1 = centred(resized[0], size[0])
    x0, x1 = centred(resized[1], size[1])
    return image[y0:y1, x0:x1]


SPECS = [
    ((16, 16), "shorter-side", 1.0, "bicubic"),
    ((16, 16), "shorter-side", 0.875, "bilinear"),
    ((16, 24), "shorter-side", 0.9, "bicubic"),
    ((24, 16), "stretch", 1.0, "bilinear"),
    ((16, 16), "stretch", 0.875, "bicubic"),
    ((16, 16), "shorter-side", 1.0, "nearest"),
]
# Larger and smaller than the crop, odd sides, ties in the rounding, both kinds of too long.
SIZES = [(16, 16), (47, 61), (61, 47), (9, 12), (32, 33), (32, 35), (1, 1), (2, 80), (90, 3), (130, 40)]

# A pixel in the very middle between two has two nearest ones: sizes where none is.
NEAREST_SIZES = [(16, 16), (47, 61), (61, 47), (32, 33), (1, 1)]

cases = []
for size, resize, fraction, interpolation in SPECS:
    for height, width in NEAREST_SIZES if interpolation == "nearest" else SIZES:
        pixels = crop(picture(height, width), size, resize, fraction, interpolation)
        assert pixels.shape == (*size, 3)
        cases.append(
            {
                "height": height,
                "width": width,
                "spec": {
                    "inputSize": size,
                    "resize": resize,
                    "cropFraction": fraction,
                    "interpolation": interpolation,
                },
                "crop": base64.b64encode(pixels.tobytes()).decode(),
            }
        )
with open(os.path.join(os.path.dirname(__file__), "preprocessing.json"), "w") as file:
    json.dump(cases, file, indent=1)
    file.write("\n")
