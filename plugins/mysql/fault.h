// SPDX-License-Identifier: Apache-2.0
/// What an error of the server or the client library means for a run.
#pragma once
#include <etl/error.h>

#include <string>

namespace etl::mysql {

enum class Fault {
  kRetry,      ///< passes; the same again
  kRetryFew,   ///< the same again a few times, then it is lasting
  kSplit,      ///< too much at once: halves
  kRow,        ///< a row of the statement does not fit: halves, until it stands alone
  kStop,       ///< lasting
  kUnknown,    ///< the answer to COMMIT is lost: done or not, nobody knows
  kBug,        ///< our own
};
enum class Side { kSource, kSink };

/// The class of an error.  Numbers are those of the client's errmsg.h and the server's list of errors
/// (https://dev.mysql.com/doc/mysql-errors/9.0/en/server-error-reference.html, https://mariadb.com/kb/en/mariadb-error-code-reference/).
Fault Classify(unsigned code, Side side, bool at_commit = false);
/// The connection is of no use after it.
bool LosesConnection(unsigned code);

/// Throws what an error means where nobody can do better: Retry or Fatal; `doing` and the server's own words in one sentence.
/// `few` counts the errors of class kRetryFew in a row; its caller sets it to 0 after a success.
[[noreturn]] void Throw(unsigned code, const std::string& message, const std::string& doing, Side side, int* few = nullptr);

}  // namespace etl::mysql
