// SPDX-License-Identifier: Apache-2.0
#pragma once

// From the tensors and strings of a file to a model: each part is checked against the others, and every complaint names
// file and layer.

#include <bitpq/io/compressed_model.hpp>
#include <bitpq/io/detail/layer_record.hpp>
#include <bitpq/io/safetensors_reader.hpp>

#include <set>

namespace bitpq {
inline namespace v1 {
namespace detail {

inline constexpr std::string_view format_key = "bitpq.format";
inline constexpr std::string_view format_version = "1";
inline constexpr std::string_view layer_key = "bitpq.layer.";

/// The dtype a codebook is stored in.
constexpr dtype dtype_of(codeword_type type) noexcept {
  switch (type) {
    case codeword_type::f64: return dtype::f64;
    case codeword_type::f32: return dtype::f32;
    case codeword_type::f16: return dtype::f16;
    case codeword_type::i8: return dtype::i8;
  }
  return dtype::u8;
}

template <scalar T>
class model_loader {
 public:
  explicit model_loader(const safetensors_reader& file) : file_(file), context_(file.file_name()) {}

  compressed_model<T> load() {
    check_version();
    for (const auto& [key, value] : file_.metadata()) {
      if (key.starts_with(layer_key))
        load_layer(key.substr(layer_key.size()), value);
      else if (!key.starts_with("bitpq."))
        model_.set_metadata(key, value);
      else if (key != format_key)
        fail(errc::unsupported, file_.file_name(), ": metadata ", quoted{key}, " is unknown to format version ",
             format_version);
    }
    for (const tensor_view& tensor : file_.tensors())
      if (!used_.contains(&tensor)) load_tensor(tensor);
    return std::move(model_);
  }

 private:
  void check_version() const {
    const auto version = file_.metadata().find(format_key);
    context_.expect(version != file_.metadata().end(), "no compressed model: metadata has no ", quoted{format_key});
    require(version->second == format_version, errc::unsupported, file_.file_name(), ": format version ",
            quoted{version->second}, " is not ", format_version, ", the one this library reads");
  }

  void load_layer(const std::string& name, std::string_view record_text) {
    std::ostringstream prefix;
    prefix << file_.file_name() << ": layer " << quoted{name} << ' ';
    relabelled(prefix.str(), [&] {
      const layer_record record = parse_layer_record(record_text, prefix.str());
      const std::size_t code_bytes = packed_codes::bytes_for(record.format.code_bits(), record.format.codes());
      const tensor_view& codes = part(name, codes_suffix, {code_bytes});
      context_.expect(codes.type == dtype::u8, "tensor ", quoted{codes.name}, " holds ", to_string(codes.type),
                      " elements, not U8");
      const auto* const first = reinterpret_cast<const std::uint8_t*>(codes.bytes.data());
      model_.add_layer(name, record.geometry,
                       {record.format.rows, record.format.cols, load_codebook(name, record.format),
                        packed_codes(record.format.code_bits(), record.format.codes(), {first, first + code_bytes}),
                        record.format.stages, load_scales(name, record)});
    });
  }

  /// The tensor `name` + `suffix`, which must have that shape.
  const tensor_view& part(const std::string& name, std::string_view suffix, const std::vector<std::size_t>& shape) {
    const std::string full = part_of(name, suffix);
    const tensor_view* const tensor = file_.find(full);
    if (tensor == nullptr) context_.corrupt("layer ", quoted{name}, " has no tensor ", quoted{full});
    context_.expect(tensor->shape == shape, "tensor ", quoted{full}, " has shape ", listed{tensor->shape},
                    ", but its layer needs ", listed{shape});
    used_.insert(tensor);
    return *tensor;
  }

  codebook<T> load_codebook(const std::string& name, const code_format& f) {
    const tensor_view& book = part(name, codebook_suffix, {f.books(), f.codewords, f.block_size});
    if (book.type == dtype::i8) return load_int8(name, book, f);
    for (const codeword_type type : {codeword_type::f16, codeword_type::f32, codeword_type::f64}) {
      if (book.type != dtype_of(type)) continue;
      require(type != codeword_type::f64 || std::same_as<T, double>, errc::unsupported, file_.file_name(), ": tensor ",
              quoted{book.name}, " holds F64 codewords, which only a model of double can hold");
      const std::vector<T> values = decode_values<T>(book.type, book.bytes);
      return {values, f.books(), f.codewords, f.block_size, type};
    }
    context_.corrupt("tensor ", quoted{book.name}, " holds ", to_string(book.type),
                     " elements, not F16, F32, F64 or I8");
  }

  codebook<T> load_int8(const std::string& name, const tensor_view& book, const code_format& f) {
    const tensor_view& scale = part(name, scale_suffix, {f.books()});
    context_.expect(scale.type == dtype::f32, "tensor ", quoted{scale.name}, " holds ", to_string(scale.type),
                    " elements, not F32");
    std::vector<std::int8_t> quantized(book.bytes.size());
    std::memcpy(quantized.data(), book.bytes.data(), quantized.size());
    return codebook<T>::from_int8(quantized, decode_values<float>(scale.type, scale.bytes), f.codewords, f.block_size);
  }

  row_scales<T> load_scales(const std::string& name, const layer_record& record) {
    if (record.scales == 0) return {};
    const tensor_view& scale = part(name, row_scale_suffix, {record.scales});
    for (const codeword_type type : {codeword_type::f16, codeword_type::f32})
      if (scale.type == dtype_of(type)) {
        const std::vector<T> values = decode_values<T>(scale.type, scale.bytes);
        return row_scales<T>(values, type);
      }
    context_.corrupt("tensor ", quoted{scale.name}, " holds ", to_string(scale.type), " elements, not F16 or F32");
  }

  void load_tensor(const tensor_view& tensor) {
    context_.expect(!tensor.name.ends_with(codes_suffix), "tensor ", quoted{tensor.name},
                    " belongs to no layer of the metadata");
    std::ostringstream prefix;
    prefix << file_.file_name() << ": tensor " << quoted{tensor.name} << ' ';
    relabelled(prefix.str(), [&] {
      model_.add_tensor(tensor.name, {tensor.type, tensor.shape, {tensor.bytes.begin(), tensor.bytes.end()}});
    });
  }

  /// What a constructor below says of numbers from a file, it says of the file: adds its name, and the code becomes
  /// corrupt_file. Without exceptions the text stays the constructor's.
  template <class F>
  void relabelled(const std::string& prefix, F&& f) const {
#if BITPQ_HAS_EXCEPTIONS
    try {
      f();
    } catch (const error& e) {
      const std::string_view text = std::string_view(e.what()).substr(std::string_view("bitpq: ").size());
      if (e.code() == errc::unsupported || e.code() == errc::out_of_memory || text.starts_with(file_.file_name()))
        throw;
      fail(errc::corrupt_file, prefix, "is wrong: ", text);
    }
#else
    static_cast<void>(prefix);
    f();
#endif
  }

  const safetensors_reader& file_;
  file_context context_;
  compressed_model<T> model_;
  std::set<const tensor_view*> used_;
};

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
