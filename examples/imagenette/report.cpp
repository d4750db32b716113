// SPDX-License-Identifier: Apache-2.0

#include "imagenette/report.hpp"

#include "engine/write_text.hpp"

#include <nlohmann/json.hpp>

#include <cmath>
#include <cstdio>
#include <sstream>

namespace imagenette {

namespace {

using json = nlohmann::ordered_json;

json trial_json(const trial_result& t) {
  json j{{"setting", t.setting},
         {"seed", t.seed},
         {"ratio", t.ratio},
         {"file_bytes", t.file_bytes},
         {"teacher_top1", t.teacher_top1},
         {"student_top1_before_finetune", t.before.top1},
         {"kl_before_finetune", t.before.kl},
         {"student_top1", t.after.top1},
         {"kl", t.after.kl},
         {"seconds", t.seconds}};
  if (t.paper) j.update({{"paper_top1", t.paper->top1}, {"paper_kl", t.paper->kl}});
  if (t.speed)
    j["onednn"] = {{"ratio", t.speed->ratio}, {"ratio_low", t.speed->low},     {"ratio_high", t.speed->high},
                   {"ms", t.speed->ms},       {"dense_ms", t.speed->dense_ms}, {"images", t.speed->images}};
  return j;
}

/// Where things are in the picture: accuracy upwards, bytes to the right, by their logarithm.
struct axes {
  double least_bytes, most_bytes, least_top1, most_top1;
  static constexpr double left = 70, top = 60, width = 560, height = 320;

  [[nodiscard]] double x(std::size_t bytes) const {
    return left + width * std::log(static_cast<double>(bytes) / least_bytes) / std::log(most_bytes / least_bytes);
  }
  [[nodiscard]] double y(double top1) const { return top + height * (most_top1 - top1) / (most_top1 - least_top1); }
};

axes axes_of(const run_report& report) {
  axes a{1e300, 4.0 * static_cast<double>(report.parameters) * 1.3, 100, 0};
  for (const trial_result& t : report.trials) {
    a.least_bytes = std::min(a.least_bytes, static_cast<double>(t.file_bytes) / 1.3);
    for (const double top1 : {t.before.top1, t.after.top1, t.teacher_top1, t.paper ? t.paper->top1 : t.after.top1}) {
      a.least_top1 = std::min(a.least_top1, std::floor(top1) - 1);
      a.most_top1 = std::max(a.most_top1, std::ceil(top1) + 1);
    }
  }
  return a;
}

std::string number(double value, int digits) {
  char text[32];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

}  // namespace

void print_table(const run_report& report) {
  std::printf("%-14s %4s %7s %10s %9s %9s %9s %8s %9s %8s %8s %20s\n", "setting", "seed", "ratio", "bytes", "teacher",
              "before", "student", "KL", "paper", "its KL", "seconds", "against oneDNN");
  for (const trial_result& t : report.trials) {
    std::printf("%-14s %4llu %7.2f %10zu %7.2f %% %7.2f %% %7.2f %% %8.4f", t.setting.c_str(),
                static_cast<unsigned long long>(t.seed), t.ratio, t.file_bytes, t.teacher_top1, t.before.top1,
                t.after.top1, t.after.kl);
    if (t.paper)
      std::printf(" %7.2f %% %8.4f", t.paper->top1, t.paper->kl);
    else
      std::printf(" %9s %8s", "-", "-");
    std::printf(" %8.0f", t.seconds);
    if (t.speed) std::printf("  %.2f (%.2f to %.2f)", t.speed->ratio, t.speed->low, t.speed->high);
    std::printf("\n");
  }
  std::printf(
      "before, student: the student before and after %zu steps of fine-tuning without labels; paper: the paper's "
      "preset and schedule\nwith as many steps; against oneDNN: time of the dense network to ours, one image, one "
      "thread, with the 95 %% interval\n%.0f s in all, at most %.2f GB of memory\n",
      report.steps, report.seconds, static_cast<double>(report.peak_memory) / 1e9);
}

void write_json(const run_report& report, const std::filesystem::path& file) {
  json j{{"commit", report.commit},
         {"threads", report.threads},
         {"calibration_images", report.calibration_images},
         {"evaluation_images", report.evaluation_images},
         {"steps", report.steps},
         {"batch", report.batch},
         {"parameters", report.parameters},
         {"dense_bytes", 4 * report.parameters},
         {"peak_memory_bytes", report.peak_memory},
         {"seconds", report.seconds},
         {"trials", json::array()}};
  for (const trial_result& t : report.trials) j["trials"].push_back(trial_json(t));
  engine::write_text(file, j.dump(2) + "\n");
}

void write_curve(const run_report& report, const std::filesystem::path& file) {
  if (report.trials.empty()) return;
  const axes a = axes_of(report);
  std::ostringstream out;
  out << "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 700 440' width='700' height='440'>\n"
         "<style>text{font-family:system-ui,sans-serif;font-size:12px;fill:#24292f}.title{font-size:17px;font-weight:"
         "600}"
         ".grid{stroke:#d0d7de}.ours{fill:#0969da}.before{fill:#8c959f}.paper{fill:#e3a008}.teacher{fill:#24292f}</"
         "style>\n"
         "<rect width='100%' height='100%' fill='#ffffff'/>\n"
         "<text x='24' y='32' class='title'>ResNet-18, ten classes: top-1 against bytes</text>\n";
  const double step = a.most_top1 - a.least_top1 > 20 ? 10 : a.most_top1 - a.least_top1 > 8 ? 2 : 1;
  for (double top1 = std::ceil(a.least_top1 / step) * step; top1 <= a.most_top1; top1 += step)
    out << "<line class='grid' x1='" << axes::left << "' x2='" << axes::left + axes::width << "' y1='" << a.y(top1)
        << "' y2='" << a.y(top1) << "'/><text x='" << axes::left - 8 << "' y='" << a.y(top1) + 4
        << "' text-anchor='end'>" << number(top1, 0) << " %</text>\n";
  const auto point = [&](std::size_t bytes, double top1, const char* style, const std::string& hint) {
    out << "<circle cx='" << a.x(bytes) << "' cy='" << a.y(top1) << "' r='5' class='" << style << "'><title>" << hint
        << ": " << number(top1, 2) << " %, " << bytes << " bytes</title></circle>\n";
  };
  for (const trial_result& t : report.trials) {
    point(t.file_bytes, t.before.top1, "before", t.setting + " before fine-tuning");
    if (t.paper) point(t.file_bytes, t.paper->top1, "paper", t.setting + ", the paper's");
    point(t.file_bytes, t.after.top1, "ours", t.setting);
    if (t.seed == 0)
      out << "<text x='" << a.x(t.file_bytes) << "' y='" << axes::top + axes::height + 18 << "' text-anchor='middle'>÷ "
          << number(t.ratio, 0) << "</text>\n";
  }
  point(4 * report.parameters, report.trials.front().teacher_top1, "teacher", "dense");
  double x = axes::left;
  for (const auto& [style, what] : {std::pair{"teacher", "dense"},
                                    {"ours", "student"},
                                    {"before", "before fine-tuning"},
                                    {"paper", "the paper's preset, as many steps"}}) {
    out << "<circle cx='" << x << "' cy='424' r='5' class='" << style << "'/><text x='" << x + 10 << "' y='428'>"
        << what << "</text>\n";
    x += 60 + 6.5 * static_cast<double>(std::string_view(what).size());
  }
  out << "</svg>\n";
  engine::write_text(file, out.str());
}

}  // namespace imagenette
