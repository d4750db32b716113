// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a run of compress_network is about, looked through before anything is changed, and its fingerprint: by it a
// checkpoint of another network or of other parameters is known.

#include <bitpq/train/detail/in_context.hpp>
#include <bitpq/train/network_checkpoint.hpp>
#include <bitpq/train/network_params.hpp>

#include <bit>
#include <set>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// The parts as text from which every double can be read again.
template <class... Parts>
[[nodiscard]] std::string joined(const Parts&... parts) {
  std::ostringstream text;
  text.imbue(std::locale::classic());
  text.precision(17);
  (text << ... << parts);
  return text.str();
}

inline std::string text_of(const network_layer& layer) {
  const layer_geometry& g = layer.geometry;
  const auto pair = [](const extent2& e) { return joined(e.h, " x ", e.w); };
  const std::string shape = joined("'", layer.name, "', ", g.rows(), " x ", g.cols());
  if (g.type == layer_geometry::kind::linear) return shape + " linear";
  return joined(shape, " conv2d, kernel ", pair(g.kernel), ", stride ", pair(g.conv.stride), ", padding ",
                pair(g.conv.padding), ", dilation ", pair(g.conv.dilation), ", groups ", g.conv.groups);
}

inline std::string text_of(const pq_params& p) {
  const refinement_params& r = p.refinement;
  return joined("block ", p.block_size, ", codewords ", p.codewords, ", limit ", static_cast<int>(p.limit), ", ",
                to_string(p.storage), ", stages ", p.stages, ", row scales ", p.row_scales, ", scope ",
                static_cast<int>(p.scope), ", column groups ", p.column_groups, ", metric ", to_string(p.metric),
                ", feedback ", r.error_feedback, ", rounds ", r.rounds, " of ", r.least_squares_steps, " and ",
                r.descent_sweeps, ", damping ", p.damping, ", memory ", p.moments_memory, ", seeding ",
                static_cast<int>(p.seeding), ", iterations ", p.max_iterations, ", tolerance ", p.tolerance, ", seed ",
                p.seed);
}

inline std::string text_of(const calibration_params& p) {
  return joined("statistics ", p.statistics, ", columns ", p.columns_per_batch, ", targets ", p.teacher_targets,
                ", damping ", p.target_damping);
}

inline std::string text_of(const sgd_params& p) {
  return joined("sgd, momentum ", p.momentum, ", decay ", p.weight_decay, ", nesterov ", p.nesterov);
}

inline std::string text_of(const adam_params& p) {
  return joined("adam, betas ", p.beta1, " and ", p.beta2, ", epsilon ", p.epsilon, ", decay ", p.weight_decay,
                ", decoupled ", p.decoupled);
}

/// A schedule is known by its rates at three steps.
inline std::string text_of(const tuning_params& p) {
  if (p.steps == 0) return "none";
  const std::string optimizer = std::visit([](const auto& params) { return text_of(params); }, p.optimizer);
  return joined(p.steps, " steps of ", optimizer, ", rates ", p.rate(0), ", ", p.rate(p.steps / 2), " and ",
                p.rate(p.steps - 1), ", refresh every ", p.refresh_every, ", share ", p.refresh.share, ", trust ",
                p.refresh.trust_ratio, ", rate ", p.refresh_rate);
}

/// Fowler, Noll and Vo's hash (FNV-1a) of the weights' bits, an element at a time. Throws non_finite.
template <scalar T>
[[nodiscard]] std::uint64_t hash_of(const matrix_view<const T>& w) {
  using bits = std::conditional_t<std::same_as<T, float>, std::uint32_t, std::uint64_t>;
  require_finite(w, "weights");
  std::uint64_t hash = 0xCBF29CE484222325U;
  for (std::size_t r = 0; r < w.rows(); ++r)
    for (std::size_t c = 0; c < w.cols(); ++c) hash = (hash ^ std::bit_cast<bits>(w(r, c))) * 0x100000001B3U;
  return hash;
}

struct network_plan {
  std::vector<network_layer> layers;
  std::vector<pq_params> params;  ///< of each
  run_fingerprint fingerprint;
};

/// Of layer i. Throws when its name, geometry, weights or parameters are no good.
template <trainable_network N>
void add_to_plan(network_plan& plan, N& net, std::size_t i, const layer_params& params) {
  using T = network_scalar<N>;
  const network_layer& layer = plan.layers[i];
  static_cast<void>(layer.geometry.validated());
  const matrix_view<const T> w = net.weights(i);
  require(w.rows() == layer.geometry.rows() && w.cols() == layer.geometry.cols(), errc::bad_shape, "weights of ",
          w.rows(), " x ", w.cols(), " for a layer of ", layer.geometry.rows(), " x ", layer.geometry.cols());
  plan.params.push_back(params(i, layer));
  plan.params.back().validate();
  const std::string key = joined("layer ", i);
  plan.fingerprint[key] = text_of(layer);
  plan.fingerprint[key + " weights"] = joined(sizeof(T), " bytes each, hash ", hash_of(w));
  plan.fingerprint[key + " compression"] = text_of(plan.params.back());
}

/// Throws bad_shape, bad_params or non_finite, with layer and numbers. O(weights).
template <trainable_network N>
[[nodiscard]] network_plan plan_network(N& net, const network_params& params) {
  network_plan plan{net.layers(), {}, {}};
  require(!plan.layers.empty(), errc::bad_params, "a network without layers to compress");
  require(static_cast<bool>(params.layer), errc::bad_params, "no parameters for layers");
  params.calibration.validate();
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < plan.layers.size(); ++i) {
    require(names.insert(plan.layers[i].name).second, errc::bad_params, "two layers are named '", plan.layers[i].name,
            "'");
    in_context([&] { add_to_plan(plan, net, i, params.layer); }, "layer '", plan.layers[i].name, "'");
  }
  const auto add_tuning = [&](const char* key, const tuning_params& tuning) {
    in_context(
        [&] {
          tuning.validate();
          require(tuning.steps == 0 || tuning.refresh_every == 0 || refreshable_network<N>, errc::bad_params,
                  "codes are to be refreshed every ", tuning.refresh_every,
                  " steps, but the network has no weight_gradient");
          plan.fingerprint[key] = text_of(tuning);
        },
        key);
  };
  add_tuning("layer tuning", params.layer_tuning);
  add_tuning("global tuning", params.global_tuning);
  plan.fingerprint["calibration"] = text_of(params.calibration);
  plan.fingerprint["layers"] = joined(plan.layers.size());
  return plan;
}

/// Throws bad_params with the first difference.
inline void require_same_run(const run_fingerprint& saved, const run_fingerprint& here) {
  for (const auto& [key, value] : here) {
    const auto at = saved.find(key);
    require(at != saved.end(), errc::bad_params, "checkpoint of another run: ", key,
            " is not in it, but here: ", value);
    require(at->second == value, errc::bad_params, "checkpoint of another run: ", key, " was ", at->second, ", is ",
            value);
  }
  for (const auto& [key, value] : saved)
    require(here.contains(key), errc::bad_params, "checkpoint of another run: ", key,
            " is in it, but not here: ", value);
}

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
