// SPDX-License-Identifier: Apache-2.0

// How much of real networks each way of compressing them loses, on real images: output errors layer by layer, accuracy
// and divergence of the whole.

#include "quality/report.hpp"

#include "engine/command_line.hpp"

#include <bitpq/interop/openmp.hpp>

#include <cstdio>
#include <cstdlib>

namespace {

struct options {
  std::filesystem::path out = "quality.json";
  std::vector<std::string> networks, methods, settings;  // empty: all, or the network's own settings
  std::size_t seeds = 3;
  int threads = omp_get_max_threads();
  quality::image_counts images;
  quality::data_folders data{QUALITY_DATA, "/usr/share/datasets/fashion-mnist", QUALITY_EXAMPLES};
};

constexpr const char* usage =
    "usage: bench_quality [--network NAME]... [--method NAME]... [--setting NAME]... [--seeds N] [--images N]\n"
    "                     [--calibration N] [--heldout N] [--threads N] [--data DIR] [--fashion DIR] [--out FILE]\n"
    "--images are those that accuracy is measured on, --calibration those that layers are compressed with, --heldout\n"
    "those that output errors are measured on. The environment variable BITPQ_COMMIT is copied into the report.\n";

/// The entry of that name; throws bad_params that lists what there is.
template <class Entry>
const Entry& named(const std::vector<Entry>& all, const std::string& name) {
  std::string names;
  for (const Entry& entry : all) {
    if (entry.name == name) return entry;
    names += " " + entry.name;
  }
  bitpq::fail(bitpq::errc::bad_params, "no ", name, " here; there are:", names);
}

options parse(int argc, char** argv) {
  options o;
  for (int i = 1; i < argc; i += 2) {
    const std::string name = argv[i];
    bitpq::require(i + 1 < argc, bitpq::errc::bad_params, name, " needs a value\n", usage);
    const std::string value = argv[i + 1];
    if (name == "--network")
      o.networks.push_back(named(quality::subjects(), value).name);
    else if (name == "--method")
      o.methods.push_back(named(quality::methods(), value).name);
    else if (name == "--setting")
      o.settings.push_back(named(quality::settings(), value).name);
    else if (name == "--seeds")
      o.seeds = engine::whole_number(name, value);
    else if (name == "--images")
      o.images.evaluation = engine::whole_number(name, value);
    else if (name == "--calibration")
      o.images.calibration = engine::whole_number(name, value);
    else if (name == "--heldout")
      o.images.heldout = engine::whole_number(name, value);
    else if (name == "--threads")
      o.threads = static_cast<int>(engine::whole_number(name, value));
    else if (name == "--data")
      o.data.evaluation = value;
    else if (name == "--fashion")
      o.data.fashion_mnist = value;
    else if (name == "--out")
      o.out = value;
    else
      bitpq::fail(bitpq::errc::bad_params, "unknown option ", name, "\n", usage);
  }
  return o;
}

bool wanted(const std::vector<std::string>& asked, const std::string& name) {
  return asked.empty() || std::find(asked.begin(), asked.end(), name) != asked.end();
}

/// All trials of one network; the report is written anew after each, so that an interrupted run leaves what it has.
void run(const quality::subject_entry& entry, const options& o, bitpq::executor_ref exec, quality::report& report) {
  std::string missing;
  const std::optional<quality::subject> on = entry.load(o.data, o.images, exec, missing);
  if (!on) {
    report.missing.push_back(entry.name + ", for there is no " + missing);
    return;
  }
  const engine::answers answers = engine::answers_of(on->teacher.net, on->evaluation, exec);
  for (const std::string& size : o.settings.empty() ? entry.settings : o.settings)
    for (const quality::method& how : quality::methods()) {
      if (!wanted(o.methods, how.name)) continue;
      for (std::uint64_t seed = 0; seed < o.seeds; ++seed) {
        quality::outcome result = quality::measure(*on, answers, named(quality::settings(), size), how,
                                                   {entry.name, size, how.name, seed}, exec);
        report.layers.insert(report.layers.end(), result.layers.begin(), result.layers.end());
        report.networks.push_back(result.network);
        write_json(report, o.out);
      }
    }
}

void measure_all(const options& o) {
  const bitpq::openmp_executor exec(o.threads);
  quality::report report;
  report.commit = engine::measured_commit();
  report.isa = bitpq::to_string(bitpq::kernels<float>().target);
  report.threads = exec.concurrency();
  report.images = o.images;
  for (const quality::subject_entry& entry : quality::subjects())
    if (wanted(o.networks, entry.name)) run(entry, o, exec, report);
  write_json(report, o.out);
  print_table(report);
}

}  // namespace

int main(int argc, char** argv) {
  return engine::run_program(argc, argv, usage, [&] { measure_all(parse(argc, argv)); });
}
