// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a compressed file remembers of a weight beside what running it takes: a string of metadata,
//   "compressed.<name>": "dtype=F16 output_error=0.0123 weight_error=0.0345"
// and, where numbers that are not compressed have been rounded, of each of these that has not been F32, as
//   "compressed.*": "dtype=F32"
// says of all others.

#include "cli/number_types.hpp"

#include <bitpq/io/compressed_model.hpp>
#include <bitpq/quantize/compress.hpp>

#include <charconv>
#include <locale>
#include <optional>
#include <sstream>
#include <string>

namespace cli {

inline constexpr std::string_view note_key = "compressed.", rest_note_key = "compressed.*";

struct layer_note {
  bitpq::dtype type = bitpq::dtype::f32;  ///< of the weight in the checkpoint
  std::optional<double> output_error{}, weight_error{};
};

inline std::string to_text(const layer_note& note) {
  std::ostringstream text;
  text.imbue(std::locale::classic());
  text.precision(4);
  text << "dtype=" << to_string(note.type);
  if (note.output_error) text << " output_error=" << *note.output_error;
  if (note.weight_error) text << " weight_error=" << *note.weight_error;
  return text.str();
}

/// What the text says; words that are not known, of a file from elsewhere, are passed over.
inline layer_note parse_note(std::string_view text) {
  layer_note note;
  while (!text.empty()) {
    const std::size_t space = (std::min)(text.find(' '), text.size());
    const std::string_view word = text.substr(0, space);
    text.remove_prefix((std::min)(space + 1, text.size()));
    const std::size_t equals = word.find('=');
    if (equals == word.npos) continue;
    const std::string_view key = word.substr(0, equals), value = word.substr(equals + 1);
    double number = 0;
    const bool is_number = std::from_chars(value.data(), value.data() + value.size(), number).ec == std::errc{};
    if (key == "dtype") note.type = bitpq::dtype_from(value).value_or(bitpq::dtype::f32);
    if (key == "output_error" && is_number) note.output_error = number;
    if (key == "weight_error" && is_number) note.weight_error = number;
  }
  return note;
}

/// The note of a layer; the default where the file has none.
inline layer_note note_of(const bitpq::metadata_map& metadata, const std::string& name) {
  const auto at = metadata.find(std::string(note_key) + name);
  return at == metadata.end() ? layer_note{} : parse_note(at->second);
}

/// The type that a tensor had which is stored, not compressed, as `stored`.
inline bitpq::dtype type_before(const bitpq::metadata_map& metadata, const std::string& name, bitpq::dtype stored) {
  if (!is_number(stored) || !metadata.contains(std::string(rest_note_key))) return stored;
  return note_of(metadata, name).type;
}

}  // namespace cli
