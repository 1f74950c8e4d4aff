"""Writes geometry.json: what OpenCV, torchvision and Pillow make of one small image, for src/augment and src/images.

    python test/augment/golden/geometry.py > test/augment/golden/geometry.json

Needs torchvision, pillow, opencv. Pixels are base64 of [height, width, 3] uint8. A case is a policy, or the corners of a
perspective, or points of a remap. `inside` is base64 of [height, width] bytes: 1 where all neighbours lie in the image.
"""

import base64
import json

import cv2
import numpy as np
import torch
from PIL import Image
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as F

WIDTH, HEIGHT = 24, 17
random = np.random.default_rng(5)
y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float64)
# Gradients, a bright disc, a dark bar and some noise.
image = np.stack([20 + 9 * x, 230 - 7 * x - 3 * y, 128 + 90 * np.sin(x / 3) * np.cos(y / 4)], axis=2)
image[(x - 15) ** 2 + (y - 7) ** 2 < 20] = (240, 200, 40)
image[12:14, 2:11] = (10, 30, 90)
image = np.clip(image + random.normal(0, 6, image.shape), 0, 255).round().astype(np.uint8)
tensor = torch.from_numpy(image).permute(2, 0, 1)
full = np.full((HEIGHT, WIDTH), 255, np.uint8)
cases = []


def packed(array):
    return base64.b64encode(np.ascontiguousarray(array, dtype=np.uint8).tobytes()).decode()


def add(witness, result, inside=None, **case):
    height, width = result.shape[:2]
    cases.append({"witness": witness, **case, "width": width, "height": height, "pixels": packed(result)})
    if inside is not None:
        cases[-1]["inside"] = packed(inside == 255)


def add_torch(f, **case):
    inside = f(torch.from_numpy(full)[None], 0)[0].numpy()
    add("torchvision", f(tensor, [1, 2, 3]).permute(1, 2, 0).numpy(), inside, **case)


CV = {"bilinear": cv2.INTER_LINEAR, "nearest": cv2.INTER_NEAREST}
BORDERS = {"reflect": cv2.BORDER_REFLECT, "edge": cv2.BORDER_REPLICATE}


def add_cv(matrix, interpolation="bilinear", fill=None, **case):
    warp = cv2.warpAffine if matrix.shape[0] == 2 else cv2.warpPerspective
    flags = CV[interpolation]
    if fill in BORDERS:
        add("OpenCV", warp(image, matrix, (WIDTH, HEIGHT), flags=flags, borderMode=BORDERS[fill]), **case)
    else:
        inside = warp(full, matrix, (WIDTH, HEIGHT), flags=flags)
        add("OpenCV", warp(image, matrix, (WIDTH, HEIGHT), flags=flags, borderValue=(1, 2, 3)), inside, **case)


centre = ((WIDTH - 1) / 2, (HEIGHT - 1) / 2)
for angle in (20, -77.5, 180):
    turn = cv2.getRotationMatrix2D(centre, angle, 1)
    add_cv(turn, policy=f"rotate({angle}..{angle},fill=#010203)")
    add_torch(
        lambda t, fill: F.rotate(t, angle, InterpolationMode.BILINEAR, fill=fill),
        policy=f"rotate({angle}..{angle},fill=#010203)",
    )
    add_torch(
        lambda t, fill: F.rotate(t, angle, InterpolationMode.NEAREST, fill=fill),
        policy=f"rotate({angle}..{angle},nearest,fill=#010203)",
        exact=True,
    )
for fill in BORDERS:
    add_cv(cv2.getRotationMatrix2D(centre, 33, 1), fill=fill, policy=f"rotate(33..33,fill={fill})")
add_cv(np.array([[1.1, 0.2, -2.25], [-0.3, 0.9, 3.5]]), policy="affinematrix(1.1,0.2,-2.25,-0.3,0.9,3.5,fill=#010203)")


def torch_affine(angle=0.0, translate=(0, 0), scale=1.0, shear=(0.0, 0.0)):
    return lambda t, fill: F.affine(t, angle, translate, scale, shear, InterpolationMode.BILINEAR, fill)


def twice(values):
    return ",".join(f"{value}..{value}" for value in values)


for angle, (tx, ty), scale, shear in [
    (15, (0.125, -2 / 17), 1.2, (0, 0)),
    (-40, (0, 0), 0.9, (12, -7)),
    (0, (0, 0), 1, (-20, 0)),
    (0, (0, 0), 1, (0, 20)),
]:
    add_torch(
        torch_affine(angle, (tx * WIDTH, ty * HEIGHT), scale, shear),
        policy=f"affine({twice([angle, tx, ty, scale, *shear])},fill=#010203)",
    )
add_torch(torch_affine(translate=(3, 0)), policy="translatex(0.125..0.125,fill=#010203)", exact=True)
add_torch(torch_affine(translate=(0, -3)), policy=f"translatey({-3 / 17}..{-3 / 17},fill=#010203)", exact=True)
add_torch(torch_affine(scale=1.3), policy="scale(1.3..1.3,fill=#010203)")
lean = float(np.degrees(np.arctan(0.3)))
add_torch(torch_affine(shear=(-lean, 0)), policy="shearx(0.3..0.3,fill=#010203)")
add_torch(torch_affine(shear=(0, -lean)), policy="sheary(0.3..0.3,fill=#010203)")

corners = [[0, 0], [WIDTH, 0], [WIDTH, HEIGHT], [0, HEIGHT]]
for moved in (
    [[3, 1], [22, 4], [20, 15], [1, 16]],
    [[0, 5], [19, 0], [24, 13], [6, 17]],
):
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    onto = cv2.getPerspectiveTransform(np.float32(corners), np.float32(moved))
    add_cv(np.linalg.inv(half) @ onto @ half, corners=moved)
    add_torch(
        lambda t, fill: F.perspective(t, corners, moved, InterpolationMode.BILINEAR, fill=fill),
        corners=moved,
    )

k = 0.4
lens = np.array([[WIDTH, 0, WIDTH / 2 - 0.5], [0, HEIGHT, HEIGHT / 2 - 0.5], [0, 0, 1]], np.float64)
maps = cv2.initUndistortRectifyMap(lens, np.array([k, k, 0, 0, 0]), None, lens, (WIDTH, HEIGHT), cv2.CV_32FC1)
bent = [cv2.remap(each, *maps, cv2.INTER_LINEAR, borderValue=(1, 2, 3)) for each in (image, full)]
add("OpenCV", bent[0], cv2.remap(full, *maps, cv2.INTER_LINEAR), policy=f"opticaldistortion({k}..{k},fill=#010203)")

moves = random.normal(0, 1.5, (HEIGHT, WIDTH, 2)).astype(np.float32)
grid = torch.from_numpy(moves * np.float32([2 / WIDTH, 2 / HEIGHT]))[None]
points = (np.stack([x, y], axis=2) + 0.5 + moves).astype("<f4")
add_torch(
    lambda t, fill: F.elastic(t, grid, InterpolationMode.BILINEAR, fill),
    points=base64.b64encode(points.tobytes()).decode(),
)

pillow = Image.fromarray(image)
FILTERS = {"nearest": 0, "bilinear": 2, "bicubic": 3}
for width, height in ((9, 9), (16, 16), (40, 40), (24, 7)):
    for name, number in FILTERS.items():
        if name == "nearest" and width == 9:
            continue  # Has points right between two pixels, where either is right.
        resized = pillow.resize((width, height), number)
        side = {"policy": f"resize({width},exact,{name})"} if width == height else {"to": [width, height], "interpolation": name}
        add("Pillow", np.asarray(resized), **side, exact=name == "nearest")
for box, side in (((5, 2, 20, 14), 12), ((1, 3, 9, 8), 10)):
    for name in ("bilinear", "bicubic"):
        add("Pillow", np.asarray(pillow.crop(box).resize((side, side), FILTERS[name])), box=box, side=side, interpolation=name)
add(
    "torchvision",
    F.resize(tensor, [9, 9], InterpolationMode.BILINEAR, antialias=False).permute(1, 2, 0).numpy(),
    policy="resize(9,exact,antialias=off)",
)
add(
    "torchvision",
    F.resize(tensor, [9, 9], InterpolationMode.BILINEAR, antialias=True).permute(1, 2, 0).numpy(),
    policy="resize(9,exact)",
)


def keys(distance):
    d = np.abs(distance)
    return np.where(d < 1, (1.5 * d - 2.5) * d * d + 1, np.where(d < 2, ((-0.5 * d + 2.5) * d - 4) * d + 2, 0))


def by_formula(side, wanted):
    """Weights of Keys' kernel (a = -0.5) without antialias; OpenCV and torch have a = -0.75 there."""
    at = (np.arange(wanted) + 0.5) * side / wanted
    weights = keys(np.arange(side)[None] + 0.5 - at[:, None])
    return weights / weights.sum(axis=1, keepdims=True)


sampled = np.einsum("yj,xi,jic->yxc", by_formula(HEIGHT, 9), by_formula(WIDTH, 9), image.astype(np.float64))
add("the formula", np.clip(sampled + 0.5, 0, 255).astype(np.uint8), policy="resize(9,exact,bicubic,antialias=off)")

for name, border in {"reflect": cv2.BORDER_REFLECT, "edge": cv2.BORDER_REPLICATE, "#0a141e": cv2.BORDER_CONSTANT}.items():
    padded = cv2.copyMakeBorder(image, 5, 5, 5, 5, border, value=(10, 20, 30))
    add("OpenCV", padded, policy=f"pad(5,fill={name})", exact=True)
# torchvision rounds half an overhang to the even number, evaluation here rounds it down: sizes where both are the same.
add("torchvision", F.center_crop(tensor, [11, 11]).permute(1, 2, 0).numpy(), policy="centercrop(11)", exact=True)
add("torchvision", F.center_crop(tensor, [19, 19]).permute(1, 2, 0).numpy(), policy="centercrop(19)", exact=True)
add("torchvision", F.horizontal_flip(tensor).permute(1, 2, 0).numpy(), policy="flip(p=1)", exact=True)
add("torchvision", F.vertical_flip(tensor).permute(1, 2, 0).numpy(), policy="flipvertical(p=1)", exact=True)
for turns in (1, 2, 3):
    add("numpy", np.rot90(image, turns), policy=f"quarterturn({turns})", exact=True)

plane = image[:, :, 2].astype(np.float32)
blurred = cv2.GaussianBlur(plane, (25, 25), 3, borderType=cv2.BORDER_REFLECT)
print(
    json.dumps(
        {
            "width": WIDTH,
            "height": HEIGHT,
            "image": packed(image),
            "blurred": {"sigma": 3, "plane": blurred.ravel().round(3).tolist()},
            "cases": cases,
        },
        indent=0,
    )
)
