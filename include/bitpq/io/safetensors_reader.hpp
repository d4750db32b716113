// SPDX-License-Identifier: Apache-2.0
#pragma once

// Reads safetensors: 8 bytes of header length, a JSON header, and the tensors' bytes without gaps. Everything is
// checked when the file is opened; what a reader hands out lies within the file.

#include <bitpq/io/detail/json_header.hpp>
#include <bitpq/io/detail/little_endian.hpp>
#include <bitpq/io/mapped_file.hpp>
#include <bitpq/io/tensor_values.hpp>

#include <algorithm>

namespace bitpq {
inline namespace v1 {

/// A safetensors file, mapped into memory. Its views live as long as the reader; moving it does not move them.
class safetensors_reader {
 public:
  /// O(header). Throws io_failure when the file cannot be read and corrupt_file, with the names and numbers, when
  /// anything in it contradicts the format.
  explicit safetensors_reader(const std::filesystem::path& path)
      : mapping_(path), context_(path.string()), bytes_(mapping_.bytes()) {
    read();
  }

  /// Over bytes in memory, which must outlive the reader; `name` stands for the file in errors.
  explicit safetensors_reader(std::span<const std::byte> bytes, std::string name = "safetensors in memory")
      : context_(std::move(name)), bytes_(bytes) {
    read();
  }

  /// All tensors, in the order of the header.
  [[nodiscard]] const std::vector<tensor_view>& tensors() const noexcept { return tensors_; }
  [[nodiscard]] const metadata_map& metadata() const noexcept { return metadata_; }
  [[nodiscard]] bool contains(std::string_view name) const noexcept { return find(name) != nullptr; }

  /// The tensor of that name; O(log n). Throws bad_params when there is none.
  [[nodiscard]] const tensor_view& operator[](std::string_view name) const {
    const tensor_view* const found = find(name);
    require(found != nullptr, errc::bad_params, file_name(), " has no tensor ", detail::quoted{name});
    return *found;
  }

  /// The tensor of that name, or null; O(log n).
  [[nodiscard]] const tensor_view* find(std::string_view name) const noexcept {
    const auto at = std::lower_bound(by_name_.begin(), by_name_.end(), name,
                                     [&](std::size_t i, std::string_view n) { return tensors_[i].name < n; });
    return at != by_name_.end() && tensors_[*at].name == name ? &tensors_[*at] : nullptr;
  }

  /// The elements of a floating-point tensor. Throws as operator[] and decode_values do.
  template <scalar T>
  [[nodiscard]] std::vector<T> values(std::string_view name) const {
    const tensor_view& tensor = (*this)[name];
    return decode_values<T>(tensor.type, tensor.bytes);
  }

  /// Bytes of the file.
  [[nodiscard]] std::size_t file_bytes() const noexcept { return bytes_.size(); }
  /// Bytes before the first tensor: header length and header.
  [[nodiscard]] std::size_t header_bytes() const noexcept { return header_bytes_; }
  /// What errors call the file.
  [[nodiscard]] const std::string& file_name() const noexcept { return context_.file(); }

 private:
  static constexpr std::size_t length_bytes = 8;

  void read() {
    detail::parsed_header header = detail::parse_header(header_text(), context_);
    check_layout(header.entries);
    for (detail::header_entry& e : header.entries)
      tensors_.push_back({std::move(e.name), e.type, std::move(e.shape),
                          bytes_.subspan(header_bytes_ + e.offsets[0], e.offsets[1] - e.offsets[0])});
    index_names();
    metadata_ = std::move(header.metadata);
  }

  std::string_view header_text() {
    context_.expect(bytes_.size() >= length_bytes, "file of ", bytes_.size(),
                    " bytes is too short for the header length of 8 bytes");
    const auto length = detail::load_le<std::uint64_t>(bytes_.data());
    context_.expect(length <= max_header_bytes, "header length ", length, " exceeds the limit of ", max_header_bytes);
    context_.expect(length <= bytes_.size() - length_bytes, "header length ", length, " exceeds the ",
                    bytes_.size() - length_bytes, " bytes that follow it");
    header_bytes_ = length_bytes + static_cast<std::size_t>(length);
    return {reinterpret_cast<const char*>(bytes_.data()) + length_bytes, static_cast<std::size_t>(length)};
  }

  /// Each tensor has the bytes its type and shape take, and together they fill the data without gap or overlap.
  void check_layout(const std::vector<detail::header_entry>& entries) const {
    const std::size_t data = bytes_.size() - header_bytes_;
    std::vector<const detail::header_entry*> order;
    for (const detail::header_entry& e : entries) {
      check_size(e, data);
      order.push_back(&e);
    }
    std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) { return a->offsets < b->offsets; });
    std::size_t end = 0;
    const detail::header_entry* before = nullptr;
    for (const detail::header_entry* const e : order) {
      if (e->offsets[0] < end)
        context_.corrupt("tensor ", detail::quoted{e->name}, " begins at byte ", e->offsets[0], ", inside tensor ",
                         detail::quoted{before->name}, ", which ends at ", end);
      if (e->offsets[0] > end)
        context_.corrupt("bytes ", end, " .. ", e->offsets[0], " before tensor ", detail::quoted{e->name},
                         " belong to no tensor");
      end = e->offsets[1];
      before = e;
    }
    context_.expect(end == data, "bytes ", end, " .. ", data, " after the last tensor belong to no tensor");
  }

  void check_size(const detail::header_entry& e, std::size_t data) const {
    const auto [begin, end] = e.offsets;
    const detail::quoted name{e.name};
    context_.expect(begin <= end, "tensor ", name, " ends at byte ", end, " before it begins at ", begin);
    context_.expect(end <= data, "tensor ", name, " ends at byte ", end, " of ", data, " bytes of data");
    const std::optional<std::size_t> bytes = byte_count(e.type, e.shape);
    context_.expect(bytes.has_value(), "tensor ", name, " of ", to_string(e.type), " elements has shape ",
                    detail::listed{e.shape}, ", which takes no whole number of bytes below 2^64");
    context_.expect(*bytes == end - begin, "tensor ", name, " of ", to_string(e.type), " elements and shape ",
                    detail::listed{e.shape}, " takes ", *bytes, " bytes, but its offsets ", begin, " .. ", end,
                    " span ", end - begin);
  }

  void index_names() {
    by_name_.resize(tensors_.size());
    for (std::size_t i = 0; i < by_name_.size(); ++i) by_name_[i] = i;
    const auto name = [&](std::size_t i) -> const std::string& { return tensors_[i].name; };
    std::sort(by_name_.begin(), by_name_.end(), [&](std::size_t a, std::size_t b) { return name(a) < name(b); });
    for (std::size_t i = 1; i < by_name_.size(); ++i)
      if (name(by_name_[i]) == name(by_name_[i - 1]))
        context_.corrupt("tensor ", detail::quoted{name(by_name_[i])}, " appears twice");
  }

  mapped_file mapping_;
  detail::file_context context_;
  std::span<const std::byte> bytes_;
  std::size_t header_bytes_ = 0;
  std::vector<tensor_view> tensors_;
  std::vector<std::size_t> by_name_;
  metadata_map metadata_;
};

}  // namespace v1
}  // namespace bitpq
