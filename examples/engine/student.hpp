// SPDX-License-Identifier: Apache-2.0
#pragma once

// A network that is being compressed, as bitpq::compress_network asks for it. Each layer is calibrated on what it will
// really see: the activations of the student, in which everything before it is compressed already. All images go
// through the network once, together: they halt before a layer, and pass through it when it is compressed.

#include "engine/activations.hpp"
#include "engine/input_means.hpp"

#include <bitpq/pq.hpp>
#include <bitpq/train/network_params.hpp>

#include <optional>
#include <set>

namespace engine {

/// Chooses layers by their steps.
using layer_choice = std::function<bool(const node&)>;

/// The chosen layers' places in the graph.
inline std::vector<std::size_t> chosen_steps(const graph& structure, const layer_choice& chosen) {
  std::vector<std::size_t> steps;
  for (std::size_t i = 0; i < structure.nodes.size(); ++i)
    if (structure.nodes[i].type == node::kind::layer && chosen(structure.nodes[i])) steps.push_back(i);
  return steps;
}

struct student_options {
  std::size_t batch = 64;    ///< images at a time
  bool correct_bias = true;  ///< moves biases so that the mean of every output is the teacher's
};

namespace detail {

inline std::vector<double> mean_inputs(activations& images, const network& net, std::size_t step,
                                       bitpq::executor_ref exec) {
  input_means sums(net.structure().nodes[step].geometry);
  for (std::size_t b = 0; b < images.batches(); ++b) sums.add(images.input(net, step, b, exec), exec);
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

}  // namespace detail

/// Models bitpq::trainable_network and adapting_network; it cannot train, see distilled_student. Memory: the tensors
/// that are alive between two steps, of all images, twice where the teacher is looked at.
class student {
 public:
  /// A copy of `teacher`, whose layers are dense. `images`, which need no labels, calibrate it. `exec` is kept.
  student(const network& teacher, image_source images, const layer_choice& chosen, const student_options& options,
          bitpq::executor_ref exec)
      : teacher_(teacher),
        net_(teacher),
        steps_(chosen_steps(teacher.structure(), chosen)),
        options_(options),
        exec_(exec),
        seen_(teacher_.structure(), images, options.batch),
        wanted_(teacher_.structure(), std::move(images), options.batch),
        codes_(steps_.size()) {}
  student(const student&) = delete;
  student& operator=(const student&) = delete;

  [[nodiscard]] const node& step(std::size_t i) const { return teacher_.structure().nodes[steps_[i]]; }
  /// Codes of layer i, nothing while it is dense.
  [[nodiscard]] const std::optional<bitpq::pq_matrix<float>>& codes(std::size_t i) const { return codes_[i]; }
  /// As it is now.
  [[nodiscard]] const network& net() {
    for (const std::size_t i : changed_) {
      const bitpq::matrix_view<const float> dense = weights(i);
      net_.set(step(i).name, codes_[i] ? layer(step(i).geometry, *codes_[i], biases_[i])
                                       : layer(step(i).geometry,
                                               {dense.data_handle(), dense.data_handle() + dense.size()}, biases_[i]));
    }
    changed_.clear();
    return net_;
  }

  // ---- what bitpq::compress_network asks for ----

  [[nodiscard]] std::vector<bitpq::network_layer> layers() const {
    std::vector<bitpq::network_layer> all;
    for (std::size_t i = 0; i < steps_.size(); ++i) all.push_back({step(i).name, step(i).geometry});
    return all;
  }

  [[nodiscard]] bitpq::matrix_view<const float> weights(std::size_t i) const {
    return teacher_.at(step(i).name).dense_weights();
  }

  void stream(std::size_t i, bool teacher, const bitpq::sample_visitor<float>& visitor) {
    for (std::size_t b = 0; b < seen_.batches(); ++b) {
      bitpq::layer_samples<float> samples{seen_.input(net(), steps_[i], b, exec_).view()};
      if (teacher) samples.teacher_inputs = std::as_const(wanted_.input(teacher_, steps_[i], b, exec_)).view();
      if (!visitor(samples)) return;
    }
  }

  void set_weights(std::size_t i, const bitpq::pq_matrix<float>& codes) {
    codes_[i] = codes;
    changed_.insert(i);
  }

  /// Puts the mean of every output right: what the layers so far have shifted on average costs nothing to move back.
  void adapt(std::size_t i) {
    if (!options_.correct_bias) return;
    const bitpq::layer_geometry& g = step(i).geometry;
    const layer& dense = teacher_.at(step(i).name);
    std::vector<float> decoded(g.rows() * g.cols());
    codes_[i]->decode({decoded.data(), g.rows(), g.cols()});
    const std::vector<double> theirs = detail::mean_inputs(wanted_, teacher_, steps_[i], exec_);
    const std::vector<double> ours = detail::mean_inputs(seen_, net(), steps_[i], exec_);
    set_bias(i, bitpq::corrected_bias<float>(dense.bias(),
                                             detail::mean_outputs(dense.dense_weights().data_handle(), g, theirs),
                                             detail::mean_outputs(decoded.data(), g, ours)));
  }

  [[nodiscard]] double training_step(std::uint64_t /*step*/, std::span<const std::size_t> /*which*/,
                                     std::span<std::vector<float>> /*gradients*/) {
    bitpq::fail(bitpq::errc::unsupported, "this engine computes no gradients");
  }

 protected:
  [[nodiscard]] const network& teacher() const noexcept { return teacher_; }
  [[nodiscard]] const std::vector<float>& bias(std::size_t i) const { return biases_[i]; }
  void set_bias(std::size_t i, std::vector<float> bias) {
    biases_[i] = std::move(bias);
    changed_.insert(i);
  }

 private:
  const network& teacher_;
  network net_;                     // but for what has changed
  std::vector<std::size_t> steps_;  // of the layers
  student_options options_;
  bitpq::executor_ref exec_;
  activations seen_, wanted_;  // of student and teacher
  std::vector<std::optional<bitpq::pq_matrix<float>>> codes_;
  std::vector<std::vector<float>> biases_ = teachers_biases();
  std::set<std::size_t> changed_;  // layers that net_ does not have yet: prepacked when somebody looks

  [[nodiscard]] std::vector<std::vector<float>> teachers_biases() const {
    std::vector<std::vector<float>> all;
    for (std::size_t i = 0; i < steps_.size(); ++i) all.push_back(teacher_.at(step(i).name).bias());
    return all;
  }
};

/// Calls see(step, moments) for each chosen layer with second moments of what it reads in `net` for these images.
template <class See>
void observe_layers(const network& net, const image_source& images, const layer_choice& chosen, std::size_t batch,
                    bitpq::executor_ref exec, const See& see) {
  activations halted(net.structure(), images, batch);
  for (const std::size_t i : chosen_steps(net.structure(), chosen)) {
    const node& step = net.structure().nodes[i];
    bitpq::gram_accumulator moments(step.geometry, bitpq::calibration_params{}.columns_per_batch);
    for (std::size_t b = 0; b < halted.batches(); ++b) moments.add(halted.input(net, i, b, exec).view(), exec);
    see(step, std::move(moments).finish());
  }
}

}  // namespace engine
