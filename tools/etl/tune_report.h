// What `etl tune` found, as text for a terminal and as a picture: pure functions.
#pragma once
#include <string>

#include "run/tune.h"

namespace etl::cli {

/// Tables with bars, the best values, and what the automatic choice gives beside them.
std::string TuneText(const host::TuneReport& report);
/// A plot of rows a second over the values of the first option, a line for each choice of the others.
std::string TuneSvg(const host::TuneReport& report);
/// The plot and the table on a page.
std::string TuneHtml(const host::TuneReport& report);

}  // namespace etl::cli
