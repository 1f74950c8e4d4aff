"""Albumentations and torchvision v2, the peers of bench/augment: answers one JSON line to each it reads.

Reads {"files", "pipeline", "peer", "seconds"}: JPEGs of 224x224, decoded beforehand unless the pipeline begins with it.
Answers {"imagesPerSecond"} of processor time, of one thread; or {"error"}. torchvision runs on tensors and on Pillow's
images: the faster is answered.
"""

import time

import torch
from PIL import Image
from torchvision.io import ImageReadMode, decode_image
from torchvision.transforms import v2

from answers import answer_each

torch.set_num_threads(1)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
BILINEAR = v2.InterpolationMode.BILINEAR


def torchvision_steps(pipeline):
    if pipeline == "rotate":
        return [v2.RandomRotation(15, BILINEAR)]
    if pipeline == "affine":
        return [v2.RandomAffine(15, (0.1, 0.1), (0.9, 1.1), (-10, 10, -10, 10), BILINEAR)]
    if pipeline == "crop, flip, jitter":
        return [
            v2.RandomResizedCrop(224, interpolation=BILINEAR),
            v2.RandomHorizontalFlip(),
            v2.ColorJitter(0.4, 0.4, 0.4, 0.1),
        ]
    if pipeline == "crop, flip, randaugment":
        return [
            v2.RandomResizedCrop(224, interpolation=BILINEAR),
            v2.RandomHorizontalFlip(),
            v2.RandAugment(2, 9, interpolation=BILINEAR, fill=128),
        ]
    if pipeline == "augmix":
        return [v2.AugMix(3, interpolation=BILINEAR, fill=128)]
    raise KeyError(f"no pipeline {pipeline}")


def albumentations_steps(pipeline):
    import albumentations as A

    # By their order: names of arguments have changed between versions.
    if pipeline == "rotate":
        return [A.Rotate((-15, 15), p=1)]
    if pipeline == "affine":
        return [
            A.Affine(
                scale=(0.9, 1.1),
                translate_percent=(-0.1, 0.1),
                rotate=(-15, 15),
                shear={"x": (-10, 10), "y": (-10, 10)},
                balanced_scale=False,
                p=1,
            )
        ]
    if pipeline == "crop, flip, jitter":
        return [
            A.RandomResizedCrop((224, 224), scale=(0.08, 1)),
            A.HorizontalFlip(p=0.5),
            A.ColorJitter((0.6, 1.4), (0.6, 1.4), (0.6, 1.4), (-0.1, 0.1), p=1),
        ]
    raise KeyError(f"no pipeline {pipeline}")


def torchvision_runs(pipeline, normalised, decodes, files):
    """One function for tensors, one for Pillow's images; each takes the number of an image."""
    steps = torchvision_steps(pipeline)
    last = [v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)] if normalised else []
    on_tensor = v2.Compose([*steps, *last])
    on_pillow = v2.Compose([*steps, v2.PILToTensor(), *last]) if normalised else v2.Compose(steps)
    if decodes:
        encoded = [torch.frombuffer(bytearray(open(file, "rb").read()), dtype=torch.uint8) for file in files]
        yield lambda i: on_tensor(decode_image(encoded[i], ImageReadMode.RGB))
        yield lambda i: on_pillow(Image.open(files[i]).convert("RGB"))
    else:
        images = [Image.open(file).convert("RGB") for file in files]
        tensors = [v2.functional.pil_to_tensor(image) for image in images]
        yield lambda i: on_tensor(tensors[i])
        yield lambda i: on_pillow(images[i])


def albumentations_runs(pipeline, normalised, decodes, files):
    import albumentations as A
    import cv2
    import numpy as np

    cv2.setNumThreads(0)
    last = [A.Normalize(MEAN, STD), A.ToTensorV2()] if normalised else []
    compose = A.Compose([*albumentations_steps(pipeline), *last])
    encoded = [np.fromfile(file, np.uint8) for file in files]
    decode = lambda data: cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    if decodes:
        yield lambda i: compose(image=decode(encoded[i]))
    else:
        images = [decode(data) for data in encoded]
        yield lambda i: compose(image=images[i])


RUNS = {"albumentations": albumentations_runs, "torchvision": torchvision_runs}
ready = {}


def measure(asked):
    files, pipeline, peer = asked["files"], asked["pipeline"], asked["peer"]
    key = (peer, pipeline, asked["normalised"], asked["decodes"])
    if key not in ready:
        ready[key] = list(RUNS[peer](pipeline, asked["normalised"], asked["decodes"], files))
        for run in ready[key]:
            for i in range(2 * len(files)):
                run(i % len(files))
    return {"imagesPerSecond": max(rate(run, len(files), asked["seconds"]) for run in ready[key])}


def rate(run, images, seconds):
    start, count = time.process_time(), 0
    while time.process_time() - start < seconds:
        run(count % images)
        count += 1
    return count / (time.process_time() - start)


answer_each(measure)
