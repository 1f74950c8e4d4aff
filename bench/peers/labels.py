"""Label quality by cleanlab, the peer of bench/label-quality: answers one JSON line to each it reads.

Reads {"labels", "probabilities"}, answers {"scores": {method: [score a label]}}, lower for labels that are less believed.
"""

import json
import sys

import numpy as np
from cleanlab.rank import get_label_quality_scores

for line in sys.stdin:
    question = json.loads(line)
    labels, probabilities = np.array(question["labels"]), np.array(question["probabilities"])
    scores = {
        method: get_label_quality_scores(labels, probabilities, method=method).tolist()
        for method in ["self_confidence", "normalized_margin"]
    }
    print(json.dumps({"scores": scores}), flush=True)
