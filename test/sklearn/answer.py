"""What scikit-learn says of predictions: reads one JSON object, writes one.

{"cases": [{"labels", "probabilities"}], "resampled": {"labels", "probabilities", "patients", "times"}}
    labels and probabilities are arrays; patients numbers each case's patient; times says for each resample how often
    each patient is drawn
-> {"cases": [facts(...)], "intervals": {score: [low, high]}}
"""
import json
import math
import sys
import warnings

import numpy as np
from sklearn import calibration, linear_model, metrics

NAMES = ["accuracy", "precision", "recall", "f1", "kappa", "auc"]
BINS = 15
# Probabilities of 0 and 1 have no finite logit.
LEAST = 5e-7


def scores(labels, probabilities, weights=None):
    """Null where scikit-learn says nan, or would put 0 for 0/0."""
    calls = (probabilities > 0.5).astype(int)
    w = {"sample_weight": weights}
    one_class = len(set(labels[weights > 0] if weights is not None else labels)) < 2
    values = {
        "accuracy": metrics.accuracy_score(labels, calls, **w),
        "kappa": metrics.cohen_kappa_score(labels, calls, **w),
        "auc": None if one_class else metrics.roc_auc_score(labels, probabilities, **w),
    }
    # zero_division 0 and 1 give two values exactly where the quotient is 0/0.
    for name, function in [("precision", metrics.precision_score), ("recall", metrics.recall_score), ("f1", metrics.f1_score)]:
        low, high = (function(labels, calls, zero_division=z, **w) for z in (0, 1))
        values[name] = low if low == high else None
    return {name: None if values[name] is None or math.isnan(values[name]) else float(values[name]) for name in NAMES}


def roc(labels, probabilities):
    if len(set(labels)) < 2:
        return None
    false_positives, true_positives, _ = metrics.roc_curve(labels, probabilities)
    return [false_positives.tolist(), true_positives.tolist()]


def reliability(labels, probabilities):
    """Of the bins that hold cases: their counts, shares of positives and mean probabilities; and the mean distance of the two."""
    shares, means = calibration.calibration_curve(labels, probabilities, n_bins=BINS, strategy="uniform")
    bins = np.digitize(probabilities, np.linspace(0, 1, BINS + 1)[1:-1], right=True)
    counts = np.bincount(bins, minlength=BINS)
    counts = counts[counts > 0]
    ece = float(np.sum(counts * np.abs(shares - means)) / len(labels))
    return {"counts": counts.tolist(), "abnormal": shares.tolist(), "probability": means.tolist(), "ece": ece}


def temperature(labels, probabilities):
    """The temperature of the least log loss, and that loss; null where a class is absent or it lies outside 0.01 to 100."""
    bounded = np.clip(probabilities, LEAST, 1 - LEAST)
    logits = np.log(bounded / (1 - bounded))
    if len(set(labels)) < 2 or np.all(logits * (2 * labels - 1) >= 0):
        return None
    fit = linear_model.LogisticRegression(penalty=None, fit_intercept=False, solver="newton-cg", tol=1e-12, max_iter=100)
    inverse = float(fit.fit(logits[:, None], labels).coef_[0, 0])
    if not 0.01 < inverse < 100:
        return None
    return {"temperature": 1 / inverse, "log_loss": float(metrics.log_loss(labels, 1 / (1 + np.exp(-logits * inverse))))}


def facts(labels, probabilities):
    return {
        "scores": scores(labels, probabilities),
        "roc": roc(labels, probabilities),
        "reliability": reliability(labels, probabilities),
        "temperature": temperature(labels, probabilities),
    }


def intervals(labels, probabilities, patients, times):
    drawn = {name: [] for name in NAMES}
    for one in times:
        cases = np.repeat(np.arange(len(labels)), np.array(one)[patients])
        for name, value in scores(labels[cases], probabilities[cases]).items():
            drawn[name].append(value)
    known = {name: [value for value in values if value is not None] for name, values in drawn.items()}
    return {name: np.percentile(values, [2.5, 97.5]).tolist() for name, values in known.items()}


def main():
    asked = json.load(sys.stdin)
    arrays = lambda case: (np.array(case["labels"]), np.array(case["probabilities"], dtype=float))
    resampled = asked["resampled"]
    answer = {
        "cases": [facts(*arrays(case)) for case in asked["cases"]],
        "intervals": intervals(*arrays(resampled), np.array(resampled["patients"]), resampled["times"]),
    }
    json.dump(answer, sys.stdout)


warnings.simplefilter("ignore")
if __name__ == "__main__":
    main()
