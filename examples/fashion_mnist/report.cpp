// SPDX-License-Identifier: Apache-2.0

#include "fashion_mnist/report.hpp"

#include "engine/write_text.hpp"

#include <nlohmann/json.hpp>

#include <cstdio>
#include <sstream>

namespace fashion_mnist {

namespace {

std::string shape_of(const bitpq::layer_geometry& g) {
  std::ostringstream text;
  text << g.in_channels << " -> " << g.out_channels;
  if (g.type == bitpq::layer_geometry::kind::conv2d) text << ", " << g.kernel.h << "x" << g.kernel.w;
  if (g.conv.stride.h > 1) text << " /" << g.conv.stride.h;
  return text.str();
}

nlohmann::ordered_json layer_json(const layer_result& layer) {
  const bitpq::layer_report& r = layer.report;
  return {{"name", layer.name},
          {"shape", shape_of(r.geometry)},
          {"block_size", r.format.block_size},
          {"codewords", r.format.codewords},
          {"bits_per_weight", r.size.bits_per_weight()},
          {"dense_bytes", layer.dense_bytes},
          {"bytes", r.size.bytes()},
          {"weight_error", r.weight_error},
          {"output_error", layer.heldout_error},
          {"seconds", r.seconds}};
}

// ---- The picture: two panels of bars that share their rows, one row per layer. ----

constexpr double row_height = 26, top = 118, label_width = 236, panel_width = 330, gap = 110;

struct svg {
  std::ostringstream out;

  void text(double x, double y, const std::string& s, const char* style, const char* anchor = "start") {
    out << "<text x='" << x << "' y='" << y << "' class='" << style << "' text-anchor='" << anchor << "'>" << s
        << "</text>\n";
  }
  void bar(double x, double y, double width, double height, const char* style, const std::string& hint) {
    out << "<rect x='" << x << "' y='" << y << "' width='" << std::max(width, 1.0) << "' height='" << height
        << "' rx='2' class='" << style << "'><title>" << hint << "</title></rect>\n";
  }
  void key(double x, double y, const char* style, const std::string& s) {
    bar(x, y - 9, 12, 10, style, s);
    text(x + 17, y, s, "small");
  }
};

std::string number(double value, int digits) {
  char text[32];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

std::string kilobytes(std::size_t bytes) {
  const double kb = static_cast<double>(bytes) / 1024;
  return number(kb, kb < 10 ? 1 : 0) + " KB";
}

void draw_sizes(svg& picture, const demo_report& report, double left) {
  picture.text(left, top - 32, "Size, square-root scale", "head");
  picture.key(left, top - 14, "dense", "dense fp32");
  picture.key(left + 95, top - 14, "codes", "codes and codebook");
  double most = 1;
  for (const layer_result& layer : report.layers)
    most = std::max(most, std::sqrt(static_cast<double>(layer.dense_bytes)));
  const auto width = [&](std::size_t bytes) { return std::sqrt(static_cast<double>(bytes)) / most * panel_width; };
  for (std::size_t i = 0; i < report.layers.size(); ++i) {
    const layer_result& layer = report.layers[i];
    const double y = top + static_cast<double>(i) * row_height;
    picture.bar(left, y + 3, width(layer.dense_bytes), row_height - 8, "dense", kilobytes(layer.dense_bytes));
    picture.bar(left, y + 7, width(layer.report.size.bytes()), row_height - 16, "codes",
                kilobytes(layer.report.size.bytes()));
    const double factor = static_cast<double>(layer.dense_bytes) / static_cast<double>(layer.report.size.bytes());
    picture.text(left + width(layer.dense_bytes) + 6, y + 17, "÷ " + number(factor, 1), "small");
  }
}

void draw_errors(svg& picture, const demo_report& report, double left) {
  picture.text(left, top - 32, "Output lost, % of its energy, on held-out images", "head");
  picture.key(left, top - 14, "control", "plain k-means");
  picture.key(left + 105, top - 14, "codes", "activation-aware");
  double most = 1e-9;
  for (std::size_t i = 0; i < report.layers.size(); ++i)
    most = std::max({most, report.layers[i].heldout_error, report.control_layers[i].heldout_error});
  for (std::size_t i = 0; i < report.layers.size(); ++i) {
    const double y = top + static_cast<double>(i) * row_height;
    const double ours = report.layers[i].heldout_error, plain = report.control_layers[i].heldout_error;
    picture.bar(left, y + 4, plain / most * panel_width, 8, "control", number(100 * plain, 2) + " %");
    picture.bar(left, y + 13, ours / most * panel_width, 8, "codes", number(100 * ours, 2) + " %");
    picture.text(left + std::max(ours, plain) / most * panel_width + 6, y + 17,
                 number(100 * ours, 1) + " / " + number(100 * plain, 1), "small");
  }
}

}  // namespace

void print_table(const demo_report& report) {
  std::printf("%-22s %-17s %3s %5s %9s %9s %9s %9s %8s\n", "layer", "shape", "d", "K", "bits/w", "bytes", "weight",
              "output", "seconds");
  for (const layer_result& layer : report.layers) {
    const bitpq::layer_report& r = layer.report;
    std::printf("%-22s %-17s %3zu %5zu %9.3f %9zu %8.2f%% %8.2f%% %8.2f\n", layer.name.c_str(),
                shape_of(r.geometry).c_str(), r.format.block_size, r.format.codewords, r.size.bits_per_weight(),
                r.size.bytes(), 100 * r.weight_error, 100 * layer.heldout_error, r.seconds);
  }
  std::printf("errors: share of the squared norm of the weights, and of the layer's output on held-out images\n\n");
  std::printf("%-34s %10s %12s %14s\n", "", "top-1", "bytes", "ms per image");
  const auto row = [](const char* name, const evaluation& e, std::size_t bytes) {
    std::printf("%-34s %8.2f %% %12zu %14.4f\n", name, e.top1, bytes, e.ms_per_image);
  };
  row("teacher, dense fp32", report.teacher, report.dense_bytes());
  if (report.finetune_seconds) row("student before fine-tuning", report.untuned, report.file_bytes);
  row("student, running on codes", report.student, report.file_bytes);
  row("control, plain k-means", report.control, report.control_bytes);
  std::printf("ratio %.1f, compressed in %.1f s", report.ratio(), report.compress_seconds);
  if (report.finetune_seconds)
    std::printf(", %zu steps of fine-tuning without labels in %.1f s", report.finetune_steps, *report.finetune_seconds);
  std::printf("; %s, %zu threads, batches of %zu\n", report.isa.c_str(), report.threads, report.batch);
}

void write_json(const demo_report& report, const std::string& path) {
  nlohmann::ordered_json json{
      {"commit", report.commit},
      {"teacher_top1", report.teacher.top1},
      {"student_top1", report.student.top1},
      {"control_top1", report.control.top1},
      {"parameters", report.parameters},
      {"dense_bytes", report.dense_bytes()},
      {"file_bytes", report.file_bytes},
      {"control_bytes", report.control_bytes},
      {"ratio", report.ratio()},
      {"teacher_ms_per_image", report.teacher.ms_per_image},
      {"student_ms_per_image", report.student.ms_per_image},
      {"compress_seconds", report.compress_seconds},
      {"isa", report.isa},
      {"threads", report.threads},
      {"batch", report.batch},
      {"calibration_images", report.calibration_images},
      {"test_images", report.test_images},
      {"seed", report.seed},
  };
  if (report.finetune_seconds) {
    json["student_top1_before_finetune"] = report.untuned.top1;
    json["finetune_steps"] = report.finetune_steps;
    json["finetune_seconds"] = *report.finetune_seconds;
  }
  for (const layer_result& layer : report.layers) json["layers"].push_back(layer_json(layer));
  for (const layer_result& layer : report.control_layers) json["control_layers"].push_back(layer_json(layer));
  engine::write_text(path, json.dump(2) + "\n");
}

void write_svg(const demo_report& report, const std::string& path) {
  svg picture;
  const double width = label_width + 2 * panel_width + 2 * gap;
  const double height = top + static_cast<double>(report.layers.size()) * row_height + 24;
  picture.out << "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 " << width << ' ' << height << "' width='"
              << width << "' height='" << height
              << "'>\n<style>text{font-family:system-ui,sans-serif;fill:#24292f}"
                 ".title{font-size:19px;font-weight:600}.head{font-size:13px;font-weight:600}.label{font-size:12px}"
                 ".small{font-size:11px;fill:#57606a}.dense{fill:#d0d7de}.codes{fill:#0969da}.control{fill:#e3a008}"
                 "</style>\n<rect width='100%' height='100%' fill='#ffffff'/>\n";
  picture.text(24, 34,
               "Fashion-MNIST ResNet, " + number(report.ratio(), 1) +
                   " times smaller: " + kilobytes(report.dense_bytes()) + " → " + kilobytes(report.file_bytes),
               "title");
  picture.text(24, 56,
               "top-1 on " + std::to_string(report.test_images) + " test images: teacher " +
                   number(report.teacher.top1, 2) + " %, student on codes " + number(report.student.top1, 2) + " % (" +
                   (report.finetune_seconds ? number(report.untuned.top1, 2) + " % before fine-tuning without labels"
                                            : std::string("no fine-tuning")) +
                   "), plain k-means at the same size " + number(report.control.top1, 2) + " %",
               "label");
  for (std::size_t i = 0; i < report.layers.size(); ++i) {
    const double y = top + static_cast<double>(i) * row_height + 17;
    picture.text(24, y, report.layers[i].name, "label");
    picture.text(label_width - 14, y, "K " + std::to_string(report.layers[i].report.format.codewords), "small", "end");
  }
  draw_sizes(picture, report, label_width);
  draw_errors(picture, report, label_width + panel_width + gap);
  picture.out << "</svg>\n";
  engine::write_text(path, picture.out.str());
}

}  // namespace fashion_mnist
