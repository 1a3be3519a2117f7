"""Makes scores.json: scores, ROC curves and calibration of random predictions by scikit-learn, and bootstrap intervals by
patient by numpy.

Made with Python 3.11, scikit-learn 1.2.1, numpy 1.24.2: /usr/bin/python3 make_scores.py
"""

import json
import os
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "sklearn"))
from answer import NAMES, facts, scores  # noqa: E402


def random_cases(rng):
    for count, decimals, rate in [(4, 1, 0.5), (9, 1, 0.3), (40, 1, 0.5), (40, 2, 0.1), (200, 2, 0.45), (200, 6, 0.45)]:
        for _ in range(3):
            labels = (rng.random(count) < rate).astype(int)
            probabilities = np.round(np.clip(rng.normal(0.4 + 0.2 * labels, 0.25), 0, 1), decimals)
            weights = rng.integers(0, 4, count)
            yield {
                "labels": labels.tolist(),
                "probabilities": probabilities.tolist(),
                **facts(labels, probabilities),
                "weights": weights.tolist(),
                "weighted": scores(labels, probabilities, weights),
            }


def patients(rng, count):
    """Rows (patient, study, label, probability); some patients have two studies."""
    rows = []
    for patient in range(count):
        shift = rng.normal(0, 0.12)
        for study in range(1 + (rng.random() < 0.25)):
            label = int(rng.random() < 0.45)
            for _ in range(rng.integers(1, 5)):
                value = np.clip(rng.normal(0.4 + 0.2 * label + shift, 0.15), 0, 1)
                rows.append((f"patient{patient:03}", f"patient{patient:03}/study{study + 1}", label, round(float(value), 4)))
    return rows


def study_rows(rows):
    studies = {}
    for patient, study, label, value in rows:
        studies.setdefault(study, (patient, label, []))[2].append(value)
    return [(patient, study, label, sum(values) / len(values)) for study, (patient, label, values) in studies.items()]


def intervals(rng, rows, resamples, other=None):
    """Of the scores; of their differences to those of the probabilities in `other` where it is given."""
    names = sorted({row[0] for row in rows})
    index = np.array([names.index(row[0]) for row in rows])
    labels = np.array([row[2] for row in rows])
    values = np.array([row[3] for row in rows])
    drawn = {name: [] for name in NAMES}
    for _ in range(resamples):
        times = np.bincount(rng.integers(0, len(names), len(names)), minlength=len(names))
        cases = np.repeat(np.arange(len(rows)), times[index])
        less = scores(labels[cases], other[cases]) if other is not None else dict.fromkeys(NAMES, 0)
        for name, value in scores(labels[cases], values[cases]).items():
            drawn[name].append(None if value is None or less[name] is None else value - less[name])
    return {name: np.percentile([v for v in drawn[name] if v is not None], [2.5, 97.5]).tolist() for name in NAMES}


rng = np.random.default_rng(7)
rows = patients(rng, 90)
fact = {
    "note": "made by make_scores.py",
    "cases": list(random_cases(rng)),
    "patients": {
        "rows": rows,
        "images": scores(np.array([r[2] for r in rows]), np.array([r[3] for r in rows])),
        "studies": scores(np.array([r[2] for r in study_rows(rows)]), np.array([r[3] for r in study_rows(rows)])),
        "image_intervals": intervals(rng, rows, 10000),
        "study_intervals": intervals(rng, study_rows(rows), 10000),
    },
}
# A second reading of the same images, somewhat better.
other = np.array([np.clip(value + (label - 0.5) * 0.1 + rng.normal(0, 0.1), 0, 1).round(4) for _, _, label, value in rows])
fact["patients"]["other"] = other.tolist()
fact["patients"]["difference_intervals"] = intervals(rng, rows, 4000, other)
with open(os.path.join(HERE, "scores.json"), "w") as out:
    json.dump(fact, out)
    out.write("\n")
