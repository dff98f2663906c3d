#!/usr/bin/env python3
"""Rows by the second over two days, very uneven: "second rows" lines.  clickhouse_events.py TOTAL"""
import math, random, sys

total, rnd, span = int(sys.argv[1]), random.Random(7), 172800
quiet = [(7200, 18000), (93600, 102600), (46800, 48000)]
weight = []
for s in range(span):
    day = 0.04 + max(0.0, math.sin((s % 86400 / 3600 - 6) / 24 * 2 * math.pi)) ** 1.5
    if any(a <= s < b for a, b in quiet): day = 0.0 if rnd.random() < 0.98 else 0.01
    weight.append(day * rnd.lognormvariate(0, 0.7))
bursts = {rnd.randrange(span): int(10 ** rnd.uniform(4, 5.301)) for _ in range(40)}
bursts.update({10817: 200000, 50000: 200000, 50001: 150000})
scale, carry = max(0, total - sum(bursts.values())) / sum(weight), 0.0
for s in range(span):
    carry += weight[s] * scale
    n = int(carry)
    carry -= n
    print(s, n + bursts.get(s, 0), sep='\t')
