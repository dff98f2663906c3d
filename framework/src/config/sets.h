// --set a.b=c: values laid over the pipeline file.
#pragma once
#include <deque>
#include <string>
#include <vector>

#include "problems.h"
#include "tree.h"

namespace etl::host {

/// Lays each of `sets` over `root`.  `origins` keeps what the new nodes refer to.
void ApplySets(Node& root, const std::vector<std::string>& sets, std::deque<SourceText>& origins,
               Problems& problems);

}  // namespace etl::host
