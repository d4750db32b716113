// SPDX-License-Identifier: Apache-2.0

#include "cli/budget.hpp"
#include "cli/commands.hpp"
#include "cli/context.hpp"
#include "cli/interrupt.hpp"
#include "cli/preparation.hpp"
#include "cli/workers.hpp"
#include "engine/progress_bar.hpp"

#include <bitpq/io/model.hpp>

#include <cstdio>

namespace cli {

namespace {

void tell_of_missing_statistics(const std::vector<layer_job>& jobs) {
  const auto blind = std::count_if(jobs.begin(), jobs.end(), [](const layer_job& job) { return !job.statistics; });
  if (blind > 0)
    say("no statistics of the inputs of " + std::to_string(blind) + " of " + std::to_string(jobs.size()) +
        " weights: plain k-means on those, which loses more (see --gram)");
}

void compress_layer(const layer_job& job, const statistics_file* statistics, bool notes, bitpq::executor_ref exec,
                    bitpq::compressed_model<float>& model) {
  const std::vector<float> w = values_of(job);
  const bitpq::layer_geometry& g = job.geometry;
  std::optional<bitpq::importance> moments;
  if (job.statistics) moments = statistics->load(*job.weight);
  in_context("tensor '" + job.weight->name + "'", [&] {
    auto layer =
        bitpq::compress<float>(g, {w.data(), g.rows(), g.cols()}, moments ? &*moments : nullptr, job.params, exec);
    const layer_note note{job.weight->type, layer.report.output_error, layer.report.weight_error};
    if (notes) model.set_metadata(std::string(note_key) + job.weight->name, to_text(note));
    model.add_layer(job.weight->name, g, std::move(layer.weights));
  });
}

}  // namespace

void compress(const compress_options& options) {
  static_cast<void>(bitpq::preset_of(options.preset));
  workers exec(options.threads);
  preparation prepared(options);
  const checkpoint& source = prepared.source;
  std::vector<layer_job>& jobs = prepared.jobs;
  bitpq::compressed_model<float>& model = prepared.rest;
  tell_of_missing_statistics(jobs);
  const file_budget budget{options.budget, options.cycles, options.columns};
  if (budget.any()) fit_to_budget(jobs, model, prepared.known(), budget, exec);
  {
    std::size_t weights = 0;
    for (const layer_job& job : jobs) weights += job.weights();
    engine::progress_bar bar("compressing", weights);
    for (const layer_job& job : jobs) {
      stop_if_interrupted();
      compress_layer(job, prepared.known(), options.notes, exec, model);
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
