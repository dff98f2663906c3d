// SPDX-License-Identifier: Apache-2.0
#include "checkpoint.h"

#include <unistd.h>

namespace etl::mysql {
namespace {

constexpr auto kOwner =
    "CREATE TABLE IF NOT EXISTS _etl_owner (pipeline VARBINARY(255) NOT NULL PRIMARY KEY, epoch BIGINT NOT NULL, owner VARCHAR(255) NOT NULL, "
    "since TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP) ENGINE=InnoDB";
constexpr auto kCheckpoint =
    "CREATE TABLE IF NOT EXISTS _etl_checkpoint (pipeline VARBINARY(255) NOT NULL, run VARBINARY(255) NOT NULL, split VARBINARY(1000) NOT NULL, "
    "epoch BIGINT NOT NULL, seq BIGINT UNSIGNED NOT NULL, pos LONGBLOB NOT NULL, PRIMARY KEY (pipeline, run, split)) ENGINE=InnoDB";

std::string Me() {
  char host[200] = {};
  gethostname(host, sizeof host - 1);
  return std::string(host) + " process " + std::to_string(getpid());
}

constexpr auto kTaking = "cannot take over the pipeline in table _etl_owner";

}  // namespace

std::string Checkpoint::Where() const { return " WHERE pipeline = " + HexLiteral(pipeline_) + " AND run = " + HexLiteral(run_); }

void Checkpoint::Fenced() const {
  throw Error(ETL_FENCED, "another run of pipeline \"" + pipeline_ + "\" has taken over (table _etl_owner); this one has stopped, and wrote nothing since");
}

void Checkpoint::TakeOver(Session& s) {
  if (pipeline_.size() > 255 || run_.size() > 255) throw ConfigError("exactly_once", "the pipeline's name is too long for the table of positions");
  s.Run(kOwner, "cannot make table _etl_owner, which exactly_once needs");
  s.Run(kCheckpoint, "cannot make table _etl_checkpoint, which exactly_once needs");
  for (const char* table : {"_etl_owner", "_etl_checkpoint"}) {
    const std::string engine = s.Value("SELECT engine FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = '" +
                                       std::string(table) + "'").value_or("none");
    if (engine != "InnoDB") throw ConfigError("exactly_once", std::string("table ") + table + " is of engine " + engine + ", not of InnoDB");
  }
  s.Run("START TRANSACTION");
  // Waits until a transaction of the run before, which holds a lock on the row, has ended.
  s.Run("INSERT INTO _etl_owner (pipeline, epoch, owner) VALUES (" + HexLiteral(pipeline_) + ", 1, " + s.Literal(Me()) +
        ") ON DUPLICATE KEY UPDATE epoch = epoch + 1, owner = " + s.Literal(Me()) + ", since = CURRENT_TIMESTAMP", kTaking);
  epoch_ = std::stoll(s.Value("SELECT epoch FROM _etl_owner WHERE pipeline = " + HexLiteral(pipeline_) + " FOR UPDATE", kTaking).value_or("0"));
  s.Run("DELETE FROM _etl_checkpoint WHERE pipeline = " + HexLiteral(pipeline_) + " AND run <> " + HexLiteral(run_), kTaking);
  s.Run("REPLACE INTO _etl_checkpoint VALUES (" + HexLiteral(pipeline_) + ", " + HexLiteral(run_) + ", '', " + std::to_string(epoch_) + ", 0, '')", kTaking);
  s.Run("COMMIT", kTaking);
  commits_ = 0;
}

void Checkpoint::Read(Session& s, const std::function<void(const Mark&)>& give) const {
  for (const TextRow& r : s.Rows("SELECT split, pos, seq FROM _etl_checkpoint" + Where() + " AND split <> ''", "cannot read the positions")) {
    give({r[0].value_or(""), r[1].value_or(""), std::stoull(r[2].value_or("0"))});
  }
}

void Checkpoint::Enter(Session& s) const {
  const auto epoch = s.Value("SELECT epoch FROM _etl_owner WHERE pipeline = " + HexLiteral(pipeline_) + " LOCK IN SHARE MODE", "cannot read table _etl_owner");
  if (epoch != std::to_string(epoch_)) Fenced();
}

void Checkpoint::Save(Session& s, const std::map<std::string, Mark>& marks) {
  constexpr auto kDoing = "cannot write the position into table _etl_checkpoint";
  const std::string epoch = std::to_string(epoch_);
  // Not Session::Run, which forgets how many rows it was.
  const std::string count = "UPDATE _etl_checkpoint SET seq = " + std::to_string(commits_ + 1) + Where() + " AND split = '' AND epoch = " + epoch +
                            " AND seq = " + std::to_string(commits_);
  if (mysql_real_query(s.get(), count.data(), count.size())) s.Fail(kDoing);
  if (mysql_affected_rows(s.get()) != 1) Fenced();
  std::string sql;
  for (const auto& [split, m] : marks) {
    sql += (sql.empty() ? "REPLACE INTO _etl_checkpoint VALUES (" : "), (") + HexLiteral(pipeline_) + ", " + HexLiteral(run_) + ", " + HexLiteral(m.split) + ", " + epoch + ", " +
           std::to_string(m.seq) + ", " + HexLiteral(m.position);
  }
  if (!sql.empty()) s.Run(sql + ")", kDoing);
}

bool Checkpoint::Done(Session& s) {
  s.Run("START TRANSACTION");
  // If the server still has the old session, this waits for it to end.
  const auto rows = s.Rows("SELECT epoch, seq FROM _etl_checkpoint" + Where() + " AND split = '' FOR UPDATE", "cannot find out what became of the last COMMIT");
  s.Run("ROLLBACK");
  if (rows.empty() || rows[0][0] != std::to_string(epoch_)) Fenced();
  if (rows[0][1] == std::to_string(commits_ + 1)) return true;
  if (rows[0][1] == std::to_string(commits_)) return false;
  Fenced();
}

}  // namespace etl::mysql
