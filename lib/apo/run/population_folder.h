// The folder that members of a population share who are processes of their own.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

#include "apo/run/data_mark.h"
#include "apo/run/turn_claims.h"
#include "apo/trace/run_folder.h"

namespace apo {

/// While it lives, no process that has the folder for itself can have it: no population in one
/// process, nor one that overwrites it. Each member has a folder of its own in it.
class PopulationFolder {
 public:
  /// Makes nothing. `config`, the resolved configuration, must outlive it. Throws Error(config)
  /// where the folder is of something else, or the population in it was begun with a configuration
  /// that gives other results, or by another program.
  PopulationFolder(const std::filesystem::path& folder,
                   size_t members,
                   const nlohmann::ordered_json& config);

  /// Makes the folder where a member is the first. What tells of the population's end goes.
  /// Throws Error: what the constructor does; data, where the others train on other data; output.
  void join(const DataMark& data);

  const std::filesystem::path& path() const { return folder_.path(); }
  const TurnClaims& claims() const { return claims_; }

 private:
  void check() const;
  void check(const DataMark& data) const;
  nlohmann::ordered_json begun_with() const;

  RunFolder folder_;
  TurnClaims claims_;
  const nlohmann::ordered_json& config_;
};

}  // namespace apo
