// SPDX-License-Identifier: Apache-2.0
#pragma once

// The tensors of a checkpoint that are not compressed: biases, batch norms, layers that rules leave out.

#include "cli/layer_jobs.hpp"

#include <bitpq/io/compressed_model.hpp>

namespace cli {

/// A model of everything that is no layer, and of the checkpoint's metadata: tensors as they are or, given a type,
/// numbers of a wider one rounded to that; with `notes`, notes of what these were. Throws non_finite, naming the
/// tensor, for a number beyond the type's range.
[[nodiscard]] bitpq::compressed_model<float> model_of_the_rest(const checkpoint& source,
                                                               const std::vector<layer_job>& jobs,
                                                               std::optional<bitpq::dtype> type, bool notes);

}  // namespace cli
