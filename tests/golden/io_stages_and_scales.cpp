// SPDX-License-Identifier: Apache-2.0
//
// Whole files, byte by byte: one as files were before there were stages and row scales, and one with both. They load,
// mean these weights, and are saved as the same bytes.

#include "support/catch.hpp"
#include "support/paths.hpp"
#include "unit/io/craft.hpp"

#include <bitpq/io/model.hpp>

using namespace std::string_literals;

static void check_file(std::string header, const std::string& data, const std::vector<float>& weights) {
  header.append((8 - header.size() % 8) % 8, ' ');
  const std::vector<std::byte> file = bitpq_test::craft(header, data);
  const bitpq_test::temp_dir dir;
  bitpq_test::write_file(dir / "given", file);
  const auto model = bitpq::load_model<float>(dir / "given");
  std::vector<float> found(weights.size());
  model.layer("w").weight.decode({found.data(), 2, 3});
  CHECK(found == weights);
  bitpq::save_model(dir / "saved", model);
  CHECK(bitpq_test::read_file(dir / "saved") == bitpq_test::read_file(dir / "given"));
}

TEST_CASE("a file of one stage without row scales is what it was", "[io]") {
  // Codewords (1 2) and (3 4) in units of 0.5; codes 0 1 and 1 1.
  check_file(R"({"__metadata__":{"bitpq.format":"1",)"
             R"("bitpq.layer.w":"linear out=2 in=3 block=2 codewords=2 code_bits=1"},)"
             R"("w.codebook_scale":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
             R"("w.codebook":{"dtype":"I8","shape":[1,2,2],"data_offsets":[4,8]},)"
             R"("w.codes":{"dtype":"U8","shape":[1],"data_offsets":[8,9]}})",
             "\0\0\0\x3F\1\2\3\4\x0E"s, {0.5F, 1, 1.5F, 1.5F, 2, 1.5F});
}

TEST_CASE("a file of two stages with row scales is this", "[io]") {
  // Stage 0 as above, stage 1 with (10 20) and (-30 40) in units of 0.25; row scales 2 and -1. Codes 0 1 | 1 0 and
  // 1 1 | 0 1.
  check_file(R"({"__metadata__":{"bitpq.format":"1",)"
             R"("bitpq.layer.w":"linear out=2 in=3 block=2 codewords=2 code_bits=1 stages=2 scales=2"},)"
             R"("w.codebook_scale":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
             R"("w.row_scale":{"dtype":"F16","shape":[2],"data_offsets":[8,12]},)"
             R"("w.codebook":{"dtype":"I8","shape":[2,2,2],"data_offsets":[12,20]},)"
             R"("w.codes":{"dtype":"U8","shape":[1],"data_offsets":[20,21]}})",
             "\0\0\0\x3F\0\0\x80\x3E\0\x40\0\xBC\1\2\3\4\x0A\x14\xE2\x28\xB6"s, {-14, 22, 8, -4, -7, 6});
}
