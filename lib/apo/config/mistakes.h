// What is wrong with a configuration, of which the user is told one thing.
#pragma once

#include <optional>
#include <string>

#include "apo/base/error.h"
#include "apo/config/document.h"

namespace apo {

/// Keeps the mistake that comes first in the file. A condition between fields counts only where
/// the fields themselves are right.
class Mistakes {
 public:
  void add(Rank rank, const std::string& message) { keep_first(of_fields_, rank, message); }
  void add_broken_condition(Rank rank, const std::string& message) {
    keep_first(of_conditions_, rank, message);
  }
  void throw_first() const {
    if (of_fields_) throw Error(ErrorKind::config, of_fields_->message);
    if (of_conditions_) throw Error(ErrorKind::config, of_conditions_->message);
  }

 private:
  struct Mistake {
    Rank rank;
    std::string message;
  };
  static void keep_first(std::optional<Mistake>& first, Rank rank, const std::string& message) {
    if (!first || rank < first->rank) first = {rank, message};
  }
  std::optional<Mistake> of_fields_;
  std::optional<Mistake> of_conditions_;
};

}  // namespace apo
