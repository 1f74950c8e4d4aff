"""Writes jpeg.json, or with other sides jpeg-narrow.json and jpeg-slit.json: an image saved as JPEG (4:2:0) by Pillow's libjpeg-turbo and read again.

    python test/augment/golden/jpeg.py 37 27 > test/augment/golden/jpeg.json
    python test/augment/golden/jpeg.py 5 19 > test/augment/golden/jpeg-narrow.json
    python test/augment/golden/jpeg.py 3 20 > test/augment/golden/jpeg-slit.json

Needs pillow.
"""

import io
import json
import sys

import numpy as np
from PIL import Image
from structured_image import encoded, structured_image, with_image

pixels = structured_image(int(sys.argv[1]), int(sys.argv[2]))
cases = []
for quality in (1, 10, 30, 50, 75, 90, 95, 99):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality, subsampling="4:2:0")
    result = np.asarray(Image.open(file).convert("RGB"))
    cases.append({"operation": "jpeg", "values": {"quality": quality}, "pillow": encoded(result)})
print(json.dumps(with_image(pixels, cases), indent=0))
