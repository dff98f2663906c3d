// SPDX-License-Identifier: Apache-2.0
#include "rates.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace etl::clickhouse {
namespace {

constexpr float kKnown = 5, kRemembered = 600;   // seconds of a minute's slot: enough to say something; what counts at most

std::int64_t Minute(std::int64_t time) { return time >= 0 ? time / 60 : (time - 59) / 60; }
template <std::size_t n>
std::size_t SlotOf(std::int64_t minute) {
  const auto m = static_cast<std::int64_t>(n);
  return static_cast<std::size_t>((minute % m + m) % m);
}

}  // namespace

const Rates::Slot* Rates::Find(std::int64_t time) const {
  const std::int64_t minute = Minute(time);
  const Slot& week = week_[SlotOf<10080>(minute)];
  if (week.seconds >= kKnown) return &week;
  const Slot& day = day_[SlotOf<1440>(minute)];
  return day.seconds >= kKnown ? &day : nullptr;
}

bool Rates::Knows(std::int64_t time) const { return Find(time) != nullptr; }

void Rates::Learn(std::int64_t from, std::int64_t to, std::int64_t rows) {
  if (to <= from) return;
  const double span = static_cast<double>(to - from), rate = static_cast<double>(rows) / span;
  // Against what the minutes said: is this night busier than the others?
  double expected = 0;
  bool known = true;
  const std::int64_t step = std::max<std::int64_t>(60, (to - from) / 256);
  for (std::int64_t t = from; t < to && known; t += step) {
    const Slot* s = Find(t);
    known = s != nullptr;
    if (s) expected += static_cast<double>(s->rows / s->seconds) * static_cast<double>(std::min(step, to - t));
  }
  if (known && expected > 0) scale_ = std::clamp(0.5 * scale_ + 0.5 * static_cast<double>(rows) / expected, 0.25, 4.0);
  recent_ = rate;
  // More than a week says the same to all minutes.
  const std::int64_t begin = std::max(from, to - 7 * 86400);
  for (std::int64_t t = begin; t < to;) {
    const std::int64_t end = std::min(to, (Minute(t) + 1) * 60);
    const auto seconds = static_cast<float>(end - t);
    for (Slot* s : {&day_[SlotOf<1440>(Minute(t))], &week_[SlotOf<10080>(Minute(t))]}) {
      s->rows += static_cast<float>(rate) * seconds;
      s->seconds += seconds;
      if (s->seconds > kRemembered) {
        s->rows /= 2;
        s->seconds /= 2;
      }
    }
    t = end;
  }
}

double Rates::At(std::int64_t time) const {
  const Slot* s = Find(time);
  return s ? static_cast<double>(s->rows / s->seconds) * scale_ : recent_;
}

double Rates::Expect(std::int64_t from, std::int64_t to) const {
  double rows = 0;
  const std::int64_t step = std::max<std::int64_t>(60, (to - from) / 512);
  for (std::int64_t t = from; t < to; t += step) rows += At(t) * static_cast<double>(std::min(step, to - t));
  return rows;
}

std::int64_t Rates::Reach(std::int64_t from, double rows, std::int64_t most) const {
  std::int64_t t = from;
  while (t - from < most) {
    const std::int64_t minute_end = (Minute(t) + 1) * 60;
    const std::int64_t step = std::min(most - (t - from), std::max(minute_end - t, (t - from) / 64));
    const double rate = At(t), here = rate * static_cast<double>(step);
    if (here >= rows) return std::max(from + 1, t + std::max<std::int64_t>(static_cast<std::int64_t>(std::ceil(rows / rate)), 1));
    rows -= here;
    t += step;
  }
  return from + std::max<std::int64_t>(most, 1);
}

std::string Rates::Save() const {
  // A slot is a byte: 0 = unknown, 1 = none, else sixteenths of the logarithm of its rate.  Runs of equal bytes are a count.
  std::string out = "1";
  std::string bytes;
  const auto add = [&bytes](const Slot& s) {
    const double rate = s.seconds >= kKnown ? static_cast<double>(s.rows / s.seconds) : -1;
    bytes += rate < 0 ? '\0' : rate < 1e-4 ? '\1' : static_cast<char>(std::clamp(static_cast<int>(std::lround(std::log2(rate) * 8)) + 120, 2, 255));
  };
  for (const Slot& s : day_) add(s);
  for (const Slot& s : week_) add(s);
  for (std::size_t i = 0; i < bytes.size();) {
    std::size_t n = 1;
    while (n < 255 && i + n < bytes.size() && bytes[i + n] == bytes[i]) ++n;
    out += static_cast<char>(n);
    out += bytes[i];
    i += n;
  }
  return out;
}

void Rates::Load(std::string_view text) {
  if (text.empty() || text[0] != '1') return;
  std::string bytes;
  for (std::size_t i = 1; i + 1 < text.size(); i += 2) bytes.append(static_cast<unsigned char>(text[i]), text[i + 1]);
  if (bytes.size() != day_.size() + week_.size()) return;
  const auto get = [&bytes](std::size_t i, Slot& s) {
    const auto b = static_cast<unsigned char>(bytes[i]);
    s = b == 0 ? Slot{} : b == 1 ? Slot{0, 60} : Slot{static_cast<float>(std::exp2((b - 120) / 8.0) * 60), 60};
  };
  for (std::size_t i = 0; i < day_.size(); ++i) get(i, day_[i]);
  for (std::size_t i = 0; i < week_.size(); ++i) get(day_.size() + i, week_[i]);
  scale_ = 1;
}

}  // namespace etl::clickhouse
