"""Relative Mahalanobis distance (Ren et al. 2021) with matrices written out. numpy 2. Prints outliers.json."""
import json
import numpy as np

rng = np.random.default_rng(7)
width, labels = 6, [0, 0, 0, 2, 2, 5, 5, 5]
own = rng.normal(size=(len(labels), width)).round(3) + 1
background = rng.normal(size=(9, width)).round(3) + 1
asked = rng.normal(size=(5, width)).round(3) + 1
unit = lambda x: x / np.linalg.norm(x, axis=1, keepdims=True)


def scores(asked, own, background):
    everything = unit(np.concatenate([own, background]))
    mean = everything.mean(0)
    covariance = (everything - mean).T @ (everything - mean) / len(everything)
    precision = np.linalg.inv(covariance + 0.3 * np.linalg.eigvalsh(covariance)[-1] * np.eye(width))
    distance = lambda x, centre: np.einsum("ni,ij,nj->n", x - centre, precision, x - centre)
    classes = [unit(own)[[i for i, label in enumerate(labels) if label == k]].mean(0) for k in sorted(set(labels))]
    relative = lambda x: np.min([distance(unit(x), c) for c in classes], axis=0) - distance(unit(x), mean)
    if len(background) == 0:
        return relative(asked) / 2
    usual = relative(np.concatenate([own, background]))
    return (relative(asked) - usual.mean()) / usual.std()


flat = lambda x: [round(float(v), 6) for v in np.ravel(x)]
print(
    json.dumps(
        {
            "width": width,
            "labels": labels,
            "own": flat(own),
            "background": flat(background),
            "asked": flat(asked),
            "scores": flat(scores(asked, own, background)),
            "scoresWithoutBackground": flat(scores(asked, own, np.zeros((0, width)))),
        }
    )
)
