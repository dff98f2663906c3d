// Whose file it is: who could put other code into it.
#pragma once
#include <string>

namespace etl::host {

/// Empty when only root and the effective user can change the file or swap it for another: file and every parent folder
/// belong to one of the two and nobody else may write (folders of root with the sticky bit are fine).  Otherwise what was
/// found: "/srv/plugins, which its group may write to".  `real_path`: absolute, without symbolic links.
std::string WhoElseCanChange(const std::string& real_path);

}  // namespace etl::host
