"""Golden values for the linear probe: scikit-learn's logistic regression on standardised features.

Columns are divided by their deviation, shrunk to that of all as if 200 further images had it, and rows brought to a norm of about
10, as the probe does, before the fit at C = 0.5.
Needed: pip install numpy scikit-learn
"""
import json
import pathlib

import numpy as np
from sklearn.linear_model import LogisticRegression

rng = np.random.default_rng(0)
n, d, k = 48, 6, 3
labels = np.arange(n) % k
centres = rng.standard_normal((k, d)) * 0.8
features = (centres[labels] + rng.standard_normal((n, d))).astype(np.float32) * np.array([1, 5, 0.2, 1, 2, 1], np.float32) + 3
x = features.astype(np.float64)
variance = (n * x.var(0) + 200 * x.var(0).mean()) / (n + 200)
scaled = (x - x.mean(0)) / np.sqrt(variance * d) * 10
model = LogisticRegression(C=0.5, max_iter=10000, tol=1e-10).fit(scaled, labels)
golden = {"features": features.tolist(), "labels": labels.tolist(), "probabilities": model.predict_proba(scaled).round(6).tolist()}
pathlib.Path(__file__).with_name("linear-probe.json").write_text(json.dumps(golden) + "\n")
