// SPDX-License-Identifier: Apache-2.0
#pragma once

// One run of compress_network. It keeps nothing that a checkpoint does not hold but the clock.

#include <bitpq/train/detail/layer_calibration.hpp>
#include <bitpq/train/detail/network_plan.hpp>
#include <bitpq/train/detail/run_watch.hpp>
#include <bitpq/train/detail/tuned_layer.hpp>

#include <numeric>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// A layer of the student that is compressed.
template <scalar T>
struct student_layer {
  tuned_layer_report report;
  tuned_layer<T> codes;
};

/// The compressed layers as they were saved. Throws corrupt_file, or as what they are made of does, when they are no
/// state that a run of this plan comes to.
template <scalar T>
std::vector<student_layer<T>> restored_layers(const network_checkpoint<T>& from, const network_plan& plan,
                                              const network_params& params) {
  const std::size_t count = from.layers.size();
  require(count > 0 && count <= plan.layers.size() && (!from.global || count == plan.layers.size()), errc::corrupt_file,
          "checkpoint of ", count, " layers of ", plan.layers.size());
  const tuning_params& tuning = from.global ? params.global_tuning : params.layer_tuning;
  std::vector<student_layer<T>> layers;
  for (std::size_t i = 0; i < count; ++i) {
    const layer_checkpoint<T>& saved = from.layers[i];
    const layer_geometry& g = plan.layers[i].geometry;
    const auto restore = [&] {
      require(saved.weights.rows() == g.rows() && saved.weights.cols() == g.cols(), errc::corrupt_file, "weights of ",
              saved.weights.rows(), " x ", saved.weights.cols(), " for a layer of ", g.rows(), " x ", g.cols());
      const bool last = !from.global && i + 1 == count;
      const std::size_t steps = saved.report.tuning.steps, all = params.layer_tuning.steps;
      require(steps == all || (last && steps < all), errc::corrupt_file, "tuned for ", steps, " steps of ", all);
      const std::size_t now = from.global ? from.global_tuning.steps : steps;
      const bool tuning_now = (last || from.global) && now > 0 && now < tuning.steps;
      require(saved.optimizer.has_value() || !tuning_now, errc::corrupt_file, "no state of the optimizer after ", now,
              " steps");
      layers.push_back({saved.report, tuned_layer<T>(saved.weights, saved.codewords)});
      if (!saved.optimizer) return;
      layers.back().codes.start(tuning.optimizer);
      layers.back().codes.restore(*saved.optimizer);
    };
    in_context(restore, "checkpoint of layer '", plan.layers[i].name, "'");
  }
  return layers;
}

template <trainable_network N>
class network_driver {
  using T = network_scalar<N>;

 public:
  network_driver(N& net, const network_params& params, const network_run<T>& run, executor_ref exec)
      : net_(net), params_(params), run_(run), exec_(exec), plan_(plan_network(net, params)) {
    if (run.resume != nullptr) require_same_run(run.resume->fingerprint, plan_.fingerprint);
  }

  network_report operator()() {
    if (run_.resume == nullptr)
      probe();
    else
      resume(*run_.resume);
    watch_.emplace(run_, weights_left(), steps_left());
    if (!layers_.empty() && layers_.back().report.tuning.steps < params_.layer_tuning.steps) tune_last();
    while (layers_.size() < plan_.layers.size() && end_ != run_end::cancelled)
      if (add_layer()) tune_last();
    if (end_ == run_end::finished) tune_all();
    network_report report{{}, global_report_, end_, watch_->steps(), watch_->seconds()};
    for (const student_layer<T>& layer : layers_) report.layers.push_back(layer.report);
    return report;
  }

 private:
  /// Whether data reaches every layer and fits it, before anything is changed.
  void probe() {
    for (std::size_t i = 0; params_.calibration.statistics && i < plan_.layers.size(); ++i) {
      bool reached = false;
      in_context(
          [&] {
            net_.stream(i, params_.calibration.teacher_targets, [&](const layer_samples<T>& samples) {
              reached = check_samples(plan_.layers[i].geometry, samples, params_.calibration.teacher_targets);
              return !reached;
            });
          },
          "layer '", plan_.layers[i].name, "'");
      require_reached(i, reached);
    }
  }

  void require_reached(std::size_t i, bool reached) const {
    require(reached, errc::bad_params, "no calibration data reaches layer '", plan_.layers[i].name, "', ", i + 1,
            " of ", plan_.layers.size());
  }

  void resume(const network_checkpoint<T>& from) {
    std::vector<student_layer<T>> layers = restored_layers(from, plan_, params_);
    if constexpr (stateful_network<N>)
      in_context([&] { net_.restore(from.host); }, "checkpoint of the network's own state");
    else
      require(from.host.empty(), errc::bad_params,
              "a checkpoint with state of the network's own, which it cannot restore");
    layers_ = std::move(layers);
    global_ = from.global;
    global_report_ = from.global_tuning;
    for (std::size_t i = 0; i < layers_.size(); ++i) net_.set_weights(i, layers_[i].codes.weights());
  }

  void save() const {
    if (!run_.checkpoint) return;
    network_checkpoint<T> to{plan_.fingerprint, {}, global_, global_report_, {}};
    for (const student_layer<T>& layer : layers_)
      to.layers.push_back({layer.report, layer.codes.weights(), layer.codes.codewords(), layer.codes.state()});
    if constexpr (stateful_network<N>) to.host = net_.state();
    run_.checkpoint(to);
  }

  /// Ends the tuning, for the first reason that there was: that is where another run can go on.
  void stop(run_end why) {
    if (end_ == run_end::finished) save();
    end_ = why;
  }

  /// Calibrates on the student and compresses the next layer; false when the run was cancelled before it was.
  bool add_layer() {
    const std::size_t i = layers_.size();
    const network_layer& layer = plan_.layers[i];
    const matrix_view<const T> weights = net_.weights(i);
    const std::optional<layer_statistics<T>> seen = calibrate(i, weights);
    if (!seen) {
      end_ = run_end::cancelled;
      return false;
    }
    pq_params how = plan_.params[i];
    if (!how.progress)
      how.progress = [&](const progress& p) {  // a layer that is begun is finished, for its work would be lost
        tell(network_phase::compress, i, p.done, p.total);
        return true;
      };
    compression<T> compressed = in_context(
        [&] {
          const matrix_view<const T> wanted =
              seen->target.empty() ? weights
                                   : matrix_view<const T>(seen->target.data(), weights.rows(), weights.cols());
          return compress<T>(layer.geometry, wanted, seen->moments ? &*seen->moments : nullptr, how, exec_);
        },
        "compressing layer '", layer.name, "'");
    net_.set_weights(i, compressed.weights);
    layers_.push_back({{layer.name, std::move(compressed.report), {}}, tuned_layer<T>(std::move(compressed.weights))});
    if constexpr (adapting_network<N>) in_context([&] { net_.adapt(i); }, "adapting to layer '", layer.name, "'");
    watch_->layer_done(weights_of(i));
    if (watch_->cancelled()) stop(run_end::cancelled);
    return true;
  }

  /// Nothing when the run was cancelled.
  std::optional<layer_statistics<T>> calibrate(std::size_t i, const matrix_view<const T>& weights) {
    if (!params_.calibration.statistics) return layer_statistics<T>{};
    layer_calibration<T> seen(plan_.layers[i].geometry, params_.calibration);
    const auto see = [&](const layer_samples<T>& samples) {
      in_context([&] { seen.add(weights, samples, exec_); }, "batch ", seen.batches());
      return tell(network_phase::calibrate, i, seen.batches(), 0);
    };
    in_context([&] { net_.stream(i, params_.calibration.teacher_targets, see); }, "calibrating layer '",
               plan_.layers[i].name, "'");
    if (watch_->cancelled()) return std::nullopt;
    require_reached(i, seen.batches() > 0);
    return in_context([&] { return std::move(seen).finish(weights, exec_); }, "calibrating layer '",
                      plan_.layers[i].name, "'");
  }

  void tune_last() {
    const std::size_t i = layers_.size() - 1;
    tune({&i, 1}, params_.layer_tuning, layers_[i].report.tuning, i * params_.layer_tuning.steps);
    if (end_ == run_end::finished) save();
  }

  void tune_all() {
    if (params_.global_tuning.steps == 0) return;
    global_ = true;
    std::vector<std::size_t> all(layers_.size());
    std::iota(all.begin(), all.end(), std::size_t{0});
    const bool left = global_report_.steps < params_.global_tuning.steps;
    tune(all, params_.global_tuning, global_report_, all.size() * params_.layer_tuning.steps);
    if (left && end_ == run_end::finished) save();
  }

  /// Tunes layers, from where the report says on; `first` is the number of the phase's first step among all.
  void tune(std::span<const std::size_t> which, const tuning_params& how, tuning_report& report, std::uint64_t first) {
    if (end_ != run_end::finished || report.steps == how.steps) return;
    for (const std::size_t i : which)
      if (!layers_[i].codes.tuning()) layers_[i].codes.start(how.optimizer);
    while (report.steps < how.steps) {
      if (const std::optional<run_end> spent = watch_->spent()) return stop(*spent);
      const double loss = step(which, how, report, first);
      const bool done = report.steps == how.steps;
      if (done)
        for (const std::size_t i : which) layers_[i].codes.stop();
      tell(global_ ? network_phase::tune_global : network_phase::tune_layer, which.back(), report.steps, how.steps,
           loss);
      if (watch_->cancelled()) return stop(run_end::cancelled);
      if (!done && run_.checkpoint_every > 0 && report.steps % run_.checkpoint_every == 0) save();
    }
  }

  /// One step of all these layers, or an error and none of any. Returns the loss before it.
  double step(std::span<const std::size_t> which, const tuning_params& how, tuning_report& report,
              std::uint64_t first) {
    const auto take = [&] {
      std::vector<std::vector<T>> gradients(which.size());
      const double loss = loss_of(first + report.steps, which, gradients);
      const double rate = how.rate(report.steps);
      std::vector<tuned_layer<T>> next;
      for (std::size_t k = 0; k < which.size(); ++k)
        in_context([&] { next.push_back(layers_[which[k]].codes.stepped(gradients[k], rate)); }, "codewords of '",
                   plan_.layers[which[k]].name, "'");
      report.moved += refresh(which, how, report.steps + 1, next);
      for (std::size_t k = 0; k < which.size(); ++k) {
        net_.set_weights(which[k], next[k].weights());
        layers_[which[k]].codes = std::move(next[k]);
      }
      if constexpr (self_training_network<N>) net_.end_step(first + report.steps, rate);
      if (report.steps == 0) report.loss_before = loss;
      if (++report.steps == how.steps) report.loss_after = loss_of(first, {}, {});
      watch_->step_done();
      return loss;
    };
    if (global_) return in_context(take, "tuning all layers, step ", report.steps);
    return in_context(take, "tuning layer '", plan_.layers[which[0]].name, "', step ", report.steps);
  }

  double loss_of(std::uint64_t step, std::span<const std::size_t> which, std::span<std::vector<T>> gradients) {
    const double loss = net_.training_step(step, which, gradients);
    require(std::isfinite(loss), errc::non_finite, "the loss is ", loss);
    return loss;
  }

  /// Moves codes after every so many steps; returns how many.
  std::size_t refresh(std::span<const std::size_t> which, const tuning_params& how, std::size_t steps,
                      std::vector<tuned_layer<T>>& next) {
    std::size_t moved = 0;
    if constexpr (refreshable_network<N>)
      if (how.refresh_every > 0 && steps % how.refresh_every == 0)
        for (std::size_t k = 0; k < which.size(); ++k)
          moved += in_context([&] { return next[k].refresh(net_.weight_gradient(which[k]), how, exec_); }, "codes of '",
                              plan_.layers[which[k]].name, "'");
    return moved;
  }

  bool tell(network_phase phase, std::size_t layer, std::size_t step, std::size_t steps,
            std::optional<double> loss = std::nullopt) {
    const bool all = phase == network_phase::tune_global;
    return watch_->report({phase, all ? std::string_view() : plan_.layers[layer].name, layer, plan_.layers.size(), step,
                           steps, loss, 0, std::nullopt});
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
    std::size_t steps = plan_.layers.size() * params_.layer_tuning.steps + params_.global_tuning.steps;
    for (const student_layer<T>& layer : layers_) steps -= layer.report.tuning.steps;
    return steps - global_report_.steps;
  }

  N& net_;
  const network_params& params_;
  const network_run<T>& run_;
  executor_ref exec_;
  network_plan plan_;
  std::optional<run_watch> watch_;
  std::vector<student_layer<T>> layers_;
  bool global_ = false;
  tuning_report global_report_;
  run_end end_ = run_end::finished;
};

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
