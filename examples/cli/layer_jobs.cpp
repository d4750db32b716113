// SPDX-License-Identifier: Apache-2.0

#include "cli/layer_jobs.hpp"
#include "cli/context.hpp"
#include "cli/interrupt.hpp"
#include "cli/number_types.hpp"

#include <bitpq/quantize/operating_points.hpp>

namespace cli {

namespace {

bool is_weight(const bitpq::tensor_view& tensor) {
  return is_number(tensor.type) && (tensor.shape.size() == 2 || tensor.shape.size() == 4) && !tensor.bytes.empty();
}

bitpq::layer_geometry geometry_of(const bitpq::tensor_view& weight, std::size_t groups) {
  const std::vector<std::size_t>& shape = weight.shape;
  if (shape.size() == 2) return bitpq::layer_geometry::linear(shape[0], shape[1]);
  return bitpq::layer_geometry::conv2d(shape[0], shape[1] * groups, {shape[2], shape[3]}, {.groups = groups});
}

/// `groups` of the statistics; 0: there are none.
layer_job job_of(const bitpq::tensor_view& weight, const rule* r, bitpq::preset fallback, std::uint64_t seed,
                 std::size_t groups) {
  layer_job job;
  job.weight = &weight;
  job.statistics = groups > 0;
  job.geometry = geometry_of(weight, job.statistics ? groups : 1);
  job.params = bitpq::params_of(r != nullptr && r->preset ? *r->preset : fallback, job.geometry);
  if (r != nullptr) {
    job.free_d = !r->d;
    job.free_k = !r->k;
    job.params.block_size = r->d.value_or(job.params.block_size);
    job.params.codewords = r->k.value_or(job.params.codewords);
    job.params.storage = r->storage.value_or(job.params.storage);
  }
  if (!job.statistics) {
    job.params.metric = bitpq::pq_metric::weights;
    job.params.refinement = {};
  }
  job.params.seed = seed;
  job.params.progress = until_interrupted();
  return job;
}

void tell_of_unused(const std::vector<rule>& rules, const std::vector<bool>& used, const statistics_file* statistics,
                    const teller& say) {
  for (std::size_t i = 0; i < rules.size(); ++i)
    if (!used[i]) say("rule " + std::to_string(i + 1) + " ('" + rules[i].pattern + "') is the first for no weight");
  if (statistics == nullptr) return;
  for (const std::string& name : statistics->unused()) say("statistics '" + name + "' are of no weight here");
}

}  // namespace

std::vector<float> values_of(const layer_job& job) {
  return in_context("tensor '" + job.weight->name + "'",
                    [&] { return bitpq::decode_values<float>(job.weight->type, job.weight->bytes); });
}

std::vector<layer_job> find_jobs(const checkpoint& source, const std::vector<rule>& rules, bitpq::preset fallback,
                                 std::uint64_t seed, statistics_file* statistics, const teller& say) {
  std::vector<layer_job> jobs;
  std::vector<bool> used(rules.size());
  for (const bitpq::tensor_view* const tensor : source.tensors()) {
    if (!is_weight(*tensor)) continue;
    const rule* const r = find_rule(rules, tensor->name);
    if (r != nullptr) used[static_cast<std::size_t>(r - rules.data())] = true;
    const std::size_t groups = statistics == nullptr ? 0 : statistics->groups_of(*tensor);
    if (r != nullptr ? r->skip : !tensor->name.ends_with("weight")) continue;
    layer_job job;
    const std::size_t bytes = in_context("tensor '" + tensor->name + "'", [&] {
      job = job_of(*tensor, r, fallback, seed, groups);
      return bytes_of(bitpq::format_of(job.geometry, job.params), job.params);
    });
    if (bytes < tensor->bytes.size())
      jobs.push_back(std::move(job));
    else
      say("'" + tensor->name + "' stays as it is: " + std::to_string(tensor->bytes.size()) + " bytes, compressed " +
          std::to_string(bytes));
  }
  tell_of_unused(rules, used, statistics, say);
  return jobs;
}

}  // namespace cli
