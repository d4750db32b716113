// SPDX-License-Identifier: Apache-2.0
#pragma once

// Compresses a network layer by layer, from input to output. Each layer is calibrated on what it will really see: the
// activations of the student, in which everything before it is compressed already. All images go through the network
// once, together: they halt before a layer, and pass through it when it is compressed.

#include "engine/activations.hpp"
#include "engine/input_means.hpp"

#include <bitpq/pq.hpp>

#include <optional>

namespace engine {

struct sequential_options {
  std::size_t batch = 64;                ///< images at a time
  std::size_t columns_per_batch = 8192;  ///< of a batch's inputs, how many columns the second moments are taken of
  bool statistics = true;                ///< false: layers are compressed without second moments
  /// Whether layers are to compute the teacher's outputs from the student's inputs (bitpq::teacher_target): what the
  /// layers before have lost is made good as far as can be. Takes `statistics`.
  bool teacher_targets = false;
  double target_damping = 0.03;  ///< of teacher_target
  bool correct_bias = true;      ///< moves biases so that the mean of every output is the teacher's
};

/// What there is to know of a layer when its turn has come.
struct layer_turn {
  const node& step;
  bitpq::matrix_view<const float> weights;  ///< what is to be compressed: the teacher's, or the target in their place
  const bitpq::importance* inputs;          ///< E[x x^T] of what the layer sees in the student, or null
};

/// Chooses layers by their steps.
using layer_choice = std::function<bool(const node&)>;

inline std::size_t count_layers(const graph& structure, const layer_choice& chosen) {
  std::size_t count = 0;
  for (const node& step : structure.nodes) count += step.type == node::kind::layer && chosen(step) ? 1 : 0;
  return count;
}

namespace detail {

/// Second moments of the inputs of the layer before which images have halted.
inline bitpq::importance second_moments(const activations& halted, const bitpq::layer_geometry& geometry,
                                        std::size_t columns, bitpq::executor_ref exec) {
  bitpq::gram_accumulator moments(geometry, columns);
  for (std::size_t b = 0; b < halted.batches(); ++b) moments.add(halted.input(b).view(), exec);
  return std::move(moments).finish();
}

/// The weights with which the student's inputs give the teacher's outputs.
inline bitpq::aligned_buffer<float> target_of(const layer& dense, const activations& teacher,
                                              const activations& student, const bitpq::importance& moments,
                                              const sequential_options& options, bitpq::executor_ref exec) {
  bitpq::target_accumulator outputs(dense.geometry(), options.columns_per_batch);
  for (std::size_t b = 0; b < student.batches(); ++b)
    outputs.add(dense.dense_weights(), teacher.input(b).view(), student.input(b).view(), exec);
  return bitpq::teacher_target<float>(dense.dense_weights(), std::move(outputs).finish().span(), moments,
                                      options.target_damping, exec);
}

inline std::vector<double> mean_inputs(const activations& halted, const bitpq::layer_geometry& geometry,
                                       bitpq::executor_ref exec) {
  input_means sums(geometry);
  for (std::size_t b = 0; b < halted.batches(); ++b) sums.add(halted.input(b), exec);
  return sums.finish();
}

/// What weights (rows x cols, contiguous) make of mean inputs, without bias.
inline std::vector<double> mean_outputs(const float* weights, const bitpq::layer_geometry& g,
                                        const std::vector<double>& inputs) {
  std::vector<double> outputs(g.rows());
  for (std::size_t r = 0; r < g.rows(); ++r) {
    const double* const x = inputs.data() + r / g.out_per_group() * g.cols();
    for (std::size_t c = 0; c < g.cols(); ++c) outputs[r] += static_cast<double>(weights[r * g.cols() + c]) * x[c];
  }
  return outputs;
}

/// The bias with which codes on the student's inputs have the mean outputs of the dense layer on the teacher's: what
/// the layers so far have shifted on average is put right for nothing.
inline std::vector<float> corrected_bias(const layer& dense, const bitpq::pq_matrix<float>& codes,
                                         const activations& teacher, const activations& student,
                                         bitpq::executor_ref exec) {
  const bitpq::layer_geometry& g = dense.geometry();
  std::vector<float> decoded(g.rows() * g.cols());
  codes.decode({decoded.data(), g.rows(), g.cols()});
  return bitpq::corrected_bias<float>(
      dense.bias(), mean_outputs(dense.dense_weights().data_handle(), g, mean_inputs(teacher, g, exec)),
      mean_outputs(decoded.data(), g, mean_inputs(student, g, exec)));
}

}  // namespace detail

/// Goes through `net` with all images and calls see(step, moments) for each chosen layer with second moments of its
/// inputs. Memory: the tensors that are alive between two steps, of all images, and the moments of one layer.
template <class See>
void observe_layers(const network& net, const image_source& images, const layer_choice& chosen,
                    const sequential_options& options, bitpq::executor_ref exec, const See& see) {
  const std::vector<node>& steps = net.structure().nodes;
  activations halted(net.structure(), images, options.batch);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (steps[i].type != node::kind::layer || !chosen(steps[i])) continue;
    halted.advance(net, i, exec);
    see(steps[i], detail::second_moments(halted, steps[i].geometry, options.columns_per_batch, exec));
  }
}

/// Compresses the chosen layers of `teacher`, whose layers are dense: compress(layer_turn) returns the codes of each.
/// Calibrated on `images`, which need no labels. Returns the student. Memory as above, with the
/// tensors twice where the teacher is looked at.
template <class Compress>
network compress_layers(const network& teacher, const image_source& images, const layer_choice& chosen,
                        const sequential_options& options, bitpq::executor_ref exec, const Compress& compress) {
  const std::vector<node>& steps = teacher.structure().nodes;
  network student = teacher;
  activations seen(teacher.structure(), images, options.batch), wanted = seen;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const node& step = steps[i];
    if (step.type != node::kind::layer || !chosen(step)) continue;
    const layer& dense = teacher.at(step.name);
    const bool both = options.teacher_targets || options.correct_bias;
    if (options.statistics || both) seen.advance(student, i, exec);
    if (both) wanted.advance(teacher, i, exec);
    std::optional<bitpq::importance> moments;
    if (options.statistics) moments = detail::second_moments(seen, step.geometry, options.columns_per_batch, exec);
    layer_turn turn{step, dense.dense_weights(), moments ? &*moments : nullptr};
    bitpq::aligned_buffer<float> target;
    if (options.teacher_targets && moments) {
      target = detail::target_of(dense, wanted, seen, *moments, options, exec);
      turn.weights = {target.data(), step.geometry.rows(), step.geometry.cols()};
    }
    const bitpq::pq_matrix<float> codes = compress(std::as_const(turn));
    std::vector<float> bias = dense.bias();
    if (options.correct_bias) bias = detail::corrected_bias(dense, codes, wanted, seen, exec);
    student.set(step.name, layer(step.geometry, codes, std::move(bias)));
  }
  return student;
}

}  // namespace engine
