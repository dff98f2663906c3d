#pragma once
#include <memory>

#include "../data/batch.h"

namespace etl::host {

/// A batch without dictionaries and views, for the call.
class PlainBatch {
 public:
  PlainBatch(const ArrowSchema& schema, const std::shared_ptr<SharedArray>& from) : array_(from->array()) {
    if (IsPlain(schema)) return;
    ArrowArray share;
    Share(from, &share);
    MakePlain(schema, share, &array_);
    owned_ = true;
  }
  ~PlainBatch() {
    if (owned_) array_.release(&array_);
  }
  PlainBatch(const PlainBatch&) = delete;
  const ArrowArray& operator*() const { return array_; }

 private:
  ArrowArray array_;
  bool owned_ = false;
};

}  // namespace etl::host
