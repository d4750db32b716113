// SPDX-License-Identifier: Apache-2.0
#pragma once

// A compressed network in memory: its compressed layers and, beside them, every tensor that stays as it was.

#include <bitpq/codec/layer_geometry.hpp>
#include <bitpq/codec/pq_matrix.hpp>
#include <bitpq/io/detail/file_context.hpp>
#include <bitpq/io/tensor_values.hpp>
#include <bitpq/io/tensor_view.hpp>

#include <array>

namespace bitpq {
inline namespace v1 {

/// What a layer does and the weights it does it with.
template <scalar T>
struct compressed_layer {
  layer_geometry geometry;
  pq_matrix<T> weight;
};

/// A tensor stored as it is: biases, batch norm, uncompressed weights.
struct dense_tensor {
  dtype type = dtype::f32;
  std::vector<std::size_t> shape;
  std::vector<std::byte> bytes;

  friend bool operator==(const dense_tensor&, const dense_tensor&) = default;
};

/// Exact sizes of a model by component. A file has bytes() and its header.
struct model_size {
  size_report layers;            ///< sums over the compressed layers
  std::size_t dense_bits = 0;    ///< tensors stored as they are
  std::size_t dense_values = 0;  ///< how many elements those have

  [[nodiscard]] constexpr std::size_t total_bits() const noexcept { return layers.total_bits() + dense_bits; }
  [[nodiscard]] constexpr std::size_t bytes() const noexcept { return total_bits() / 8; }
};

namespace detail {

inline constexpr std::string_view codes_suffix = ".codes";
inline constexpr std::string_view codebook_suffix = ".codebook";
inline constexpr std::string_view scale_suffix = ".codebook_scale";
inline constexpr std::string_view row_scale_suffix = ".row_scale";
/// The parts of a layer whose names other tensors may end in where there is no such layer.
inline constexpr std::array shared_suffixes{codebook_suffix, scale_suffix, row_scale_suffix};

/// The name of a layer's part.
inline std::string part_of(std::string_view layer, std::string_view suffix) {
  return std::string(layer) + std::string(suffix);
}

}  // namespace detail

/// Layers and dense tensors by full name ("features.0.weight"), and free-form strings. Names are unique: a dense tensor
/// is named neither as a layer nor as one of the tensors a layer is stored in, and never "....codes".
template <scalar T>
class compressed_model {
 public:
  using layer_map = std::map<std::string, compressed_layer<T>, std::less<>>;
  using tensor_map = std::map<std::string, dense_tensor, std::less<>>;

  /// Throws bad_shape when the weights are not those of the geometry, bad_params when the name is taken. Here and
  /// below, the model stays as it was when an error is thrown.
  void add_layer(std::string name, const layer_geometry& geometry, pq_matrix<T> weight) {
    const layer_geometry& g = geometry.validated();
    const bool plain =
        g.type == layer_geometry::kind::conv2d || (g.kernel == extent2{1, 1} && g.conv == conv2d_options{});
    require(plain, errc::bad_params, "linear layer ", detail::quoted{name}, " has options of a convolution");
    require(weight.rows() == g.rows() && weight.cols() == g.cols(), errc::bad_shape, "layer ", detail::quoted{name},
            " has ", g.rows(), " x ", g.cols(), " weights, got ", weight.rows(), " x ", weight.cols());
    require_free(name);
    for (const std::string_view suffix : detail::shared_suffixes)
      require(!tensors_.contains(detail::part_of(name, suffix)), errc::bad_params, "layer ", detail::quoted{name},
              " needs the name of tensor ", detail::quoted{detail::part_of(name, suffix)});
    layers_.emplace(std::move(name), compressed_layer<T>{g, std::move(weight)});
  }

  /// Throws bad_shape when bytes, type and shape do not fit together, bad_params when the name is taken or reserved.
  void add_tensor(std::string name, dense_tensor tensor) {
    const std::optional<std::size_t> bytes = byte_count(tensor.type, tensor.shape);
    require(bytes == tensor.bytes.size(), errc::bad_shape, "tensor ", detail::quoted{name}, " of ",
            to_string(tensor.type), " elements and shape ", detail::listed{tensor.shape}, " got ", tensor.bytes.size(),
            " bytes");
    require_free(name);
    require(name != "__metadata__" && !name.ends_with(detail::codes_suffix), errc::bad_params, "the name ",
            detail::quoted{name}, " is reserved");
    for (const std::string_view suffix : detail::shared_suffixes)
      require(!name.ends_with(suffix) || !layers_.contains(name.substr(0, name.size() - suffix.size())),
              errc::bad_params, "the name ", detail::quoted{name}, " belongs to a layer");
    tensors_.emplace(std::move(name), std::move(tensor));
  }

  /// Stores `values` rounded to F16, BF16, F32 or F64. Throws as above and as encode_values does.
  void add_tensor(std::string name, std::vector<std::size_t> shape, std::span<const T> values,
                  dtype storage = dtype::f32) {
    add_tensor(std::move(name), dense_tensor{storage, std::move(shape), encode_values<T>(storage, values)});
  }

  /// Sets a free-form string. Throws bad_params for a key "bitpq. ...", which the format keeps to itself.
  void set_metadata(std::string key, std::string value) {
    require(!key.starts_with("bitpq."), errc::bad_params, "the metadata key ", detail::quoted{key}, " is reserved");
    metadata_.insert_or_assign(std::move(key), std::move(value));
  }

  [[nodiscard]] const layer_map& layers() const noexcept { return layers_; }
  [[nodiscard]] const tensor_map& tensors() const noexcept { return tensors_; }
  [[nodiscard]] const metadata_map& metadata() const noexcept { return metadata_; }

  /// Throws bad_params when there is none of that name.
  [[nodiscard]] const compressed_layer<T>& layer(std::string_view name) const {
    const auto at = layers_.find(name);
    require(at != layers_.end(), errc::bad_params, "the model has no layer ", detail::quoted{name});
    return at->second;
  }

  /// Throws bad_params when there is none of that name.
  [[nodiscard]] const dense_tensor& tensor(std::string_view name) const {
    const auto at = tensors_.find(name);
    require(at != tensors_.end(), errc::bad_params, "the model has no tensor ", detail::quoted{name});
    return at->second;
  }

  /// The elements of a floating-point tensor. Throws as tensor() and decode_values do.
  [[nodiscard]] std::vector<T> values(std::string_view name) const {
    const dense_tensor& found = tensor(name);
    return decode_values<T>(found.type, found.bytes);
  }

  [[nodiscard]] model_size size() const noexcept {
    model_size total;
    for (const auto& [name, layer] : layers_) {
      const size_report size = layer.weight.size();
      total.layers.code_bits += size.code_bits;
      total.layers.codebook_bits += size.codebook_bits;
      total.layers.scale_bits += size.scale_bits;
      total.layers.weights += size.weights;
    }
    for (const auto& [name, tensor] : tensors_) {
      total.dense_bits += tensor.bytes.size() * 8;
      total.dense_values += tensor.bytes.size() * 8 / bits_of(tensor.type);
    }
    return total;
  }

 private:
  void require_free(std::string_view name) const {
    require(!layers_.contains(name) && !tensors_.contains(name), errc::bad_params, "the name ", detail::quoted{name},
            " is taken");
  }

  layer_map layers_;
  tensor_map tensors_;
  metadata_map metadata_;
};

}  // namespace v1
}  // namespace bitpq
