// SPDX-License-Identifier: Apache-2.0
#include "fault.h"

#include <algorithm>
#include <iterator>

namespace etl::mysql {
namespace {

struct Row {
  unsigned code;
  Fault source, sink;
};

constexpr Fault kRetry = Fault::kRetry, kFew = Fault::kRetryFew, kSplit = Fault::kSplit, kRow = Fault::kRow, kStop = Fault::kStop,
                kUnknown = Fault::kUnknown, kBug = Fault::kBug;

/// Sorted by code.
constexpr Row kTable[] = {
    {1020, kRetry, kRetry},      // record has changed since last read (snapshot isolation)
    {1021, kRetry, kRetry},      // disk full
    {1037, kRetry, kRetry},      // out of memory
    {1038, kRetry, kRetry},      // out of sort memory
    {1040, kRetry, kRetry},      // too many connections
    {1041, kRetry, kRetry},      // out of resources
    {1042, kRetry, kRetry},      // bad host
    {1043, kRetry, kRetry},      // bad handshake
    {1044, kStop, kStop},        // access to the database denied
    {1045, kStop, kStop},        // access denied
    {1046, kStop, kStop},        // no database
    {1048, kStop, kRow},         // column cannot be null
    {1049, kStop, kStop},        // unknown database
    {1051, kStop, kStop},        // unknown table
    {1053, kRetry, kRetry},      // shutdown in progress
    {1054, kStop, kStop},        // unknown column
    {1062, kStop, kRow},         // duplicate key
    {1064, kStop, kStop},        // syntax
    {1077, kRetry, kRetry},      // shutdown
    {1078, kRetry, kRetry},      // got signal
    {1079, kRetry, kRetry},      // shutdown complete
    {1080, kRetry, kRetry},      // forcing close
    {1105, kFew, kFew},          // unknown error
    {1114, kRetry, kRetry},      // table full
    {1129, kStop, kStop},        // host blocked
    {1130, kStop, kStop},        // host not allowed
    {1136, kStop, kStop},        // column count
    {1142, kStop, kStop},        // command denied on table
    {1143, kStop, kStop},        // command denied on column
    {1146, kStop, kStop},        // no such table
    {1149, kStop, kStop},        // syntax
    {1152, kRetry, kRetry},      // aborted connection
    {1153, kStop, kSplit},       // packet too large
    {1158, kRetry, kRetry},      // network: read
    {1159, kRetry, kRetry},      // network: read timeout
    {1160, kRetry, kRetry},      // network: write
    {1161, kRetry, kRetry},      // network: write timeout
    {1180, kRetry, kUnknown},    // error during commit
    {1184, kRetry, kRetry},      // new aborting connection
    {1197, kRetry, kSplit},      // transaction cache full
    {1203, kRetry, kRetry},      // user has too many connections
    {1205, kRetry, kRetry},      // lock wait timeout
    {1206, kRetry, kSplit},      // lock table full
    {1213, kRetry, kRetry},      // deadlock
    {1226, kRetry, kRetry},      // user's resource limit
    {1227, kStop, kStop},        // privilege missing
    {1236, kStop, kStop},        // position in the binary log lost
    {1264, kStop, kRow},         // out of range
    {1265, kStop, kRow},         // truncated
    {1290, kStop, kRetry},       // read-only option
    {1292, kStop, kRow},         // wrong value
    {1317, kRetry, kRetry},      // interrupted
    {1364, kStop, kRow},         // no default
    {1365, kStop, kRow},         // division by zero
    {1366, kStop, kRow},         // wrong value for column
    {1367, kStop, kRow},         // illegal value
    {1406, kStop, kRow},         // too long
    {1411, kStop, kRow},         // wrong value for function
    {1412, kStop, kStop},        // the table was altered under a snapshot
    {1416, kStop, kRow},         // no geometry
    {1451, kStop, kRow},         // a row is referred to
    {1452, kStop, kRow},         // foreign key
    {1526, kStop, kRow},         // no partition for value
    {1644, kStop, kRow},         // a trigger's SIGNAL
    {1690, kStop, kRow},         // value out of range in expression
    {1792, kStop, kRetry},       // read-only transaction
    {1836, kStop, kRetry},       // read-only mode
    {1927, kRetry, kRetry},      // connection killed (MariaDB)
    {1969, kRetry, kRetry},      // statement timeout (MariaDB)
    {2001, kRetry, kRetry},      // cannot make a socket
    {2002, kRetry, kRetry},      // cannot connect by socket
    {2003, kRetry, kRetry},      // cannot connect
    {2004, kRetry, kRetry},      // cannot make a TCP socket
    {2005, kRetry, kRetry},      // unknown host
    {2006, kRetry, kRetry},      // server has gone away
    {2008, kSplit, kSplit},      // client out of memory
    {2011, kRetry, kRetry},      // TCP error
    {2012, kFew, kFew},          // error in handshake
    {2013, kRetry, kRetry},      // lost connection
    {2014, kBug, kBug},          // commands out of sync
    {2020, kRow, kSplit},        // packet larger than the client takes
    {2026, kStop, kStop},        // TLS
    {2027, kFew, kFew},          // malformed packet
    {3024, kRetry, kRetry},      // statement timeout (MySQL)
    {3101, kRetry, kRetry},      // rolled back by the group at COMMIT
    {3140, kStop, kRow},         // invalid JSON text
    {3141, kStop, kRow},         // invalid JSON in a parameter
    {3156, kStop, kRow},         // invalid JSON value for CAST
    {3157, kStop, kRow},         // JSON too deep
    {3572, kRetry, kRetry},      // NOWAIT, and locked
    {3819, kStop, kRow},         // CHECK violated (MySQL)
    {3903, kStop, kRow},         // invalid JSON for CAST
    {4025, kStop, kRow},         // CHECK violated (MariaDB)
    {4031, kRetry, kRetry},      // closed for inactivity
    {6136, kStop, kRow},         // no vector (MySQL)
};

constexpr int kFewTries = 3;

}  // namespace

bool LosesConnection(unsigned code) {
  for (const unsigned c : {1040u, 1053u, 1077u, 1078u, 1079u, 1080u, 1152u, 1153u, 1158u, 1159u, 1160u, 1161u, 1184u, 1927u, 4031u}) {
    if (c == code) return true;
  }
  return code >= 2000 && code < 2100 && code != 2008;
}

Fault Classify(unsigned code, Side side, bool at_commit) {
  const auto* at = std::find_if(std::begin(kTable), std::end(kTable), [code](const Row& r) { return r.code == code; });
  const Fault otherwise = at == std::end(kTable) ? Fault::kRetryFew : side == Side::kSource ? at->source : at->sink;
  return at_commit && otherwise != Fault::kBug && LosesConnection(code) ? Fault::kUnknown : otherwise;
}

void Throw(unsigned code, const std::string& message, const std::string& doing, Side side, int* few) {
  const std::string text = doing + ": " + message + " (" + std::to_string(code) + ")";
  switch (Classify(code, side)) {
    case Fault::kRetry: case Fault::kSplit: case Fault::kUnknown: throw Retry(text, code);
    case Fault::kRetryFew:
      if (few && ++*few <= kFewTries) throw Retry(text, code);
      throw Fatal(few ? text + ", again after " + std::to_string(kFewTries) + " tries" : text, code);
    case Fault::kBug: throw Fatal(text + "; this is a mistake in the plugin: report it", code);
    default: throw Fatal(text, code);
  }
}

}  // namespace etl::mysql
