// The one exception type: the user's mistake, in one line.
#pragma once

#include <stdexcept>
#include <string>

namespace apo {

/// Whose mistake an Error reports.
enum class ErrorKind {
  config,  ///< wrong usage or configuration
  data,    ///< data missing or damaged
  output,  ///< a result could not be written
};

/// Of a program that ends by such an Error.
constexpr int exit_code(ErrorKind kind) {
  if (kind == ErrorKind::config) return 2;
  return kind == ErrorKind::data ? 3 : 1;
}

/// A mistake that the user can mend. The message is one line: *place: what is wrong; what is
/// accepted*. Programmer's mistakes are assertions; numerical failures are results.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const { return kind_; }

 private:
  ErrorKind kind_;
};

}  // namespace apo
