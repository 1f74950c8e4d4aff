"""Writes pillow-crops.json: what Pillow makes of crops of a formula's image, for src/images/crops.ts.

    python test/images/golden/pillow-crops.py > test/images/golden/pillow-crops.json
"""

import json

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 37, 29
y, x, c = np.mgrid[0:HEIGHT, 0:WIDTH, 0:3]
image = Image.fromarray(((x * 7 + y * 13 + c * 50 + (x * y) % 11 * 9) % 256).astype(np.uint8))
cases = []
for left, top, width, height, side in [(0, 0, 37, 29, 8), (3, 5, 20, 17, 12), (10, 2, 5, 6, 9), (4, 4, 9, 9, 9)]:
    crop = image.crop((left, top, left + width, top + height)).resize((side, side), Image.Resampling.BILINEAR)
    cases.append({"box": [left, top, width, height], "side": side, "pixels": np.asarray(crop).ravel().tolist()})
print(json.dumps(cases, separators=(",", ":")))
