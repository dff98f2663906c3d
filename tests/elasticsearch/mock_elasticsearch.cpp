// The mock as a program: takes bulk requests as fast as they come, counts them and keeps nothing, until its standard input ends.
//   mock_elasticsearch [PORT]      prints its URL; at the end what has come
#include <cstdio>
#include <cstdlib>

#include "mock.h"

int main(int argc, char** argv) {
  etl::test::MockNode::Options options;
  options.keep = false;
  if (argc > 1) options.port = static_cast<std::uint16_t>(std::atoi(argv[1]));
  const etl::test::MockNode node(options);
  std::printf("%s\n", node.url().c_str());
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  std::printf("%zu requests, %zu documents, %zu bytes, at most %zu a request\n", node.bulks(), node.items(), node.bytes(), node.largest());
}
