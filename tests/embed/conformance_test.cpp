// The plugin passes the checks that are made for everybody's, with a model.
#include "conformance.h"
#include "lab.h"

using namespace etl::test;

TEST_CASE("embed passes every check of etl plugin check") {
  const TempDir dir;
  dir.Write("p.toml", "[source]\ntype = \"generate\"\n[[transform]]\ntype = \"embed\"\nmodel = \"" + ModelFolder("tiny") + "\"\ntext = \"name\"\n[[sink]]\ntype = \"discard\"\n");
  MustConform({}, "embed", dir / "p.toml");
}
