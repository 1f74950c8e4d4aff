"""Writes labelling.json: scikit-learn's LabelSpreading on the graph of Iscen et al. 2019 (cosine^3 to the nearest
neighbours, made symmetric as A + A^T), and its logistic regression.

python make-labelling.py (scikit-learn 1.9)
"""

import json
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.neighbors import NearestNeighbors
from sklearn.semi_supervised import LabelSpreading

ROWS, WIDTH, CLASSES, GAMMA = 60, 6, 3, 3


def graph(x, k):
    near = NearestNeighbors(n_neighbors=k + 1, metric="cosine", algorithm="brute").fit(x).kneighbors(x, return_distance=False)
    a = np.zeros((len(x), len(x)))
    similarity = cosine_similarity(x)
    for i, row in enumerate(near):
        for j in [j for j in row if j != i][:k]:
            a[i, j] = max(similarity[i, j], 0) ** GAMMA
    return a + a.T


rng = np.random.default_rng(0)
truth = rng.integers(CLASSES, size=ROWS)
centres = rng.normal(size=(CLASSES, WIDTH))
x = np.round(centres[truth] + rng.normal(size=(ROWS, WIDTH)), 3)
labels = np.where(np.arange(ROWS) < 9, np.arange(ROWS) % CLASSES, -1)
cases = []
for k, alpha in [(5, 0.9), (8, 0.99)]:
    model = LabelSpreading(kernel=lambda a, b: graph(a, k), alpha=alpha, max_iter=100000, tol=1e-12).fit(x, labels)
    cases.append({"neighbours": k, "alpha": alpha, "probabilities": np.round(model.label_distributions_, 7).ravel().tolist()})

z = np.round(rng.normal(size=40), 3)
right = (rng.random(40) < 1 / (1 + np.exp(-(0.5 + 1.5 * z)))).tolist()
weights = np.round(0.5 + rng.random(40), 3)
# |w|^2 / 2 + C * loss, C = 1: a normal prior of deviation 1 on the slope; the intercept is a feature, so that it has one too.
fit = LogisticRegression(C=1, fit_intercept=False, tol=1e-12, max_iter=10000).fit(
    np.stack([np.ones(40), z], 1), right, sample_weight=weights
)
logistic = {"z": z.tolist(), "right": right, "weights": weights.tolist(), "coefficients": np.round(fit.coef_[0], 7).tolist()}

file = Path(__file__).with_name("labelling.json")
file.write_text(
    json.dumps(
        {"classes": CLASSES, "width": WIDTH, "embeddings": x.ravel().tolist(), "labels": labels.tolist(), "cases": cases, "logistic": logistic}
    )
    + "\n"
)
