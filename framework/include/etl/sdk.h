// SPDX-License-Identifier: Apache-2.0
/// All that a plugin in C++ includes.  Header-only, C++17, nothing but the standard library.
#pragma once
#include <etl/component.h>
