"""A small image with what filters are sensitive to: gradients, hard edges, flat parts, saturated colours and some noise."""

import base64

import numpy as np


def structured_image(width, height):
    y, x = np.mgrid[0:height, 0:width]
    image = np.stack(
        [
            230 * x / (width - 1) + 10,
            200 * y / (height - 1) + 30,
            120 + 90 * np.sin(x * 0.9) * np.cos(y * 0.7),
        ],
        axis=-1,
    )
    image[height // 4 : height // 2, width // 5 : width // 2] = (250, 20, 35)
    image[height // 2 : height * 3 // 4, width // 3 : width * 3 // 4] = 128
    image[(x + y) % 7 == 0] *= 0.4
    image += np.random.default_rng(3).normal(0, 6, image.shape)
    return image.round().clip(0, 255).astype(np.uint8)


def encoded(image):
    return base64.b64encode(np.ascontiguousarray(image, dtype=np.uint8).tobytes()).decode()


def with_image(image, cases):
    height, width, _ = image.shape
    return {"width": width, "height": height, "data": encoded(image), "cases": cases}
