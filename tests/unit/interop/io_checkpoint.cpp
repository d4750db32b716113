// SPDX-License-Identifier: Apache-2.0

// Checkpoints as files: whatever a run comes to is read back to the bit, and what is no checkpoint is refused.

#include "support/bad_inputs.hpp"
#include "support/network_runs.hpp"
#include "support/paths.hpp"

#include <bitpq/interop/checkpoint_file.hpp>

#include <fstream>
#include <iterator>

using bitpq::checkpoints_in;
using bitpq::errc;
using bitpq::load_checkpoint;
using bitpq::network_checkpoint;
using bitpq::network_run;
using bitpq_test::finished;
using bitpq_test::recipe;

namespace {

template <bitpq::scalar T>
bool same_report(const bitpq::tuned_layer_report& a, const bitpq::tuned_layer_report& b) {
  const bitpq::layer_report &x = a.compression, &y = b.compression;
  return a.name == b.name && a.tuning == b.tuning && x.geometry == y.geometry && x.format == y.format &&
         x.storage == y.storage && x.size.bytes() == y.size.bytes() && x.metric == y.metric &&
         x.refinement.error_feedback == y.refinement.error_feedback && x.refinement.rounds == y.refinement.rounds &&
         x.refinement.least_squares_steps == y.refinement.least_squares_steps &&
         x.refinement.descent_sweeps == y.refinement.descent_sweeps && x.moments_reduced == y.moments_reduced &&
         x.weight_error == y.weight_error && x.output_error == y.output_error && x.seconds == y.seconds;
}

template <bitpq::scalar T>
void check_same(const network_checkpoint<T>& a, const network_checkpoint<T>& b) {
  CHECK(a.fingerprint == b.fingerprint);
  CHECK(a.global == b.global);
  CHECK(a.global_tuning == b.global_tuning);
  CHECK(a.host == b.host);
  REQUIRE(a.layers.size() == b.layers.size());
  for (std::size_t i = 0; i < a.layers.size(); ++i) {
    INFO("layer " << i);
    CHECK(same_report<T>(a.layers[i].report, b.layers[i].report));
    CHECK(bitpq_test::same_weights(a.layers[i].weights, b.layers[i].weights));
    CHECK(a.layers[i].codewords == b.layers[i].codewords);
    CHECK(a.layers[i].optimizer == b.layers[i].optimizer);
  }
}

/// The model of a checkpoint file after a change.
template <class Change>
void rewrite(const std::filesystem::path& from, const std::filesystem::path& to, const Change& change) {
  const bitpq::safetensors_reader reader(from);
  std::vector<bitpq::tensor_view> tensors = reader.tensors();
  bitpq::metadata_map metadata = reader.metadata();
  change(tensors, metadata);
  bitpq::write_safetensors(to, tensors, metadata);
}

}  // namespace

TEMPLATE_TEST_CASE("every checkpoint of a run is read back to the bit", "", float, double) {
  const bitpq_test::temp_dir folder;
  for (const recipe& r : {bitpq_test::adam_recipe(), bitpq_test::sgd_recipe()}) {
    network_run<TestType> run;
    run.checkpoint_every = 1;
    run.checkpoint = [&](const network_checkpoint<TestType>& checkpoint) {
      bitpq::save_checkpoint(folder / "run.safetensors", checkpoint);
      check_same(load_checkpoint<TestType>(folder / "run.safetensors"), checkpoint);
    };
    static_cast<void>(bitpq_test::compress<TestType>(r.params, run));
  }
}

TEST_CASE("a run goes on from its file to the same bits") {
  const bitpq_test::temp_dir folder;
  const recipe r = bitpq_test::sgd_recipe();
  finished<float> want = bitpq_test::compress(r.params);
  for (const std::size_t steps : {std::size_t{1}, std::size_t{4}, std::size_t{8}}) {
    network_run<float> first, second;
    first.max_steps = steps;
    first.checkpoint = checkpoints_in<float>(folder / "run.safetensors");
    static_cast<void>(bitpq_test::compress(r.params, first));
    const network_checkpoint<float> saved = load_checkpoint<float>(folder / "run.safetensors");
    second.resume = &saved;
    finished<float> got = bitpq_test::compress(r.params, second);
    bitpq_test::check_same(got, want);
  }
}

TEST_CASE("any reader of models opens a checkpoint") {
  const bitpq_test::temp_dir folder;
  network_run<float> run;
  run.checkpoint = checkpoints_in<float>(folder / "run.safetensors");
  const finished<float> student = bitpq_test::compress(bitpq_test::adam_recipe().params, run);
  const auto model = bitpq::load_model<float>(folder / "run.safetensors");
  for (std::size_t i = 0; i < 3; ++i)
    CHECK(bitpq_test::same_weights(model.layer(student.report.layers[i].name).weight, student.net.codes(i)));
}

TEST_CASE("files that are no checkpoints are refused by name") {
  const bitpq_test::temp_dir folder;
  const std::filesystem::path good = folder / "good.safetensors", bad = folder / "bad.safetensors";
  network_run<float> run;
  run.max_steps = 5;
  run.checkpoint = checkpoints_in<float>(good);
  static_cast<void>(bitpq_test::compress(bitpq_test::adam_recipe().params, run));
  using tensors = std::vector<bitpq::tensor_view>;
  using strings = bitpq::metadata_map;
  const auto refused = [&](errc code, const std::string& text, const auto& change) {
    rewrite(good, bad, change);
    bitpq_test::expect_error(code, bad.string() + text, [&] { static_cast<void>(load_checkpoint<float>(bad)); });
  };
  const auto without = [](const std::string& name) {
    return [name](tensors& t, strings&) { std::erase_if(t, [&](const auto& one) { return one.name == name; }); };
  };
  refused(errc::corrupt_file, ": no checkpoint of compress_network",
          [](tensors&, strings& s) { s.erase("training.checkpoint"); });
  refused(errc::unsupported, ": checkpoint of version 7, not 1",
          [](tensors&, strings& s) { s["training.checkpoint"] = "7"; });
  refused(errc::corrupt_file, ": checkpoint without training.layers",
          [](tensors&, strings& s) { s.erase("training.layers"); });
  refused(errc::corrupt_file, ": checkpoint without training.2.layer",
          [](tensors&, strings& s) { s["training.layers"] = "18446744073709551615"; });
  refused(errc::corrupt_file, ": training.layers is no whole number",
          [](tensors&, strings& s) { s["training.layers"] = "-1"; });
  refused(errc::corrupt_file, ": checkpoint without its layer 1",
          [](tensors&, strings& s) { s["training.1.layer"] = "trunk"; });
  refused(errc::corrupt_file, ": checkpoint without training.0.codewords", without("training.0.codewords"));
  refused(errc::corrupt_file, ": checkpoint without training.1.second", without("training.1.second"));
  const std::vector<double> numbers{0.5, 0, 0, 0};
  refused(errc::corrupt_file, ": training.tuning holds 0.5 at 0, no whole number", [&](tensors& t, strings&) {
    for (bitpq::tensor_view& one : t)
      if (one.name == "training.tuning") one.bytes = std::as_bytes(std::span(numbers));
  });
  refused(errc::corrupt_file, ": training.tuning holds 3 numbers, not 4", [&](tensors& t, strings&) {
    for (bitpq::tensor_view& one : t)
      if (one.name == "training.tuning") {
        one.bytes = one.bytes.first(24);
        one.shape = {3};
      }
  });
  bitpq_test::expect_error(errc::corrupt_file, good.string() + ": training.0.codewords holds F32 elements, not F64",
                           [&] { static_cast<void>(load_checkpoint<double>(good)); });
}
