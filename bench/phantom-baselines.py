"""Shows that a data set in MURA's layout cannot be read off its pixels or its grey levels alone.

Fits two logistic regressions on the training images, one on 32 x 32 pixels and one on the grey-level histogram in
64 bins, and prints Cohen's kappa of each on the validation images with a 95 % bootstrap interval over patients.
Features are standardised; C is chosen by cross-validation over patients within the training images.

    python3 bench/phantom-baselines.py data/phantom

Needs numpy, Pillow and scikit-learn (tried with Debian 12's 1.24.2, 9.4.0 and 1.2.1).
"""

import argparse
import csv
import json
import pathlib

import numpy as np
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import cohen_kappa_score
from sklearn.model_selection import GroupKFold
from sklearn.preprocessing import StandardScaler

CHOICES_OF_C = [1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0]
BOOTSTRAPS = 2000


def read_split(root, split):
    """Grey images, labels (1: abnormal) and patients of a split."""
    with open(root / f"{split}_image_paths.csv", newline="") as lines:
        paths = [row[0] for row in csv.reader(lines)]
    images = [Image.open(root.parent / path).convert("L") for path in paths]
    labels = np.array([int("positive" in pathlib.PurePath(path).parts[-2]) for path in paths])
    patients = np.array([pathlib.PurePath(path).parts[-3] for path in paths])
    return images, labels, patients


def pixels(images):
    """[images, 1024]: each image resized to 32 x 32."""
    return np.stack([np.asarray(image.resize((32, 32), Image.BILINEAR), np.float64).ravel() for image in images])


def histogram(images):
    """[images, 64]: share of the pixels in each of 64 equal bins of grey."""
    counts = [np.bincount(np.asarray(image).ravel() >> 2, minlength=64) for image in images]
    return np.stack([count / count.sum() for count in counts])


def fit(features, labels, c):
    scaler = StandardScaler().fit(features)
    model = LogisticRegression(C=c, max_iter=3000).fit(scaler.transform(features), labels)
    return lambda other: model.predict(scaler.transform(other))


def choose_c(features, labels, patients):
    """The C of the best mean kappa over three folds."""
    folds = list(GroupKFold(3).split(features, labels, patients))

    def score(c):
        kappas = [
            cohen_kappa_score(labels[held], fit(features[kept], labels[kept], c)(features[held])) for kept, held in folds
        ]
        return np.mean(kappas)

    return max(CHOICES_OF_C, key=score)


def interval(labels, predicted, patients):
    """2.5th and 97.5th percentile of kappa over resampled patients."""
    random = np.random.default_rng(0)
    members = [np.flatnonzero(patients == patient) for patient in np.unique(patients)]
    kappas = []
    for _ in range(BOOTSTRAPS):
        chosen = np.concatenate([members[index] for index in random.integers(len(members), size=len(members))])
        kappas.append(cohen_kappa_score(labels[chosen], predicted[chosen]))
    return np.nanpercentile(kappas, [2.5, 97.5])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=pathlib.Path, help="data set folder with train_image_paths.csv and the rest")
    root = parser.parse_args().root.resolve()
    train, labels, patients = read_split(root, "train")
    valid, valid_labels, valid_patients = read_split(root, "valid")
    result = {"train_images": len(train), "valid_images": len(valid)}
    for name, features in [("pixels_32x32", pixels), ("histogram_64", histogram)]:
        seen = features(train)
        c = choose_c(seen, labels, patients)
        predicted = fit(seen, labels, c)(features(valid))
        low, high = interval(valid_labels, predicted, valid_patients)
        kappa = cohen_kappa_score(valid_labels, predicted)
        result[name] = {"kappa": round(kappa, 3), "low": round(low, 3), "high": round(high, 3), "c": c}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
