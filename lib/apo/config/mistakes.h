// What is wrong with a configuration, of which the user is told one thing.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "apo/base/error.h"

namespace apo {

/// Keeps the mistake that comes first in the file. A condition between fields counts only where
/// the fields themselves are right.
class Mistakes {
 public:
  void add(size_t order, const std::string& message) { keep_first(of_fields_, order, message); }
  void add_broken_condition(size_t order, const std::string& message) {
    keep_first(of_conditions_, order, message);
  }
  void throw_first() const {
    if (of_fields_) throw Error(ErrorKind::config, of_fields_->message);
    if (of_conditions_) throw Error(ErrorKind::config, of_conditions_->message);
  }

 private:
  struct Mistake {
    size_t order;
    std::string message;
  };
  static void keep_first(std::optional<Mistake>& first, size_t order, const std::string& message) {
    if (!first || order < first->order) first = {order, message};
  }
  std::optional<Mistake> of_fields_;
  std::optional<Mistake> of_conditions_;
};

}  // namespace apo
