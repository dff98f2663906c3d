// SPDX-License-Identifier: Apache-2.0
/// What rows are written into: an index, an alias, a data stream; how one is made, and whether the rows fit it.
#pragma once
#include <simdjson.h>

#include <optional>
#include <string>
#include <vector>

#include "cluster.h"
#include "shape.h"

namespace etl::elasticsearch {

struct CreateOptions {
  std::string mapping, similarity = "cosine";
  std::int64_t shards = 1, replicas = 1;
  static auto Options() {
    return etl::Options(
        Option("mapping", &CreateOptions::mapping, "JSON file with settings and mappings; without it they are made from the rows' schema.").Path(),
        Option("shards", &CreateOptions::shards, "Primary shards.").Range("1..1024"),
        Option("replicas", &CreateOptions::replicas, "Copies of each.").Range("0..100"),
        Option("similarity", &CreateOptions::similarity, "How vectors are compared.").Choices({"cosine", "dot_product", "l2_norm", "max_inner_product"}));
  }
};

/// Members of an index's _meta that are ours: the settings before a load, and what made the values of fields.
constexpr const char* kLoad = "etl_load";
constexpr const char* kFingerprints = "etl_fingerprints";

/// An index as it stands.
struct Concrete {
  std::string name;
  std::string mappings = "{}";         ///< JSON
  std::string settings = "{}";         ///< JSON, of "index"
  bool is_write_index = false;         ///< of the alias it was found by
};

/// What a name stands for.
struct Place {
  std::vector<Concrete> indices;       ///< none: there is nothing of that name
  bool alias = false, data_stream = false;
  /// The one that is written into, or null.
  const Concrete* Written() const;
};
Place Resolve(Cluster& cluster, const std::string& name);

/// A body for PUT /index.  `keywords`: columns that are keywords and not text.  Throws ConfigError for a mapping file that
/// cannot be read.
std::string CreateBody(const CreateOptions& options, const Version& version, const ArrowSchema& rows, const ShapeOptions& shape,
                       const std::vector<std::string>& keywords);
/// The same from an index that is there: its mappings without our notes, and those of its settings that one may choose.
std::string CopyBody(const Concrete& index);
/// Makes it; false: somebody else just did.
bool CreateIndex(Cluster& cluster, const Host& host, const std::string& name, std::string body);

/// Throws ConfigError for the first column that no document of this mapping can take.
void CheckMapping(const std::string& mappings, const ArrowSchema& rows, const ShapeOptions& shape, const std::string& index);
/// What a reply says of the index itself.  Throws Retry for what is no such reply: nothing may be concluded from what it lacks.
simdjson::dom::element Own(simdjson::dom::parser& parser, const std::string& reply, const std::string& index);

/// Writes a member of the index's _meta, or takes it away where `json` is empty; all else in it stays.  False: there is no such index.
bool PutMeta(Cluster& cluster, const std::string& index, const std::string& key, const std::string& json);

/// Columns may say what made their values (a model, in the field metadata "etl.fingerprint").  Throws ConfigError where a field of the index
/// holds values that something else has made; notes in its _meta what is new.
void CheckFingerprints(Cluster& cluster, const Concrete& index, const ArrowSchema& rows, const ShapeOptions& shape);

/// The vector fields of the mapping that take base64: the cluster is asked, and nothing is written.
std::vector<std::string> ProbeBase64(Cluster& cluster, const Concrete& index, const ArrowSchema& rows, const ShapeOptions& shape);

}  // namespace etl::elasticsearch
