// From the tree of a pipeline file to option values, as the options are declared.
#pragma once
#include <deque>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "config.h"
#include "problems.h"
#include "tree.h"

namespace etl::host {

struct Values::Store {
  std::deque<std::string> strings;
  std::deque<std::vector<etl_value>> items;
  std::vector<etl_value> root;
};

/// Another table of the same pipeline file, for "that key belongs in …".
struct OtherTable {
  std::string label;
  std::vector<std::string> keys;
};

/// What all the tables of one pipeline file share.
struct ReadContext {
  Problems& problems;
  std::vector<std::string>& secrets;
  std::filesystem::path dir;  ///< relative paths of the file begin here,
  std::filesystem::path cwd;  ///< those of a --set here
  std::vector<OtherTable> tables;
};

/// One table to be read.
struct TableRequest {
  std::vector<const etl_option*> options;
  std::string label;              ///< "[sink]", for messages
  std::string component;          ///< whose declarations these are, should they be wrong
  std::vector<std::string> skip;  ///< keys that others have read
  std::map<std::string, std::string> refused;  ///< keys that exist, but not here: what to say
};

struct TableResult {
  std::vector<etl_value> values;  ///< one for each option; strings and items are in the store
  std::vector<std::pair<std::string, std::string>> identity;
  std::map<std::string, Place> places;
  bool Given(const std::string& key) const { return places.contains(key); }
};

/// Reads `table`, reports what is wrong to the context, fills in defaults.  Throws Error(kPlugin)
/// where a declaration itself makes no sense.
TableResult ReadTable(ReadContext& context, Values::Store& store, const TableRequest& request,
                      const Node& table);

/// The text of a string node with its references resolved; what is wrong goes to the context.
std::string ReadString(ReadContext& context, const Node& node, const std::string& path);

/// Hides what may be a secret in a table of which nobody knows the options.
void MaskLikelySecrets(const Node& table);

}  // namespace etl::host
