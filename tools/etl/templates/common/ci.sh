#!/bin/sh
# Builds and tests from nothing: what a build server calls.
set -eu
cd "$(dirname "$0")"
cmake -B build -S .
cmake --build build
ctest --test-dir build --output-on-failure
