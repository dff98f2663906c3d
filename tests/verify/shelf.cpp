// A sink as a third party might write it, with a ReadBack of its own: rows of (id int64, name utf8) in a text file.  `fault` makes
// its reader break the rules.
#include <etl/compare.h>
#include <etl/sdk.h>

#include <fstream>
#include <map>
#include <optional>

namespace {

using etl::Option;

class ShelfRows : public etl::ReadBack {
 public:
  ShelfRows(std::string file, std::string fault) : file_(std::move(file)), fault_(std::move(fault)) {
    schema = {{"id", etl::Int64(), true}, {fault_ == "column" ? "other" : "name", etl::Utf8(), true}};
    if (fault_ == "empty") schema.clear();
    keys = {fault_ == "key" ? "nothing" : "id"};
    adds = replaces = one = true;
  }
  void Rewind() override {
    rows_.clear();
    std::ifstream in(file_);
    std::int64_t id = 0;
    for (std::string name; in >> id && in.ignore() && std::getline(in, name);) rows_[id] = name;
    at_ = rows_.begin();
  }
  bool Next(ArrowArray* out) override {
    if (fault_ == "retry" && tries_++ % 3 != 0) throw etl::Retry("not yet");
    if (fault_ == "fatal") throw etl::Fatal("the shelf fell down");
    if (at_ == rows_.end()) return false;
    if (fault_ == "batch") {
      etl::Batch wrong({{"id", etl::Int64(), true}});
      wrong[0].Append(1);
      wrong.Finish(out);
      return true;
    }
    etl::Batch batch(schema);
    for (int i = 0; i < 100 && at_ != rows_.end(); ++i, ++at_) {
      batch[0].Append(at_->first);
      batch[1].Append(at_->second);
    }
    batch.Finish(out);
    return true;
  }

 private:
  std::string file_, fault_;
  std::map<std::int64_t, std::string> rows_;
  std::map<std::int64_t, std::string>::const_iterator at_;
  int tries_ = 0;
};

class Shelf : public etl::Sink {
 public:
  static constexpr auto kType = "shelf";
  static constexpr auto kSummary = "Puts rows of an id and a name into a text file.";
  std::string path, fault = "none";

  static etl::detail::DeclaredList Options() {
    return etl::Options(Option("path", &Shelf::path, "The file.").Path().Required(), Option("fault", &Shelf::fault, "How its reader breaks the rules."));
  }
  static const void* Extension(std::string_view id) { return id == ETL_EXT_COMPARE ? etl::CompareTable<Shelf>() : nullptr; }
  std::unique_ptr<etl::ReadBack> OpenReadBack(const etl::Run&) { return std::make_unique<ShelfRows>(path, fault); }

  void Open(const ArrowSchema&, std::string_view) override { out_.open(path, std::ios::app); }
  etl::Written Write(const etl::Rows& in) override {
    for (std::int64_t i = 0; i < in.size(); ++i) out_ << in.column(0).Int(i) << ' ' << in.column(1).Str(i) << '\n';
    return etl::Written::kPending;
  }
  std::string Flush() override {
    if (!out_.flush()) throw etl::Fatal("cannot write " + path);
    return {};
  }

 private:
  std::ofstream out_;
};

}  // namespace

ETL_PLUGIN("test.shelf", "1.0.0", "Apache-2.0", Shelf)
