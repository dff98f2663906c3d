"""random_bert.py DEST: a BERT with random weights, the same bytes each time, and a tokenizer: a tiny one for tests, or any other shape."""
import argparse, json, os

import numpy as np
import onnx

from bert_onnx import build

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def vocabulary(size, chinese):
    rng = np.random.Generator(np.random.PCG64(42))
    v = list(SPECIAL)
    v += [chr(c) for c in range(33, 127) if not chr(c).isupper()] + list("éüñßøαβγабвдежийклмнопрст一二三中文字人大小上下日本語の。，！😀🚀")
    v += ["##" + c for c in "abcdefghijklmnopqrstuvwxyz0123456789"]
    v += ["the", "a", "of", "and", "to", "in", "is", "hello", "world", "test", "data", "stream", "##ing", "##ed", "##s", "##er"]
    v += [chr(c) for c in range(0x4E00, 0x9FA6)][:chinese]
    v = list(dict.fromkeys(v))
    seen = set(v)
    while len(v) < size:  # made-up words of syllables, and endings
        s = "".join("bcdfghjklmnpqrstvwxyz"[rng.integers(21)] + "aeiou"[rng.integers(5)] for _ in range(rng.integers(1, 5)))
        s = ("##" if rng.random() < 0.3 else "") + s
        if s not in seen:
            seen.add(s)
            v.append(s)
    return v[:size]


def tokenizer(v):
    special = [{"id": i, "content": t, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True} for i, t in enumerate(SPECIAL)]
    sp = lambda t, n=0: {"SpecialToken": {"id": t, "type_id": n}}
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": special,
            "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True},
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            "post_processor": {"type": "TemplateProcessing", "single": [sp("[CLS]"), {"Sequence": {"id": "A", "type_id": 0}}, sp("[SEP]")],
                               "pair": [sp("[CLS]"), {"Sequence": {"id": "A", "type_id": 0}}, sp("[SEP]"), {"Sequence": {"id": "B", "type_id": 1}}, sp("[SEP]", 1)],
                               "special_tokens": {t: {"id": t, "ids": [SPECIAL.index(t)], "tokens": [t]} for t in ("[CLS]", "[SEP]")}},
            "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
            "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
                      "vocab": {t: i for i, t in enumerate(v)}}}


def main():
    p = argparse.ArgumentParser()
    p.add_argument("dest")
    for name, default in (("layers", 2), ("hidden", 64), ("heads", 4), ("inner", 128), ("vocab", 2000), ("positions", 128), ("chinese", 0), ("longest", 0), ("seed", 42)):
        p.add_argument("--" + name, type=int, default=default)
    a = p.parse_args()
    rng = np.random.Generator(np.random.PCG64(a.seed))
    scale = 0.08 if a.hidden < 256 else 0.02
    r = lambda *s: (rng.standard_normal(s, dtype=np.float32) * np.float32(scale))
    w = {"embeddings.word_embeddings.weight": r(a.vocab, a.hidden), "embeddings.position_embeddings.weight": r(a.positions, a.hidden),
         "embeddings.token_type_embeddings.weight": r(2, a.hidden)}

    def norm(name):
        w[name + ".weight"], w[name + ".bias"] = 1 + r(a.hidden), r(a.hidden)

    def linear(name, out, into):
        w[name + ".weight"], w[name + ".bias"] = r(out, into), r(out)

    norm("embeddings.LayerNorm")
    for i in range(a.layers):
        layer = f"encoder.layer.{i}."
        for k in ("query", "key", "value"):
            linear(layer + "attention.self." + k, a.hidden, a.hidden)
        linear(layer + "attention.output.dense", a.hidden, a.hidden)
        norm(layer + "attention.output.LayerNorm")
        linear(layer + "intermediate.dense", a.inner, a.hidden)
        linear(layer + "output.dense", a.hidden, a.inner)
        norm(layer + "output.LayerNorm")
    os.makedirs(os.path.join(a.dest, "1_Pooling"), exist_ok=True)
    onnx.save(build(w, a.layers, a.heads), os.path.join(a.dest, "model.onnx"))

    def write(name, value):
        with open(os.path.join(a.dest, name), "w", encoding="utf-8") as f:
            json.dump(value, f, ensure_ascii=False, indent=1)

    write("tokenizer.json", tokenizer(vocabulary(a.vocab, a.chinese)))
    write("config.json", {"architectures": ["BertModel"], "model_type": "bert", "hidden_size": a.hidden, "num_hidden_layers": a.layers, "num_attention_heads": a.heads,
                          "intermediate_size": a.inner, "hidden_act": "gelu", "layer_norm_eps": 1e-12, "max_position_embeddings": a.positions, "pad_token_id": 0,
                          "type_vocab_size": 2, "vocab_size": a.vocab})
    write("modules.json", [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
                           {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}])
    write("1_Pooling/config.json", {"word_embedding_dimension": a.hidden, "pooling_mode_mean_tokens": True})
    write("sentence_bert_config.json", {"max_seq_length": a.longest or a.positions, "do_lower_case": False})


main()
