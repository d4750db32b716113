// SPDX-License-Identifier: Apache-2.0

#include "quality/report.hpp"

#include "engine/write_text.hpp"

#include <nlohmann/json.hpp>

#include <cstdio>

namespace quality {

namespace {

using json = nlohmann::ordered_json;

json start_row(const trial& of) {
  return {{"network", of.network}, {"setting", of.setting}, {"method", of.method}, {"seed", of.seed}};
}

json layer_json(const layer_row& row) {
  const bitpq::layer_report& r = row.report;
  json j = start_row(row.of);
  j.update({{"layer", row.layer},
            {"rows", r.geometry.rows()},
            {"cols", r.geometry.cols()},
            {"block_size", r.format.block_size},
            {"codewords", r.format.codewords},
            {"output_error", row.output_error},
            {"weight_error", r.weight_error},
            {"bits", r.size.total_bits()},
            {"seconds", r.seconds}});
  return j;
}

json network_json(const network_row& row) {
  json j = start_row(row.of);
  j.update({{"kl", row.kl},
            {"top1", row.top1},
            {"teacher_top1", row.teacher_top1},
            {"bytes", row.bytes},
            {"ratio", row.ratio},
            {"seconds", row.seconds}});
  return j;
}

bool same_line(const trial& a, const trial& b) {
  return a.network == b.network && a.setting == b.setting && a.method == b.method;
}

/// The geometric mean of output errors relative to the paper's, layer by layer and seed by seed; 0 without these.
double relative_to_paper(const std::vector<layer_row>& layers, const trial& of, bool windows) {
  double sum = 0;
  std::size_t count = 0;
  for (const layer_row& row : layers) {
    if (!same_line(row.of, of) || (row.report.geometry.window() > 1) != windows) continue;
    trial wanted = row.of;
    wanted.method = "paper";
    for (const layer_row& other : layers) {
      if (!same_line(other.of, wanted) || other.of.seed != wanted.seed || other.layer != row.layer) continue;
      sum += std::log(row.output_error / other.output_error);
      ++count;
    }
  }
  return count == 0 ? 0 : std::exp(sum / static_cast<double>(count));
}

/// A share of the paper's error for the table; "-" where there is no paper to compare with.
std::string share(double relative) {
  if (relative == 0) return "-";
  char text[32];
  std::snprintf(text, sizeof text, "%.3f", relative);
  return text;
}

/// Means over the seeds of what `of` names.
network_row mean_of(const std::vector<network_row>& rows, const trial& of, std::size_t& seeds) {
  network_row mean;
  seeds = 0;
  for (const network_row& row : rows) {
    if (!same_line(row.of, of)) continue;
    ++seeds;
    mean.kl += row.kl;
    mean.top1 += row.top1;
    mean.seconds += row.seconds;
    mean.ratio = row.ratio;
    mean.bytes = row.bytes;
    mean.teacher_top1 = row.teacher_top1;
  }
  const auto n = static_cast<double>(seeds);
  mean.kl /= n;
  mean.top1 /= n;
  mean.seconds /= n;
  return mean;
}

}  // namespace

void write_json(const report& r, const std::filesystem::path& file) {
  json j{{"commit", r.commit},
         {"isa", r.isa},
         {"threads", r.threads},
         {"calibration_images", r.images.calibration},
         {"heldout_images", r.images.heldout},
         {"missing", r.missing},
         {"layers", json::array()},
         {"networks", json::array()}};
  for (const layer_row& row : r.layers) j["layers"].push_back(layer_json(row));
  for (const network_row& row : r.networks) j["networks"].push_back(network_json(row));
  engine::write_text(file, j.dump(1) + "\n");
}

void print_table(const report& r) {
  std::printf("%-20s %-6s %-14s %6s %8s %8s %8s %6s %6s %8s %5s\n", "network", "sizes", "method", "ratio", "top-1",
              "teacher", "KL", "3x3", "1x1", "seconds", "seeds");
  std::vector<trial> printed;
  for (const network_row& row : r.networks) {
    const auto is = [&](const trial& t) { return same_line(t, row.of); };
    if (std::any_of(printed.begin(), printed.end(), is)) continue;
    printed.push_back(row.of);
    std::size_t seeds = 0;
    const network_row mean = mean_of(r.networks, row.of, seeds);
    std::printf("%-20s %-6s %-14s %6.2f %6.2f %% %6.2f %% %8.4f %6s %6s %8.1f %5zu\n", row.of.network.c_str(),
                row.of.setting.c_str(), row.of.method.c_str(), mean.ratio, mean.top1, mean.teacher_top1, mean.kl,
                share(relative_to_paper(r.layers, row.of, true)).c_str(),
                share(relative_to_paper(r.layers, row.of, false)).c_str(), mean.seconds, seeds);
  }
  std::printf(
      "3x3, 1x1: output error on held-out images, relative to paper's (geometric mean over layers with windows, "
      "and over 1 x 1 and linear ones)\n");
  for (const std::string& what : r.missing) std::printf("left out: %s\n", what.c_str());
}

}  // namespace quality
