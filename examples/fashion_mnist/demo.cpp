// SPDX-License-Identifier: Apache-2.0

// Compresses a trained network, tunes its codewords where LibTorch is there, saves it, loads it back, and evaluates
// teacher and student on all test images, the student running on codes.

#include "engine/command_line.hpp"
#include "fashion_mnist/compress_network.hpp"
#include "fashion_mnist/evaluate.hpp"
#include "fashion_mnist/report.hpp"

#include <bitpq/interop/openmp.hpp>

#include <array>
#include <cstdio>
#include <filesystem>

namespace {

struct options {
  std::string out = "build/demo";
  std::string data = "/usr/share/datasets/fashion-mnist";
  std::string teacher = DEMO_TEACHER;
  std::size_t calibration = 4096, heldout = 512, images = 10000, batch = 100;
  std::size_t finetune_steps = 300;
  std::size_t block = 6;
  std::uint64_t seed = 0;
  int threads = omp_get_max_threads();
};

constexpr const char* usage =
    "usage: fashion_mnist_demo [--out DIR] [--data DIR] [--teacher FILE] [--calibration IMAGES]\n"
    "                          [--heldout IMAGES] [--images TEST_IMAGES] [--batch IMAGES] [--block SIZE] [--seed N]\n"
    "                          [--threads N] [--finetune-steps N] [--no-finetune]\n"
    "--block: weights per codeword of 3 x 3 layers, 6 unless said; 9: smaller and faster, less accurate.\n"
    "The environment variable BITPQ_COMMIT is copied into the report, BITPQ_ISA forces an instruction set.\n";

/// Throws bitpq::error for an option it does not know.
options parse(int argc, char** argv) {
  options o;
  for (int i = 1; i < argc; i += 2) {
    const std::string name = argv[i];
    if (name == "--no-finetune") {
      o.finetune_steps = 0;
      --i;
      continue;
    }
    bitpq::require(i + 1 < argc, bitpq::errc::bad_params, name, " needs a value\n", usage);
    const std::string value = argv[i + 1];
    if (name == "--out")
      o.out = value;
    else if (name == "--data")
      o.data = value;
    else if (name == "--teacher")
      o.teacher = value;
    else if (name == "--calibration")
      o.calibration = engine::whole_number(name, value, 1);
    else if (name == "--heldout")
      o.heldout = engine::whole_number(name, value, 1);
    else if (name == "--images")
      o.images = engine::whole_number(name, value, 1);
    else if (name == "--batch")
      o.batch = engine::whole_number(name, value, 1);
    else if (name == "--block")
      o.block = engine::whole_number(name, value, 1, 9);
    else if (name == "--finetune-steps")
      o.finetune_steps = engine::whole_number(name, value, 0);
    else if (name == "--seed")
      o.seed = engine::whole_number(name, value, 0);
    else if (name == "--threads")
      o.threads = static_cast<int>(engine::whole_number(name, value, 1));
    else
      bitpq::fail(bitpq::errc::bad_params, "unknown option ", name, "\n", usage);
  }
  return o;
}

/// What compressing has come to.
struct stage {
  bitpq::compressed_model<float> model;
  std::vector<fashion_mnist::layer_result> layers;  ///< none where another stage follows
  double seconds = 0;                               ///< of this stage
};

stage compressed(const engine::network& teacher, const fashion_mnist::network_settings& settings,
                 const fashion_mnist::calibration_images& data, bitpq::executor_ref exec) {
  engine::network_progress bars(settings.preserve_outputs ? "compressing" : "plain k-means");
  engine::student student(teacher, data.source(0, data.count), fashion_mnist::all_but_stem,
                          {.correct_bias = settings.preserve_outputs}, exec);
  bitpq::network_run<float> run;
  run.progress = bars.callback();
  const bitpq::network_report report = bitpq::compress_network(student, fashion_mnist::params_of(settings), run, exec);
  return {engine::model_of(student), fashion_mnist::results_of(student, report, data, exec), report.seconds};
}

#ifdef ENGINE_HAS_DISTILLATION
/// Compressed towards the teacher's outputs, and that with codewords tuned on all training images.
std::array<stage, 2> distilled(const engine::network& teacher, const fashion_mnist::calibration_images& data,
                               const options& o, bitpq::executor_ref exec) {
  bitpq::network_params params = fashion_mnist::params_of({true, o.block, o.seed});
  params.global_tuning.steps = o.finetune_steps;
  params.global_tuning.rate = bitpq::cosine_schedule{1e-3, o.finetune_steps, 0, o.finetune_steps / 10};
  engine::distillation_options tuning;
  tuning.images = data.source(0, data.images->count());
  tuning.batch = 64;
  tuning.temperature = 4;
  tuning.seed = o.seed;
  engine::network_progress bars("compressing");
  bitpq::network_run<float> run;
  run.progress = bars.callback();
  std::array<stage, 2> stages;
  engine::distil(
      teacher, data.source(0, data.count), fashion_mnist::all_but_stem, {}, tuning, params, run, exec,
      [&](engine::student& student, const bitpq::network_report& report) {
        stages[0] = {engine::model_of(student), {}, report.seconds};
      },
      [&](engine::student& student, const bitpq::network_report& report) {
        stages[1] = {engine::model_of(student), fashion_mnist::results_of(student, report, data, exec), report.seconds};
      });
  return stages;
}
#endif

void run(const options& o) {
  using namespace fashion_mnist;
  const bitpq::openmp_executor exec(o.threads);
  const image_set train = load(o.data, split::train);
  image_set test = load(o.data, split::test);
  bitpq::require(o.images <= test.count(), bitpq::errc::bad_params, "--images ", o.images, ", the data has ",
                 test.count());
  test.pixels.resize(o.images * image_pixels);
  test.labels.resize(o.images);
  bitpq::require(o.calibration + o.heldout <= train.count(), bitpq::errc::bad_params, o.calibration, " + ", o.heldout,
                 " images for calibration and measuring, the data has ", train.count());
  const engine::trained_network original = load_teacher(o.teacher);
  std::filesystem::create_directories(o.out);
  const calibration_images data{&train, o.calibration, o.heldout};

  demo_report report;
  report.commit = engine::measured_commit();
  report.isa = bitpq::to_string(bitpq::kernels<float>().target);
  report.threads = exec.concurrency();
  report.batch = o.batch;
  report.calibration_images = o.calibration;
  report.test_images = o.images;
  report.seed = o.seed;
  report.finetune_steps = o.finetune_steps;
  report.parameters = original.parameters;

  stage student, untuned;
#ifdef ENGINE_HAS_DISTILLATION
  if (o.finetune_steps > 0) {
    std::array<stage, 2> both = distilled(original.net, data, o, exec);
    untuned = std::move(both[0]);
    student = std::move(both[1]);
    report.finetune_seconds = student.seconds;
    report.compress_seconds = untuned.seconds;
  }
#endif
  if (student.layers.empty()) {
    student = compressed(original.net, {true, o.block, o.seed}, data, exec);
    report.compress_seconds = student.seconds;
  }
  stage control = compressed(original.net, {false, o.block, o.seed}, data, exec);

  const std::string file = o.out + "/student.safetensors", control_file = o.out + "/control.safetensors";
  bitpq::save_model(file, student.model);
  bitpq::save_model(control_file, control.model);
  report.file_bytes = std::filesystem::file_size(file);
  report.control_bytes = std::filesystem::file_size(control_file);
  report.layers = std::move(student.layers);
  report.control_layers = std::move(control.layers);

  // What is evaluated is what the files hold.
  const engine::network from_file = engine::load_compressed(architecture(), bitpq::load_model<float>(file));
  const engine::network control_net = engine::load_compressed(architecture(), bitpq::load_model<float>(control_file));
  std::vector<const engine::network*> networks{&original.net, &from_file, &control_net};
  engine::network untuned_net;
  if (report.finetune_seconds) {
    untuned_net = engine::load_compressed(architecture(), untuned.model);
    networks.push_back(&untuned_net);
  }
  const std::vector<evaluation> results = evaluate(networks, test, o.batch, exec);
  report.teacher = results[0];
  report.student = results[1];
  report.control = results[2];
  if (report.finetune_seconds) report.untuned = results[3];

  print_table(report);
  write_json(report, o.out + "/report.json");
  write_svg(report, o.out + "/report.svg");
  std::printf("wrote %s, %s/report.json and %s/report.svg\n", file.c_str(), o.out.c_str(), o.out.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  return engine::run_program(argc, argv, usage, [&] { run(parse(argc, argv)); });
}
