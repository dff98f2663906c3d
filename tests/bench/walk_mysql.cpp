// The ceiling of a read: the client library alone, which walks the rows of a query and does nothing with them.
//   walk_mysql HOST PORT USER PASSWORD DATABASE QUERY
#include <mysql.h>

#include <cstdio>
#include <cstdlib>

int main(int argc, char** argv) {
  if (argc != 7) return 2;
  MYSQL* m = mysql_init(nullptr);
  if (!mysql_real_connect(m, argv[1], argv[3], argv[4], argv[5], static_cast<unsigned>(std::atoi(argv[2])), nullptr, 0) || mysql_query(m, argv[6])) {
    std::fprintf(stderr, "%s\n", mysql_error(m));
    return 1;
  }
  MYSQL_RES* result = mysql_use_result(m);
  unsigned long rows = 0, bytes = 0;
  const unsigned fields = mysql_num_fields(result);
  while (mysql_fetch_row(result)) {
    const unsigned long* sizes = mysql_fetch_lengths(result);
    for (unsigned i = 0; i < fields; ++i) bytes += sizes[i];
    ++rows;
  }
  if (mysql_errno(m)) return 1;
  std::printf("%lu rows, %lu bytes\n", rows, bytes);
  mysql_free_result(result);
  mysql_close(m);
}
