// A transform under a fake host: batches in, what it emits and rejects out.
#pragma once
#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fake_host.h"

namespace etl::test {

/// What one apply() did.
struct Applied {
  std::vector<std::string> rows;       ///< as JSON
  std::vector<std::uint64_t> origins;  ///< of each row, from 0
  std::vector<Rejected> rejects;
};

class TestTransform {
 public:
  TestTransform(const std::string& type, const TomlOptions& options, Schema in)
      : head_(FindComponent('t', type), options), in_(std::move(in)), arrow_(detail::OwnSchema(in_)) {}

  /// The schema that comes out, as "id:l data:json".
  std::string Describe() {
    out_.reset(new ArrowSchema{}, [](ArrowSchema* s) {
      if (s->release) s->release(s);
      delete s;
    });
    etl_error e{};
    e.size = sizeof e;
    const etl_status status = head_.component().transform->describe(head_.self(), arrow_.get(), out_.get(), &e);
    if (status < 0) throw Failure(status, e);
    std::string text;
    for (std::int64_t i = 0; i < out_->n_children; ++i) {
      const ArrowSchema& child = *out_->children[i];
      text += std::string(i ? " " : "") + child.name + ":" + (IsJson(child) ? "json" : child.format);
    }
    return text;
  }

  /// What a refused describe() says, with the option in front; empty when it is not refused.
  std::string Refusal() {
    try {
      Describe();
    } catch (const Failure& f) {
      return f.option + ": " + f.what();
    }
    return {};
  }

  /// What the head has logged.
  const std::vector<std::string>& logs() const { return head_.host.logs; }

  /// Consumes the array.
  Applied Apply(ArrowArray array) {
    if (!out_) Describe();
    etl_error e{};
    e.size = sizeof e;
    if (!worker_) {
      worker_ = std::make_unique<Worker>(head_);
      const_cast<etl_host*>(worker_->host.table())->emit = Emit;
      const etl_status status = head_.component().transform->open(worker_->self(), arrow_.get(), &e);
      if (status < 0) throw Failure(status, e);
    }
    Applied applied;
    first_ = next_;
    rows_in_ = array.length;
    etl_batch batch{sizeof batch, 0, ++id_, first_, &array, nullptr, 0};
    next_ += static_cast<std::uint64_t>(array.length);
    current = this;
    applied_ = &applied;
    const etl_status status = head_.component().transform->apply(worker_->self(), &batch, &e);
    if (array.release) array.release(&array);
    if (status < 0) throw Failure(status, e);
    applied.rejects = worker_->host.rejects;
    for (Rejected& r : applied.rejects) r.row -= first_;
    worker_->host.rejects.clear();
    return applied;
  }
  Applied Apply(Batch& batch) {
    ArrowArray array{};
    batch.Finish(&array);
    return Apply(array);
  }
  const Schema& in() const { return in_; }

 private:
  static etl_status Emit(const etl_host*, ArrowArray* array, const std::uint64_t* origin) noexcept {
    TestTransform& t = *current;
    JsonOptions options;
    options.non_finite = JsonNonFinite::kText;
    JsonWriter writer(*t.out_, options);
    for (std::int64_t i = 0; i < array->length; ++i) {
      writer.Row(*array, i, t.applied_->rows.emplace_back());
      t.applied_->origins.push_back((origin ? origin[i] : t.first_ + static_cast<std::uint64_t>(i)) - t.first_);
    }
    if (!origin && array->length != t.rows_in_) t.applied_->rows = {"row for row, but the number of rows differs"};
    array->release(array);
    return ETL_OK;
  }
  inline static thread_local TestTransform* current = nullptr;

  Head head_;
  Schema in_;
  std::shared_ptr<const ArrowSchema> arrow_;
  std::shared_ptr<ArrowSchema> out_;
  std::unique_ptr<Worker> worker_;
  Applied* applied_ = nullptr;
  std::uint64_t id_ = 0, first_ = 0, next_ = 1000;
  std::int64_t rows_in_ = 0;
};

}  // namespace etl::test
