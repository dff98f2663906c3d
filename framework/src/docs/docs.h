// Everything that is said about components and settings, made from the option tables alone.
#pragma once
#include <string>
#include <vector>

#include "../plugin/registry.h"

namespace etl::host {

/// `etl plugin info TYPE`: what it is, and each option with type, default, range, choices and
/// meaning.
std::string InfoText(const Component& component);

/// The component's page of the reference, in Markdown.
std::string ReferencePage(const Component& component);

/// The page about the pipeline file itself: [pipeline], the keys common to all stages, values,
/// references; in Markdown.
std::string PipelineReference();

/// The component's table with a comment for each option; required ones are set, the others
/// commented out with their defaults.  Passes the check when other stages are added.
std::string ExampleToml(const Component& component);

/// JSON Schema (draft 2020-12) of a pipeline file that uses these components, for editors.
std::string JsonSchema(const std::vector<const Component*>& components);

}  // namespace etl::host
