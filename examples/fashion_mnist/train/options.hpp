// SPDX-License-Identifier: Apache-2.0
#pragma once

// Command line of the training program.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>

namespace fashion_mnist {

/// Thrown for a command line that cannot be followed.
class usage_error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct options {
  std::string data = "/usr/share/datasets/fashion-mnist";
  std::string out = "teacher.safetensors";
  std::string checkpoint = "teacher.checkpoint";
  std::string evaluate;  ///< only measure this safetensors file
  bool resume = false;
  bool help = false;
  std::size_t epochs = 18;
  std::size_t batch = 128;
  std::size_t steps = 0;  ///< 0: all; else stop after this many steps (to measure the speed)
  std::uint64_t seed = 1;
  double peak_rate = 0.1;
  double weight_decay = 5e-4;
  double label_smoothing = 0.1;
  double erase = 0.25;
  int threads = 2;
};

inline constexpr const char* usage_text =
    "fashion_mnist_train: trains the demo's teacher on Fashion-MNIST\n"
    "  --data DIR           folder of the *-ubyte.gz files (/usr/share/datasets/fashion-mnist)\n"
    "  --out FILE           trained weights, fp16 safetensors (teacher.safetensors)\n"
    "  --checkpoint FILE    state saved after each epoch (teacher.checkpoint)\n"
    "  --resume             continue from the checkpoint\n"
    "  --evaluate FILE      train nothing, measure the test accuracy of FILE\n"
    "  --epochs N           passes over the training images (18)\n"
    "  --batch N            images per step (128)\n"
    "  --rate X             peak learning rate (0.1)\n"
    "  --weight-decay X     on convolution and linear weights (5e-4)\n"
    "  --label-smoothing X  (0.1)\n"
    "  --erase X            probability of erasing a random rectangle (0.25)\n"
    "  --seed N             (1)\n"
    "  --threads N          (2)\n"
    "  --steps N            stop after N steps and write nothing, to measure the speed\n"
    "  --help\n";

namespace detail {

inline double parse_number(const std::string& name, const std::string& text, double least, double most) {
  std::size_t used = 0;
  double value = 0;
  try {
    value = std::stod(text, &used);
  } catch (const std::logic_error&) {
    used = 0;
  }
  if (used == 0 || used != text.size() || !(value >= least && value <= most)) {
    throw usage_error(name + " is '" + text + "', expected a number from " + std::to_string(least) + " to " +
                      std::to_string(most));
  }
  return value;
}

inline std::size_t parse_count(const std::string& name, const std::string& text, std::size_t least, std::size_t most) {
  const bool digits = !text.empty() && text.size() < 10 && text.find_first_not_of("0123456789") == text.npos;
  const std::size_t value = digits ? std::stoul(text) : 0;
  if (!digits || value < least || value > most) {
    throw usage_error(name + " is '" + text + "', expected a whole number from " + std::to_string(least) + " to " +
                      std::to_string(most));
  }
  return value;
}

using setter = void (*)(options& o, const std::string& name, const std::string& text);

/// The options that take a value.
inline const std::map<std::string, setter, std::less<>>& setters() {
  using text = const std::string&;
  static const std::map<std::string, setter, std::less<>> table{
      {"--data", [](options& o, text, text t) { o.data = t; }},
      {"--out", [](options& o, text, text t) { o.out = t; }},
      {"--checkpoint", [](options& o, text, text t) { o.checkpoint = t; }},
      {"--evaluate", [](options& o, text, text t) { o.evaluate = t; }},
      {"--epochs", [](options& o, text n, text t) { o.epochs = parse_count(n, t, 1, 1000); }},
      {"--batch", [](options& o, text n, text t) { o.batch = parse_count(n, t, 2, 4096); }},
      {"--steps", [](options& o, text n, text t) { o.steps = parse_count(n, t, 1, 1'000'000); }},
      {"--seed", [](options& o, text n, text t) { o.seed = parse_count(n, t, 0, 999'999'999); }},
      {"--threads", [](options& o, text n, text t) { o.threads = static_cast<int>(parse_count(n, t, 1, 256)); }},
      {"--rate", [](options& o, text n, text t) { o.peak_rate = parse_number(n, t, 1e-6, 10); }},
      {"--weight-decay", [](options& o, text n, text t) { o.weight_decay = parse_number(n, t, 0, 1); }},
      {"--label-smoothing", [](options& o, text n, text t) { o.label_smoothing = parse_number(n, t, 0, 0.9); }},
      {"--erase", [](options& o, text n, text t) { o.erase = parse_number(n, t, 0, 1); }},
  };
  return table;
}

}  // namespace detail

/// Options from the command line; throws usage_error for what is unknown, incomplete or out of range.
inline options parse_options(int argc, const char* const* argv) {
  options result;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    const auto found = detail::setters().find(name);
    if (name == "--help" || name == "-h") {
      result.help = true;
    } else if (name == "--resume") {
      result.resume = true;
    } else if (found == detail::setters().end()) {
      throw usage_error(name + ": unknown option");
    } else if (++i == argc) {
      throw usage_error(name + ": its value is missing");
    } else {
      found->second(result, name, argv[i]);
    }
  }
  return result;
}

}  // namespace fashion_mnist
