// A strict reader of CSV as RFC 4180 has it: comma, double quotes, a header, as many fields in each
// row.
#include <fstream>

#include "table.h"

namespace verify {
namespace {

struct Field {
  std::string text;
  bool quoted = false;
};

class CsvFile {
 public:
  explicit CsvFile(const std::string& path) : file_(path, std::ios::binary) {
    if (!file_) throw Unusable("cannot read " + path);
  }

  std::size_t line() const { return line_; }

  /// The next record; false at the end of the file.
  bool Next(std::vector<Field>& fields) {
    fields.clear();
    if (file_.peek() == EOF) return false;
    line_ = next_line_;
    do {
      fields.push_back(NextField());
    } while (Take(','));
    Take('\r');
    if (!Take('\n') && file_.peek() != EOF) throw Unusable("something after the closing quote");
    ++next_line_;
    return true;
  }

 private:
  bool Take(char c) {
    if (file_.peek() != static_cast<unsigned char>(c)) return false;
    file_.get();
    return true;
  }

  Field NextField() {
    Field field;
    if (!Take('"')) {
      for (int c = file_.peek(); c != EOF && c != ',' && c != '\n' && c != '\r'; c = file_.peek()) {
        if (c == '"') throw Unusable("a quote within a field that is not quoted");
        field.text += static_cast<char>(file_.get());
      }
      return field;
    }
    field.quoted = true;
    for (;;) {
      const int c = file_.get();
      if (c == EOF) throw Unusable("a quoted field is not closed");
      if (c == '"' && !Take('"')) return field;
      if (c == '\n') ++next_line_;
      field.text += static_cast<char>(c);
    }
  }

  std::ifstream file_;
  std::size_t line_ = 0;
  std::size_t next_line_ = 1;
};

}  // namespace

void ReadCsv(const Input& input, Columns& columns, const RowSink& sink) {
  CsvFile file(input.path);
  std::vector<Field> fields;
  std::vector<std::uint32_t> header;
  std::vector<Cell> cells;
  const auto row = [&] {
    for (const Field& field : fields) CheckUtf8(field.text);
    if (fields.size() != header.size()) {
      throw Unusable(std::to_string(fields.size()) + " fields, the header has " +
                     std::to_string(header.size()));
    }
    cells.clear();
    for (std::size_t i = 0; i < fields.size(); ++i) {
      const bool null = input.csv_has_null && !fields[i].quoted && fields[i].text == input.csv_null;
      if (null) cells.push_back({header[i], Kind::kNull, {}});
      if (!null) cells.push_back({header[i], Kind::kUntyped, fields[i].text});
    }
    sink(cells, "line " + std::to_string(file.line()));
  };
  try {
    if (!file.Next(fields)) throw Unusable("no header");
    for (const Field& field : fields) header.push_back(columns.Number(field.text));
    while (file.Next(fields)) row();
  } catch (const Unusable& error) {
    throw Unusable(input.path + ": line " + std::to_string(file.line()) + ": " + error.what());
  }
}

}  // namespace verify
