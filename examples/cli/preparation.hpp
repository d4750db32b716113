// SPDX-License-Identifier: Apache-2.0
#pragma once

// What `compress` is about to do, and `info` says of it beforehand.

#include "cli/commands.hpp"
#include "cli/layer_jobs.hpp"
#include "cli/layer_note.hpp"

namespace cli {

/// To the standard error, for people.
void say(const std::string& words);

struct preparation {
  checkpoint source;
  std::optional<statistics_file> statistics{};
  std::vector<layer_job> jobs{};
  bitpq::compressed_model<float> rest{};  ///< all that is no layer

  /// Opens the files and reads the rules. Throws bitpq::error for anything in them that cannot be; no weight is looked
  /// at.
  explicit preparation(const compress_options& options);

  [[nodiscard]] statistics_file* known() noexcept { return statistics ? &*statistics : nullptr; }
};

}  // namespace cli
