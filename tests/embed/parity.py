#!/usr/bin/env python3
"""parity.py TOKENS MINILM: the ids that the plugin's tokenizer gives are those of the Python package, for WordPiece, BPE (of bytes, and of
characters) and Unigram, over 5,200 texts of all scripts, odd characters and lengths.  TOKENS: the program of tokens.cpp."""
import os, random, subprocess, sys, tempfile, unicodedata

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

SEED = 7
FIXED = ["", " ", "\t\n\r", "Hello, World!", "don't stop", "naïve café façade Ångström", "ÀÉÎÕÜ ß ẞ İI ıi ǅ ﬁ ﬀ Σίσυφος ΟΔΟΣ", "中文字符测试，混合English。", "日本語のテキスト カタカナ 한국어 텍스트",
         "👩‍👩‍👧‍👦 family 🏳️‍🌈 👍🏽 🇩🇪", "\u200b\u200d\ufeff zero\u00adwidth", "a\x01c\x7fd\x85e", "x" * 100, "x" * 101, "a" * 5000, "[CLS] hi [SEP] [PAD][MASK]x[UNK]", "[cls] [SEP", "##ing ##s",
         "e\u0301 e\u0301\u0327 \u0327\u0301e", "ﷺ ﷽ ½ ² ™ Ⅷ ㎏", "\U0001d15e\U0001d165\U0001d16e", "\u302e\u302f \u1b44\u1baa", "\u2028\u2029\u3000\u00a0\u1680", "\ue000\uf8ff\U000f0000", "\ufffd\ufffe\uffff",
         "𠀀𪜀𫝀𫠠𬺰 豈 丽", "नमस्ते दुनिया", "สวัสดีชาวโลก", "مرحبا بالعالم", "שָׁלוֹם", "Привет, мир ёй Й", "C++ e-mail a_b $100 ^`~|<=>", "http://a.b/c?d=e&f#g", "</s><s> <unk> <pad>"]
ENGLISH = "the quick brown fox jumps over lazy dog internationalization unbelievable tokenizers Throughput embedding running Cats 2024 3.14 U.S.A.".split()
ACCENTED = "áàâäãåāçćčéèêëēíìîïīñńóòôöõøōúùûüūýÿžźżšśłđðþæœßİıŞşĞğŐőŰűΆΈΉΊΌΎΏЁЙЇ"
BLOCKS = [(0x20, 0x7E), (0xA0, 0x24F), (0x250, 0x36F), (0x370, 0x5FF), (0x600, 0x8FF), (0x900, 0xDFF), (0xE00, 0x10FF), (0x1100, 0x1FFF), (0x2000, 0x2BFF), (0x2E80, 0x33FF), (0x3400, 0x9FFF),
          (0xA000, 0xABFF), (0xAC00, 0xD7FF), (0xE000, 0xFFFF), (0x10000, 0x11FFF), (0x1D000, 0x1D7FF), (0x1F000, 0x1FAFF), (0x20000, 0x2FFFF), (0x30000, 0x3FFFF), (0xE0000, 0xE01EF)]
CONTROL = [chr(i) for i in range(1, 32)] + list("\x7f\x85\u200b\u200c\u200d\u200e\u2060\ufeff\u00ad\u061c\u180e\u202e\ufff9")


def texts(count=5200):
    r = random.Random(SEED)
    out = list(FIXED)

    def character(lo, hi):
        while True:
            c = r.randint(lo, hi)
            if not 0xD800 <= c <= 0xDFFF:
                return chr(c)

    def many(make, least, most):
        return "".join(make() for _ in range(r.randint(least, most)))

    kinds = [
        lambda: " ".join(r.choice(ENGLISH) for _ in range(r.randint(1, 40))),
        lambda: many(lambda: chr(r.randint(0x4E00, 0x9FFF)), 1, 30) + r.choice(["。", "，abc", "!"]),
        lambda: many(lambda: character(*r.choice([(0x1F300, 0x1FAFF), (0x2600, 0x27BF)])) + r.choice(["", "\ufe0f", "\u200d", "\U0001f3fd", " "]), 1, 20),
        lambda: unicodedata.normalize(r.choice(["NFC", "NFD"]), many(lambda: r.choice(ACCENTED) if r.random() < 0.5 else r.choice("abcdefghij "), 1, 60)),
        lambda: many(lambda: r.choice(CONTROL) if r.random() < 0.3 else r.choice("abc def."), 1, 50),
        lambda: many(lambda: r.choice("abcdefghijklmnopqrstuvwxyz"), 80, 300),
        lambda: (lambda block: many(lambda: character(*block), 1, 60))(r.choice(BLOCKS)),
        lambda: many(lambda: character(*r.choice(BLOCKS)), 1, 60),
        lambda: many(lambda: r.choice(["[CLS]", "[SEP]", "[MASK]", "[UNK]", "[PAD]", "[", "]", "##", "a", " ", "-", "_", "'", '"', "…", "—", "€", "<s>", "</s>"]), 1, 25),
        lambda: many(lambda: r.choice([r.choice(ENGLISH), r.choice(ACCENTED), " ", character(0x4E00, 0x9FFF), "\u0301", character(0x300, 0x36F), character(0x1B00, 0x1BFF)]), 1, 40),
    ]
    while len(out) < count:
        out.append(r.choice(kinds)().replace("\0", ""))
    return out


def made(all_texts):
    """Tokenizers of the other kinds, trained on the texts themselves."""
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    around = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])

    byte_bpe = Tokenizer(models.BPE())
    byte_bpe.pre_tokenizer, byte_bpe.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    byte_bpe.train_from_iterator(all_texts, trainers.BpeTrainer(vocab_size=3000, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    byte_bpe.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))

    bpe = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))
    bpe.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(" ", "▁")])
    bpe.train_from_iterator(all_texts[:2000], trainers.BpeTrainer(vocab_size=4000, special_tokens=special, show_progress=False))
    bpe.post_processor = around

    unigram = Tokenizer(models.Unigram())
    unigram.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(), normalizers.Lowercase()])
    unigram.pre_tokenizer = pre_tokenizers.Metaspace()
    latin = [t for t in all_texts if all(ord(c) < 0x250 for c in t)]   # all other characters are unknown to it
    unigram.train_from_iterator(latin, trainers.UnigramTrainer(vocab_size=3000, special_tokens=special, unk_token="<unk>", show_progress=False))
    unigram.post_processor = around
    return {"BPE of bytes": byte_bpe, "BPE": bpe, "Unigram": unigram}


def main():
    program, minilm = sys.argv[1:3]
    print("seed", SEED)
    all_texts, failed = texts(), False
    with tempfile.TemporaryDirectory() as folder:
        packed = os.path.join(folder, "texts")
        with open(packed, "wb") as f:
            f.write(b"\0".join(t.encode() for t in all_texts) + b"\0")
        word_piece = Tokenizer.from_file(os.path.join(minilm, "tokenizer.json"))
        word_piece.no_padding()
        word_piece.no_truncation()
        for name, tokenizer in {"WordPiece": word_piece, **made(all_texts)}.items():
            path = os.path.join(folder, "tokenizer.json")
            tokenizer.save(path)
            tokenizer = Tokenizer.from_file(path)   # numbers are not the same in the file to the last bit
            expected = [e.ids for e in tokenizer.encode_batch(all_texts)]
            out = subprocess.run([program, path, packed], capture_output=True, text=True, check=True).stdout.splitlines()
            got = [[int(n) for n in line.split()] for line in out]
            wrong = [i for i in range(len(all_texts)) if i >= len(got) or got[i] != expected[i]]
            print(f"{name}: {len(all_texts) - len(wrong)} of {len(all_texts)} texts have the same ids, {sum(map(len, expected))} tokens")
            for i in wrong[:3]:
                print("  ", ascii(all_texts[i])[:200], "\n   expected", expected[i][:30], "\n   got     ", got[i][:30] if i < len(got) else None)
            failed |= bool(wrong) or len(got) != len(all_texts)
    sys.exit(failed)


main()
