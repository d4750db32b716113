// SPDX-License-Identifier: Apache-2.0
#pragma once

// The one line of metadata that says what a compressed layer is, for instance
//   conv2d out=96 in=48 kernel=3x3 stride=2x2 padding=1x1 block=9 codewords=256 code_bits=8
// Fields that have their default are left out: of a network of a megabyte they would be a tenth of a per cent.
// Flat on purpose: a person or thirty lines of Python decode it without a second parser.

#include <bitpq/codec/code_format.hpp>
#include <bitpq/codec/layer_geometry.hpp>
#include <bitpq/io/detail/file_context.hpp>

#include <charconv>
#include <map>
#include <sstream>
#include <string>
#include <string_view>

namespace bitpq {
inline namespace v1 {
namespace detail {

struct layer_record {
  layer_geometry geometry;
  code_format format;
  std::size_t scales = 0;  ///< row scales: as many as rows, or none
};

inline std::ostream& operator<<(std::ostream& out, const extent2& e) { return out << e.h << 'x' << e.w; }

/// What fields that may be left out are worth then.
inline constexpr conv2d_options default_conv{};
inline constexpr std::size_t default_codebooks = 1, default_stages = 1, default_scales = 0;

inline std::string to_text(const layer_record& record) {
  const layer_geometry& g = record.geometry;
  const code_format& f = record.format;
  std::ostringstream text;
  text.imbue(std::locale::classic());
  const auto field = [&](const char* key, const auto& value) { text << ' ' << key << '=' << value; };
  const auto unless_default = [&](const char* key, const auto& value, const auto& usual) {
    if (!(value == usual)) field(key, value);
  };
  const bool conv = g.type == layer_geometry::kind::conv2d;
  text << (conv ? "conv2d" : "linear");
  field("out", g.out_channels);
  field("in", g.in_channels);
  if (conv) {
    field("kernel", g.kernel);
    unless_default("stride", g.conv.stride, default_conv.stride);
    unless_default("padding", g.conv.padding, default_conv.padding);
    unless_default("dilation", g.conv.dilation, default_conv.dilation);
    unless_default("groups", g.conv.groups, default_conv.groups);
  }
  field("block", f.block_size);
  field("codewords", f.codewords);
  unless_default("codebooks", f.codebooks, default_codebooks);
  field("code_bits", f.code_bits());
  unless_default("stages", f.stages, default_stages);
  unless_default("scales", record.scales, default_scales);
  return text.str();
}

/// Takes fields out of a record's text; each must be there once, unless it has a default, and in the end none may be
/// left.
class record_fields {
 public:
  /// `prefix` begins every complaint: it names file and layer.
  record_fields(std::string_view text, const std::string& prefix) : prefix_(prefix) {
    for (bool first = true, last = false; !last; first = false) {
      const std::size_t space = text.find(' ');
      const std::string_view token = text.substr(0, space);
      last = space == text.npos;
      if (!last) text.remove_prefix(space + 1);
      const std::size_t equals = token.find('=');
      if (first)
        kind_ = token;
      else if (equals == token.npos)
        corrupt("has a word ", quoted{token}, " without '='");
      else if (!fields_.emplace(token.substr(0, equals), token.substr(equals + 1)).second)
        corrupt("has ", quoted{token.substr(0, equals)}, " twice");
    }
  }

  [[nodiscard]] std::string_view kind() const noexcept { return kind_; }

  std::size_t number(std::string_view key) {
    const std::string_view value = take(key);
    return parse(key, value, value);
  }

  std::size_t number_or(std::string_view key, std::size_t fallback) {
    return fields_.contains(key) ? number(key) : fallback;
  }

  extent2 pair_or(std::string_view key, extent2 fallback) { return fields_.contains(key) ? pair(key) : fallback; }

  extent2 pair(std::string_view key) {
    const std::string_view value = take(key);
    const std::size_t cross = value.find('x');
    if (cross == value.npos) corrupt("has ", key, '=', quoted{value}, ", not a pair as 3x3");
    return {parse(key, value, value.substr(0, cross)), parse(key, value, value.substr(cross + 1))};
  }

  void end() const {
    if (!fields_.empty()) corrupt("has an unknown field ", quoted{fields_.begin()->first});
  }

  template <class... Parts>
  [[noreturn]] void corrupt(const Parts&... parts) const {
    fail(errc::corrupt_file, prefix_, parts...);
  }

 private:
  std::string_view take(std::string_view key) {
    const auto at = fields_.find(key);
    if (at == fields_.end()) corrupt("has no field ", quoted{key});
    const std::string_view value = at->second;
    fields_.erase(at);
    return value;
  }

  [[nodiscard]] std::size_t parse(std::string_view key, std::string_view value, std::string_view digits) const {
    std::size_t number = 0;
    const char* const last = digits.data() + digits.size();
    const std::from_chars_result result = std::from_chars(digits.data(), last, number);
    if (result.ec != std::errc{} || result.ptr != last)
      corrupt("has ", key, '=', quoted{value}, ", not of integers in 0 .. 2^64 - 1");
    return number;
  }

  std::string prefix_;
  std::string_view kind_;
  std::map<std::string_view, std::string_view> fields_;
};

/// Throws corrupt_file, beginning with `prefix`, for text that to_text does not write, but for fields that
/// have their default; whether the numbers make a layer
/// is for geometry and format to say.
inline layer_record parse_layer_record(std::string_view text, const std::string& prefix) {
  record_fields fields(text, prefix);
  layer_record record;
  layer_geometry& g = record.geometry;
  if (fields.kind() == "conv2d") {
    g.type = layer_geometry::kind::conv2d;
    g.kernel = fields.pair("kernel");
    g.conv = {fields.pair_or("stride", default_conv.stride), fields.pair_or("padding", default_conv.padding),
              fields.pair_or("dilation", default_conv.dilation), fields.number_or("groups", default_conv.groups)};
  } else if (fields.kind() != "linear") {
    fields.corrupt("is of unknown kind ", quoted{fields.kind()});
  }
  g.out_channels = fields.number("out");
  g.in_channels = fields.number("in");
  static_cast<void>(g.validated());
  record.format = {g.rows(),
                   g.cols(),
                   fields.number("block"),
                   fields.number("codewords"),
                   fields.number_or("codebooks", default_codebooks),
                   fields.number_or("stages", default_stages)};
  record.format.validate();
  record.scales = fields.number_or("scales", default_scales);
  if (record.scales != 0 && record.scales != g.rows())
    fields.corrupt("has scales=", record.scales, ", but ", g.rows(), " rows");
  const std::size_t bits = fields.number("code_bits");
  if (bits != static_cast<std::size_t>(record.format.code_bits()))
    fields.corrupt("has code_bits=", bits, ", but ", record.format.codewords, " codewords take ",
                   record.format.code_bits());
  fields.end();
  return record;
}

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
