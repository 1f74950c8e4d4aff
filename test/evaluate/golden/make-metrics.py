"""Writes metrics.json: what scikit-learn, SciPy and NumPy say of made-up logits.

python make-metrics.py (scikit-learn 1.9, scipy)
"""

import json
from pathlib import Path

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from scipy.stats import binomtest
from sklearn.calibration import calibration_curve
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    brier_score_loss,
    confusion_matrix,
    f1_score,
    log_loss,
    precision_recall_fscore_support,
    top_k_accuracy_score,
)


def case(seed, n, k, scale, missing=()):
    """Logits that are `scale` times too sure; classes in `missing` have no image."""
    rng = np.random.default_rng(seed)
    present = [c for c in range(k) if c not in missing]
    labels = rng.choice(present, n)
    logits = rng.normal(size=(n, k))
    logits[np.arange(n), labels] += 1.2
    logits = np.round(logits * scale, 4)

    def metrics(temperature):
        p = softmax(logits / temperature, axis=1)
        confidence, predicted = p.max(1), p.argmax(1)
        right = predicted == labels
        true, mean = calibration_curve(right, confidence, n_bins=15, strategy="uniform")
        counts = np.histogram(confidence, np.linspace(0, 1, 16))[0]
        order = np.argsort(confidence, kind="stable")
        edges = [int(np.floor(i * n / 15 + 0.5)) for i in range(16)]
        mass = [order[a:b] for a, b in zip(edges, edges[1:]) if b > a]
        return {
            "nll": log_loss(labels, p, labels=range(k)),
            "brier": brier_score_loss(labels, p, labels=range(k), scale_by_half=False)
            if k > 2
            else float(((p - np.eye(k)[labels]) ** 2).sum(1).mean()),
            "equalWidth": float((counts[counts > 0] / n) @ np.abs(true - mean)),
            "equalMass": float(sum(len(b) / n * abs(right[b].mean() - confidence[b].mean()) for b in mass)),
        }

    predicted = logits.argmax(1)
    right = int((predicted == labels).sum())
    interval = binomtest(right, n).proportion_ci(method="wilson")
    precision, recall, f1, support = precision_recall_fscore_support(
        labels, predicted, labels=range(k), zero_division=np.nan
    )
    fit = minimize_scalar(
        lambda t: -log_softmax(logits / np.exp(t), axis=1)[np.arange(n), labels].mean(),
        bounds=np.log([0.1, 10]),
        method="bounded",
        options={"xatol": 1e-10},
    )
    temperature = float(np.exp(fit.x))
    clean = lambda a: [None if np.isnan(x) else float(x) for x in a]
    return {
        "classes": k,
        "labels": labels.tolist(),
        "logits": logits.ravel().tolist(),
        "accuracy": accuracy_score(labels, predicted),
        "interval": [interval.low, interval.high],
        "balancedAccuracy": balanced_accuracy_score(labels, predicted),
        "macroF1": f1_score(labels, predicted, average="macro"),
        "topFive": top_k_accuracy_score(labels, logits, k=5, labels=range(k)) if k > 10 else None,
        "precision": clean(precision),
        "recall": clean(recall),
        "f1": clean(f1),
        "support": support.tolist(),
        "confusion": confusion_matrix(labels, predicted, labels=range(k)).tolist(),
        "atOne": metrics(1),
        "temperature": temperature,
        "atTemperature": metrics(temperature),
    }


cases = [case(0, 200, 4, 3.0), case(1, 97, 2, 0.5), case(2, 150, 12, 1.0), case(3, 40, 6, 2.0, missing=(2, 5))]
Path(__file__).with_name("metrics.json").write_text(json.dumps(cases))
for c in cases:
    print({k: v for k, v in c.items() if k not in ("labels", "logits", "confusion")})
