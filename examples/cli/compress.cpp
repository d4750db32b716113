// SPDX-License-Identifier: Apache-2.0

#include "cli/budget.hpp"
#include "cli/commands.hpp"
#include "cli/context.hpp"
#include "cli/interrupt.hpp"
#include "cli/layer_note.hpp"
#include "cli/workers.hpp"
#include "engine/progress_bar.hpp"

#include <bitpq/io/model.hpp>

#include <cstdio>

namespace cli {

namespace {

void say(const std::string& words) { std::fprintf(stderr, "bitpq: %s\n", words.c_str()); }

std::vector<layer_job> jobs_for(const compress_options& options, const checkpoint& source,
                                statistics_file* statistics) {
  std::vector<rule> rules;
  if (options.rules) rules = read_rules(*options.rules);
  std::vector<layer_job> jobs =
      find_jobs(source, rules, bitpq::preset_of(options.preset), options.seed, statistics, say);
  const auto blind = std::count_if(jobs.begin(), jobs.end(), [](const layer_job& job) { return !job.statistics; });
  if (blind > 0)
    say("no statistics of the inputs of " + std::to_string(blind) + " of " + std::to_string(jobs.size()) +
        " weights: plain k-means on those, which loses more (see --gram)");
  return jobs;
}

void compress_layer(const layer_job& job, const statistics_file* statistics, bitpq::executor_ref exec,
                    bitpq::compressed_model<float>& model) {
  const std::vector<float> w = values_of(job);
  const bitpq::layer_geometry& g = job.geometry;
  std::optional<bitpq::importance> moments;
  if (job.statistics) moments = statistics->load(*job.weight);
  in_context("tensor '" + job.weight->name + "'", [&] {
    auto layer =
        bitpq::compress<float>(g, {w.data(), g.rows(), g.cols()}, moments ? &*moments : nullptr, job.params, exec);
    const layer_note note{job.weight->type, layer.report.output_error, layer.report.weight_error};
    model.set_metadata(std::string(note_key) + job.weight->name, to_text(note));
    model.add_layer(job.weight->name, g, std::move(layer.weights));
  });
}

/// Everything that is no layer, as it is.
bitpq::compressed_model<float> model_of_the_rest(const checkpoint& source, const std::vector<layer_job>& jobs) {
  bitpq::compressed_model<float> model;
  for (const auto& [key, value] : source.metadata()) model.set_metadata(key, value);
  const auto is_layer = [&](const bitpq::tensor_view* tensor) {
    return std::any_of(jobs.begin(), jobs.end(), [&](const layer_job& job) { return job.weight == tensor; });
  };
  for (const bitpq::tensor_view* const tensor : source.tensors())
    if (!is_layer(tensor))
      model.add_tensor(tensor->name, {tensor->type, tensor->shape, {tensor->bytes.begin(), tensor->bytes.end()}});
  return model;
}

}  // namespace

void compress(const compress_options& options) {
  static_cast<void>(bitpq::preset_of(options.preset));
  workers exec(options.threads);
  const checkpoint source(options.input);
  bitpq::require(!source.metadata().contains("bitpq.format"), bitpq::errc::bad_params, source.name(),
                 ": is compressed already");
  std::optional<statistics_file> statistics;
  if (options.gram) statistics.emplace(*options.gram);
  statistics_file* const known = statistics ? &*statistics : nullptr;
  std::vector<layer_job> jobs = jobs_for(options, source, known);
  bitpq::compressed_model<float> model = in_context(source.name(), [&] { return model_of_the_rest(source, jobs); });
  const file_budget budget{options.budget, options.cycles, options.columns};
  if (budget.any()) fit_to_budget(jobs, source, known, budget, exec);
  {
    std::size_t weights = 0;
    for (const layer_job& job : jobs) weights += job.weights();
    engine::progress_bar bar("compressing", weights);
    for (const layer_job& job : jobs) {
      stop_if_interrupted();
      compress_layer(job, known, exec, model);
      bar.advance(job.weights(), job.weight->name);
    }
  }
  stop_if_interrupted();
  bitpq::save_model(options.output, model);
  const std::size_t bytes = std::filesystem::file_size(options.output);
  std::printf("%s: %zu bytes, %.1f times smaller than %s; %zu weights compressed, %zu tensors as they were\n",
              options.output.string().c_str(), bytes,
              static_cast<double>(source.file_bytes()) / static_cast<double>(bytes), source.name().c_str(),
              model.layers().size(), model.tensors().size());
}

}  // namespace cli
