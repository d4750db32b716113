// SPDX-License-Identifier: Apache-2.0
#pragma once

// One run of compress_network.

#include <bitpq/train/detail/layer_calibration.hpp>
#include <bitpq/train/detail/run_watch.hpp>
#include <bitpq/train/detail/tuning_step.hpp>

#include <numeric>

namespace bitpq {
inline namespace v1 {
namespace detail {

template <trainable_network N>
class network_driver {
  using T = network_scalar<N>;

 public:
  /// Throws what there is to say before anything is changed, but for data that does not reach a layer.
  network_driver(N& net, const network_params& params, const network_run<T>& run, executor_ref exec)
      : net_(net), params_(params), run_(run), exec_(exec), watch_(run), plan_(plan_network(net, params)) {
    if (run.resume != nullptr) student_ = restored_student(*run.resume, plan_, params);
  }

  network_report operator()() {
    if (run_.resume == nullptr)
      probe();
    else
      restore(run_.resume->host);
    watch_.expect(weights_left(), steps_left());
    if (!layers_.empty() && layers_.back().report.tuning.steps < params_.layer_tuning.steps) tune_last();
    while (layers_.size() < plan_.layers.size() && end_ != run_end::cancelled)
      if (add_layer()) tune_last();
    if (end_ == run_end::finished) tune_all();
    network_report report{{}, student_.global_tuning, end_, watch_.steps(), watch_.seconds()};
    for (const student_layer<T>& layer : layers_) report.layers.push_back(layer.report);
    return report;
  }

 private:
  /// Sees to it, by a batch for each, that data reaches every layer and fits it.
  void probe() {
    const bool teacher = params_.calibration.teacher_targets;
    for (std::size_t i = 0; params_.calibration.statistics && i < plan_.layers.size(); ++i) {
      bool reached = false;
      const auto see = [&](const layer_samples<T>& samples) {
        reached = check_samples(plan_.layers[i].geometry, samples, teacher) || reached;
        return !reached;
      };
      in_context([&] { net_.stream(i, teacher, see); }, "layer '", plan_.layers[i].name, "'");
      require_reached(i, reached);
    }
  }

  void require_reached(std::size_t i, bool reached) const {
    require(reached, errc::bad_params, "no calibration data reaches layer '", plan_.layers[i].name, "', ", i + 1,
            " of ", plan_.layers.size());
  }

  void restore(const host_state<T>& host) {
    if constexpr (stateful_network<N>)
      in_context([&] { net_.restore(host); }, "checkpoint of the network's own state");
    else
      require(host.empty(), errc::bad_params, "checkpoint with a state that the network cannot restore");
    for (std::size_t i = 0; i < layers_.size(); ++i) net_.set_weights(i, layers_[i].codes.weights());
  }

  void save() const {
    if (!run_.checkpoint) return;
    network_checkpoint<T> to = checkpoint_of(student_, plan_);
    if constexpr (stateful_network<N>) to.host = net_.state();
    run_.checkpoint(to);
  }

  /// Ends the tuning, for the first reason that there was: that is where another run can go on.
  void stop(run_end why) {
    if (end_ == run_end::finished) save();
    end_ = why;
  }

  /// Compresses the next layer by what it sees in the student; false when the run was cancelled before.
  bool add_layer() {
    const std::size_t i = layers_.size();
    const std::string& name = plan_.layers[i].name;
    const matrix_view<const T> weights = net_.weights(i);
    const std::optional<layer_statistics<T>> seen =
        in_context([&] { return calibrate(i, weights); }, "calibrating layer '", name, "'");
    if (!seen) {
      end_ = run_end::cancelled;
      return false;
    }
    compression<T> layer = in_context([&] { return compressed(i, weights, *seen); }, "compressing layer '", name, "'");
    net_.set_weights(i, layer.weights);
    tuned_layer_report report{name, std::move(layer.report), {}};
    layers_.push_back({std::move(report), tuned_layer<T>(std::move(layer.weights))});
    if constexpr (adapting_network<N>) in_context([&] { net_.adapt(i); }, "adapting to layer '", name, "'");
    watch_.layer_done(weights_of(i));
    if (watch_.cancelled()) stop(run_end::cancelled);
    return true;
  }

  /// Nothing when the run was cancelled.
  std::optional<layer_statistics<T>> calibrate(std::size_t i, const matrix_view<const T>& weights) {
    if (!params_.calibration.statistics) return layer_statistics<T>{};
    layer_calibration<T> seen(plan_.layers[i].geometry, params_.calibration);
    net_.stream(i, params_.calibration.teacher_targets, [&](const layer_samples<T>& samples) {
      in_context([&] { seen.add(weights, samples, exec_); }, "batch ", seen.batches());
      return tell({network_phase::calibrate, {}, i, 0, seen.batches()});
    });
    if (watch_.cancelled()) return std::nullopt;
    require_reached(i, seen.batches() > 0);
    return std::move(seen).finish(weights, exec_);
  }

  compression<T> compressed(std::size_t i, const matrix_view<const T>& weights, const layer_statistics<T>& seen) {
    pq_params how = plan_.params[i];
    if (!how.progress)
      how.progress = [this, i](const progress& p) {  // a layer that is begun is finished, for its work would be lost
        tell({network_phase::compress, {}, i, 0, p.done, p.total});
        return true;
      };
    const matrix_view<const T> target =
        seen.target.empty() ? weights : matrix_view<const T>(seen.target.data(), weights.rows(), weights.cols());
    return compress<T>(plan_.layers[i].geometry, target, seen.moments ? &*seen.moments : nullptr, how, exec_);
  }

  void tune_last() {
    const std::size_t i = layers_.size() - 1;
    tune({{&i, 1}, params_.layer_tuning, i * params_.layer_tuning.steps}, layers_[i].report.tuning);
    if (end_ == run_end::finished) save();
  }

  void tune_all() {
    if (student_.global_tuning.steps == params_.global_tuning.steps) return;
    student_.global = true;
    std::vector<std::size_t> all(layers_.size());
    std::iota(all.begin(), all.end(), std::size_t{0});
    tune({all, params_.global_tuning, all.size() * params_.layer_tuning.steps}, student_.global_tuning);
    if (end_ == run_end::finished) save();
  }

  /// From where the report says on.
  void tune(const tuning_phase& phase, tuning_report& report) {
    if (end_ != run_end::finished) return;
    for (const std::size_t i : phase.layers)
      if (!layers_[i].codes.tuning()) layers_[i].codes.start(phase.how.optimizer);
    while (report.steps < phase.how.steps) {
      if (const std::optional<run_end> spent = watch_.spent()) return stop(*spent);
      const double loss = step(phase, report);
      const bool done = report.steps == phase.how.steps;
      tell({student_.global ? network_phase::tune_global : network_phase::tune_layer,
            {},
            phase.layers.back(),
            0,
            report.steps,
            phase.how.steps,
            loss});
      if (watch_.cancelled()) return stop(run_end::cancelled);
      if (!done && run_.checkpoint_every > 0 && report.steps % run_.checkpoint_every == 0) save();
    }
    for (const std::size_t i : phase.layers) layers_[i].codes.stop();
  }

  double step(const tuning_phase& phase, tuning_report& report) {
    const auto take = [&] { return tuning_step<N>(net_, plan_, layers_, exec_)(phase, report); };
    const std::size_t number = report.steps;
    const double loss =
        student_.global ? in_context(take, "tuning all layers, step ", number)
                        : in_context(take, "tuning layer '", plan_.layers[phase.layers[0]].name, "', step ", number);
    watch_.step_done();
    return loss;
  }

  bool tell(network_progress progress) {
    progress.layers = plan_.layers.size();
    if (progress.phase != network_phase::tune_global) progress.layer = plan_.layers[progress.index].name;
    return watch_.report(progress);
  }

  [[nodiscard]] std::size_t weights_of(std::size_t i) const {
    return plan_.layers[i].geometry.rows() * plan_.layers[i].geometry.cols();
  }
  [[nodiscard]] std::size_t weights_left() const {
    std::size_t weights = 0;
    for (std::size_t i = layers_.size(); i < plan_.layers.size(); ++i) weights += weights_of(i);
    return weights;
  }
  [[nodiscard]] std::size_t steps_left() const {
    std::size_t done = student_.global_tuning.steps;
    for (const student_layer<T>& layer : layers_) done += layer.report.tuning.steps;
    return plan_.layers.size() * params_.layer_tuning.steps + params_.global_tuning.steps - done;
  }

  N& net_;
  const network_params& params_;
  const network_run<T>& run_;
  executor_ref exec_;
  run_watch watch_;
  network_plan plan_;
  student_state<T> student_;
  std::vector<student_layer<T>>& layers_ = student_.layers;
  run_end end_ = run_end::finished;
};

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
