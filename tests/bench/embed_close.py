"""embed_close.py A.ndjson B.ndjson: how near the vectors of B are to those of A, and how many of each one's 10 nearest neighbours are the same."""
import json, sys

import numpy as np


def read(path):
    rows = {r["id"]: r["vector"] for r in map(json.loads, open(path))}
    v = np.array([rows[i] for i in sorted(rows)], dtype=np.float32)
    return v / np.linalg.norm(v, axis=1, keepdims=True)


def neighbours(v):
    near = v @ v.T
    np.fill_diagonal(near, -2)
    return np.argpartition(-near, 10, axis=1)[:, :10]


a, b = read(sys.argv[1]), read(sys.argv[2])
cosine = (a * b).sum(1)
same = np.mean([len(set(x) & set(y)) for x, y in zip(neighbours(a), neighbours(b))]) * 10
print(f"   cosine least {cosine.min():.5f}, median {np.median(cosine):.5f}; of the 10 nearest neighbours {same:.1f} % are the same")
