// Texts made from the declarations of the command line.
#pragma once
#include <string>

#include "cli.h"

namespace etl::cli {

std::string HelpText(const CLI::App& command);
/// The manual page, for man -l.
std::string ManPage(const CLI::App& root, const std::string& version);
/// docs/reference/cli.md.
std::string CommandReference(const CLI::App& root);
/// A completion script.  shell: "bash", "zsh" or "fish".
std::string Completion(const CLI::App& root, const std::string& shell);

}  // namespace etl::cli
