// SPDX-License-Identifier: Apache-2.0

#include "support/catch.hpp"
#include "support/paths.hpp"
#include "unit/io/craft.hpp"

#include <bitpq/io/safetensors.hpp>

using bitpq::dtype;
using bitpq::safetensors_reader;
using bitpq::tensor_view;
using bitpq::write_safetensors;
using bitpq_test::bytes_of;
using bitpq_test::error_of;

static std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST_CASE("the bytes of a small file are these", "[io]") {
  const bitpq_test::temp_dir dir;
  const std::vector<tensor_view> tensors = {
      {"b", dtype::u8, {3}, bytes_of("abc")},
      {"a", dtype::u8, {}, bytes_of("z")},
      {"w", dtype::f16, {1, 2}, bytes_of("1234")},
  };
  write_safetensors(dir / "f", tensors, {{"k", "v\n"}});
  const std::string header = R"({"__metadata__":{"k":"v\n"},)"
                             R"("w":{"dtype":"F16","shape":[1,2],"data_offsets":[0,4]},)"
                             R"("a":{"dtype":"U8","shape":[],"data_offsets":[4,5]},)"
                             R"("b":{"dtype":"U8","shape":[3],"data_offsets":[5,8]}})"
                             "      ";
  CHECK(header.size() % 8 == 0);
  CHECK(bitpq_test::read_file(dir / "f") == text_of(bitpq_test::craft(header, "1234zabc")));
}

TEST_CASE("what is written is read, in any order and to the byte", "[io]") {
  const bitpq_test::temp_dir dir;
  std::vector<std::string> data;
  std::vector<tensor_view> tensors;
  for (const auto& row : bitpq::detail::dtype_table) data.push_back(std::string(row.bits * 2, row.name[1]));
  for (const auto& row : bitpq::detail::dtype_table)
    tensors.push_back({"t." + std::string(row.name), row.type, {2, 8}, bytes_of(data[tensors.size()])});
  tensors.push_back({"empty", dtype::f64, {0, 3}, {}});
  tensors.push_back({"\xC3\xBC \"quoted\" \\ \x01", dtype::u8, {1}, bytes_of("u")});
  const bitpq::metadata_map metadata = {{"", ""}, {"a \"key\"", "line\nline"}, {"\xE6\xBC\xA2", std::string("\0", 1)}};
  write_safetensors(dir / "f", tensors, metadata);

  const safetensors_reader reader(dir / "f");
  CHECK(reader.metadata() == metadata);
  CHECK(reader.tensors().size() == tensors.size());
  CHECK(reader.file_bytes() == std::filesystem::file_size(dir / "f"));
  CHECK(reader.header_bytes() % 8 == 0);
  std::size_t bits_before = 64;
  for (const tensor_view& found : reader.tensors()) {
    CHECK(bitpq::bits_of(found.type) <= bits_before);
    bits_before = bitpq::bits_of(found.type);
    // Elements of a mapped file are aligned, since the map begins on a page.
    CHECK(reinterpret_cast<std::uintptr_t>(found.bytes.data()) % ((bits_before + 7) / 8) == 0);
  }
  for (const tensor_view& wrote : tensors) {
    const tensor_view& found = reader[wrote.name];
    CHECK(found.type == wrote.type);
    CHECK(found.shape == wrote.shape);
    CHECK(text_of(found.bytes) == text_of(wrote.bytes));
  }
  CHECK(reader.contains("empty"));
  CHECK_FALSE(reader.contains("absent"));

  // Order of the caller does not matter, and a reader's views can be written again.
  std::reverse(tensors.begin(), tensors.end());
  write_safetensors(dir / "reversed", tensors, metadata);
  write_safetensors(dir / "copy", reader.tensors(), reader.metadata());
  CHECK(bitpq_test::read_file(dir / "reversed") == bitpq_test::read_file(dir / "f"));
  CHECK(bitpq_test::read_file(dir / "copy") == bitpq_test::read_file(dir / "f"));
}

TEST_CASE("a file may be replaced while a reader has it open", "[io]") {
  const bitpq_test::temp_dir dir;
  write_safetensors(dir / "f", std::vector<tensor_view>{{"a", dtype::u8, {3}, bytes_of("old")}});
  const safetensors_reader reader(dir / "f");
  write_safetensors(dir / "f", std::vector<tensor_view>{{"a", dtype::u8, {1}, bytes_of("n")}});
  CHECK(text_of(reader["a"].bytes) == "old");
  CHECK(text_of(safetensors_reader(dir / "f")["a"].bytes) == "n");
}

TEST_CASE("a file with no tensors and no metadata is whole", "[io]") {
  const bitpq_test::temp_dir dir;
  write_safetensors(dir / "f", {});
  CHECK(bitpq_test::read_file(dir / "f") == text_of(bitpq_test::craft("{}      ")));
  CHECK(safetensors_reader(dir / "f").tensors().empty());
}

TEST_CASE("unaligned data, odd header lengths and spaces in the header are read", "[io]") {
  const bitpq_test::temp_dir dir;
  const std::vector<float> values = {1.5F, -2.0F};
  const std::vector<std::byte> data = bitpq::encode_values<float>(dtype::f32, values);
  for (std::size_t spaces = 0; spaces < 8; ++spaces) {
    // The single byte before it puts the F32 tensor on odd addresses too.
    const std::string header = R"( "y": {"data_offsets" : [1, 9], "shape" : [2], "dtype":"F32"} ,)"
                               R"("x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})";
    bitpq_test::write_file(dir / "f", bitpq_test::craft("{" + header + std::string(spaces, ' '), "x" + text_of(data)));
    const safetensors_reader reader(dir / "f");
    CHECK(reader.header_bytes() == 9 + header.size() + spaces);
    CHECK(reader.values<float>("y") == values);
    CHECK(reader.values<double>("y") == std::vector<double>{1.5, -2.0});
    CHECK(reader.tensors().front().name == "y");
  }
}

TEST_CASE("readers may move and may read from memory", "[io]") {
  const std::vector<std::byte> file =
      bitpq_test::craft(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})", "hi");
  safetensors_reader reader(file, "it");
  const safetensors_reader moved(std::move(reader));
  CHECK(text_of(moved["a"].bytes) == "hi");
  CHECK(moved["a"].bytes.data() == file.data() + moved.header_bytes());
  CHECK(error_of([&] { static_cast<void>(moved["b\n"]); }) == "bad_params: bitpq: it has no tensor 'b\\x0a'");
  CHECK(error_of([&] { static_cast<void>(moved.values<float>("a")); }) ==
        "unsupported: bitpq: U8 elements are not read or written as floating-point numbers");
}

TEST_CASE("what no file can hold is refused before anything is written", "[io]") {
  const bitpq_test::temp_dir dir;
  bitpq_test::write_file(dir / "f", "old");
  struct row {
    std::vector<tensor_view> tensors;
    bitpq::metadata_map metadata;
    const char* text;
  };
  const std::vector<std::size_t> deep(65, 1);
  const row rows[] = {
      {{{"a", dtype::f32, {2}, bytes_of("1234567")}},
       {},
       "bad_shape: bitpq: tensor 'a' of F32 elements and shape [2] takes 8 bytes, got 7"},
      {{{"a", dtype::u8, {1}, bytes_of("1")}, {"b", dtype::f32, {1}, bytes_of("1234")}, {"a", dtype::u8, {0}, {}}},
       {},
       "bad_params: bitpq: two tensors are named 'a'"},
      {{{"__metadata__", dtype::u8, {0}, {}}}, {}, "bad_params: bitpq: a tensor cannot be named '__metadata__'"},
      {{{"a", dtype::f4, {3}, bytes_of("12")}},
       {},
       "bad_shape: bitpq: tensor 'a' of F4 elements has shape [3], which takes no whole number of bytes "
       "below 2^64"},
      {{{"a", dtype::u8, deep, bytes_of("1")}}, {}, "bad_shape: bitpq: tensor 'a' has 65 dimensions, more than 64"},
      {{{"a\xFF", dtype::u8, {0}, {}}}, {}, "bad_params: bitpq: name or metadata 'a\xFF' is no valid UTF-8"},
      {{}, {{"k", "\xC3"}}, "bad_params: bitpq: name or metadata '\xC3' is no valid UTF-8"},
      {{},
       {{"k", std::string(100'000'000, 'x')}},
       "bad_params: bitpq: header of 100000032 bytes exceeds the limit of 100000000"},
  };
  for (const row& r : rows) CHECK(error_of([&] { write_safetensors(dir / "f", r.tensors, r.metadata); }) == r.text);
  CHECK(bitpq_test::read_file(dir / "f") == "old");
  CHECK(bitpq_test::files_in(dir.path()) == 1);
}
