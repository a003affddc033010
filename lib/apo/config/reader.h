// From a configuration file to options structs.
#pragma once

#include <functional>

#include "apo/base/options.h"
#include "apo/config/document.h"

namespace apo {

/// Reads a document into what `fields` describes. Absent keys keep their values; a section with
/// nothing in it counts as absent; a key that nobody asked for is an error.
/// Throws the mistake that comes first in the file, as an Error (ErrorKind::config); what has been
/// read until then is unspecified.
void read_options(const Document& document, const std::function<void(OptionVisitor&)>& fields);

/// The same for a struct with `void visit(OptionVisitor&)`.
template <class Options>
void read_into(const Document& document, Options& options) {
  read_options(document, [&](OptionVisitor& visitor) { options.visit(visitor); });
}

}  // namespace apo
