"""Decoding and crops by Pillow and torchvision, the peer of bench/loader: answers one JSON line to each it reads.

Reads {"files", "side", "kind", "scale", "ratio"}: training crops are RandomResizedCrop and flip, evaluation resizes the
shorter side and cuts the centre; both end as uint8 tensors. Answers {"imagesPerSecond", "perCore"} of one process with
one thread, the latter by processor time; or {"error"}.
"""

import os
import time

import torch
from PIL import Image
from torchvision.transforms import v2

from answers import answer_each

torch.set_num_threads(int(os.environ.get("BENCH_THREADS", "1")))


def measure(asked):
    side = asked["side"]
    if asked["kind"] == "training":
        steps = [v2.RandomResizedCrop(side, tuple(asked["scale"]), tuple(asked["ratio"])), v2.RandomHorizontalFlip()]
    else:
        steps = [v2.Resize(side, v2.InterpolationMode.BICUBIC), v2.CenterCrop(side)]
    transform = v2.Compose([*steps, v2.PILToTensor()])
    wall, core = time.perf_counter(), time.process_time()
    for file in asked["files"]:
        with Image.open(file) as image:
            transform(image.convert("RGB"))
    count = len(asked["files"])
    return {
        "imagesPerSecond": count / (time.perf_counter() - wall),
        "perCore": count / (time.process_time() - core),
    }


answer_each(measure)
