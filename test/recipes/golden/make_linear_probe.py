"""Golden values for the linear probe: scikit-learn's logistic regression on standardised features.

Columns are scaled to a deviation of 10 / sqrt(D), as the probe does, before the fit at C = 0.5.
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
deviation = x.std(0)
floor = 1e-3 * np.sqrt((deviation**2).mean()) + 1e-12
scaled = (x - x.mean(0)) / ((deviation + floor) * np.sqrt(d) / 10)
model = LogisticRegression(C=0.5, max_iter=10000, tol=1e-10).fit(scaled, labels)
golden = {"features": features.tolist(), "labels": labels.tolist(), "probabilities": model.predict_proba(scaled).round(6).tolist()}
pathlib.Path(__file__).with_name("linear-probe.json").write_text(json.dumps(golden) + "\n")
