// The plugin passes the checks that are made for everybody's, with a real server behind it.
#include "conformance.h"
#include "lab.h"

using namespace etl::test;

TEST_CASE("the source passes every check that needs no crash of the server") {
  for (const std::string& name : kStores) {
    CAPTURE(name);
    const Store store(name);
    store.Rows(2000, "intDiv(number, 3)");
    for (const std::string more : {"page_bytes = \"64KiB\"", "time_column = \"ts\"\nmax_rows_per_request = 100"}) {
      const Pull pull(store.Options() + "table = \"t\"\n" + more);
      MustConform(pull.Make(), "clickhouse", pull.dir / "p.toml");
    }
  }
}
