// SPDX-License-Identifier: Apache-2.0
#pragma once

// Checkpoints of compress_network as files (target bitpq::io). A checkpoint is a compressed model of the layers that
// are done, which any reader of models opens, and beside them tensors and strings named "training. ...".

#include <bitpq/io/model.hpp>
#include <bitpq/train/network_checkpoint.hpp>

#include <charconv>

namespace bitpq {
inline namespace v1 {

namespace detail {

inline constexpr std::string_view checkpoint_key = "training.checkpoint", checkpoint_version = "1";
inline constexpr std::string_view checkpoint_run = "training.run.", checkpoint_host = "training.host.";
inline constexpr std::string_view checkpoint_value = ".value";  // ends names that are the host's choice

/// "training.<i>.<part>"
inline std::string checkpoint_part(std::size_t i, std::string_view part) {
  return "training." + std::to_string(i) + "." + std::string(part);
}

/// What there is not is NaN, which no loss or error is.
inline double number_of(const std::optional<double>& value) {
  return value.value_or(std::numeric_limits<double>::quiet_NaN());
}
inline std::optional<double> optional_of(double value) {
  return std::isnan(value) ? std::nullopt : std::optional(value);
}

inline std::vector<double> numbers_of(const tuning_report& r) {
  return {static_cast<double>(r.steps), static_cast<double>(r.moved), number_of(r.loss_before),
          number_of(r.loss_after)};
}

/// The first two of them are whole numbers.
inline tuning_report tuning_of(const std::vector<double>& n) {
  return {static_cast<std::size_t>(n[0]), static_cast<std::size_t>(n[1]), optional_of(n[2]), optional_of(n[3])};
}

/// What of the report does not follow from the weights.
inline std::vector<double> numbers_of(const layer_report& r) {
  return {static_cast<double>(r.metric),
          static_cast<double>(r.refinement.error_feedback),
          static_cast<double>(r.refinement.rounds),
          static_cast<double>(r.refinement.least_squares_steps),
          static_cast<double>(r.refinement.descent_sweeps),
          static_cast<double>(r.moments_reduced),
          r.weight_error,
          number_of(r.output_error),
          r.seconds};
}

/// The first six of them are whole numbers.
template <scalar T>
layer_report report_of(const std::vector<double>& n, const compressed_layer<T>& layer) {
  layer_report r;
  r.geometry = layer.geometry;
  r.format = layer.weight.format();
  r.storage = layer.weight.book().type();
  r.size = layer.weight.size();
  for (const pq_metric metric : {pq_metric::weights, pq_metric::gram, pq_metric::block_gram, pq_metric::feedback})
    if (n[0] == static_cast<double>(metric)) r.metric = metric;
  r.refinement = {n[1] != 0, static_cast<std::size_t>(n[2]), static_cast<std::size_t>(n[3]),
                  static_cast<std::size_t>(n[4])};
  r.moments_reduced = n[5] != 0;
  r.weight_error = n[6];
  r.output_error = optional_of(n[7]);
  r.seconds = n[8];
  return r;
}

/// As it is, in 32 or 64 bits.
template <scalar T>
dense_tensor tensor_of(const std::vector<T>& values) {
  constexpr dtype type = std::same_as<T, float> ? dtype::f32 : dtype::f64;
  return {type, {values.size()}, encode_values<T>(type, values)};
}

template <scalar T>
compressed_model<T> model_of(const network_checkpoint<T>& from) {
  compressed_model<T> model;
  model.set_metadata(std::string(checkpoint_key), std::string(checkpoint_version));
  model.set_metadata("training.layers", std::to_string(from.layers.size()));
  model.set_metadata("training.global", from.global ? "1" : "0");
  model.add_tensor("training.tuning", tensor_of(numbers_of(from.global_tuning)));
  for (const auto& [key, value] : from.fingerprint) model.set_metadata(std::string(checkpoint_run) + key, value);
  for (const auto& [name, values] : from.host)
    model.add_tensor(std::string(checkpoint_host) + name + std::string(checkpoint_value), tensor_of(values));
  for (std::size_t i = 0; i < from.layers.size(); ++i) {
    const layer_checkpoint<T>& layer = from.layers[i];
    model.add_layer(layer.report.name, layer.report.compression.geometry, layer.weights);
    model.set_metadata(checkpoint_part(i, "layer"), layer.report.name);
    model.add_tensor(checkpoint_part(i, "compression"), tensor_of(numbers_of(layer.report.compression)));
    model.add_tensor(checkpoint_part(i, "tuning"), tensor_of(numbers_of(layer.report.tuning)));
    model.add_tensor(checkpoint_part(i, "codewords"), tensor_of(layer.codewords));
    if (!layer.optimizer) continue;
    model.set_metadata(checkpoint_part(i, "steps"), std::to_string(layer.optimizer->steps));
    model.add_tensor(checkpoint_part(i, "first"), tensor_of(layer.optimizer->first));
    model.add_tensor(checkpoint_part(i, "second"), tensor_of(layer.optimizer->second));
  }
  return model;
}

/// From a model to a checkpoint; every complaint names the file.
template <scalar T>
class checkpoint_loader {
 public:
  explicit checkpoint_loader(const std::filesystem::path& path) : file_(path.string()), model_(load_model<T>(path)) {}

  network_checkpoint<T> load() {
    const auto version = model_.metadata().find(checkpoint_key);
    require(version != model_.metadata().end(), errc::corrupt_file, file_, ": no checkpoint of compress_network");
    require(version->second == checkpoint_version, errc::unsupported, file_, ": checkpoint of version ",
            version->second, ", not ", checkpoint_version);
    network_checkpoint<T> to;
    to.global = number("training.global") != 0;
    to.global_tuning = tuning_of(numbers("training.tuning", 4, 2));
    const std::size_t layers = number("training.layers");
    for (std::size_t i = 0; i < layers; ++i) to.layers.push_back(layer(i));
    for (const auto& [key, value] : model_.metadata())
      if (key.starts_with(checkpoint_run)) to.fingerprint.emplace(key.substr(checkpoint_run.size()), value);
    for (const auto& [name, tensor] : model_.tensors())
      if (name.starts_with(checkpoint_host) && name.ends_with(checkpoint_value) &&
          name.size() >= checkpoint_host.size() + checkpoint_value.size())
        to.host.emplace(
            name.substr(checkpoint_host.size(), name.size() - checkpoint_host.size() - checkpoint_value.size()),
            values<T>(name));
    return to;
  }

 private:
  layer_checkpoint<T> layer(std::size_t i) {
    const std::string& name = text(checkpoint_part(i, "layer"));
    const auto at = model_.layers().find(name);
    require(at != model_.layers().end(), errc::corrupt_file, file_, ": checkpoint without its layer ", i);
    layer_checkpoint<T> to;
    to.report = {name, report_of(numbers(checkpoint_part(i, "compression"), 9, 6), at->second),
                 tuning_of(numbers(checkpoint_part(i, "tuning"), 4, 2))};
    to.weights = at->second.weight;
    to.codewords = values<T>(checkpoint_part(i, "codewords"));
    if (model_.metadata().contains(checkpoint_part(i, "steps")))
      to.optimizer = optimizer_state<T>{number(checkpoint_part(i, "steps")), values<T>(checkpoint_part(i, "first")),
                                        values<T>(checkpoint_part(i, "second"))};
    return to;
  }

  [[nodiscard]] const std::string& text(const std::string& key) const {
    const auto at = model_.metadata().find(key);
    require(at != model_.metadata().end(), errc::corrupt_file, file_, ": checkpoint without ", key);
    return at->second;
  }

  [[nodiscard]] std::size_t number(const std::string& key) const {
    const std::string& digits = text(key);
    std::size_t number = 0;
    const std::from_chars_result end = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    require(end.ec == std::errc{} && end.ptr == digits.data() + digits.size(), errc::corrupt_file, file_, ": ", key,
            " is no whole number");
    return number;
  }

  template <scalar V>
  [[nodiscard]] std::vector<V> values(const std::string& name) const {
    constexpr dtype type = std::same_as<V, float> ? dtype::f32 : dtype::f64;
    const auto at = model_.tensors().find(name);
    require(at != model_.tensors().end(), errc::corrupt_file, file_, ": checkpoint without ", name);
    require(at->second.type == type, errc::corrupt_file, file_, ": ", name, " holds ", to_string(at->second.type),
            " elements, not ", to_string(type));
    return decode_values<V>(type, at->second.bytes);
  }

  /// `count` of them, the first ones whole.
  [[nodiscard]] std::vector<double> numbers(const std::string& name, std::size_t count, std::size_t whole) const {
    constexpr double most = 9007199254740992.0;  // 2^53, up to which doubles count
    std::vector<double> all = values<double>(name);
    require(all.size() == count, errc::corrupt_file, file_, ": ", name, " holds ", all.size(), " numbers, not ", count);
    for (std::size_t i = 0; i < whole; ++i)
      require(all[i] >= 0 && all[i] <= most && all[i] == std::floor(all[i]), errc::corrupt_file, file_, ": ", name,
              " holds ", all[i], " at ", i, ", no whole number");
    return all;
  }

  std::string file_;
  compressed_model<T> model_;
};

}  // namespace detail

/// Replaces the file at `path`, all or nothing. Throws io_failure, or bad_params for names that are taken or no UTF-8.
template <scalar T>
void save_checkpoint(const std::filesystem::path& path, const network_checkpoint<T>& checkpoint) {
  save_model(path, detail::model_of(checkpoint));
}

/// What save_checkpoint wrote, to the bit. Throws io_failure, corrupt_file or unsupported, naming the file; whether it
/// belongs to a network is for compress_network to say.
template <scalar T>
[[nodiscard]] network_checkpoint<T> load_checkpoint(const std::filesystem::path& path) {
  return detail::checkpoint_loader<T>(path).load();
}

/// A sink that keeps the latest checkpoint in one file.
template <scalar T>
[[nodiscard]] checkpoint_sink<T> checkpoints_in(std::filesystem::path path) {
  return [path = std::move(path)](const network_checkpoint<T>& checkpoint) { save_checkpoint(path, checkpoint); };
}

}  // namespace v1
}  // namespace bitpq
