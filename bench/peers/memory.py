"""Memory of training steps in PyTorch, the peer of bench/memory: a process of its own for each question.

Reads one line {"network", "mode", "batch", "format", "steps"}; answers {"before", "peak", "ms"}: bytes resident after the
imports, at the height of the steps, and the median step's milliseconds; or {"error"}.
"""

import re
import time

import engine
from answers import answer_each


def status(name):
    with open("/proc/self/status", encoding="utf8") as file:
        return 1024 * int(re.search(rf"^{name}:\s+(\d+) kB$", file.read(), re.M)[1])


def measure(asked):
    if not asked["network"].startswith("resnet18-cifar"):
        import timm  # noqa: F401: an import is no part of the model
    before = status("VmRSS")
    training = engine.Training(asked["network"], asked["mode"], asked["batch"], asked["format"], False)
    times = []
    for _ in range(asked["steps"]):
        start = time.perf_counter()
        training.step()
        times.append(1000 * (time.perf_counter() - start))
    later = sorted(times[2:])
    return {"before": before, "peak": status("VmHWM"), "ms": later[len(later) // 2]}


answer_each(measure)
