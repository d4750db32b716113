// SPDX-License-Identifier: Apache-2.0

#include "cli/budget.hpp"
#include "cli/context.hpp"
#include "cli/interrupt.hpp"
#include "engine/progress_bar.hpp"

#include <bitpq/gemm/plan.hpp>
#include <bitpq/quantize/operating_points.hpp>

#include <algorithm>
#include <numeric>

namespace cli {

namespace {

/// Of a string in JSON, with its quotes.
std::size_t json_bytes(std::string_view text) {
  std::size_t bytes = 2;
  for (const char c : text) bytes += static_cast<unsigned char>(c) < 0x20 ? 6 : c == '"' || c == '\\' ? 2 : 1;
  return bytes;
}

std::size_t digits(std::size_t number) { return std::to_string(number).size(); }

/// What the header says of a tensor, at most, in a file of so many bytes.
std::size_t entry_bytes(std::string_view name, const std::vector<std::size_t>& shape, std::size_t file) {
  std::size_t bytes = json_bytes(name) + std::string_view(R"(:{"dtype":"BF16","shape":[],"data_offsets":[,]},)").size();
  for (const std::size_t extent : shape) bytes += digits(extent) + 1;
  return bytes + 2 * digits(file);
}

/// What it says of a layer: codes, codebook and scale, the record, the note.
std::size_t layer_bytes(const layer_job& job, std::size_t file) {
  constexpr std::string_view record =
      R"("bitpq.layer.":"conv2d out= in= kernel=x groups= block= codewords=65536 codebooks=1 code_bits=16",)";
  constexpr std::string_view note = R"("compressed.":"dtype=BF16 output_error=1.234e-100 weight_error=1.234e-100",)";
  const std::string& name = job.weight->name;
  std::size_t bytes = entry_bytes(name + ".codes", {2 * job.weights()}, file) +
                      entry_bytes(name + ".codebook", {1, bitpq::max_codewords, job.geometry.cols()}, file);
  if (job.params.storage == bitpq::codeword_type::i8) bytes += entry_bytes(name + ".codebook_scale", {1}, file);
  for (const std::size_t extent : {job.geometry.out_channels, job.geometry.in_channels, job.geometry.kernel.h,
                                   job.geometry.kernel.w, job.geometry.groups(), job.geometry.cols()})
    bytes += digits(extent);
  return bytes + 2 * json_bytes(name) + record.size() + note.size();
}

/// Bytes of the file that no choice of sizes changes: other tensors and, a little from above, the header.
std::size_t bytes_beside_layers(const std::vector<layer_job>& jobs, const bitpq::compressed_model<float>& rest,
                                std::size_t file) {
  std::size_t bytes = 16 + std::string_view(R"({"__metadata__":{"bitpq.format":"1"},})").size();
  for (const auto& [key, value] : rest.metadata()) bytes += json_bytes(key) + json_bytes(value) + 2;
  for (const auto& [name, tensor] : rest.tensors())
    bytes += tensor.bytes.size() + entry_bytes(name, tensor.shape, file);
  for (const layer_job& job : jobs) bytes += layer_bytes(job, file);
  return bytes;
}

/// Cycles that the plan estimates for the layer's product with so many columns.
bitpq::layer_cost cycles_of(const bitpq::layer_geometry& g, std::size_t columns) {
  const bool convolution = g.type == bitpq::layer_geometry::kind::conv2d;
  const bitpq::product_shape shape{g.groups(), g.out_per_group(), columns, convolution, g.window()};
  const bitpq::kernel_shape kernels = bitpq::shape_of(bitpq::kernels<float>());
  return [=](const bitpq::code_format& format) {
    const bitpq::gemm_plan plan = bitpq::make_plan(format, shape, kernels, bitpq::precision::exact,
                                                   bitpq::path_costs_of(kernels.target, bitpq::this_core()));
    return *std::min_element(plan.cost.begin(), plan.cost.end());
  };
}

std::vector<bitpq::layer_option> options_of(const layer_job& job, const statistics_file* statistics,
                                            const file_budget& budget, bitpq::executor_ref exec) {
  std::vector<std::size_t> sizes, codewords;
  if (!job.free_d) sizes = {job.params.block_size};
  if (!job.free_k) codewords = {job.params.codewords};
  std::vector<bitpq::pq_params> candidates{job.params};
  if (job.free_d || job.free_k) candidates = bitpq::allocation_candidates(job.geometry, job.params, sizes, codewords);
  const std::vector<float> w = values_of(job);
  std::optional<bitpq::importance> moments;
  if (job.statistics) moments = statistics->load(*job.weight);
  return in_context("tensor '" + job.weight->name + "'", [&] {
    return bitpq::measure_options<float>(job.geometry, {w.data(), job.geometry.rows(), job.geometry.cols()},
                                         moments ? &*moments : nullptr, candidates,
                                         cycles_of(job.geometry, budget.columns), exec);
  });
}

}  // namespace

void fit_to_budget(std::vector<layer_job>& jobs, const bitpq::compressed_model<float>& rest,
                   const statistics_file* statistics, const file_budget& budget, bitpq::executor_ref exec) {
  std::vector<std::vector<bitpq::layer_option>> options;
  std::vector<std::vector<bitpq::operating_point>> points;
  {
    const std::size_t weights = std::accumulate(jobs.begin(), jobs.end(), std::size_t{0},
                                                [](std::size_t n, const layer_job& job) { return n + job.weights(); });
    engine::progress_bar bar("measuring", weights);
    for (const layer_job& job : jobs) {
      stop_if_interrupted();
      options.push_back(options_of(job, statistics, budget, exec));
      points.push_back(bitpq::points_of(options.back()));
      bar.advance(job.weights(), job.weight->name);
    }
  }
  points.push_back({{bytes_beside_layers(jobs, rest, budget.bytes.value_or(0)), 0, 0}});
  const bitpq::allocation chosen = bitpq::allocate(points, {budget.bytes, budget.cycles});
  for (std::size_t i = 0; i < jobs.size(); ++i) jobs[i].params = options[i][chosen.choice[i]].params;
}

}  // namespace cli
