// SPDX-License-Identifier: Apache-2.0
//
// docs/format.md is enough to decode a file: a short Python program written from it, with the standard library alone,
// finds the weights that pq_matrix::decode finds, bit for bit.

#include "support/catch.hpp"
#include "support/paths.hpp"
#include "unit/io/craft.hpp"
#include "unit/io/random_model.hpp"

#include <bitpq/io/model.hpp>

#include <cstdlib>

static int run(const std::string& command) { return std::system(command.c_str()); }

static bool has_python() {
  static const bool found = run("python3 -c 'import sys; sys.exit(sys.version_info < (3, 8))' >/dev/null 2>&1") == 0;
  return found;
}

/// Decodes each layer of the saved model with the program and compares with decode().
template <class T>
static void compare(const bitpq::compressed_model<T>& model) {
  const bitpq_test::temp_dir dir;
  bitpq::save_model(dir / "model.safetensors", model);
  const std::string program = (bitpq_test::source_dir() / "tests" / "golden" / "decode_by_hand.py").string();
  for (const auto& [name, layer] : model.layers()) {
    INFO(name);
    REQUIRE(run("python3 '" + program + "' '" + (dir / "model.safetensors").string() + "' '" + name + "' '" +
                (dir / "out").string() + "'") == 0);
    const std::string out = bitpq_test::read_file(dir / "out");
    std::vector<T> weights(layer.weight.rows() * layer.weight.cols());
    layer.weight.decode({weights.data(), layer.weight.rows(), layer.weight.cols()});
    REQUIRE(out.size() == weights.size() * sizeof(T));
    const auto type = std::same_as<T, double> ? bitpq::dtype::f64 : bitpq::dtype::f32;
    CHECK(bitpq::encode_values<T>(type, weights) ==
          std::vector<std::byte>(reinterpret_cast<const std::byte*>(out.data()),
                                 reinterpret_cast<const std::byte*>(out.data() + out.size())));
  }
}

TEST_CASE("a program written from docs/format.md decodes every layer", "[io]") {
  if (!has_python()) BITPQ_TEST_SKIP("python3 of version 3.8 or later is not here");
  auto model = bitpq_test::small_model<float>();
  model.add_layer("wide codes", bitpq::layer_geometry::linear(9, 31),
                  bitpq_test::random_weights<float>({9, 31, 4, 2001, 2}, bitpq::codeword_type::f16, 5));
  model.add_layer(
      "three stages", bitpq::layer_geometry::linear(9, 31),
      bitpq_test::random_weights<float>({9, 31, 4, 21, 2, 3}, bitpq::codeword_type::i8, 5, bitpq::codeword_type::f32));
  compare(model);
}

TEST_CASE("and those of F64 codewords", "[io]") {
  if (!has_python()) BITPQ_TEST_SKIP("python3 of version 3.8 or later is not here");
  bitpq::compressed_model<double> model;
  model.add_layer("w", bitpq::layer_geometry::linear(4, 10),
                  bitpq_test::random_weights<double>({4, 10, 4, 7, 3}, bitpq::codeword_type::f64, 6));
  model.add_layer(
      "stages", bitpq::layer_geometry::linear(4, 10),
      bitpq_test::random_weights<double>({4, 10, 4, 7, 3, 2}, bitpq::codeword_type::f64, 7, bitpq::codeword_type::f16));
  compare(model);
}
