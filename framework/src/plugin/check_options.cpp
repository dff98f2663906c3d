// Checks 20 to 24: options.
#include <fmt/format.h>

#include "../config/describe.h"
#include "harness.h"

namespace etl::host {
namespace {

constexpr int kConfigurations = 1000;
constexpr std::uint64_t kSeed = 20;

using Visit = std::function<void(const etl_option& option, const std::string& name)>;

void EachOption(const etl_option* const* options, const std::string& prefix, const Visit& visit) {
  for (; options && *options; ++options) {
    const std::string name = prefix + (*options)->name;
    visit(**options, name);
    if (ScalarType(**options) == ETL_TABLE) EachOption((*options)->fields, name + ".", visit);
  }
}

std::string AreDocumented(CheckRun& run) {
  return ForEach(run, {}, [](const Component& component) {
    EachOption(component.table.options, "", [](const etl_option& option, const std::string& name) {
      if (!*option.doc) throw CheckFailed(fmt::format("option \"{}\" has no doc", name));
    });
  });
}

std::string DefaultsHold(CheckRun& run) {
  return ForEach(run, {}, [](const Component& component) {
    if (const auto fault = OptionFault(component.table.options)) throw CheckFailed(*fault);
  });
}

std::string ExamplesHold(CheckRun& run) {
  return ForEach(run, {}, [](const Component& component) {
    EachOption(component.table.options, "", [](const etl_option& option, const std::string& name) {
      const std::string example = ExampleValue(option);
      try {
        OptionValues().Parse(option, example);
      } catch (const std::runtime_error& error) {
        throw CheckFailed(fmt::format("the example of option \"{}\" is wrong: {}", name, error.what()));
      }
    });
  });
}

std::string TakesEveryConfiguration(CheckRun& run) {
  std::mt19937_64 random(kSeed);
  int made = 0;
  std::string note = ForEach(run, {}, [&](const Component& component) {
    for (int i = 0; i < kConfigurations; ++i) {
      Session session(run, component, InstanceValues(run, component, random));
      const etl_status status = session.Create();
      if (status < 0 && status != ETL_CONFIG)
        throw CheckFailed(fmt::format("create() says {} (\"{}\") for options within their declarations, expected OK or CONFIG; seed {}",
                                      status, session.message(), kSeed));
      made += status >= 0;
    }
  });
  return fmt::format("{} accepted, seed {}{}{}", made, kSeed, note.empty() ? "" : "; ", note);
}

std::string KeepsSecrets(CheckRun& run) {
  static const std::string kCanary = "canary-7d0f-secret";
  return ForEach(run, {}, [&](const Component& component) {
    InstanceValues values(run, component);
    if (!values.SetSecrets(component, kCanary)) throw CheckSkipped("has no secret options");
    Session session(run, component, std::move(values));
    const auto look = [&](const std::string& text, const char* where) {
      if (text.find(kCanary) != std::string::npos) throw CheckFailed(fmt::format("shows a secret option in {}", where));
    };
    std::string shown;
    try {
      session.CreateOrSkip();
      if (component.table.check) session.Call("check", [&](etl_error* e) { return component.table.check(session.self(), e); });
      etl_str identity{};
      if (component.table.identity &&
          session.Call("identity", [&](etl_error* e) { return component.table.identity(session.self(), &identity, e); }) >= 0 && identity.len)
        look(std::string(identity.ptr, identity.len), "its identity");
      if (component.kind == Kind::kSource) {
        const SchemaHandle schema = DescribeSource(session);
        for (const SplitCopy& split : PlanSource(session, 2)) {
          shown += split.id + split.state;
          for (const std::string& position : ReadSplit(session, *schema, split, "", 2).positions) shown += position;
        }
      }
    } catch (const CheckSkipped&) {
      shown += session.message();  // what it said is looked at all the same
    }
    look(shown, "a split or position");
    look(session.Said(), "a message, metric, reject or error");
  });
}

}  // namespace

std::vector<Check> OptionChecks() {
  return {{20, "every option has a doc and a snake_case name", AreDocumented},
          {21, "defaults obey their own declaration", DefaultsHold},
          {22, "generated examples obey the declaration", ExamplesHold},
          {23, "1,000 random configurations are taken or blamed on an option", TakesEveryConfiguration},
          {24, "secrets never show", KeepsSecrets}};
}

}  // namespace etl::host
