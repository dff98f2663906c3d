#include <etl/sdk.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace {

/// Writes one column as lines of text.  What a run has made safe is saved as the size of the file:
/// a run that resumes cuts the file there, so that no line is lost and none is doubled.
class TemplateName : public etl::Sink {
 public:
  static constexpr auto kType = "template_name";
  static constexpr auto kSummary = "Writes a text column to a file, one line for each row.";
  static auto Options() {
    return etl::Options(
        etl::Option("path", &TemplateName::path, "File to write.").Path().Required(),
        etl::Option("column", &TemplateName::column, "Column with text.").Required());
  }
  std::string path;
  std::string column;

  ~TemplateName() override {
    if (file_ >= 0) ::close(file_);
  }

  void Begin(const etl::Run& run) override { replay_ = run.replay; }

  void Open(const ArrowSchema& in, std::string_view state) override {
    index_ = Find(in);
    file_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (file_ < 0)
      throw etl::ConfigError("path", "cannot open " + path + ": " + std::strerror(errno));
    if (HeadAs<TemplateName>().replay_)
      size_ = ::lseek(file_, 0, SEEK_END);
    else
      size_ = state.empty() ? 0 : std::stoll(std::string(state));
    if (::ftruncate(file_, size_) != 0 || ::lseek(file_, size_, SEEK_SET) != size_) Fail();
  }

  etl::Written Write(const etl::Rows& in) override {
    const etl::ColumnView text = in.column(index_);
    for (std::int64_t i = 0; i < in.size(); ++i) {
      if (text.IsNull(i)) {
        host.Reject(in.row(i), "column " + column + " is null");
        continue;
      }
      buffer_.append(text.Str(i)).push_back('\n');
    }
    if (buffer_.size() > kMostBuffered) WriteOut();
    return etl::Written::kPending;  // safe after Flush
  }

  std::string Flush() override {
    WriteOut();
    if (::fsync(file_) != 0) Fail();
    return std::to_string(size_);
  }

 private:
  static constexpr std::size_t kMostBuffered = 1 << 20;

  void WriteOut() {
    std::string_view left = buffer_;
    while (!left.empty()) {
      const ssize_t n = ::pwrite(file_, left.data(), left.size(), size_);
      if (n < 0) Fail();
      size_ += n;
      left.remove_prefix(static_cast<std::size_t>(n));
    }
    buffer_.clear();
  }

  [[noreturn]] void Fail() const {
    throw etl::Fatal("cannot write " + path + ": " + std::strerror(errno));
  }

  std::int64_t Find(const ArrowSchema& in) const {
    for (std::int64_t i = 0; i < in.n_children; ++i) {
      if (in.children[i]->name != column) continue;
      if (std::string_view(in.children[i]->format) == "u") return i;
      throw etl::ConfigError("column", "column \"" + column + "\" is not text");
    }
    throw etl::ConfigError("column", "the rows have no column \"" + column + "\"");
  }

  bool replay_ = false;
  int file_ = -1;
  std::int64_t index_ = 0;
  std::int64_t size_ = 0;
  std::string buffer_;
};

}  // namespace

ETL_PLUGIN("template_vendor.template_name", "0.1.0", "Apache-2.0", TemplateName)
