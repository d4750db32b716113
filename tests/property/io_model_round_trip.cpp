// SPDX-License-Identifier: Apache-2.0
//
// Saving and loading is the identity, bit for bit, and the file is as large as the accounting says: over codeword
// types, code widths of 1 to 16 bits, block sizes, tails and numbers of codebooks.

#include "support/catch.hpp"
#include "support/paths.hpp"
#include "unit/io/random_model.hpp"

#include <bitpq/io/model.hpp>

#include <set>
#include <sstream>

using bitpq::codeword_type;
using bitpq::compressed_model;
using bitpq::layer_geometry;

/// Adds a layer of that format, named after it.
template <class T>
static void add(compressed_model<T>& model, const bitpq::code_format& f, codeword_type type, std::uint64_t seed,
                std::optional<codeword_type> row_scale = std::nullopt) {
  std::ostringstream name;
  name << f.rows << " x " << f.cols << " in blocks of " << f.block_size << ", " << f.codebooks << " codebooks of "
       << f.codewords << ' ' << to_string(type) << " codewords, " << f.stages << " stages"
       << (row_scale ? ", scales in " : "") << (row_scale ? to_string(*row_scale) : "");
  model.add_layer(name.str(), layer_geometry::linear(f.rows, f.cols),
                  bitpq_test::random_weights<T>(f, type, seed, row_scale));
}

template <class T>
static void check_round_trip(const compressed_model<T>& model) {
  const bitpq_test::temp_dir dir;
  bitpq::save_model(dir / "m", model);
  const bitpq::safetensors_reader file(dir / "m");
  const auto loaded = bitpq::load_model<T>(file);
  CHECK(loaded.layers().size() == model.layers().size());
  for (const auto& [name, layer] : model.layers()) {
    INFO(name);
    CHECK(bitpq_test::same_bits(layer.weight, loaded.layer(name).weight));
  }
  CHECK(file.file_bytes() == model.size().bytes() + file.header_bytes());
}

template <class T>
static std::vector<codeword_type> types_of() {
  std::vector<codeword_type> types = {codeword_type::f32, codeword_type::f16, codeword_type::i8};
  if (std::same_as<T, double>) types.push_back(codeword_type::f64);
  return types;
}

TEMPLATE_TEST_CASE("round trip over code widths and codeword types", "[io]", float, double) {
  for (const codeword_type type : types_of<TestType>()) {
    compressed_model<TestType> model;
    for (int bits = 1; bits <= 16; ++bits) {
      // The most codewords of a width, the fewest, and one less than most; a single codeword still takes one bit.
      const std::size_t most = std::size_t{1} << bits;
      for (const std::size_t codewords : std::set<std::size_t>{most, most / 2 + 1, most - 1})
        add(model, {7, 11, 2, codewords, 1}, type, codewords);
    }
    CHECK(model.layers().size() == 2 + 2 + 14 * 3);
    check_round_trip(model);
  }
}

TEMPLATE_TEST_CASE("round trip over block sizes, tails and codebooks", "[io]", float, double) {
  const std::vector<codeword_type> types = types_of<TestType>();
  compressed_model<TestType> model;
  std::uint64_t seed = 0;
  for (const std::size_t cols : {1U, 2U, 3U, 7U, 8U, 9U, 18U, 33U, 64U})
    for (const std::size_t block : {1U, 2U, 3U, 4U, 8U, 9U, 18U, 33U}) {
      if (block > cols) continue;
      const std::size_t positions = bitpq::ceil_div(cols, block);
      for (std::size_t codebooks = 1; codebooks <= positions; ++codebooks) {
        // Not every number of codebooks shares out the positions.
        if (bitpq::ceil_div(positions, bitpq::ceil_div(positions, codebooks)) != codebooks) continue;
        add(model, {1 + seed % 5, cols, block, 5 + seed % 13, codebooks}, types[seed % types.size()], seed);
        ++seed;
      }
    }
  CHECK(seed > 150);
  CHECK(model.layers().size() == seed);
  check_round_trip(model);
}

TEMPLATE_TEST_CASE("round trip over stages and row scales", "[io]", float, double) {
  compressed_model<TestType> model;
  for (const codeword_type type : types_of<TestType>())
    for (const std::size_t stages : {1U, 2U, 3U, 16U})
      for (const std::optional<codeword_type> row_scale :
           {std::optional<codeword_type>(), std::optional(codeword_type::f16), std::optional(codeword_type::f32)})
        add(model, {5, 11, 3, 7, 2, stages}, type, stages, row_scale);
  check_round_trip(model);
}
