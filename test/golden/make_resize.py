#!/usr/bin/python3
"""Pillow's bilinear resize of made-up images, for test/data/resize.test.ts.

    /usr/bin/python3 test/golden/make_resize.py > test/golden/resize.json

Needs numpy and Pillow; the file was made with Pillow 9.4.0. The samples are a hash of their position (`pixels`),
so the test makes the same images. Expected pixels are the rows of each plane, one after the other.
"""
import json

import numpy as np
import PIL
from PIL import Image

CASES = [  # name, width, height, channels, to width, to height
    ("square to square", 40, 40, 1, 8, 8),
    ("ragged", 97, 61, 1, 16, 16),
    ("tall", 13, 150, 1, 9, 9),
    ("enlarged", 5, 3, 1, 12, 12),
    ("one way only", 31, 12, 1, 31, 5),
    ("same size", 9, 7, 1, 9, 7),
    ("one pixel", 1, 1, 1, 4, 4),
    ("to one pixel", 23, 17, 1, 1, 1),
    ("RGB", 37, 29, 3, 11, 11),
]


def pixels(count):
    i = np.arange(count, dtype=np.uint64)
    h = (i * np.uint64(2654435761)) & np.uint64(0xFFFFFFFF)
    h ^= h >> np.uint64(15)
    h = (h * np.uint64(2246822519)) & np.uint64(0xFFFFFFFF)
    return (h >> np.uint64(24)).astype(np.uint8)


def main():
    cases = []
    for name, width, height, channels, to_width, to_height in CASES:
        a = pixels(width * height * channels).reshape(height, width, channels)
        image = Image.fromarray(a[:, :, 0] if channels == 1 else a)
        out = np.asarray(image.resize((to_width, to_height), Image.BILINEAR)).reshape(to_height, to_width, channels)
        cases.append(
            {"name": name, "width": width, "height": height, "channels": channels, "toWidth": to_width,
             "toHeight": to_height, "planes": out.transpose(2, 0, 1).ravel().tolist()}
        )  # fmt: skip
    lines = ",\n".join("  " + json.dumps(case) for case in cases)
    print('{"pillow": "%s", "cases": [\n%s\n]}' % (PIL.__version__, lines))


if __name__ == "__main__":
    main()
