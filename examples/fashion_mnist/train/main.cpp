// SPDX-License-Identifier: Apache-2.0

// Trains the demo's teacher and writes its weights.

#include "../idx.hpp"
#include "options.hpp"
#include "trainer.hpp"
#include "weights.hpp"

#include <cstdio>
#include <exception>
#include <filesystem>
#include <iomanip>
#include <sstream>
#include <string>

#include <torch/torch.h>

namespace {

namespace fm = fashion_mnist;

/// Test accuracy of the weights as they lie in `path`, in percent.
double measure(const std::string& path, const fm::image_set& test) {
  fm::teacher network;
  fm::read_weights(path, network);
  return 100 * fm::accuracy(network, test);
}

std::string fixed(double value, int digits) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(digits) << value;
  return text.str();
}

std::string recipe(const fm::options& o) {
  return "SGD Nesterov, " + std::to_string(o.epochs) + " epochs, batch " + std::to_string(o.batch) + ", peak rate " +
         fixed(o.peak_rate, 4) + ", weight decay " + fixed(o.weight_decay, 5) + ", label smoothing " +
         fixed(o.label_smoothing, 2) + ", erase " + fixed(o.erase, 2) + ", seed " + std::to_string(o.seed);
}

/// The accuracy in the metadata is that of the fp16 weights, so they are written, measured, and written
/// again.
void finish(const fm::options& o, const fm::teacher& network, const fm::image_set& test) {
  bitpq::metadata_map metadata{{"architecture", "fashion_mnist residual 32-48-96-192, blocks 1-2-2"},
                               {"data_set", "Fashion-MNIST"},
                               {"recipe", recipe(o)}};
  fm::write_weights(o.out, network, metadata);
  const double percent = measure(o.out, test);
  metadata["test_top1_percent"] = fixed(percent, 2);
  fm::write_weights(o.out, network, metadata);
  std::printf("%s written, test accuracy with fp16 weights %.2f %%\n", o.out.c_str(), percent);
}

/// Found out now rather than after an hour of training.
void require_folder(const std::string& option, const std::string& path) {
  const auto folder = std::filesystem::absolute(path).parent_path();
  if (!std::filesystem::is_directory(folder)) {
    throw fm::usage_error(option + ": there is no folder " + folder.string());
  }
}

int run(const fm::options& o) {
  torch::set_num_threads(o.threads);
  torch::manual_seed(o.seed);
  const fm::image_set test = fm::load(o.data, fm::split::test);
  if (!o.evaluate.empty()) {
    std::printf("%s: test accuracy %.2f %%\n", o.evaluate.c_str(), measure(o.evaluate, test));
    return 0;
  }
  require_folder("--out", o.out);
  require_folder("--checkpoint", o.checkpoint);
  const fm::image_set training = fm::load(o.data, fm::split::train);
  fm::trainer trainer(o, training, test);
  if (trainer.run()) finish(o, trainer.network(), test);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const fm::options o = fm::parse_options(argc, argv);
    if (o.help) {
      std::fputs(fm::usage_text, stdout);
      return 0;
    }
    return run(o);
  } catch (const fm::usage_error& e) {
    std::fprintf(stderr, "fashion_mnist_train: %s\n\n%s", e.what(), fm::usage_text);
    return 2;
  } catch (const c10::Error& e) {  // its what() is a stack trace
    std::fprintf(stderr, "fashion_mnist_train: %s\n", e.what_without_backtrace());
    return 1;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "fashion_mnist_train: %s\n", e.what());
    return 1;
  }
}
