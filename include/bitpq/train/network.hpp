// SPDX-License-Identifier: Apache-2.0
#pragma once

// What compress_network asks of a host: a network in two copies, the teacher, which never changes, and the student,
// whose layers are replaced by compressed ones. Framework, graph and data are the host's affair.

#include <bitpq/codec/layer_geometry.hpp>
#include <bitpq/codec/pq_matrix.hpp>
#include <bitpq/core/nchw_view.hpp>

#include <functional>
#include <map>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace bitpq {
inline namespace v1 {

/// A layer that is to be compressed. Names are unique.
struct network_layer {
  std::string name;
  layer_geometry geometry;
};

/// What a layer reads for a batch of calibration data, n x in_channels x h x w (1 x 1 for a linear layer, or the tokens
/// of a sequence). Valid during the call that hands it over.
template <scalar T>
struct layer_samples {
  nchw_view<const T> inputs;            ///< in the student
  nchw_view<const T> teacher_inputs{};  ///< in the teacher, for the same data; only where asked for
};

/// Looks at a batch; false: enough, no more are needed.
template <scalar T>
using sample_visitor = std::function<bool(const layer_samples<T>&)>;

/// What a host changes beside the compressed weights (biases, running statistics, the state of its optimiser), by name.
template <scalar T>
using host_state = std::map<std::string, std::vector<T>, std::less<>>;

/// float or double, as the network's weights are.
template <class N>
using network_scalar = typename std::remove_cvref_t<decltype(std::declval<N&>().weights(std::size_t{0}))>::value_type;

/// A network whose layers are counted 0, 1, ... in the order in which data meets them. The student begins as a copy of
/// the teacher.
///  - layers(): all that are to be compressed, as std::vector<network_layer>.
///  - weights(i): the teacher's, geometry.rows() x geometry.cols(), any strides.
///  - stream(i, teacher, visitor): hands over, batch by batch, what layer i reads in the student as it is now and, if
///    `teacher`, in the teacher; returns early when the visitor has enough. The same batches in every call.
///  - set_weights(i, codes): the student's layer i from now on.
///  - training_step(step, which, gradients): runs the batch of that step, a function of `step` alone, through both and
///    returns the loss (see distillation_loss). gradients[k] becomes that of the codewords of layer which[k], as
///    codeword_gradient returns it. Changes nothing, for the driver looks at all of it first. Where `which` is empty
///    only the loss is wanted.
/// Further members are called where a host has them. Each is a concept below, and a host that means to model it does
/// well to say so in a static_assert. Errors that members throw pass through, layer and step before their text.
template <class N>
concept trainable_network = scalar<network_scalar<N>> &&
    requires(N& net, std::size_t layer, std::uint64_t step, const pq_matrix<network_scalar<N>>& weights,
             const sample_visitor<network_scalar<N>>& visitor, std::span<const std::size_t> which,
             std::span<std::vector<network_scalar<N>>> gradients) {
  { net.layers() } -> std::convertible_to<std::vector<network_layer>>;
  { net.weights(layer) } -> std::convertible_to<matrix_view<const network_scalar<N>>>;
  net.stream(layer, true, visitor);
  net.set_weights(layer, weights);
  { net.training_step(step, which, gradients) } -> std::convertible_to<double>;
};

/// Has values of its own that change: state() is saved in checkpoints, restore(state) takes it back or throws.
template <class N>
concept stateful_network = trainable_network<N> && requires(N& net, const host_state<network_scalar<N>>& state) {
  { net.state() } -> std::convertible_to<host_state<network_scalar<N>>>;
  net.restore(state);
};

/// Puts right what codes have shifted: adapt(i) is called once when layer i runs on codes, before it is tuned. The
/// place for corrected_bias, and to estimate batch norm again.
template <class N>
concept adapting_network = trainable_network<N> && requires(N& net, std::size_t layer) {
  net.adapt(layer);
};

/// Tunes parameters of its own: end_step(step, rate) is called when the gradients of that step have proved sound and
/// the codewords have moved by that learning rate.
template <class N>
concept self_training_network = trainable_network<N> && requires(N& net, std::uint64_t step, double rate) {
  net.end_step(step, rate);
};

/// Can have its codes refreshed: weight_gradient(i) is the loss' gradient by the weights of layer i at the last
/// training_step, rows x cols, any strides.
template <class N>
concept refreshable_network = trainable_network<N> && requires(N& net, std::size_t layer) {
  { net.weight_gradient(layer) } -> std::convertible_to<matrix_view<const network_scalar<N>>>;
};

}  // namespace v1
}  // namespace bitpq
