// From a plugin's tables to the host's own: the one place where versions of the boundary matter.
#pragma once
#include <etl/plugin.h>

#include <memory>
#include <string>

#include "../error.h"
#include "registry.h"

namespace etl::host {

/// A plugin that will not be loaded, as one sentence: path, found, expected, what to do.
Error Refusal(const std::string& path, const std::string& found, const std::string& expected, const std::string& advice);

/// Copies a plugin's tables, min(their size, ours) of each, into tables of the host's own that live until the process
/// ends, and checks them.  Throws Refusal().  What only a newer host could use makes one component unavailable.
std::unique_ptr<Plugin> TakePlugin(const etl_plugin* foreign, const std::string& path);

}  // namespace etl::host
