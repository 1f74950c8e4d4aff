"""Writes clahe.json: what OpenCV makes of the lightness of an image.

    python test/augment/golden/clahe.py > test/augment/golden/clahe.json

Needs opencv. "lightness" is L* alone, before and after; "opencv" the image put together again.
"""

import json

import cv2
from structured_image import encoded, structured_image, with_image

pixels = structured_image(24, 17)
lab = cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB)
cases = []
for clip, tiles in ((1, 2), (4, 2), (2, 8), (40, 3)):
    result = lab.copy()
    result[..., 0] = cv2.createCLAHE(clip, (tiles, tiles)).apply(lab[..., 0])
    entry = {"operation": "clahe", "values": {"clip": clip, "tiles": tiles, "amount": 1}}
    entry["lightness"] = {"before": encoded(lab[..., 0]), "after": encoded(result[..., 0])}
    entry["opencv"] = encoded(cv2.cvtColor(result, cv2.COLOR_LAB2RGB))
    cases.append(entry)
print(json.dumps(with_image(pixels, cases), indent=0))
