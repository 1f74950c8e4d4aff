"""Writes blur.json: what OpenCV and torchvision make of an image by blurring.

    python test/augment/golden/blur.py > test/augment/golden/blur.json

Needs torchvision, opencv.
"""

import json

import cv2
import numpy as np
import torch
from structured_image import encoded, structured_image, with_image
from torchvision.transforms.v2 import functional as F

pixels = structured_image(24, 17)
tensor = torch.from_numpy(pixels).permute(2, 0, 1)
cases = []
for sigma in (0.5, 1.1, 2, 4):
    # The side of the kernel that OpenCV chooses for bytes.
    side = round(sigma * 6 + 1) | 1
    entry = {"operation": "blur", "values": {"sigma": sigma}}
    entry["opencv"] = encoded(cv2.GaussianBlur(pixels, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101))
    # torchvision pads once only: its kernel can't be wider than the image allows.
    if side // 2 < 17:
        entry["torchvision"] = encoded(F.gaussian_blur(tensor, [side, side], [sigma, sigma]).permute(1, 2, 0).numpy())
    cases.append(entry)

across, diagonal = np.full((1, 5), 1 / 5), np.eye(5) / 5
partly = np.array([[0.5, 1, 1, 1, 0.5]]) / 4
for length, angle, kernel in (
    (5, 0, across),
    (5, 180, across),
    (5, 90, across.T),
    (4, 0, partly),
    # Five pixels on the diagonal lie root 2 apart.
    (1 + 4 * 2**0.5, -45, diagonal),
    (1 + 4 * 2**0.5, 45, diagonal[::-1].copy()),
):
    result = cv2.filter2D(pixels, -1, kernel, borderType=cv2.BORDER_REFLECT_101)
    cases.append({"operation": "motionblur", "values": {"length": length, "angle": angle}, "opencv": encoded(result)})
print(json.dumps(with_image(pixels, cases), indent=0))
