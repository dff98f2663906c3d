#!/usr/bin/env python3
"""The practitioners' algorithm once more, written from their description and from nothing of the source's code: counts of rows by
the second on standard input ("second rows", a line each), the number of requests on standard output.
  article.py LIMIT FIRST_SLICE_SECONDS BEGIN END"""
import sys
from bisect import bisect_left
from itertools import accumulate

limit, first, begin, end = (int(a) for a in sys.argv[1:5])
seconds, counts = [], []
for line in sys.stdin:
    s, n = line.split()
    seconds.append(int(s))
    counts.append(int(n))
total = [0, *accumulate(counts)]
rows_in = lambda a, b: total[bisect_left(seconds, b)] - total[bisect_left(seconds, a)]

requests = 0
mean = {}          # minute of the day: rows a minute, slices that said so
guess = limit / (first / 60)


def length(a):
    """How far from a on to about one full request, at most six hours."""
    rows, t = 0.0, a
    while t - a < 6 * 3600:
        per_minute = mean.get(t // 60 % 1440, (guess, 0))[0]
        left = 60 - t % 60
        if rows + per_minute * left / 60 >= limit: return max(1, t - a + int((limit - rows) / per_minute * 60))
        rows += per_minute * left / 60
        t += left
    return 6 * 3600


def learn(a, b, rows):
    if rows >= 100 * limit: return      # huge
    t = a
    while t < b:
        old, n = mean.get(t // 60 % 1440, (0.0, 0))
        mean[t // 60 % 1440] = (old + (rows * 60 / (b - a) - old) / min(n + 1, 8), n + 1)
        t += 60 - t % 60


def pull(a, b, bounded):
    """Pages until one is not full.  False: ten limits deep, and to be halved."""
    global requests
    rows, offset = rows_in(a, b), 0
    while True:
        requests += 1
        got = min(limit, max(0, rows - offset))
        if got < limit:
            learn(a, b, rows)
            return True
        offset += got
        if offset >= 10 * limit and b - a > 1 and not bounded: return False


def halve(a, b):
    global requests
    requests += 1                       # count(*)
    if rows_in(a, b) < 10 * limit or b - a <= 1:
        pull(a, b, True)
    else:
        middle = a + (b - a) // 2
        halve(a, middle)
        halve(middle, b)


t = begin
while t < end:
    to = min(end, t + length(t))
    if not pull(t, to, False): halve(t, to)
    t = to
print(requests)
