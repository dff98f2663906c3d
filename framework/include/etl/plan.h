/* SPDX-License-Identifier: Apache-2.0
 * etl/plan.h - extension etl.plan/1 of a source's component: what reading will cost, and a plan of it that can be kept as a file.
 * Rules as in plugin.h; C++ for it below. */
#ifndef ETL_PLAN_H
#define ETL_PLAN_H
#include <etl/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ETL_EXT_PLAN "etl.plan/1"

typedef struct etl_plan {
  uint32_t size, reserved;
  /* Head, after describe(), before plan().  report: lines "name = value" for `etl plan`.  file: what `etl plan --write FILE` saves, for
     an option of the component that names such a file; empty if these options have none.  The file that the option names now is not
     needed for it.  UNSUPPORTED: there is nothing to say with these options.  Lent until the next call. */
  etl_status (*foresee)(void *self, etl_str *report, etl_str *file, etl_error *) ETL_NOEXCEPT;
} etl_plan;

#ifdef __cplusplus
}

#include <etl/component.h>

namespace etl {
inline namespace v1 {

/// What reading will cost.
struct Foreseen {
  std::vector<std::pair<std::string, std::string>> report;   ///< name, value
  std::string file;
};

/// The extension's table for a source's class with `std::optional<Foreseen> Foresee();`: nothing: UNSUPPORTED.
template <class C>
const etl_plan* PlanTable() {
  static const etl_plan table = [] {
    etl_plan t{};
    t.size = sizeof t;
    t.foresee = [](void* self, etl_str* report, etl_str* file, etl_error* e) noexcept -> etl_status {
      return detail::Guard(e, [&] {
        auto& head = Glue<C>::H(self);
        const std::optional<Foreseen> seen = head.object->Foresee();
        if (!seen) return ETL_UNSUPPORTED;
        head.text.clear();
        for (const auto& [name, value] : seen->report) head.text += name + " = " + value + "\n";
        const std::size_t lines = head.text.size();
        head.text += seen->file;
        *report = {head.text.data(), lines};
        *file = {head.text.data() + lines, seen->file.size()};
        return ETL_OK;
      });
    };
    return t;
  }();
  return &table;
}

}  // namespace v1
}  // namespace etl
#endif
#endif
