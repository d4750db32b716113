// SPDX-License-Identifier: Apache-2.0
//
// Files that are wrong in one way each, with the exact words said of them.

#include "support/catch.hpp"
#include "unit/io/craft.hpp"

#include <bitpq/io/safetensors_reader.hpp>

using bitpq_test::craft;

namespace {

struct bad_file {
  std::string header;
  std::string data;
  std::string said;  ///< after "corrupt_file: bitpq: f: "
};

/// What the reader says of a file without the words that all of these share, or everything where it differs.
std::string said_of(const std::vector<std::byte>& file) {
  const std::string text = bitpq_test::error_of([&] { bitpq::safetensors_reader(file, "f"); });
  const std::string shared = "corrupt_file: bitpq: f: ";
  return text.starts_with(shared) ? text.substr(shared.size()) : text;
}

/// A header of one tensor 'a'.
std::string entry(const std::string& type, const std::string& shape, const std::string& offsets) {
  return R"({"a":{"dtype":)" + type + R"(,"shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
}

/// Two tensors of bytes, 'a' and `name`, at the given offsets.
std::string two(const std::string& a, const std::string& b, const std::string& name = "b") {
  const auto tensor = [](const std::string& n, const std::string& offsets, int size) {
    return '"' + n + R"(":{"dtype":"U8","shape":[)" + std::to_string(size) + R"(],"data_offsets":)" + offsets + '}';
  };
  return '{' + tensor("a", a, 2) + ',' + tensor(name, b, 2) + '}';
}

const std::string u8 = R"("U8")";
const std::string f32 = R"("F32")";

const bad_file layouts[] = {
    {entry(f32, "[2]", "[0,8]"), "1234567", "tensor 'a' ends at byte 8 of 7 bytes of data"},
    {entry(f32, "[2]", "[0,8]"), "", "tensor 'a' ends at byte 8 of 0 bytes of data"},
    {entry(u8, "[2]", "[2,0]"), "12", "tensor 'a' ends at byte 0 before it begins at 2"},
    {entry(f32, "[2]", "[0,7]"), "1234567",
     "tensor 'a' of F32 elements and shape [2] takes 8 bytes, but its offsets 0 .. 7 span 7"},
    {entry(u8, "[]", "[0,0]"), "",
     "tensor 'a' of U8 elements and shape [] takes 1 bytes, but its offsets 0 .. 0 span 0"},
    {entry(u8, "[2,0,3]", "[0,6]"), "123456",
     "tensor 'a' of U8 elements and shape [2, 0, 3] takes 0 bytes, but its offsets 0 .. 6 span 6"},
    {entry(R"("F4")", "[3]", "[0,2]"), "12",
     "tensor 'a' of F4 elements has shape [3], which takes no whole number of bytes below 2^64"},
    {entry(u8, "[4294967296,4294967296,2]", "[0,0]"), "",
     "tensor 'a' of U8 elements has shape [4294967296, 4294967296, 2], which takes no whole number of bytes "
     "below 2^64"},
    {entry(f32, "[18446744073709551615]", "[0,4]"), "1234",
     "tensor 'a' of F32 elements has shape [18446744073709551615], which takes no whole number of bytes "
     "below 2^64"},
    {entry(u8, "[4294967296,4294967296,0]", "[0,0]"), "",
     "tensor 'a' of U8 elements has shape [4294967296, 4294967296, 0], which takes no whole number of bytes "
     "below 2^64"},
    {entry(u8, "[9,9,9,9,9,9,9,9,9,9,9,9,9,9,9,9,9,9,9,9,9]", "[0,0]"), "",
     "tensor 'a' of U8 elements has shape [9, 9, 9, 9, 9, 9, 9, 9, ...], which takes no whole number of "
     "bytes below "
     "2^64"},
    {entry(u8, "[2]", "[18446744073709551614,18446744073709551615]"), "12",
     "tensor 'a' ends at byte 18446744073709551615 of 2 bytes of data"},
    {entry(u8, "[2]", "[1,3]"), "123", "bytes 0 .. 1 before tensor 'a' belong to no tensor"},
    {entry(u8, "[2]", "[0,2]"), "12345", "bytes 2 .. 5 after the last tensor belong to no tensor"},
    {"{}", "1", "bytes 0 .. 1 after the last tensor belong to no tensor"},
    {two("[0,2]", "[3,5]"), "12345", "bytes 2 .. 3 before tensor 'b' belong to no tensor"},
    {two("[0,2]", "[1,3]"), "123", "tensor 'b' begins at byte 1, inside tensor 'a', which ends at 2"},
    {two("[0,2]", "[0,2]"), "12", "tensor 'b' begins at byte 0, inside tensor 'a', which ends at 2"},
    {two("[0,2]", "[2,4]", "a"), "1234", "tensor 'a' appears twice"},
    {two("[2,4]", "[0,2]", "\\u0061"), "1234", "tensor 'a' appears twice"},
};

const bad_file forms[] = {
    {entry(R"("F31")", "[2]", "[0,2]"), "12", "tensor 'a' has unknown dtype 'F31'"},
    {entry(R"("u8")", "[2]", "[0,2]"), "12", "tensor 'a' has unknown dtype 'u8'"},
    {entry("8", "[2]", "[0,2]"), "12", "tensor 'a' key 'dtype' holds 8, not a string"},
    {entry("null", "[2]", "[0,2]"), "12", "tensor 'a' key 'dtype' holds null, not a string"},
    {entry(u8, "2", "[0,2]"), "12", "tensor 'a' key 'shape' holds 2, not an array"},
    {entry(u8, "{}", "[0,2]"), "12", "tensor 'a' key 'shape' holds an object, not an array"},
    {entry(u8, "[-2]", "[0,2]"), "12", "tensor 'a' key 'shape' holds -2, not an integer of 0 .. 2^64 - 1"},
    {entry(u8, "[2.0]", "[0,2]"), "12", "tensor 'a' key 'shape' holds '2.0', not an integer of 0 .. 2^64 - 1"},
    {entry(u8, "[2e0]", "[0,2]"), "12", "tensor 'a' key 'shape' holds '2e0', not an integer of 0 .. 2^64 - 1"},
    {entry(u8, "[18446744073709551616]", "[0,2]"), "12",
     "tensor 'a' key 'shape' holds '18446744073709551616', not an integer of 0 .. 2^64 - 1"},
    {entry(u8, R"(["2"])", "[0,2]"), "12", "tensor 'a' key 'shape' holds a string, not an integer of 0 .. 2^64 - 1"},
    {entry(u8, "[true]", "[0,2]"), "12", "tensor 'a' key 'shape' holds a boolean, not an integer of 0 .. 2^64 - 1"},
    {entry(u8, "[[2]]", "[0,2]"), "12", "tensor 'a' key 'shape' holds an array, not an integer of 0 .. 2^64 - 1"},
    {entry(u8, "[{}]", "[0,2]"), "12", "tensor 'a' key 'shape' holds an object, not an integer of 0 .. 2^64 - 1"},
    {entry(u8, "[2]", "2"), "12", "tensor 'a' key 'data_offsets' holds 2, not an array of two"},
    {entry(u8, "[2]", "[2]"), "12", "tensor 'a' key 'data_offsets' has 1 numbers, not two"},
    {entry(u8, "[2]", "[]"), "12", "tensor 'a' key 'data_offsets' has 0 numbers, not two"},
    {entry(u8, "[2]", "[0,2,2]"), "12", "tensor 'a' key 'data_offsets' has more than two numbers"},
    {entry(u8, "[2]", "[-1,2]"), "12", "tensor 'a' key 'data_offsets' holds -1, not an integer of 0 .. 2^64 - 1"},
    {R"({"a":{"dtype":"U8","shape":[2]}})", "12", "tensor 'a' has no key 'data_offsets'"},
    {R"({"a":{"dtype":"U8","data_offsets":[0,2]}})", "12", "tensor 'a' has no key 'shape'"},
    {R"({"a":{}})", "", "tensor 'a' has no key 'dtype'"},
    {R"({"a":{"dtype":"U8","dtype":"I8","shape":[2],"data_offsets":[0,2]}})", "12",
     "tensor 'a' key 'dtype' appears twice"},
    {R"({"a":{"dtype":"U8","shape":[2],"shape":[2],"data_offsets":[0,2]}})", "12",
     "tensor 'a' key 'shape' appears twice"},
    {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2],"data_offsets":[0,2]}})", "12",
     "tensor 'a' key 'data_offsets' appears twice"},
    {R"({"a":{"dtype":"U8","shape":[2],"offsets":[0,2]}})", "12", "tensor 'a' has unknown key 'offsets'"},
    {R"({"a":[0,2]})", "12", "tensor 'a' holds an array, not an object"},
    {R"({"a":7})", "", "tensor 'a' holds 7, not an object"},
    {R"({"a\u0000\nb":null})", "", "tensor 'a\\x00\\x0ab' holds null, not an object"},
    {R"({"__metadata__":"x"})", "", "__metadata__ holds a string, not an object"},
    {R"({"__metadata__":{"k":1}})", "", "__metadata__ key 'k' holds 1, not a string"},
    {R"({"__metadata__":{"k":{"x":"y"}}})", "", "__metadata__ key 'k' holds an object, not a string"},
    {R"({"__metadata__":{"k":["y"]}})", "", "__metadata__ key 'k' holds an array, not a string"},
    {R"({"__metadata__":{"k":"1","k":"2"}})", "", "__metadata__ key 'k' appears twice"},
    {R"({"__metadata__":{},"__metadata__":{}})", "", "__metadata__ appears twice"},
    {"", "", "the header does not begin with '{'"},
    {R"([{}])", "", "the header does not begin with '{'"},
    {std::string("{}\0", 3), "", "the header holds a zero byte at 2"},
    {std::string("{}\0{", 4), "", "the header holds a zero byte at 2"},
    {" {}", "", "the header does not begin with '{'"},
    {"\xEF\xBB\xBF{}", "", "the header does not begin with '{'"},
};

/// Broken JSON: the words after these are the parser's.
const bad_file broken[] = {
    {R"({"a":)", "", "the header is no valid JSON at byte 6: '"},
    {R"({"a")", "", "the header is no valid JSON at byte 5: '"},
    {R"({},)", "", "the header is no valid JSON at byte 3: '"},
    {R"({"a":{"dtype":"U8",}})", "", "the header is no valid JSON at byte 20: '"},
    {R"({'a':1})", "", "the header is no valid JSON at byte 2: '"},
    {"{\"a\xFF\":1}", "", "the header is no valid JSON at byte 4: '"},
    {"{\"\xED\xA0\x80\":1}", "", "the header is no valid JSON at byte 4: '"},
    {R"({"\ud800":1})", "", "the header is no valid JSON at byte 9: '"},
    {"{\"a\n\":1}", "", "the header is no valid JSON at byte 4: '"},
    {R"({"a":1e999})", "", "the header is no valid JSON at byte 10: '"},
    {R"({"a":{"dtype":"U8","shape":[02]}})", "", "the header is no valid JSON at byte 30: '"},
    {"{/* a comment */}", "", "the header is no valid JSON at byte 2: '"},
};

}  // namespace

TEST_CASE("layouts that contradict themselves or the file", "[io]") {
  for (const bad_file& r : layouts) CHECK(said_of(craft(r.header, r.data)) == r.said);
}

TEST_CASE("headers of another form", "[io]") {
  for (const bad_file& r : forms) CHECK(said_of(craft(r.header, r.data)) == r.said);
}

TEST_CASE("headers that are no JSON", "[io]") {
  for (const bad_file& r : broken) CHECK_THAT(said_of(craft(r.header)), Catch::Matchers::StartsWith(r.said));
}

TEST_CASE("files cut short, and lengths that lie", "[io]") {
  const auto with_length = [](std::uint64_t length, std::string_view rest) {
    std::vector<std::byte> file = craft(rest);
    bitpq::detail::store_le(length, file.data());
    return file;
  };
  CHECK(said_of({}) == "file of 0 bytes is too short for the header length of 8 bytes");
  CHECK(said_of(std::vector<std::byte>(7)) == "file of 7 bytes is too short for the header length of 8 bytes");
  CHECK(said_of(std::vector<std::byte>(8)) == "the header does not begin with '{'");
  CHECK(said_of(with_length(3, "{}")) == "header length 3 exceeds the 2 bytes that follow it");
  CHECK(said_of(with_length(100'000'001, "{}")) == "header length 100000001 exceeds the limit of 100000000");
  CHECK(said_of(with_length(~std::uint64_t{0}, "{}")) ==
        "header length 18446744073709551615 exceeds the limit of 100000000");
  CHECK(said_of(with_length(1, "{}")).starts_with("the header is no valid JSON at byte 2: "));
}

TEST_CASE("deep and huge headers end soon, with a short text", "[io]") {
  const std::string deep(1'000'000, '[');
  CHECK(said_of(craft(R"({"a":)" + deep)) == "tensor 'a' holds an array, not an object");
  CHECK(said_of(craft(entry(u8, deep, "[0,0]"))) ==
        "tensor 'a' key 'shape' holds an array, not an integer of 0 .. 2^64 - 1");
  CHECK(said_of(craft(R"({"__metadata__":{"k":)" + deep)) == "__metadata__ key 'k' holds an array, not a string");
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += R"({"a":)";
  CHECK(said_of(craft(objects)) == "tensor 'a' has unknown key 'a'");

  std::string ones = "[1";
  for (int i = 0; i < 1'000'000; ++i) ones += ",1";
  CHECK(said_of(craft(entry(u8, ones + "]", "[0,1]"), "1")) == "tensor 'a' key 'shape' has more than 64 dimensions");

  const std::string name(1'000'000, 'n');
  CHECK(said_of(craft("{\"" + name + "\":1}")) == "tensor '" + std::string(80, 'n') + "'... holds 1, not an object");
  CHECK(said_of(craft("{\"" + name)).size() < 300);
  CHECK(said_of(craft(entry(u8, "[1" + std::string(1'000'000, '0') + "]", "[0,1]"), "1")).size() < 300);
}

TEST_CASE("cut names stay whole characters", "[io]") {
  std::string umlauts = "u";
  for (int i = 0; i < 60; ++i) umlauts += "\xC3\xBC";
  CHECK(said_of(craft("{\"" + umlauts + "\":1}")) ==
        "tensor '" + umlauts.substr(0, 79) + "'... holds 1, not an object");
}
