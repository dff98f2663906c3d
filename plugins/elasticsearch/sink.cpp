// SPDX-License-Identifier: Apache-2.0
#include "sink.h"

#include <algorithm>

namespace etl::elasticsearch {
namespace {

constexpr auto kReplyFields = "took,errors,items.*.status,items.*.error.type,items.*.error.reason,items.*.error.caused_by.reason,items.*._shards.failed";
constexpr std::size_t kMostTexts = 100'000;
constexpr auto kResultField = ",items.*.result";

}  // namespace

detail::DeclaredList ElasticsearchSink::Options() {
  using S = ElasticsearchSink;
  return Join(
      AccessOptions<S>(),
      etl::Options(
          Option("index", &S::index, "Index, alias or data stream; with columns and dates of the row in braces: \"logs-{tenant}-{ts:%Y.%m.%d}\".").Required(),
          Option("action", &S::action,
                 "What a row does: index (insert or replace), create (not when it is there), update, upsert, delete; or a column in braces that says it."),
          Option("id", &S::id, "Columns that make the document's id.  Without them the cluster makes ids, and a document whose reply was lost is written twice."),
          Option("parts", &S::parts, "Rows are numbered parts of texts: the id gets \"#NUMBER\", and documents of parts that a text no longer has are deleted."),
          Option("routing", &S::routing, "Column that says which shard."),
          Option("version", &S::version, "Column with the document's version."),
          Option("version_type", &S::version_type, "external: only newer versions are written; external_gte: or equal ones; internal: by if_seq_no.")
              .Choices({"internal", "external", "external_gte"}),
          Option("if_seq_no", &S::if_seq_no, "Column: write only if the document still has this sequence number.").Advanced(),
          Option("if_primary_term", &S::if_primary_term, "Column: and this primary term.").Advanced(),
          Option("retry_on_conflict", &S::retry_on_conflict, "How often the cluster itself tries an update again that met another one.").Range("0..1000"),
          Option("on_conflict", &S::on_conflict, "A document that is there already (create) or has another version: reject its row, or skip it.")
              .Choices({"reject", "skip"}),
          Option("pipeline", &S::pipeline, "Ingest pipeline."),
          Option("require_alias", &S::require_alias, "Write only if index is an alias."),
          Option("wait_for_active_shards", &S::wait_for_active_shards, "Copies that must be there before a document is written: a number, or all.").Advanced(),
          Option("shard_timeout", &S::shard_timeout, "How long the cluster waits for shards that are not there.").Range("1ms..1h").Advanced(),
          Option("refresh", &S::refresh, "Make each request's documents visible at once: true, or wait_for the next refresh.")
              .Choices({"false", "true", "wait_for"}),
          Option("columns", &S::columns, "Field = column, for those that go by another name; only these are written, if given."),
          Option("exclude", &S::exclude, "Columns that are not written into the documents."),
          Option("nested", &S::nested, "Column a.b is field b of an object a."),
          Option("nulls", &S::nulls, "Write \"field\":null, or omit the field.").Choices({"write", "omit"}),
          Option("on_nan", &S::on_nan, "NaN and infinities, which JSON does not have: error rejects the row.").Choices({"error", "null"}),
          Option("on_invalid_utf8", &S::on_invalid_utf8, "Text that is not UTF-8: error rejects its row, replace writes U+FFFD for it.")
              .Choices({"error", "replace"}),
          Option("vectors", &S::vectors, "How vectors go: as numbers, as base64, or auto: base64 where the cluster takes it.")
              .Choices({"auto", "floats", "base64"}).Tuning(),
          Option("batch", &S::batch, "A request ends after so many documents or bytes, or when the oldest row has waited so long."),
          Option("concurrency", &S::concurrency, "Requests at a time, for each writer; 0 = found by trying.").Range("0..64").Tuning(),
          Option("compression", &S::compression, "Of requests: costs time, and saves network.").Choices({"none", "gzip", "zstd"}).Tuning(),
          Option("create", &S::create, "Make the index where it is missing."),
          Option("load", &S::load, "Settings of the index while rows are written; what was there is put back at the end, or by the next run.").Tuning(),
          Option("swap_alias", &S::swap_alias, "index is an alias: write into a new index, and move the alias to it when the run was complete."),
          Option("sniff", &S::sniff, "Ask the cluster for its nodes, and write to all of them.").Tuning().Advanced()));
}

ElasticsearchSink::~ElasticsearchSink() = default;

void ElasticsearchSink::Interrupt() noexcept {
  if (Pump* pump = interruptible_) pump->Interrupt();
}

// ---- worker ----

EncodeOptions ElasticsearchSink::Encoding() const {
  EncodeOptions o;
  o.action = action;
  o.index = index;
  o.id = id;
  if (parts) o.part = parts->number, o.parts = parts->count;
  o.routing = routing;
  o.version = version;
  o.version_type = version_type;
  o.if_seq_no = if_seq_no;
  o.if_primary_term = if_primary_term;
  o.on_invalid_utf8 = on_invalid_utf8;
  o.nulls = nulls;
  o.require_alias = require_alias;
  o.retry_on_conflict = retry_on_conflict;
  o.shape.columns = columns;
  o.shape.exclude = exclude;
  o.shape.nested = nested;
  o.shape.nan_as_null = on_nan == "null";
  return o;
}

http::Coding ElasticsearchSink::Coding() const {
  return compression == "gzip" ? http::Coding::kGzip : compression == "zstd" ? http::Coding::kZstd : http::Coding::kNone;
}

std::string ElasticsearchSink::BulkPath(const std::string& into) const {
  std::string path = templated() ? "/_bulk" : "/" + http::Escape(into) + "/_bulk";
  path += std::string("?filter_path=") + kReplyFields;
  if (swap_alias || !pipeline.empty()) path += kResultField;
  if (!pipeline.empty()) path += "&pipeline=" + http::Escape(pipeline);
  if (!wait_for_active_shards.empty()) path += "&wait_for_active_shards=" + http::Escape(wait_for_active_shards);
  if (shard_timeout) path += "&timeout=" + std::to_string(shard_timeout->count() / 1'000'000) + "ms";
  if (refresh != "false") path += "&refresh=" + refresh;
  return path;
}

void ElasticsearchSink::Open(const ArrowSchema& in, std::string_view) {
  auto& head = HeadAs<ElasticsearchSink>();
  EncodeOptions encoding = Encoding();
  encoding.shape.base64 = head.base64_;
  encoder_ = std::make_unique<Encoder>(in, encoding);
  resumed_ = head.resumed_;
  PumpOptions o;
  o.path = BulkPath(head.into_);
  o.target = "\"" + head.into_ + "\"";
  o.tally = &head.tally_;
  o.policy = {on_conflict == "skip", version_type != "internal"};
  o.coding = Coding();
  pace_ = std::make_unique<Pace>(PaceOptions{static_cast<std::size_t>(batch.rows), static_cast<std::size_t>(batch.bytes.value), static_cast<std::size_t>(concurrency)});
  pump_ = std::make_unique<Pump>(host, head.Hosts(), std::move(o), *pace_);
  if (parts) tails_ = std::make_unique<Tails>(host, head.Hosts(), templated() ? "" : head.into_);
  interruptible_ = pump_.get();
}

/// Sends the parcel that is being filled.
void ElasticsearchSink::Close() {
  due_ = std::chrono::nanoseconds(0);
  if (!open_ || open_->rows.empty()) return;
  pump_->Send(std::move(open_));
}

void ElasticsearchSink::Open(std::size_t bytes) {
  open_ = pump_->Take(bytes);
  open_->origin = ++parcels_;
  documents_.Forget(pump_->OldestLive(parcels_));
}

void ElasticsearchSink::PutParts(const Rows& in, std::int64_t from, std::int64_t to, std::vector<Tails::Last> lasts, Taken* taken) {
  const std::vector<Tails::Last> stale = tails_->Find(*encoder_, std::move(lasts));
  auto next = stale.begin();
  for (std::int64_t row = from; row < to; ++row) {
    Put(in, row, taken);
    for (; next != stale.end() && next->row == row; ++next) {
      taken->Open(1);
      Put(in, row, taken, next->part);
      host.Count("parts_deleted");
    }
  }
}

/// What is asked for must be there: a text that comes again is looked for when its first coming is settled.
void ElasticsearchSink::PutParts(const Rows& in, Taken* taken) {
  std::int64_t from = 0;
  std::vector<Tails::Last> lasts;      // from there on
  for (std::int64_t row = 0; row < in.size(); ++row) {
    const auto last = LastPart(row);
    if (!last) continue;
    if (!texts_.insert(last->text).second || texts_.size() >= kMostTexts) {
      PutParts(in, std::exchange(from, row), row, std::exchange(lasts, {}), taken);
      Close();
      pump_->Drain();
      texts_ = {last->text};
    }
    lasts.push_back({row, last->count});
  }
  PutParts(in, from, in.size(), std::move(lasts), taken);
}

/// Nothing also for a row that Put() will reject.
std::optional<Encoder::LastPart> ElasticsearchSink::LastPart(std::int64_t row) {
  try {
    return encoder_->Last(row);
  } catch (const std::invalid_argument&) {
    return std::nullopt;
  }
}

void ElasticsearchSink::Put(const Rows& in, std::int64_t row, Taken* taken, std::int64_t part) {
  if (!open_) Open(pace_->bytes());
  Encoder::Line line{};
  const std::size_t before = open_->body.size();
  try {
    line = part < 0 ? encoder_->Row(row, open_->body) : encoder_->DeletePart(row, part, open_->body);
  } catch (const std::invalid_argument& wrong) {
    host.Reject(in.row(row), wrong.what());
    return taken->Close(1);
  }
  const std::uint64_t earlier = line.key ? documents_.Exchange(line.key, open_->origin) : 0;
  if (earlier && earlier != open_->origin) pump_->WaitFor(earlier);
  if (!open_->rows.empty() && open_->body.size() > pace_->bytes()) {
    // It begins the next one.
    line_.assign(open_->body, before);
    open_->body.resize(before);
    const std::uint64_t left = open_->origin;
    Close();
    if (earlier == left) pump_->WaitFor(left);   // the document's row before this one is in what was just sent
    Open(std::max(pace_->bytes(), line_.size()));
    if (line.key) documents_.Exchange(line.key, open_->origin);
    open_->body = line_;
  }
  if (open_->rows.empty() && batch.linger.count()) due_ = host.Now() + batch.linger;
  etl::elasticsearch::Row entry;
  entry.number = in.row(row);
  entry.key = line.key;
  entry.batch = taken;
  entry.action = line.action;
  entry.end = static_cast<std::uint32_t>(open_->body.size());
  entry.unsure = resumed_ && line.key;   // the run that was interrupted may have written it
  open_->rows.push_back(entry);
  if (open_->rows.size() >= pace_->rows()) Close();
}

Written ElasticsearchSink::Write(const Rows& in) {
  if (in.size() == 0) return Written::kSettled;
  const std::uint64_t id_of_batch = in.id();
  Taken* taken = nullptr;
  {
    const std::lock_guard lock(mutex_);
    auto& own = taken_[id_of_batch];
    own = std::make_unique<Taken>(in.size() + 1, [this, id_of_batch] {
      host.Settled(id_of_batch);
      const std::lock_guard erase(mutex_);
      taken_.erase(id_of_batch);
    });
    taken = own.get();
  }
  encoder_->Begin(in.array());
  if (tails_) PutParts(in, taken);
  else for (std::int64_t row = 0; row < in.size(); ++row) Put(in, row, taken);
  if (!batch.linger.count()) Close();
  taken->Close(1);
  Schedule();
  return Written::kPending;
}

/// The next call when a request is due; or in a while, if there is something to hear of: a failure shall not wait for rows.
void ElasticsearchSink::Schedule() {
  const auto soon = host.Now() + std::chrono::seconds(1);
  const bool busy = pump_->OldestLive(0) != 0;
  host.Wake(due_.count() && (!busy || due_ < soon) ? due_ : busy ? soon : std::chrono::nanoseconds(0));
}

void ElasticsearchSink::Tick() {
  pump_->Check();
  if (due_.count() && host.Now() >= due_) {
    if (pump_->HasRoom()) Close();
    else due_ = host.Now() + std::chrono::milliseconds(20);
  }
  Schedule();
}

std::string ElasticsearchSink::Flush() {
  Close();
  pump_->Drain();
  Schedule();
  return {};
}

}  // namespace etl::elasticsearch
