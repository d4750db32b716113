// SPDX-License-Identifier: Apache-2.0
#pragma once

// The JSON header of a safetensors file. It has one fixed form, so it is read by a state machine over nlohmann-json's
// SAX events: nothing nests deeper than the form allows, no key is silently merged with an earlier one, and no tree of
// a hostile header is ever built.

#include <bitpq/io/detail/file_context.hpp>
#include <bitpq/io/tensor_view.hpp>

#include <nlohmann/json.hpp>

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// What the header says of one tensor; nothing is checked against the file yet.
struct header_entry {
  std::string name;
  dtype type = dtype::u8;
  std::vector<std::size_t> shape;
  std::array<std::size_t, 2> offsets{0, 0};
};

/// Entries in the order of the header; names may repeat.
struct parsed_header {
  std::vector<header_entry> entries;
  metadata_map metadata;
};

inline constexpr std::string_view metadata_key = "__metadata__";
inline constexpr std::size_t max_rank = 64;

class header_handler final : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit header_handler(const file_context& file) : file_(file) {}

  parsed_header take() { return std::move(header_); }

  bool null() override { unexpected("null"); }
  bool boolean(bool) override { unexpected("a boolean"); }
  bool binary(binary_t&) override { unexpected("binary data"); }
  bool number_integer(number_integer_t value) override { unexpected(value); }
  bool number_float(number_float_t, const string_t& text) override { unexpected(quoted{text}); }
  bool number_unsigned(number_unsigned_t value) override;
  bool string(string_t& value) override;
  bool key(string_t& name) override;
  bool start_object(std::size_t) override;
  bool end_object() override;
  bool start_array(std::size_t) override;
  bool end_array() override;
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& why) override;

 private:
  enum class place { outside, top, entry, dtype_value, shape_value, offsets_value, shape, offsets, metadata };

  template <class What>
  [[noreturn]] void unexpected(const What& what) const {
    file_.corrupt(where(), " holds ", what, ", not ", wanted());
  }
  [[nodiscard]] std::string where() const;
  [[nodiscard]] const char* wanted() const noexcept;
  void entry_key(const std::string& name);
  void finish_entry();

  const file_context& file_;
  parsed_header header_;
  header_entry entry_;
  std::string metadata_name_;
  place place_ = place::outside;
  std::size_t offsets_read_ = 0;
  bool has_metadata_ = false;
  bool in_metadata_ = false;
  bool has_dtype_ = false;
  bool has_shape_ = false;
  bool has_offsets_ = false;
};

inline std::string header_handler::where() const {
  std::ostringstream text;
  if (place_ == place::outside)
    text << "the header";
  else if (place_ == place::metadata)
    text << metadata_key << " key " << quoted{metadata_name_};
  else if (in_metadata_)
    text << metadata_key;
  else
    text << "tensor " << quoted{entry_.name};
  if (place_ == place::dtype_value) text << " key 'dtype'";
  if (place_ == place::shape_value || place_ == place::shape) text << " key 'shape'";
  if (place_ == place::offsets_value || place_ == place::offsets) text << " key 'data_offsets'";
  return text.str();
}

inline const char* header_handler::wanted() const noexcept {
  switch (place_) {
    case place::dtype_value:
    case place::metadata: return "a string";
    case place::shape_value: return "an array";
    case place::offsets_value: return "an array of two";
    case place::shape:
    case place::offsets: return "an integer of 0 .. 2^64 - 1";
    default: return "an object";
  }
}

inline bool header_handler::number_unsigned(number_unsigned_t value) {
  if ((place_ != place::shape && place_ != place::offsets) || !std::in_range<std::size_t>(value)) unexpected(value);
  const auto number = static_cast<std::size_t>(value);
  if (place_ == place::shape) {
    if (entry_.shape.size() == max_rank) file_.corrupt(where(), " has more than ", max_rank, " dimensions");
    entry_.shape.push_back(number);
  } else {
    if (offsets_read_ == 2) file_.corrupt(where(), " has more than two numbers");
    entry_.offsets[offsets_read_++] = number;
  }
  return true;
}

inline bool header_handler::string(string_t& value) {
  if (place_ == place::metadata) {
    if (!header_.metadata.emplace(metadata_name_, std::move(value)).second) file_.corrupt(where(), " appears twice");
    return true;
  }
  if (place_ != place::dtype_value) unexpected("a string");
  const std::optional<dtype> type = dtype_from(value);
  if (!type) file_.corrupt("tensor ", quoted{entry_.name}, " has unknown dtype ", quoted{value});
  entry_.type = *type;
  place_ = place::entry;
  return true;
}

inline bool header_handler::key(string_t& name) {
  if (place_ == place::entry) {
    entry_key(name);
  } else if (place_ == place::metadata) {
    metadata_name_ = std::move(name);
  } else {
    in_metadata_ = name == metadata_key;
    if (in_metadata_ && std::exchange(has_metadata_, true)) file_.corrupt(metadata_key, " appears twice");
    entry_ = header_entry{std::move(name), {}, {}, {}};
  }
  return true;
}

inline void header_handler::entry_key(const std::string& name) {
  bool* seen = nullptr;
  if (name == "dtype") {
    seen = &has_dtype_;
    place_ = place::dtype_value;
  } else if (name == "shape") {
    seen = &has_shape_;
    place_ = place::shape_value;
  } else if (name == "data_offsets") {
    seen = &has_offsets_;
    place_ = place::offsets_value;
  } else {
    file_.corrupt("tensor ", quoted{entry_.name}, " has unknown key ", quoted{name});
  }
  if (std::exchange(*seen, true)) file_.corrupt(where(), " appears twice");
}

inline bool header_handler::start_object(std::size_t) {
  if (place_ == place::outside)
    place_ = place::top;
  else if (place_ == place::top && in_metadata_)
    place_ = place::metadata;
  else if (place_ == place::top)
    place_ = place::entry;
  else
    unexpected("an object");
  return true;
}

inline bool header_handler::end_object() {
  if (place_ == place::entry) finish_entry();
  place_ = place_ == place::top ? place::outside : place::top;
  return true;
}

inline void header_handler::finish_entry() {
  const char* const missing = !std::exchange(has_dtype_, false)     ? "dtype"
                              : !std::exchange(has_shape_, false)   ? "shape"
                              : !std::exchange(has_offsets_, false) ? "data_offsets"
                                                                    : nullptr;
  if (missing != nullptr) file_.corrupt("tensor ", quoted{entry_.name}, " has no key ", quoted{missing});
  header_.entries.push_back(std::move(entry_));
}

inline bool header_handler::start_array(std::size_t) {
  if (place_ != place::shape_value && place_ != place::offsets_value) unexpected("an array");
  place_ = place_ == place::shape_value ? place::shape : place::offsets;
  offsets_read_ = 0;
  return true;
}

inline bool header_handler::end_array() {
  if (place_ == place::offsets && offsets_read_ != 2)
    file_.corrupt(where(), " has ", offsets_read_, " numbers, not two");
  place_ = place::entry;
  return true;
}

inline bool header_handler::parse_error(std::size_t position, const std::string&,
                                        const nlohmann::detail::exception& why) {
  const std::string_view text = why.what();
  const std::size_t words = text.find("] ");
  file_.corrupt("the header is no valid JSON at byte ", position, ": ",
                quoted{words == text.npos ? text : text.substr(words + 2), 200});
}

/// Throws corrupt_file, with names and numbers, for everything that is not of the form; O(json.size()).
inline parsed_header parse_header(std::string_view json, const file_context& file) {
  // The parser would skip white space and a byte order mark, which the format forbids.
  file.expect(!json.empty() && json.front() == '{', "the header does not begin with '{'");
  // It would also take a zero byte for the end of the text, and whatever follows unseen.
  const std::size_t zero = json.find('\0');
  file.expect(zero == json.npos, "the header holds a zero byte at ", zero);
  header_handler handler(file);
  if (!nlohmann::json::sax_parse(json.data(), json.data() + json.size(), &handler))
    file.corrupt("the header is no valid JSON");
  return handler.take();
}

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
