#include "tune_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "text.h"

namespace etl::cli {
namespace {

using host::TuneCase;
using host::TuneReport;
using What = TuneCase::What;

constexpr int kBar = 30;

const TuneCase* At(const std::vector<TuneCase>& cases, int index) {
  return index < 0 ? nullptr : &cases[static_cast<std::size_t>(index)];
}

double Fastest(const std::vector<TuneCase>& cases) {
  double most = 1;
  for (const TuneCase& c : cases) most = std::max(most, c.rows_per_second);
  return most;
}

std::string Bar(double part) {
  const int eighths = std::max(part > 0 ? 1 : 0, static_cast<int>(std::lround(part * kBar * 8)));
  std::string bar;
  for (int i = 0; i < eighths / 8; ++i) bar += "█";
  static const char* const kParts[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  return bar + kParts[eighths % 8];
}

std::string Rate(const TuneCase& c) { return c.measurements ? Count(static_cast<std::int64_t>(std::llround(c.rows_per_second))) : "not measured"; }

std::vector<std::string> Cells(const TuneReport& r, const TuneCase& c) {
  std::vector<std::string> cells = c.values;
  if (c.what == What::kFile) cells.assign(r.options.size(), "");
  if (c.what == What::kFile && !cells.empty()) cells[0] = "as in the file";
  for (std::string& cell : cells) {
    if (cell.size() > 1 && cell.front() == '"') cell = cell.substr(1, cell.size() - 2);
  }
  return cells;
}

std::string Note(const TuneReport& r, const TuneCase& c, bool best) {
  std::string note = c.final ? " *" : "";
  note += best ? "  best" : c.what == What::kAutomatic ? "  automatic" : "";
  if (c.rejected) note += fmt::format("  {} of {} rows refused", Count(c.rejected), Count(r.rows));
  return note;
}

std::string Table(const TuneReport& r, const std::vector<std::string>& heads, const std::vector<std::vector<std::string>>& rows,
                  const std::vector<TuneCase>& cases, int best) {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < heads.size(); ++i) {
    widths.push_back(Width(heads[i]));
    for (const auto& row : rows) widths[i] = std::max(widths[i], Width(row[i]));
  }
  std::string out = " ";
  for (std::size_t i = 0; i < heads.size(); ++i) out += " " + Left(heads[i], widths[i]) + " ";
  out += fmt::format(" {}\n", Right("rows/s", 12));
  const double most = std::max(Fastest(r.cases), Fastest(r.writers));
  for (std::size_t k = 0; k < rows.size(); ++k) {
    out += " ";
    for (std::size_t i = 0; i < heads.size(); ++i) out += " " + Left(rows[k][i], widths[i]) + " ";
    out += fmt::format(" {}  {}{}\n", Right(Rate(cases[k]), 12), Bar(cases[k].rows_per_second / most), Note(r, cases[k], static_cast<int>(k) == best));
  }
  return out;
}

std::string Given(const TuneReport& r) {
  std::string text;
  for (const auto& [name, value] : r.advice) text += fmt::format("  {} = {}\n", name, value);
  return text;
}

std::string Escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') out += "&amp;";
    else if (c == '<') out += "&lt;";
    else if (c == '>') out += "&gt;";
    else if (c == '"') out += "&quot;";
    else out += c;
  }
  return out;
}

/// A round number that is not below.
double Ceiling(double value) {
  const double unit = std::pow(10, std::floor(std::log10(std::max(value, 1.0))));
  for (const double step : {1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0}) {
    if (step * unit >= value) return step * unit;
  }
  return 10 * unit;
}

constexpr const char* kColours[] = {"#1b6ca8", "#c8553d", "#3a7d44", "#7a4988", "#b08900", "#4a4a4a"};
constexpr double kLeft = 90, kTop = 50, kWide = 560, kHigh = 300;

struct Plot {
  std::vector<std::string> ticks;                                   // of the first option
  std::map<std::string, std::vector<std::pair<std::size_t, double>>> lines;
};

Plot PlotOf(const TuneReport& r) {
  Plot plot;
  for (const TuneCase& c : r.cases) {
    if (c.what != What::kFixed || c.values.empty() || !c.measurements) continue;
    const auto tick = std::find(plot.ticks.begin(), plot.ticks.end(), c.values[0]);
    const auto x = static_cast<std::size_t>(tick - plot.ticks.begin());
    if (tick == plot.ticks.end()) plot.ticks.push_back(c.values[0]);
    std::string name;
    for (std::size_t i = 1; i < c.values.size(); ++i) name += fmt::format("{}{} = {}", i > 1 ? ", " : "", r.options[i], c.values[i]);
    plot.lines[name].emplace_back(x, c.rows_per_second);
  }
  return plot;
}

}  // namespace

std::string TuneText(const TuneReport& r) {
  std::string out = fmt::format("{}: {} ({}), {} of the pipeline's own into a scratch copy, with one writer\n\n", r.pipeline, r.stage, r.type,
                                Plural(r.rows, "row", "rows"));
  std::vector<std::vector<std::string>> rows;
  for (const TuneCase& c : r.cases) rows.push_back(Cells(r, c));
  out += Table(r, r.options, rows, r.cases, r.best);
  if (std::any_of(r.cases.begin(), r.cases.end(), [](const TuneCase& c) { return c.final; })) {
    out += "  * from a final round between the fastest ones, which is what the best is chosen by\n";
  }
  if (r.writers.size() > 1) {
    rows.clear();
    for (const TuneCase& c : r.writers) rows.push_back({std::to_string(c.writers)});
    out += "\n" + Table(r, {"writers"}, rows, r.writers, r.best_writers);
  }
  if (r.time_up) out += "\n  The time was up before everything was measured three times; --time gives it more.\n";
  const TuneCase *best = At(r.cases, r.best), *automatic = At(r.cases, r.automatic);
  if (!best) return out + "\n  Nothing was measured.\n";
  out += "\nbest\n" + Given(r);
  if (automatic && automatic->measurements) {
    out += fmt::format("\nWith one writer the automatic choice makes {} rows/s, {} of the best fixed values' {}.\n", Rate(*automatic),
                       Percent(automatic->rows_per_second / best->rows_per_second), Rate(*best));
  }
  return out;
}

std::string TuneSvg(const TuneReport& r) {
  const Plot plot = PlotOf(r);
  const double top = Ceiling(Fastest(r.cases));
  const auto y = [&](double rate) { return kTop + kHigh * (1 - rate / top); };
  const auto x = [&](std::size_t i) { return kLeft + kWide * (static_cast<double>(i) + 0.5) / static_cast<double>(std::max<std::size_t>(plot.ticks.size(), 1)); };
  std::string out = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 860 420\" font-family=\"sans-serif\" font-size=\"12\">\n"
                    "<rect width=\"860\" height=\"420\" fill=\"white\"/>\n";
  const auto text = [&](double at_x, double at_y, const char* anchor, const std::string& what) {
    out += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n", at_x, at_y, anchor, Escaped(what));
  };
  text(kLeft, 24, "start", fmt::format("{}: {} ({}), {} rows, one writer: rows/s", r.pipeline, r.stage, r.type, Count(r.rows)));
  for (int i = 0; i <= 5; ++i) {
    const double rate = top * i / 5;
    out += fmt::format("<line x1=\"{}\" x2=\"{}\" y1=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"#ddd\"/>\n", kLeft, kLeft + kWide, y(rate), y(rate));
    text(kLeft - 8, y(rate) + 4, "end", Count(static_cast<std::int64_t>(rate)));
  }
  for (std::size_t i = 0; i < plot.ticks.size(); ++i) text(x(i), kTop + kHigh + 18, "middle", plot.ticks[i]);
  if (!r.options.empty()) text(kLeft + kWide / 2, kTop + kHigh + 40, "middle", r.options[0]);
  double legend = kTop + 10;
  std::size_t colour = 0;
  const auto key = [&](const std::string& name, const std::string& style) {
    out += fmt::format("<line x1=\"{}\" x2=\"{}\" y1=\"{:.1f}\" y2=\"{:.1f}\" {}/>\n", kLeft + kWide + 15, kLeft + kWide + 40, legend, legend, style);
    text(kLeft + kWide + 46, legend + 4, "start", name);
    legend += 20;
  };
  for (const auto& [name, points] : plot.lines) {
    const std::string style = fmt::format("stroke=\"{}\" stroke-width=\"2\"", kColours[colour++ % std::size(kColours)]);
    std::string path;
    for (const auto& [at, rate] : points) path += fmt::format("{:.1f},{:.1f} ", x(at), y(rate));
    out += fmt::format("<polyline fill=\"none\" {} points=\"{}\"/>\n", style, path);
    key(name.empty() ? "rows/s" : name, style);
  }
  if (const TuneCase* a = At(r.cases, r.automatic); a && a->measurements) {
    const std::string style = "stroke=\"#222\" stroke-dasharray=\"6 4\"";
    out += fmt::format("<line x1=\"{}\" x2=\"{}\" y1=\"{:.1f}\" y2=\"{:.1f}\" {}/>\n", kLeft, kLeft + kWide, y(a->rows_per_second), y(a->rows_per_second), style);
    key("automatic", style);
  }
  return out + "</svg>\n";
}

std::string TuneHtml(const TuneReport& r) {
  return fmt::format("<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>etl tune: {}</title></head>\n<body>\n{}<pre>\n{}</pre>\n</body>\n</html>\n",
                     Escaped(r.pipeline), TuneSvg(r), Escaped(TuneText(r)));
}

}  // namespace etl::cli
