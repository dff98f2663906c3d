// etl verify.
#include <etl/plugin.h>
#include <fmt/format.h>

#include <charconv>
#include <optional>

#include "commands.h"
#include "signals.h"
#include "text.h"
#include "verify_report.h"

namespace etl::cli {
namespace {

using host::Error;
using host::Exit;

/// "1%" or "0.01".
double Fraction(const std::string& text) {
  const bool percent = text.ends_with('%');
  double value = 0;
  const char* end = text.data() + text.size() - (percent ? 1 : 0);
  const auto [at, error] = std::from_chars(text.data(), end, value);
  if (percent) value /= 100;
  if (error != std::errc() || at != end || !(value > 0) || value > 1) {
    throw Error(Exit::kConfig, fmt::format("--sample of etl verify is a part of the keys such as 1% or 0.01, not \"{}\"", text));
  }
  return value;
}

host::VerifyReport Compare(Context& c, host::PipelineConfig config, VerifyFile* file) {
  const std::int64_t grace = config.grace_ns;
  host::VerifyOptions options;
  options.stage = c.args.stage;
  options.sample = Fraction(c.args.sample);
  options.repair = c.args.repair;
  options.ignore_extra = c.args.ignore_extra;
  if (!c.args.quiet && CanDraw(2) && c.args.log_format == "text") {
    options.progress = [&c](const std::string& doing, std::int64_t rows) { c.console.Draw({fmt::format("{}: {}", doing, Plural(rows, "row", "rows"))}); };
  }
  if (file) options.found = [file](const host::Difference& d, bool remains) { file->Add(VerifyLine(d, remains)); };
  SignalWatch signals;
  host::Verifier verifier(std::move(config), c.Options(), options);
  signals.Attach([&verifier](int signal) { verifier.Stop(signal); }, grace, [&c](const char* why) { c.console.Log(ETL_WARN, "", why); });
  struct End {
    Console& console;
    SignalWatch& signals;
    ~End() {
      signals.Detach();
      console.EndView();
    }
  } const end{c.console, signals};
  return verifier.Execute();
}

}  // namespace

int Verify(Context& c) {
  Fraction(c.args.sample);   // what is wrong with it is said before anything is contacted
  host::Registry registry(c.Search());
  host::PipelineConfig config = c.Load(registry);
  std::optional<VerifyFile> file;
  if (!c.args.report.empty()) file.emplace(c.args.report);
  const host::VerifyReport report = Compare(c, std::move(config), file ? &*file : nullptr);
  if (file) file->Finish();
  Print(c.console.Clean(VerifyText(report, c.args.report)));
  return static_cast<int>(report.equal() ? Exit::kOk : Exit::kDifferent);
}

}  // namespace etl::cli
