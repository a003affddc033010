// The page of a report without its data, made of report/ and Chart.js when the program is built.
#pragma once

#include <string_view>

namespace apo {

/// `{{title}}` and `{{data}}` are left to fill in.
std::string_view report_template();

}  // namespace apo
