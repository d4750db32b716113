// SPDX-License-Identifier: Apache-2.0

#include "engine/distillation.hpp"

#include "engine/graph_module.hpp"
#include "engine/training_batches.hpp"

#include <bitpq/train/adam.hpp>
#include <bitpq/train/distillation.hpp>

#include <torch/autograd.h>

namespace engine {

namespace {

at::Tensor to_torch(const tensor& x) {
  const auto size = [](std::size_t n) { return static_cast<std::int64_t>(n); };
  return torch::from_blob(const_cast<float*>(x.data()),
                          {size(x.batch()), size(x.channels()), size(x.size().h), size(x.size().w)})
      .clone();
}

bitpq::matrix_view<float> rows_of(at::Tensor& t) {
  return {t.data_ptr<float>(), static_cast<std::size_t>(t.size(0)), static_cast<std::size_t>(t.size(1))};
}

std::vector<float> values_of(const at::Tensor& t) {
  const at::Tensor all = t.detach().contiguous();
  return {all.data_ptr<float>(), all.data_ptr<float>() + all.numel()};
}

/// Calibrated by the engine, tuned by LibTorch. A step moves biases of the layers that it tunes, by Adam.
class distilled_student : public student {
 public:
  distilled_student(const network& original, const image_source& calibration, const layer_choice& chosen,
                    const student_options& options, const distillation_options& tuning, bitpq::executor_ref exec)
      : student(original, calibration, chosen, options, exec),
        tuning_(tuning),
        teacher_module_(std::make_shared<graph_module>(original)),
        module_(std::make_shared<graph_module>(original)) {
    for (const bitpq::network_layer& layer : layers()) optimizers_.emplace_back(layer.geometry.out_channels);
    for (const at::Tensor& parameter : module_->parameters()) parameter.set_requires_grad(false);
    teacher_module_->eval();
  }

  void set_weights(std::size_t i, const bitpq::pq_matrix<float>& codes) {
    student::set_weights(i, codes);
    module_->at(step(i).name).set_codes(codes);
    module_->at(step(i).name).parameter().set_requires_grad(false);
  }

  void adapt(std::size_t i) {
    student::adapt(i);
    module_->set_bias(step(i).name, bias(i));
  }

  [[nodiscard]] double training_step(std::uint64_t number, std::span<const std::size_t> which,
                                     std::span<std::vector<float>> gradients) {
    const at::Tensor x = to_torch(training_batch(tuning_.images, tuning_.batch, tuning_.seed, number));
    at::Tensor wanted;
    {
      const at::NoGradGuard no_grad;
      wanted = teacher_module_->forward(x).contiguous();
    }
    std::vector<at::Tensor> tuned;
    for (const std::size_t i : which) tuned.push_back(module_->at(step(i).name).parameter());
    for (const std::size_t i : which) tuned.push_back(module_->bias(step(i).name));
    for (at::Tensor& t : tuned) t.set_requires_grad(true);
    const at::Tensor given = module_->forward(x);
    at::Tensor logits = given.detach().contiguous(), gradient = at::empty_like(logits);
    const double loss =
        bitpq::distillation_loss<float>(rows_of(logits), rows_of(wanted), tuning_.temperature, rows_of(gradient));
    biased_.assign(which.begin(), which.end());
    if (!which.empty()) {
      const std::vector<at::Tensor> found = torch::autograd::grad({given}, tuned, {gradient});
      for (std::size_t k = 0; k < which.size(); ++k) gradients[k] = values_of(found[k]);
      bias_gradients_.assign(found.begin() + static_cast<std::ptrdiff_t>(which.size()), found.end());
    }
    for (at::Tensor& t : tuned) t.set_requires_grad(false);
    return loss;
  }

  void end_step(std::uint64_t /*step*/, double rate) {
    for (std::size_t k = 0; k < biased_.size(); ++k) {
      const std::size_t i = biased_[k];
      std::vector<float> values = bias(i);
      optimizers_[i].step(values, values_of(bias_gradients_[k]), rate * tuning_.bias_rate);
      move_bias(i, std::move(values));
    }
  }

  /// Biases, and what Adam remembers of each.
  [[nodiscard]] bitpq::host_state<float> state() const {
    bitpq::host_state<float> all;
    for (std::size_t i = 0; i < optimizers_.size(); ++i) {
      const bitpq::optimizer_state<float>& adam = optimizers_[i].state();
      all[step(i).name + ".bias"] = bias(i);
      all[step(i).name + ".bias.first"] = adam.first;
      all[step(i).name + ".bias.second"] = adam.second;
      all[step(i).name + ".bias.steps"] = {static_cast<float>(adam.steps)};
    }
    return all;
  }

  /// Throws std::out_of_range for the state of another network.
  void restore(const bitpq::host_state<float>& saved) {
    for (std::size_t i = 0; i < optimizers_.size(); ++i) {
      const std::string name = step(i).name + ".bias";
      optimizers_[i].restore({static_cast<std::uint64_t>(saved.at(name + ".steps").at(0)), saved.at(name + ".first"),
                              saved.at(name + ".second")});
      move_bias(i, saved.at(name));
    }
  }

 private:
  void move_bias(std::size_t i, std::vector<float> values) {
    module_->set_bias(step(i).name, values);
    set_bias(i, std::move(values));
  }

  distillation_options tuning_;
  std::shared_ptr<graph_module> teacher_module_, module_;
  std::vector<bitpq::adam<float>> optimizers_;  // of biases
  std::vector<std::size_t> biased_;             // layers of the last step, and the gradients of their biases
  std::vector<at::Tensor> bias_gradients_;
};

static_assert(bitpq::trainable_network<distilled_student> && bitpq::stateful_network<distilled_student> &&
              bitpq::adapting_network<distilled_student> && bitpq::self_training_network<distilled_student>);

}  // namespace

void distil(const network& teacher, const image_source& calibration, const layer_choice& chosen,
            const student_options& options, const distillation_options& tuning, const bitpq::network_params& params,
            const bitpq::network_run<float>& run, bitpq::executor_ref exec, const student_visitor& compressed,
            const student_visitor& tuned) {
  at::set_num_threads(static_cast<int>(exec.concurrency()));
  std::optional<bitpq::network_checkpoint<float>> begun;
  const auto go = [&](const bitpq::network_run<float>& part, const student_visitor& see) {
    distilled_student student(teacher, calibration, chosen, options, tuning, exec);
    const bitpq::network_report report = bitpq::compress_network(student, params, part, exec);
    if (report.end == bitpq::run_end::cancelled) return false;
    see(student, report);
    return true;
  };
  bitpq::network_run<float> first;
  first.progress = run.progress;
  first.max_steps = 0;
  first.checkpoint = [&](const bitpq::network_checkpoint<float>& checkpoint) { begun = checkpoint; };
  if (compressed && !go(first, compressed)) return;
  bitpq::network_run<float> rest = run;
  if (rest.resume == nullptr && begun) rest.resume = &*begun;
  go(rest, tuned);
}

}  // namespace engine
