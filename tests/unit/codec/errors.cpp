// SPDX-License-Identifier: Apache-2.0

#include "support/bad_inputs.hpp"
#include "support/random_pq.hpp"

#include <bitpq/codec/layer_geometry.hpp>
#include <bitpq/codec/pq_matrix.hpp>

using bitpq::code_format;
using bitpq::codebook;
using bitpq::codeword_type;
using bitpq::errc;
using bitpq::layer_geometry;
using bitpq::packed_codes;
using bitpq::pq_matrix;
using bitpq_test::check_bad_inputs;

namespace {

constexpr std::size_t two_to(int exponent) { return std::size_t{1} << exponent; }
constexpr std::size_t most = ~std::size_t{0};
constexpr float nan_value = std::numeric_limits<float>::quiet_NaN();
constexpr float infinity = std::numeric_limits<float>::infinity();

void conv(std::size_t out, std::size_t in, bitpq::extent2 kernel, bitpq::conv2d_options options = {}) {
  static_cast<void>(layer_geometry::conv2d(out, in, kernel, options));
}
void slide(bitpq::extent2 kernel, bitpq::conv2d_options options, bitpq::extent2 in) {
  static_cast<void>(layer_geometry::conv2d(1, 1, kernel, options).output_size(in));
}
void format(const code_format& f) { f.validate(); }

template <class T>
void book(const std::vector<T>& values, std::size_t count, std::size_t codewords, std::size_t d,
          codeword_type type = codeword_type::f32) {
  codebook<T>(values, count, codewords, d, type);
}
void book_of_int8(std::vector<std::int8_t> quantized, std::vector<float> scales) {
  static_cast<void>(codebook<float>::from_int8(quantized, scales, 1, 2));
}
void try_to_pack(int bits, const std::vector<std::uint16_t>& codes) { packed_codes(bits, codes); }

/// 4 x 6 weights in blocks of 2 from three codewords.
pq_matrix<float> matrix(int bits, const std::vector<std::uint16_t>& codes, std::size_t rows = 4, std::size_t cols = 6,
                        std::size_t books = 1, std::size_t stages = 1, const std::vector<float>& scales = {}) {
  return pq_matrix<float>(rows, cols, codebook<float>(std::vector<float>(6 * books, 1.0F), books, 3, 2),
                          packed_codes(bits, codes), stages, bitpq::row_scales<float>(scales));
}
void scale_rows(const std::vector<float>& values, codeword_type type = codeword_type::f16) {
  bitpq::row_scales<float>(values, type);
}

}  // namespace

TEST_CASE("bad layer geometries are refused with their numbers") {
  check_bad_inputs({
      {errc::bad_shape, "layer of 3 inputs and 0 outputs", [] { static_cast<void>(layer_geometry::linear(0, 3)); }},
      {errc::bad_shape, "layer of 0 inputs and 3 outputs", [] { static_cast<void>(layer_geometry::linear(3, 0)); }},
      {errc::bad_shape, "kernel of 0 x 3",
       [] {
         conv(1, 1, {0, 3});
       }},
      {errc::bad_params, "stride of 1 x 0",
       [] {
         conv(1, 1, {3, 3}, {{1, 0}, {0, 0}, {1, 1}, 1});
       }},
      {errc::bad_params, "dilation of 0 x 2",
       [] {
         conv(1, 1, {3, 3}, {{1, 1}, {0, 0}, {0, 2}, 1});
       }},
      {errc::bad_shape, "0 groups do not divide 4 inputs and 6 outputs",
       [] {
         conv(6, 4, {1, 1}, {{1, 1}, {0, 0}, {1, 1}, 0});
       }},
      {errc::bad_shape, "4 groups do not divide 4 inputs and 6 outputs",
       [] {
         conv(6, 4, {1, 1}, {{1, 1}, {0, 0}, {1, 1}, 4});
       }},
      {errc::bad_shape, "3 groups do not divide 4 inputs and 6 outputs",
       [] {
         conv(6, 4, {1, 1}, {{1, 1}, {0, 0}, {1, 1}, 3});
       }},
      {errc::bad_shape, "kernel: 4294967296 x 4294967296 overflows",
       [] {
         conv(1, 1, {two_to(32), two_to(32)});
       }},
      {errc::bad_shape, "weights: 4 x 4611686018427387904 overflows",
       [] { static_cast<void>(layer_geometry::linear(4, two_to(62))); }},
      {errc::bad_shape, "kernel height 5 exceeds the padded input's 2 + 2 x 1",
       [] {
         slide({5, 1}, {{1, 1}, {1, 0}, {1, 1}, 1}, {2, 9});
       }},
      {errc::bad_shape, "kernel width 7 exceeds the padded input's 6 + 2 x 0",
       [] {
         slide({1, 3}, {{1, 1}, {0, 0}, {1, 3}, 1}, {9, 6});
       }},
      {errc::bad_shape, "dilated kernel: 9223372036854775808 x 3 overflows",
       [] {
         slide({3, 1}, {{1, 1}, {0, 0}, {two_to(63), 1}, 1}, {9, 9});
       }},
      {errc::bad_shape, "dilated kernel: 18446744073709551615 x 2 overflows",
       [] {
         slide({2, 1}, {{1, 1}, {0, 0}, {most, 1}, 1}, {9, 9});
       }},
      {errc::bad_params, "padding of 4294967296 exceeds 2147483648",
       [] {
         slide({3, 3}, {{1, 1}, {two_to(32), 0}, {1, 1}, 1}, {9, 9});
       }},
      {errc::bad_shape, "a convolution over an image of 0 x 9",
       [] {
         slide({3, 3}, {{1, 1}, {2, 2}, {1, 1}, 1}, {0, 9});
       }},
  });
}

TEST_CASE("bad formats are refused with their numbers") {
  check_bad_inputs({
      {errc::bad_shape, "weight matrix of 0 x 4",
       [] {
         format({0, 4, 2, 2, 1});
       }},
      {errc::bad_shape, "weight matrix of 4 x 0",
       [] {
         format({4, 0, 2, 2, 1});
       }},
      {errc::bad_params, "block size 0 is outside 1 .. 4, the columns of the weight matrix",
       [] {
         format({4, 4, 0, 2, 1});
       }},
      {errc::bad_params, "block size 5 is outside 1 .. 4, the columns of the weight matrix",
       [] {
         format({4, 4, 5, 2, 1});
       }},
      {errc::bad_params, "a codebook of 0 codewords is outside 1 .. 65536",
       [] {
         format({4, 4, 2, 0, 1});
       }},
      {errc::bad_params, "a codebook of 65537 codewords is outside 1 .. 65536",
       [] {
         format({4, 4, 2, 65537, 1});
       }},
      {errc::bad_params, "0 codebooks do not share out 2 block positions evenly",
       [] {
         format({4, 4, 2, 2, 0});
       }},
      {errc::bad_params, "3 codebooks do not share out 2 block positions evenly",
       [] {
         format({4, 4, 2, 2, 3});
       }},
      {errc::bad_params, "5 codebooks do not share out 8 block positions evenly",
       [] {
         format({4, 16, 2, 2, 5});
       }},
      {errc::bad_shape, "weights: 4294967296 x 4294967296 overflows",
       [] {
         format({two_to(32), two_to(32), 2, 2, 1});
       }},
      {errc::bad_shape, "bits of the weights: 1152921504606846976 x 64 overflows",
       [] {
         format({two_to(30), two_to(30), 2, 2, 1});
       }},
      {errc::bad_params, "0 stages are outside 1 .. 16",
       [] {
         format({4, 4, 2, 2, 1, 0});
       }},
      {errc::bad_params, "17 stages are outside 1 .. 16",
       [] {
         format({4, 4, 2, 2, 1, 17});
       }},
      {errc::bad_shape, "bits of the weights: 288230376151711744 x 128 overflows",
       [] {
         format({two_to(29), two_to(29), 2, 2, 1, 2});
       }},
      {errc::bad_shape, "bits of the codebooks: 65536 x 281474976710656 overflows",
       [] {
         format({1, two_to(42), two_to(42), 65536, 1});
       }},
  });
}

TEST_CASE("bad codebooks are refused with their numbers") {
  check_bad_inputs({
      {errc::bad_shape, "codebook of 0 x 4 codewords of 2", [] { book<float>({}, 0, 4, 2); }},
      {errc::bad_shape, "codebook of 1 x 0 codewords of 2", [] { book<float>({}, 1, 0, 2); }},
      {errc::bad_shape, "codebook of 1 x 4 codewords of 0", [] { book<float>({}, 1, 4, 0); }},
      {errc::bad_shape, "codebook of 1 x 65537 codewords of 1", [] { book(std::vector<float>(65537), 1, 65537, 1); }},
      {errc::bad_shape, "codebook of 1 x 4 x 2 given 7 values", [] { book(std::vector<float>(7), 1, 4, 2); }},
      {errc::bad_shape, "codebook of 2 x 4 x 1 given 9 values",
       [] { book(std::vector<float>(9), 2, 4, 1, codeword_type::i8); }},
      {errc::bad_shape, "codebook: 18446744073709551615 x 2 overflows",
       [] { book(std::vector<float>(2), most, 2, 1, codeword_type::i8); }},
      {errc::bad_params, "f64 codewords in a codebook of float",
       [] { book(std::vector<float>(2), 1, 2, 1, codeword_type::f64); }},
      {errc::non_finite, "codebook holds nan at 1",
       [] {
         book<float>({1, nan_value}, 1, 2, 1);
       }},
      {errc::non_finite, "codebook holds -inf at 0",
       [] {
         book<float>({-infinity, 1}, 1, 2, 1, codeword_type::i8);
       }},
      {errc::non_finite, "codebook holds 70000 at 1, beyond fp16's range of 65504",
       [] {
         book<float>({1, 70000}, 1, 2, 1, codeword_type::f16);
       }},
      {errc::non_finite, "codebook holds -1e+39 at 0, beyond fp32's range",
       [] {
         book<double>({-1e39, 1}, 1, 2, 1);
       }},
      {errc::bad_params, "scale 0 of codebook 0 is not positive and finite",
       [] {
         book_of_int8({1, 2}, {0});
       }},
      {errc::bad_params, "scale -0.5 of codebook 1 is not positive and finite",
       [] {
         book_of_int8({1, 2, 3, 4}, {1, -0.5F});
       }},
      {errc::bad_params, "scale nan of codebook 0 is not positive and finite",
       [] {
         book_of_int8({1, 2}, {nan_value});
       }},
      {errc::bad_params, "scale inf of codebook 0 is not positive and finite",
       [] {
         book_of_int8({0, 2}, {infinity});
       }},
      {errc::bad_params, "int8 codeword element -128 at 1 is outside -127 .. 127",
       [] {
         book_of_int8({1, -128}, {1});
       }},
      {errc::bad_shape, "codebook of 2 x 1 x 2 given 3 values",
       [] {
         book_of_int8({1, 2, 3}, {1, 1});
       }},
      {errc::bad_shape, "codebook of 0 x 1 codewords of 2",
       [] {
         book_of_int8({1, 2}, {});
       }},
  });
}

TEST_CASE("bad row scales are refused with their numbers") {
  check_bad_inputs({
      {errc::bad_params, "row scales stored as i8, not f16 or f32", [] { scale_rows({1}, codeword_type::i8); }},
      {errc::bad_params, "row scales stored as f64, not f16 or f32", [] { scale_rows({1}, codeword_type::f64); }},
      {errc::non_finite, "row scale holds nan at 1",
       [] {
         scale_rows({1, nan_value});
       }},
      {errc::non_finite, "row scale holds -70000 at 0, beyond fp16's range of 65504", [] { scale_rows({-70000}); }},
      {errc::non_finite, "row scale holds inf at 0", [] { scale_rows({infinity}, codeword_type::f32); }},
  });
}

TEST_CASE("bad codes are refused with their numbers") {
  const packed_codes five(3, std::vector<std::uint16_t>{1, 2, 3, 4, 5});
  const packed_codes wide(9, std::vector<std::uint16_t>{1, 2});
  std::vector<std::uint16_t> three(3, 99);
  std::vector<std::uint8_t> bytes(2, 99);
  check_bad_inputs({
      {errc::bad_params, "codes of 0 bits, outside 1 .. 16", [] { try_to_pack(0, {}); }},
      {errc::bad_params, "codes of 17 bits, outside 1 .. 16", [] { try_to_pack(17, {1}); }},
      {errc::bad_params, "codes of -3 bits, outside 1 .. 16", [] { packed_codes(-3, 1, {0}); }},
      {errc::bad_params, "code 8 at 1 does not fit into 3 bits",
       [] {
         try_to_pack(3, {7, 8});
       }},
      {errc::bad_shape, "5 codes of 3 bits need 2 bytes, got 3",
       [] {
         packed_codes(3, 5, {0, 0, 0});
       }},
      {errc::bad_shape, "0 codes of 3 bits need 0 bytes, got 1", [] { packed_codes(3, 0, {0}); }},
      {errc::corrupt_file, "the last byte of 5 codes of 3 bits has bits set beyond the last code",
       [] {
         packed_codes(3, 5, {0, 0x80});
       }},
      {errc::bad_shape, "bits of codes: 9223372036854775808 x 3 overflows", [] { packed_codes(3, two_to(63), {}); }},
      {errc::bad_shape, "codes 3 .. 6 of a sequence of 5", [&] { five.unpack(3, std::span<std::uint16_t>(three)); }},
      {errc::bad_shape, "codes 6 .. 6 of a sequence of 5", [&] { five.unpack(6, std::span<std::uint16_t>()); }},
      {errc::bad_params, "9-bit codes into elements of 8 bits",
       [&] { wide.unpack(0, std::span<std::uint8_t>(bytes)); }},
  });
  CHECK(three == std::vector<std::uint16_t>(3, 99));
  CHECK(bytes == std::vector<std::uint8_t>(2, 99));
}

TEST_CASE("bad compressed matrices are refused with their numbers") {
  const std::vector<std::uint16_t> twelve(12, 2);
  std::vector<std::uint16_t> one_wrong(twelve);
  one_wrong[5] = 3;
  std::vector<std::uint16_t> late_wrong(24, 2);
  late_wrong[10] = 3;
  std::vector<float> out(24, 7.0F);
  const auto staged = [](std::size_t stages, std::size_t books, std::size_t codes) {
    matrix(2, std::vector<std::uint16_t>(codes), 4, 6, books, stages);
  };
  const auto scaled = [&](std::size_t scales) { matrix(2, twelve, 4, 6, 1, 1, std::vector<float>(scales, 1.0F)); };
  check_bad_inputs({
      {errc::bad_shape, "4 x 6 weights in blocks of 2, stages 2, need 24 codes, got 12", [&] { staged(2, 2, 12); }},
      {errc::bad_params, "3 codebooks for 2 stages of as many each", [&] { staged(2, 3, 24); }},
      {errc::bad_params, "1 codebooks for 2 stages of as many each", [&] { staged(2, 1, 24); }},
      {errc::bad_params, "0 stages are outside 1 .. 16", [&] { staged(0, 1, 12); }},
      {errc::bad_params, "17 stages are outside 1 .. 16", [&] { staged(17, 17, 12); }},
      {errc::corrupt_file, "code 3 at row 1, stage 1, block 1 names none of 3 codewords",
       [&] { matrix(2, late_wrong, 4, 6, 2, 2); }},
      {errc::bad_shape, "3 row scales for 4 rows", [&] { scaled(3); }},
      {errc::bad_shape, "5 row scales for 4 rows", [&] { scaled(5); }},
      {errc::bad_shape, "4 x 6 weights in blocks of 2, stages 1, need 12 codes, got 11",
       [] { matrix(2, std::vector<std::uint16_t>(11)); }},
      {errc::bad_shape, "codes of 3 bits for 3 codewords, which take 2", [&] { matrix(3, twelve); }},
      {errc::corrupt_file, "code 3 at row 1, stage 0, block 2 names none of 3 codewords",
       [&] { matrix(2, one_wrong); }},
      {errc::bad_params, "block size 2 is outside 1 .. 1, the columns of the weight matrix",
       [&] { matrix(2, twelve, 12, 1); }},
      {errc::bad_params, "4 codebooks do not share out 3 block positions evenly", [&] { matrix(2, twelve, 4, 6, 4); }},
      {errc::bad_shape, "weight matrix of 0 x 0", [] { pq_matrix<float>(0, 0, {}, {}); }},
      {errc::bad_shape, "decoding 4 x 6 weights into 6 x 4",
       [&] {
         matrix(2, twelve).decode({out.data(), 6, 4});
       }},
      {errc::bad_shape, "decoding 4 x 6 weights into 3 x 6",
       [&] {
         matrix(2, twelve).decode({out.data(), 3, 6});
       }},
  });
  CHECK(out == std::vector<float>(24, 7.0F));
}
