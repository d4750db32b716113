// SPDX-License-Identifier: Apache-2.0

#include "support/catch.hpp"
#include "support/paths.hpp"
#include "unit/io/craft.hpp"
#include "unit/io/random_model.hpp"

#include <bitpq/io/model.hpp>

using bitpq::codeword_type;
using bitpq::compressed_model;
using bitpq::dtype;
using bitpq::layer_geometry;
using bitpq_test::error_of;
using bitpq_test::random_weights;

TEMPLATE_TEST_CASE("a saved model is loaded bit for bit, and saved again to the same bytes", "[io]", float, double) {
  const bitpq_test::temp_dir dir;
  const compressed_model<TestType> model = bitpq_test::small_model<TestType>();
  bitpq::save_model(dir / "m", model);
  const auto loaded = bitpq::load_model<TestType>(dir / "m");
  CHECK(loaded.layers().size() == 4);
  CHECK(loaded.tensors().size() == 3);
  CHECK(bitpq_test::same_bits(loaded, model));
  bitpq::save_model(dir / "again", loaded);
  CHECK(bitpq_test::read_file(dir / "again") == bitpq_test::read_file(dir / "m"));
}

TEST_CASE("the file is its accounting and its header", "[io]") {
  const bitpq_test::temp_dir dir;
  const auto model = bitpq_test::small_model<float>();
  bitpq::save_model(dir / "m", model);
  const bitpq::safetensors_reader file(dir / "m");
  const bitpq::model_size size = model.size();
  CHECK(file.file_bytes() == size.bytes() + file.header_bytes());
  CHECK(bitpq::header_bytes(model) == file.header_bytes());
  CHECK(std::filesystem::file_size(dir / "m") == file.file_bytes());
  // By hand: 12 codes of 3 bits, 20 of 2, 40 of 4; 45 halves, 12 bytes with two scales, 256 floats. And in two stages,
  // 32 codes of 3 bits, 60 bytes with four scales, and a half for each of 4 rows.
  CHECK(size.layers.code_bits == 8 * (5 + 5 + 20 + 12));
  CHECK(size.layers.codebook_bits == 45 * 16 + 12 * 8 + 256 * 32 + 60 * 8);
  CHECK(size.layers.scale_bits == 2 * 32 + 4 * 32 + 4 * 16);
  CHECK(size.layers.weights == 6 * 18 + 5 * 7 + 10 * 13 + 4 * 11);
  CHECK(size.dense_bits == 3 * 32 + 3 * 16 + 64);
  CHECK(size.dense_values == 7);
  CHECK(size.bytes() == 30 + 90 + 12 + 1024 + 8 + 12 + 60 + 16 + 8 + 12 + 6 + 8);
}

TEST_CASE("a file says what docs/format.md says", "[io]") {
  const bitpq_test::temp_dir dir;
  bitpq::save_model(dir / "m", bitpq_test::small_model<float>());
  const bitpq::safetensors_reader file(dir / "m");
  const bitpq::metadata_map wanted = {
      {"bitpq.format", "1"},
      {"bitpq.layer.head.weight", "linear out=10 in=13 block=4 codewords=16 codebooks=4 code_bits=4"},
      {"bitpq.layer.mid.weight", "conv2d out=5 in=7 kernel=1x1 block=2 codewords=3 codebooks=2 code_bits=2"},
      {"bitpq.layer.stem.weight",
       "conv2d out=6 in=4 kernel=3x3 stride=2x1 padding=1x0 dilation=1x2 groups=2 "
       "block=9 codewords=5 code_bits=3"},
      {"bitpq.layer.sum.weight", "linear out=4 in=11 block=3 codewords=5 codebooks=2 code_bits=3 stages=2 scales=4"},
      {"trained_on", "nothing"},
  };
  CHECK(file.metadata() == wanted);
  using shape = std::vector<std::size_t>;
  CHECK(file["stem.weight.codes"].shape == shape{5});
  CHECK(file["stem.weight.codes"].type == dtype::u8);
  CHECK(file["stem.weight.codebook"].shape == shape{1, 5, 9});
  CHECK(file["stem.weight.codebook"].type == dtype::f16);
  CHECK(file["mid.weight.codebook"].type == dtype::i8);
  CHECK(file["mid.weight.codebook_scale"].shape == shape{2});
  CHECK(file["mid.weight.codebook_scale"].type == dtype::f32);
  CHECK(file["head.weight.codebook"].type == dtype::f32);
  CHECK_FALSE(file.contains("head.weight.codebook_scale"));
  CHECK(file["sum.weight.codes"].shape == shape{12});
  CHECK(file["sum.weight.codebook"].shape == shape{4, 5, 3});
  CHECK(file["sum.weight.codebook_scale"].shape == shape{4});
  CHECK(file["sum.weight.row_scale"].shape == shape{4});
  CHECK(file["sum.weight.row_scale"].type == dtype::f16);
  CHECK_FALSE(file.contains("head.weight.row_scale"));
  CHECK(file.tensors().size() == 4 * 2 + 2 + 1 + 3);
}

TEST_CASE("a record that says what could be left out reads the same", "[io]") {
  const auto written = [](const char* text) {
    return bitpq::detail::to_text(bitpq::detail::parse_layer_record(text, "layer 'w' "));
  };
  CHECK(written("conv2d out=5 in=7 kernel=1x1 stride=1x1 padding=0x0 dilation=1x1 groups=1 block=2 codewords=3 "
                "codebooks=1 code_bits=2 stages=1 scales=0") ==
        "conv2d out=5 in=7 kernel=1x1 block=2 codewords=3 code_bits=2");
  for (const char* kept : {"conv2d out=6 in=4 kernel=3x3 stride=1x2 padding=0x1 dilation=2x1 groups=2 block=9 "
                           "codewords=5 codebooks=2 code_bits=3 stages=2 scales=6",
                           "linear out=10 in=8 block=4 codewords=16 code_bits=4"})
    CHECK(written(kept) == kept);
}

TEST_CASE("a model of float opens as one of double with the same values; F64 does not open as float", "[io]") {
  const bitpq_test::temp_dir dir;
  bitpq::save_model(dir / "m", bitpq_test::small_model<float>());
  const auto wide = bitpq::load_model<double>(dir / "m");
  const auto narrow = bitpq::load_model<float>(dir / "m");
  for (const auto& [name, layer] : narrow.layers()) {
    const auto values = layer.weight.book().values();
    const auto wide_values = wide.layer(name).weight.book().values();
    // An int8 codeword is a product, which double keeps exactly and float rounds.
    for (std::size_t i = 0; i < values.size(); ++i) CHECK(values[i] == static_cast<float>(wide_values[i]));
  }
  CHECK(wide.values("head.bias") == std::vector<double>{1, -2.5, 0.25});

  compressed_model<double> exact;
  exact.add_layer("w", layer_geometry::linear(4, 8), random_weights<double>({4, 8, 4, 3, 1}, codeword_type::f64, 9));
  bitpq::save_model(dir / "d", exact);
  CHECK(bitpq_test::same_bits(bitpq::load_model<double>(dir / "d"), exact));
  CHECK(error_of([&] { static_cast<void>(bitpq::load_model<float>(dir / "d")); }) ==
        "unsupported: bitpq: " + (dir / "d").string() +
            ": tensor 'w.codebook' holds F64 codewords, which only a model of double can hold");
}

TEST_CASE("names beyond ASCII and beyond taste survive", "[io]") {
  const bitpq_test::temp_dir dir;
  compressed_model<float> model;
  for (const char* const name : {"", " ", "a.codes", "\"", "\xE6\xBC\xA2 \\ \n", "x=y block=3"})
    model.add_layer(name, layer_geometry::linear(2, 4), random_weights<float>({2, 4, 2, 2, 1}, codeword_type::f16, 4));
  const std::vector<float> one = {1.0F};
  for (const char* const name : {"b.codebook", ".", "\t"}) model.add_tensor(name, {1}, one);
  bitpq::save_model(dir / "m", model);
  CHECK(bitpq_test::same_bits(bitpq::load_model<float>(dir / "m"), model));
}

TEST_CASE("an empty model is a file too", "[io]") {
  const bitpq_test::temp_dir dir;
  bitpq::save_model(dir / "m", compressed_model<float>());
  CHECK(bitpq::load_model<float>(dir / "m").layers().empty());
}

TEST_CASE("a model refuses what its file could not hold, and stays as it was", "[io]") {
  auto model = bitpq_test::small_model<float>();
  const auto before = model;
  const std::vector<float> two = {1.0F, 70000.0F};
  const layer_geometry geometry = layer_geometry::linear(2, 4);
  const auto weights = random_weights<float>({2, 4, 2, 2, 1}, codeword_type::f32, 4);
  layer_geometry odd = geometry;
  odd.conv.stride = {2, 2};

  CHECK(error_of([&] { model.add_layer("new", layer_geometry::linear(4, 2), weights); }) ==
        "bad_shape: bitpq: layer 'new' has 4 x 2 weights, got 2 x 4");
  CHECK(error_of([&] { model.add_layer("new", odd, weights); }) ==
        "bad_params: bitpq: linear layer 'new' has options of a convolution");
  CHECK(error_of([&] { model.add_layer("head.weight", geometry, weights); }) ==
        "bad_params: bitpq: the name 'head.weight' is taken");
  CHECK(error_of([&] { model.add_layer("head.bias", geometry, weights); }) ==
        "bad_params: bitpq: the name 'head.bias' is taken");
  CHECK(error_of([&] { model.add_tensor("head.bias", {2}, two); }) ==
        "bad_params: bitpq: the name 'head.bias' is taken");
  CHECK(error_of([&] { model.add_tensor("head.weight", {2}, two); }) ==
        "bad_params: bitpq: the name 'head.weight' is taken");
  CHECK(error_of([&] { model.add_tensor("other.codes", {2}, two); }) ==
        "bad_params: bitpq: the name 'other.codes' is reserved");
  CHECK(error_of([&] { model.add_tensor("__metadata__", {2}, two); }) ==
        "bad_params: bitpq: the name '__metadata__' is reserved");
  CHECK(error_of([&] { model.add_tensor("head.weight.codebook_scale", {2}, two); }) ==
        "bad_params: bitpq: the name 'head.weight.codebook_scale' belongs to a layer");
  CHECK(error_of([&] { model.add_tensor("head.weight.row_scale", {2}, two); }) ==
        "bad_params: bitpq: the name 'head.weight.row_scale' belongs to a layer");
  CHECK(error_of([&] { model.add_tensor("new", {3}, two); }) ==
        "bad_shape: bitpq: tensor 'new' of F32 elements and shape [3] got 8 bytes");
  CHECK(error_of([&] { model.add_tensor("new", {2}, two, dtype::f16); }) ==
        "non_finite: bitpq: value 70000 at 1 is beyond the range of F16");
  CHECK(error_of([&] { model.add_tensor("new", {2}, two, dtype::i8); }) ==
        "unsupported: bitpq: I8 elements are not read or written as floating-point numbers");
  CHECK(error_of([&] { model.set_metadata("bitpq.format", "2"); }) ==
        "bad_params: bitpq: the metadata key 'bitpq.format' is reserved");
  CHECK(error_of([&] { static_cast<void>(model.layer("new")); }) == "bad_params: bitpq: the model has no layer 'new'");
  CHECK(error_of([&] { static_cast<void>(model.tensor("new")); }) ==
        "bad_params: bitpq: the model has no tensor 'new'");
  CHECK(error_of([&] { static_cast<void>(model.values("steps")); }) ==
        "unsupported: bitpq: I64 elements are not read or written as floating-point numbers");
  CHECK(bitpq_test::same_bits(model, before));

  model.add_tensor("late.codebook", {2}, two);
  CHECK(error_of([&] { model.add_layer("late", geometry, weights); }) ==
        "bad_params: bitpq: layer 'late' needs the name of tensor 'late.codebook'");
}

TEST_CASE("a save that fails leaves the old file", "[io]") {
  const bitpq_test::temp_dir dir;
  bitpq_test::write_file(dir / "m", "old");
  compressed_model<float> model;
  model.set_metadata("k", "\xFF");
  CHECK(error_of([&] { bitpq::save_model(dir / "m", model); }) ==
        "bad_params: bitpq: name or metadata '\xFF' is no valid UTF-8");
  CHECK(bitpq_test::read_file(dir / "m") == "old");
  CHECK(bitpq_test::files_in(dir.path()) == 1);
}
