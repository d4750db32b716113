// SPDX-License-Identifier: Apache-2.0
//
// Whole safetensors files that are no compressed model: parts missing, contradicting each other, or naming codewords
// that are not there. Each row changes one thing of a right file, and the exact words are part of the test.

#include "support/catch.hpp"
#include "support/paths.hpp"
#include "unit/io/craft.hpp"

#include <bitpq/io/model.hpp>

#include <functional>

using bitpq::dtype;

namespace {

constexpr const char* right_record = "linear out=2 in=5 block=2 codewords=3 codebooks=1 code_bits=2";
constexpr const char* record_key = "bitpq.layer.w";

/// A file in pieces: one layer 'w', 2 x 5 in three blocks, three int8 codewords.
struct pieces {
  std::map<std::string, bitpq::dense_tensor> tensors = {
      {"w.codes", {dtype::u8, {2}, {std::byte{0b10'00'01'10}, std::byte{0b0000'00'01}}}},
      {"w.codebook", {dtype::i8, {1, 3, 2}, {std::byte{1}, std::byte{2}, std::byte{3}, {}, {}, std::byte{255}}}},
      {"w.codebook_scale", {dtype::f32, {1}, bitpq::encode_values<float>(dtype::f32, half)}},
  };
  bitpq::metadata_map metadata = {{"bitpq.format", "1"}, {record_key, right_record}};

  static constexpr float half[1] = {0.5F};
};

/// What loading says after saving the pieces, the path replaced by "f".
std::string said_of(const pieces& p) {
  const bitpq_test::temp_dir dir;
  std::vector<bitpq::tensor_view> views;
  for (const auto& [name, tensor] : p.tensors) views.push_back({name, tensor.type, tensor.shape, tensor.bytes});
  bitpq::write_safetensors(dir / "f", views, p.metadata);
  std::string text = bitpq_test::error_of([&] { static_cast<void>(bitpq::load_model<float>(dir / "f")); });
  const std::string path = (dir / "f").string();
  for (std::size_t at = text.find(path); at != text.npos; at = text.find(path)) text.replace(at, path.size(), "f");
  return text;
}

struct bad_model {
  std::function<void(pieces&)> spoil;
  const char* said;
};

/// Gives the layer another record.
std::function<void(pieces&)> record(const char* text) {
  return [text](pieces& p) { p.metadata[record_key] = text; };
}

std::function<void(pieces&)> scale(float value) {
  return [value](pieces& p) {
    p.tensors["w.codebook_scale"].bytes = bitpq::encode_values<float>(dtype::f32, {&value, 1});
  };
}

const bad_model parts[] = {
    {[](pieces&) {}, "no error"},
    {[](pieces& p) { p.metadata.erase("bitpq.format"); },
     "corrupt_file: bitpq: f: no compressed model: metadata has no 'bitpq.format'"},
    {[](pieces& p) { p.metadata["bitpq.format"] = "2"; },
     "unsupported: bitpq: f: format version '2' is not 1, the one this library reads"},
    {[](pieces& p) { p.metadata["bitpq.format"] = "1.0"; },
     "unsupported: bitpq: f: format version '1.0' is not 1, the one this library reads"},
    {[](pieces& p) { p.metadata["bitpq.row_scales"] = "w"; },
     "unsupported: bitpq: f: metadata 'bitpq.row_scales' is unknown to format version 1"},
    {[](pieces& p) { p.metadata.erase(record_key); },
     "corrupt_file: bitpq: f: tensor 'w.codes' belongs to no layer of the metadata"},
    {[](pieces& p) { p.tensors.erase("w.codes"); }, "corrupt_file: bitpq: f: layer 'w' has no tensor 'w.codes'"},
    {[](pieces& p) { p.tensors.erase("w.codebook"); }, "corrupt_file: bitpq: f: layer 'w' has no tensor 'w.codebook'"},
    {[](pieces& p) { p.tensors.erase("w.codebook_scale"); },
     "corrupt_file: bitpq: f: layer 'w' has no tensor 'w.codebook_scale'"},
    {[](pieces& p) { p.tensors.clear(); }, "corrupt_file: bitpq: f: layer 'w' has no tensor 'w.codes'"},
    {[](pieces& p) { p.metadata["bitpq.layer.v"] = right_record; },
     "corrupt_file: bitpq: f: layer 'v' has no tensor 'v.codes'"},
    {[](pieces& p) { p.tensors["v.codes"] = p.tensors["w.codes"]; },
     "corrupt_file: bitpq: f: tensor 'v.codes' belongs to no layer of the metadata"},
    {[](pieces& p) { p.tensors["w"] = p.tensors["w.codes"]; },
     "corrupt_file: bitpq: f: tensor 'w' is wrong: the name 'w' is taken"},
    {[](pieces& p) {
       p.tensors["w.codebook"] = {dtype::f16, {1, 3, 2}, std::vector<std::byte>(12)};
     },
     "corrupt_file: bitpq: f: tensor 'w.codebook_scale' is wrong: the name 'w.codebook_scale' belongs to a "
     "layer"},
};

const bad_model contents[] = {
    {[](pieces& p) { p.tensors["w.codes"].type = dtype::i8; },
     "corrupt_file: bitpq: f: tensor 'w.codes' holds I8 elements, not U8"},
    {[](pieces& p) {
       p.tensors["w.codes"].shape = {1, 2};
     },
     "corrupt_file: bitpq: f: tensor 'w.codes' has shape [1, 2], but its layer needs [2]"},
    {[](pieces& p) {
       p.tensors["w.codes"] = {dtype::u8, {3}, std::vector<std::byte>(3)};
     },
     "corrupt_file: bitpq: f: tensor 'w.codes' has shape [3], but its layer needs [2]"},
    {[](pieces& p) { p.tensors["w.codes"].bytes[0] = std::byte{0b10'11'01'10}; },
     "corrupt_file: bitpq: f: layer 'w' is wrong: code 3 at row 0, stage 0, block 2 names none of 3 codewords"},
    {[](pieces& p) { p.tensors["w.codes"].bytes[1] = std::byte{0b0000'11'01}; },
     "corrupt_file: bitpq: f: layer 'w' is wrong: code 3 at row 1, stage 0, block 2 names none of 3 codewords"},
    {[](pieces& p) { p.tensors["w.codes"].bytes[1] = std::byte{0b0001'00'01}; },
     "corrupt_file: bitpq: f: layer 'w' is wrong: the last byte of 6 codes of 2 bits has bits set beyond the "
     "last "
     "code"},
    {[](pieces& p) {
       p.tensors["w.codebook"].shape = {3, 2};
     },
     "corrupt_file: bitpq: f: tensor 'w.codebook' has shape [3, 2], but its layer needs [1, 3, 2]"},
    {[](pieces& p) { p.tensors["w.codebook"].type = dtype::u8; },
     "corrupt_file: bitpq: f: tensor 'w.codebook' holds U8 elements, not F16, F32, F64 or I8"},
    {[](pieces& p) {
       p.tensors["w.codebook"] = {dtype::bf16, {1, 3, 2}, std::vector<std::byte>(12)};
     },
     "corrupt_file: bitpq: f: tensor 'w.codebook' holds BF16 elements, not F16, F32, F64 or I8"},
    {[](pieces& p) {
       p.tensors["w.codebook"] = {dtype::f64, {1, 3, 2}, std::vector<std::byte>(48)};
     },
     "unsupported: bitpq: f: tensor 'w.codebook' holds F64 codewords, which only a model of double can hold"},
    {[](pieces& p) { p.tensors["w.codebook"].bytes[4] = std::byte{128}; },
     "corrupt_file: bitpq: f: layer 'w' is wrong: int8 codeword element -128 at 4 is outside -127 .. 127"},
    {[](pieces& p) {
       p.tensors["w.codebook"] = {dtype::f16, {1, 3, 2}, std::vector<std::byte>(12, std::byte{0x7C})};
       p.tensors.erase("w.codebook_scale");
     },
     "corrupt_file: bitpq: f: layer 'w' is wrong: codebook holds nan at 0"},
    {[](pieces& p) { p.tensors["w.codebook_scale"].type = dtype::u32; },
     "corrupt_file: bitpq: f: tensor 'w.codebook_scale' holds U32 elements, not F32"},
    {[](pieces& p) { p.tensors["w.codebook_scale"].shape = {}; },
     "corrupt_file: bitpq: f: tensor 'w.codebook_scale' has shape [], but its layer needs [1]"},
    {scale(0.0F), "corrupt_file: bitpq: f: layer 'w' is wrong: scale 0 of codebook 0 is not positive and finite"},
    {scale(-1.0F), "corrupt_file: bitpq: f: layer 'w' is wrong: scale -1 of codebook 0 is not positive and finite"},
    {scale(3e38F), "corrupt_file: bitpq: f: layer 'w' is wrong: codebook holds inf at 1"},
};

const bad_model records[] = {
    {record(""), "corrupt_file: bitpq: f: layer 'w' is of unknown kind ''"},
    {record("conv3d out=2"), "corrupt_file: bitpq: f: layer 'w' is of unknown kind 'conv3d'"},
    {record("linear in=5 block=2 codewords=3 codebooks=1 code_bits=2"),
     "corrupt_file: bitpq: f: layer 'w' has no field 'out'"},
    {record("linear out=2 in=5 block=2 codewords=3 codebooks=1"),
     "corrupt_file: bitpq: f: layer 'w' has no field 'code_bits'"},
    {record("linear out=2 out=2 in=5 block=2 codewords=3 codebooks=1 code_bits=2"),
     "corrupt_file: bitpq: f: layer 'w' has 'out' twice"},
    {record("linear out=2 in=5 block=2 codewords=3 codebooks=1 code_bits=2 bias=1"),
     "corrupt_file: bitpq: f: layer 'w' has an unknown field 'bias'"},
    {record("linear out=2 in=5 groups=1 block=2 codewords=3 codebooks=1 code_bits=2"),
     "corrupt_file: bitpq: f: layer 'w' has an unknown field 'groups'"},
    {record("linear out=2  in=5 block=2 codewords=3 codebooks=1 code_bits=2"),
     "corrupt_file: bitpq: f: layer 'w' has a word '' without '='"},
    {record("linear out=2 in=5 block=2 codewords=3 codebooks=1 code_bits=2 "),
     "corrupt_file: bitpq: f: layer 'w' has a word '' without '='"},
    {record("linear out 2 in=5 block=2 codewords=3 codebooks=1 code_bits=2"),
     "corrupt_file: bitpq: f: layer 'w' has a word 'out' without '='"},
    {record("linear out=-2 in=5 block=2 codewords=3 codebooks=1 code_bits=2"),
     "corrupt_file: bitpq: f: layer 'w' has out='-2', not of integers in 0 .. 2^64 - 1"},
    {record("linear out= in=5 block=2 codewords=3 codebooks=1 code_bits=2"),
     "corrupt_file: bitpq: f: layer 'w' has out='', not of integers in 0 .. 2^64 - 1"},
    {record("linear out=2.0 in=5 block=2 codewords=3 codebooks=1 code_bits=2"),
     "corrupt_file: bitpq: f: layer 'w' has out='2.0', not of integers in 0 .. 2^64 - 1"},
    {record("linear out=18446744073709551616 in=5 block=2 codewords=3 codebooks=1 code_bits=2"),
     "corrupt_file: bitpq: f: layer 'w' has out='18446744073709551616', not of integers in 0 .. 2^64 - 1"},
    {record("linear out=0 in=5 block=2 codewords=3 codebooks=1 code_bits=2"),
     "corrupt_file: bitpq: f: layer 'w' is wrong: layer of 5 inputs and 0 outputs"},
    {record("linear out=18446744073709551615 in=5 block=2 codewords=3 codebooks=1 code_bits=2"),
     "corrupt_file: bitpq: f: layer 'w' is wrong: weights: 18446744073709551615 x 5 overflows"},
    {record("linear out=2 in=5 block=6 codewords=3 codebooks=1 code_bits=2"),
     "corrupt_file: bitpq: f: layer 'w' is wrong: block size 6 is outside 1 .. 5, the columns of the weight "
     "matrix"},
    {record("linear out=2 in=5 block=0 codewords=3 codebooks=1 code_bits=2"),
     "corrupt_file: bitpq: f: layer 'w' is wrong: block size 0 is outside 1 .. 5, the columns of the weight "
     "matrix"},
    {record("linear out=2 in=5 block=2 codewords=65537 codebooks=1 code_bits=17"),
     "corrupt_file: bitpq: f: layer 'w' is wrong: a codebook of 65537 codewords is outside 1 .. 65536"},
    {record("linear out=2 in=5 block=2 codewords=3 codebooks=1 code_bits=3"),
     "corrupt_file: bitpq: f: layer 'w' has code_bits=3, but 3 codewords take 2"},
    {record("linear out=2 in=5 block=2 codewords=4 codebooks=1 code_bits=2"),
     "corrupt_file: bitpq: f: tensor 'w.codebook' has shape [1, 3, 2], but its layer needs [1, 4, 2]"},
    {record("linear out=3 in=5 block=2 codewords=3 codebooks=1 code_bits=2"),
     "corrupt_file: bitpq: f: tensor 'w.codes' has shape [2], but its layer needs [3]"},
    {record("linear out=2 in=7 block=2 codewords=3 codebooks=3 code_bits=2"),
     "corrupt_file: bitpq: f: layer 'w' is wrong: 3 codebooks do not share out 4 block positions evenly"},
    {record("conv2d out=2 in=5 kernel=1 stride=1x1 padding=0x0 dilation=1x1 groups=1 block=2 codewords=3 "
            "codebooks=1 "
            "code_bits=2"),
     "corrupt_file: bitpq: f: layer 'w' has kernel='1', not a pair as 3x3"},
    {record("conv2d out=2 in=5 kernel=1x stride=1x1 padding=0x0 dilation=1x1 groups=1 block=2 codewords=3 "
            "codebooks=1 "
            "code_bits=2"),
     "corrupt_file: bitpq: f: layer 'w' has kernel='1x', not of integers in 0 .. 2^64 - 1"},
    {record("conv2d out=2 in=5 kernel=1x1 stride=0x1 padding=0x0 dilation=1x1 groups=1 block=2 codewords=3 "
            "codebooks=1 "
            "code_bits=2"),
     "corrupt_file: bitpq: f: layer 'w' is wrong: stride of 0 x 1"},
    {record("conv2d out=2 in=5 kernel=1x1 stride=1x1 padding=0x0 dilation=1x1 groups=0 block=2 codewords=3 "
            "codebooks=1 "
            "code_bits=2"),
     "corrupt_file: bitpq: f: layer 'w' is wrong: 0 groups do not divide 5 inputs and 2 outputs"},
};

constexpr const char* staged_record = "linear out=2 in=5 block=2 codewords=3 codebooks=1 code_bits=2 stages=2 scales=2";

/// Makes the layer one of two stages with row scales, and changes one thing of it.
std::function<void(pieces&)> staged(std::function<void(pieces&)> spoil) {
  return [spoil = std::move(spoil)](pieces& p) {
    constexpr float scales[2] = {1.0F, -0.25F}, two[2] = {0.5F, 0.125F};
    p.tensors["w.codes"] = {dtype::u8, {3}, std::vector<std::byte>(3, std::byte{0b01'10'00'10})};
    p.tensors["w.codebook"] = {dtype::i8, {2, 3, 2}, std::vector<std::byte>(12, std::byte{5})};
    p.tensors["w.codebook_scale"] = {dtype::f32, {2}, bitpq::encode_values<float>(dtype::f32, two)};
    p.tensors["w.row_scale"] = {dtype::f16, {2}, bitpq::encode_values<float>(dtype::f16, scales)};
    p.metadata[record_key] = staged_record;
    spoil(p);
  };
}

const bad_model stages[] = {
    {staged([](pieces&) {}), "no error"},
    {staged(record("linear out=2 in=5 block=2 codewords=3 codebooks=1 code_bits=2 stages=0 scales=2")),
     "corrupt_file: bitpq: f: layer 'w' is wrong: 0 stages are outside 1 .. 16"},
    {staged(record("linear out=2 in=5 block=2 codewords=3 codebooks=1 code_bits=2 stages=17 scales=2")),
     "corrupt_file: bitpq: f: layer 'w' is wrong: 17 stages are outside 1 .. 16"},
    {staged(record("linear out=2 in=5 block=2 codewords=3 codebooks=1 code_bits=2 stages=18446744073709551615")),
     "corrupt_file: bitpq: f: layer 'w' is wrong: 18446744073709551615 stages are outside 1 .. 16"},
    {staged(record("linear out=2 in=5 block=2 codewords=3 codebooks=1 code_bits=2 stages=two")),
     "corrupt_file: bitpq: f: layer 'w' has stages='two', not of integers in 0 .. 2^64 - 1"},
    {staged(record("linear out=2 in=5 block=2 codewords=3 codebooks=1 code_bits=2 stages=3 scales=2")),
     "corrupt_file: bitpq: f: tensor 'w.codes' has shape [3], but its layer needs [5]"},
    {staged(record("linear out=2 in=5 block=2 codewords=3 codebooks=1 code_bits=2 stages=2 scales=3")),
     "corrupt_file: bitpq: f: layer 'w' has scales=3, but 2 rows"},
    {staged(record("linear out=2 in=5 block=2 codewords=3 codebooks=1 code_bits=2 stages=2")),
     "corrupt_file: bitpq: f: tensor 'w.row_scale' is wrong: the name 'w.row_scale' belongs to a layer"},
    {staged([](pieces& p) { p.tensors.erase("w.row_scale"); }),
     "corrupt_file: bitpq: f: layer 'w' has no tensor 'w.row_scale'"},
    {staged([](pieces& p) {
       p.tensors["w.row_scale"] = {dtype::f16, {3}, std::vector<std::byte>(6)};
     }),
     "corrupt_file: bitpq: f: tensor 'w.row_scale' has shape [3], but its layer needs [2]"},
    {staged([](pieces& p) {
       p.tensors["w.row_scale"] = {dtype::bf16, {2}, std::vector<std::byte>(4)};
     }),
     "corrupt_file: bitpq: f: tensor 'w.row_scale' holds BF16 elements, not F16 or F32"},
    {staged([](pieces& p) { p.tensors["w.row_scale"].bytes[3] = std::byte{0x7C}; }),
     "corrupt_file: bitpq: f: layer 'w' is wrong: row scale holds inf at 1"},
    {staged([](pieces& p) {
       p.tensors["w.codebook"] = {dtype::i8, {1, 3, 2}, std::vector<std::byte>(6)};
     }),
     "corrupt_file: bitpq: f: tensor 'w.codebook' has shape [1, 3, 2], but its layer needs [2, 3, 2]"},
    {staged([](pieces& p) {
       p.tensors["w.codebook_scale"] = {dtype::f32, {1}, bitpq::encode_values<float>(dtype::f32, pieces::half)};
     }),
     "corrupt_file: bitpq: f: tensor 'w.codebook_scale' has shape [1], but its layer needs [2]"},
    {staged([](pieces& p) { p.tensors["w.codes"].bytes[1] = std::byte{0b11'10'00'10}; }),
     "corrupt_file: bitpq: f: layer 'w' is wrong: code 3 at row 1, stage 0, block 1 names none of 3 codewords"},
};

template <std::size_t N>
void check_rows(const bad_model (&rows)[N]) {
  for (const bad_model& r : rows) {
    pieces p;
    r.spoil(p);
    CHECK(said_of(p) == r.said);
  }
}

}  // namespace

TEST_CASE("models with parts missing or left over", "[io]") { check_rows(parts); }

TEST_CASE("models whose tensors contradict their layer", "[io]") { check_rows(contents); }

TEST_CASE("models whose layer record is wrong", "[io]") { check_rows(records); }

TEST_CASE("models whose stages or row scales are wrong", "[io]") { check_rows(stages); }

TEST_CASE("a plain safetensors file is no model, and says so", "[io]") {
  const std::vector<std::byte> file = bitpq_test::craft("{}");
  CHECK(bitpq_test::error_of([&] {
          static_cast<void>(bitpq::load_model<float>(bitpq::safetensors_reader(file, "f")));
        }) == "corrupt_file: bitpq: f: no compressed model: metadata has no 'bitpq.format'");
}
