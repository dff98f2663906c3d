// A table with every type and nasty values, read and written again: the server itself says that both are the same.
#include <doctest/doctest.h>

#include <utility>

#include "lab.h"

using etl::test::Job;
using etl::test::Lab;

namespace {

struct TypeCase {
  std::string column, type;
  std::vector<std::string> values;   ///< as SQL
  std::string compare = "HEX(CAST(# AS CHAR))";   ///< '#' stands for the column
};

const std::string kBytes = "HEX(#)";

std::vector<TypeCase> Types(bool mariadb) {
  std::vector<TypeCase> types{
      {"ti", "TINYINT", {"-128", "127", "0"}},
      {"tu", "TINYINT UNSIGNED", {"255", "0"}},
      {"flag", "TINYINT(1)", {"5", "-1", "1"}},
      {"si", "SMALLINT", {"-32768", "32767"}},
      {"su", "SMALLINT UNSIGNED", {"65535"}},
      {"mi", "MEDIUMINT", {"-8388608", "8388607"}},
      {"mu", "MEDIUMINT UNSIGNED", {"16777215"}},
      {"i", "INT", {"-2147483648", "2147483647"}},
      {"iu", "INT UNSIGNED ZEROFILL", {"4294967295", "7"}},
      {"bi", "BIGINT", {"-9223372036854775808", "9223372036854775807"}},
      {"bu", "BIGINT UNSIGNED", {"18446744073709551615", "9223372036854775808"}},
      {"f", "FLOAT", {"0.1", "-3.4028234663852886e38", "1.1754943508222875e-38", "16777217"}, "HEX(CAST(# + 0e0 AS CHAR))"},
      {"d", "DOUBLE", {"0.1", "1.7976931348623157e308", "-2.2250738585072014e-308", "5e-324", "0.30000000000000004"}, "HEX(CAST(# + 0e0 AS CHAR))"},
      {"dc", "DECIMAL(65,30)", {"12345678901234567890123456789012345.123456789012345678901234567890", "-0.000000000000000000000000000001"}},
      {"dw", "DECIMAL(65,0)", {"-99999999999999999999999999999999999999999999999999999999999999999"}},
      {"df", "DECIMAL(30,30)", {"0.999999999999999999999999999999"}},
      {"dt", "DATE", {"'1000-01-01'", "'9999-12-31'", "'2024-02-29'", "'0001-01-01'"}},
      {"dm", "DATETIME", {"'1000-01-01 00:00:00'", "'9999-12-31 23:59:59'"}},
      {"dm6", "DATETIME(6)", {"'9999-12-31 23:59:59.999999'", "'1969-12-31 23:59:59.000001'"}},
      {"ts", "TIMESTAMP(6) NULL", {"'1970-01-01 00:00:01'", "'2038-01-19 03:14:07.999999'"}},
      {"t", "TIME(6)", {"'-838:59:59'", "'838:59:59'", "'-00:00:00.000001'", "'25:00:00.5'"}},
      {"t0", "TIME", {"'-100:00:01'"}},
      {"y", "YEAR", {"1901", "2155", "0"}},
      {"b1", "BIT(1)", {"b'1'", "b'0'"}, "HEX(# + 0)"},
      {"b9", "BIT(9)", {"b'101010101'"}, "HEX(# + 0)"},
      {"b64", "BIT(64)", {"0xFFFFFFFFFFFFFFFF", "0x8000000000000001"}, "HEX(# + 0)"},
      {"c", "CHAR(9)", {"'ab '", "''", "'\xF0\x9F\x98\x80'"}, kBytes},
      {"vc", "VARCHAR(100)", {"'a\\'b\"c`d\\\\e\\nf\\0g\\Z%_\\t'", "'  spaces  '", "''", "'NULL'", "'\\\\N'"}, kBytes},
      {"latin", "VARCHAR(50) CHARACTER SET latin1", {"'n\xC3\xA9\xE2\x82\xAC'"}, kBytes},
      {"wide", "VARCHAR(50) CHARACTER SET utf16", {"'\xF0\x9F\x98\x80 \xE4\xB8\xAD'"}, kBytes},
      {"gbk", "VARCHAR(50) CHARACTER SET gbk", {"'\xE4\xB8\xAD\xE6\x96\x87\xE8\xAA\xA0\\\\'"}, kBytes},
      {"three", "VARCHAR(50) CHARACTER SET utf8mb3", {"'\xE4\xB8\xAD'"}, kBytes},
      {"tt", "TINYTEXT", {"REPEAT('\xC3\xA9', 127)"}, kBytes},
      {"tx", "TEXT", {"'\xF0\x9F\x98\x80 \"q\" \\\\ \\n \\r\\n'"}, kBytes},
      {"mt", "MEDIUMTEXT", {"REPEAT('\xE4\xB8\xAD', 100000)"}, "SHA2(#, 256)"},
      {"lt", "LONGTEXT", {"REPEAT('x', 300000)"}, "SHA2(#, 256)"},
      {"bin", "BINARY(4)", {"X'00FF'", "X'20202020'", "X''"}, kBytes},
      {"vb", "VARBINARY(300)", {"X'00'", "X'C328FF5C27220A1A'", "X''"}, kBytes},
      {"bl", "BLOB", {"X'5C00275C'", "RANDOM_BYTES(1000)"}, kBytes},
      {"lb", "LONGBLOB", {"REPEAT(X'00FF5C27', 50000)"}, "SHA2(#, 256)"},
      {"e", "ENUM('a', '\xC3\xA9', 'it''s', '')", {"'\xC3\xA9'", "'it\\'s'", "''"}, kBytes},
      {"s", "SET('x', 'y', 'z z')", {"'x,z z'", "''"}, kBytes},
      {"g", "GEOMETRY", {"ST_GeomFromText('POINT(1 2)')", "ST_GeomFromText('POLYGON((0 0,1 0,1 1,0 0))')"}, "CONCAT(ST_SRID(#), HEX(ST_AsWKB(#)))"},
      {"p", "POINT", {"ST_GeomFromText('POINT(1.5 -2.25)', 4326)"}, "CONCAT(ST_SRID(#), HEX(ST_AsWKB(#)))"},
      {"j", "JSON", {"'{\"a\": [1, 2.5, \"x\", null, true]}'", "'\"\xF0\x9F\x98\x80 \\\\\\\\ \\\\\" \\\\n\"'", "'null'", "'18446744073709551615'", "'[]'"}},
  };
  if (mariadb) {
    types.push_back({"u", "UUID", {"'123e4567-e89b-12d3-a456-426655440000'"}});
    types.push_back({"ip6", "INET6", {"'::ffff:1.2.3.4'", "'2001:db8::1'"}});
    types.push_back({"ip4", "INET4", {"'255.0.0.1'"}});
  } else {
    types.push_back({"v", "VECTOR(3)", {"TO_VECTOR('[0.1, -2.5, 3e38]')"}, kBytes});
  }
  return types;
}

std::string With(const std::string& text, const std::string& column) {
  std::string out;
  for (const char c : text) out += c == '#' ? "`" + column + "`" : std::string(1, c);
  return out;
}

}  // namespace

TEST_CASE("every type, with its nastiest values, is the same in the table it is copied to") {
  for (const std::string server : {"mysql", "mariadb"}) {
    CAPTURE(server);
    Lab lab(server);
    const std::vector<TypeCase> types = Types(lab.mariadb());
    std::string table = "id INT AUTO_INCREMENT PRIMARY KEY", same = "SELECT id";
    for (const TypeCase& t : types) {
      table += ", `" + t.column + "` " + t.type;
      same += ", COALESCE(" + With(t.compare, t.column) + ", 'none')";
    }
    lab.Run("CREATE TABLE every (" + table + ") CHARACTER SET utf8mb4");
    lab.Run("CREATE TABLE copied LIKE every");
    lab.Run("SET time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES'");
    lab.Run("INSERT INTO every () VALUES ()");   // all null
    std::size_t rows = 1;
    for (const TypeCase& t : types) {
      for (const std::string& value : t.values) {
        CAPTURE(t.type);
        lab.Run("INSERT INTO every (`" + t.column + "`) VALUES (" + value + ")");
        ++rows;
      }
    }
    std::vector<std::string> ways{"prepared", "text"};
    if (lab.mariadb()) ways.push_back("bulk");
    for (const std::string& way : ways) {
      CAPTURE(way);
      lab.Run("TRUNCATE TABLE copied");
      const Job job("[pipeline]\nname = \"p\"\n[source]\n" + lab.Options() + "table = \"every\"\n[[sink]]\n" + lab.Options() + "table = \"copied\"\nway = \"" + way + "\"\n");
      const auto done = job.Run();
      REQUIRE_MESSAGE(done.exit_code == 0, done.err);
      const auto before = lab.Query(same + " FROM every ORDER BY id"), after = lab.Query(same + " FROM copied ORDER BY id");
      REQUIRE(before.size() == rows);
      REQUIRE(after.size() == rows);
      for (std::size_t i = 0; i < rows; ++i) CHECK(before[i] == after[i]);
    }
  }
}
