// SPDX-License-Identifier: Apache-2.0
#pragma once

// The schedule of Stock et al. 2020, section 3.2, over a whole network of any framework: layer by layer from input to
// output a layer is calibrated on the student, compressed, and its codewords are tuned so that the student imitates the
// teacher; then all codebooks are tuned together. No labels.

#include <bitpq/train/detail/network_driver.hpp>

namespace bitpq {
inline namespace v1 {

/// Compresses the layers that `net` lists and tunes their codewords. For each layer, in order:
///  1. second moments of what it reads in the student, and the teacher's outputs where targets are asked for;
///  2. compress, of the weights or the target; net.set_weights, net.adapt;
///  3. layer_tuning.steps steps on its codewords: net.training_step, a step of the optimiser on the unrounded
///  codewords,
///     net.set_weights with the rounded ones, net.end_step; now and then its codes are refreshed;
///  4. a checkpoint.
/// Then global_tuning.steps such steps on all layers at once. Steps are numbered through: those of layer 0, of layer 1,
/// ..., global ones. Same bits for any executor, provided the network's members are such.
///
/// A run that ends early, by budget or by the progress callback, hands out a checkpoint of where tuning stopped. After
/// a budget is spent layers that are left are compressed without tuning, so that the student is whole; after
/// cancelling they stay dense. A run that resumes a checkpoint comes to the bits of an uninterrupted one.
///
/// Throws bad_shape, bad_params or non_finite, nothing changed, for layers, weights, parameters or a checkpoint that do
/// not fit, and for a layer that no data reaches; later, with layer and batch or step, what members of `net`, compress
/// and the optimisers throw, and non_finite for a loss or gradient that is: that step has then changed nothing. Memory:
/// codes and codebooks, optimiser states, the moments of one layer, and a checkpoint where there is a sink.
template <trainable_network N>
network_report compress_network(N& net, const network_params& params, const network_run<network_scalar<N>>& run = {},
                                executor_ref exec = {}) {
  return detail::network_driver<N>(net, params, run, exec)();
}

}  // namespace v1
}  // namespace bitpq
