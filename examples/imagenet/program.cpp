// SPDX-License-Identifier: Apache-2.0

#include "imagenet/program.hpp"

#include "engine/command_line.hpp"
#include "engine/image.hpp"
#include "engine/progress_bar.hpp"
#include "imagenet/image_list.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>

namespace imagenet {

namespace {

constexpr std::size_t shown = 5;  // answers per image

/// The most likely classes, the likeliest first.
std::vector<std::size_t> best_of(std::span<const float> logits) {
  std::vector<std::size_t> order(logits.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const std::size_t n = std::min(shown, order.size());
  std::partial_sort(
      order.begin(), order.begin() + static_cast<std::ptrdiff_t>(n), order.end(),
      [&](std::size_t a, std::size_t b) { return logits[a] != logits[b] ? logits[a] > logits[b] : a < b; });
  order.resize(n);
  return order;
}

/// Of the softmax of all logits, the one of class k.
double probability(std::span<const float> logits, std::size_t k) {
  double sum = 0;
  for (const float v : logits) sum += std::exp(static_cast<double>(v) - static_cast<double>(logits[k]));
  return 1 / sum;
}

std::span<const float> answer_to(const listed_image& image, const options& o, classifier& network) {
  const engine::tensor x = engine::photograph(engine::read_image(image.file), o.resize, input_side);
  std::copy_n(x.data(), x.shape().size(), network.input());
  return network.answer();
}

void print_answer(const listed_image& image, std::span<const float> logits, const std::vector<std::string>& names) {
  std::printf("%s\n", image.file.string().c_str());
  for (const std::size_t k : best_of(logits))
    std::printf("  %6.2f %%  %4zu  %s\n", 100 * probability(logits, k), k, k < names.size() ? names[k].c_str() : "");
}

/// Goes through a table of images whose classes are known, and counts.
void print_accuracy(const std::vector<listed_image>& images, const options& o, classifier& network) {
  std::size_t first = 0, among = 0, agreed = 0;
  {
    engine::progress_bar bar("classifying", images.size());
    for (const listed_image& image : images) {
      bitpq::require(*image.label < network.classes(), bitpq::errc::bad_params, image.file.string(), ": class ",
                     *image.label, " of ", network.classes());
      const std::vector<std::size_t> best = best_of(answer_to(image, o, network));
      first += best[0] == *image.label ? 1 : 0;
      among += std::find(best.begin(), best.end(), *image.label) != best.end() ? 1 : 0;
      agreed += image.reference == best[0] ? 1 : 0;
      bar.advance(1, image.file.filename().string());
    }
  }
  const auto share = [&](std::size_t n) { return 100.0 * static_cast<double>(n) / static_cast<double>(images.size()); };
  std::printf("%zu images: top-1 %zu (%.2f %%), top-5 %zu (%.2f %%)\n", images.size(), first, share(first), among,
              share(among));
  if (!o.agree.empty())
    std::printf("the same first answer as %s: %zu (%.2f %%)\n", o.agree.c_str(), agreed, share(agreed));
}

void run(const options& o, const classifier_factory& make) {
  const std::vector<std::string> names = read_classes(o.classes);
  const std::vector<listed_image> images = list_images(o);
  const std::unique_ptr<classifier> network = make(o);
  bitpq::require(names.empty() || names.size() >= network->classes(), bitpq::errc::bad_params, o.classes.string(),
                 " names ", names.size(), " classes, the network has ", network->classes());
  if (o.plan) static_cast<void>(network->answer());  // the first run of a layer also fetches its memory
  if (o.labels.empty())
    for (const listed_image& image : images) print_answer(image, answer_to(image, o, *network), names);
  else
    print_accuracy(images, o, *network);
  if (o.plan) std::fputs(network->plan().c_str(), stdout);
  std::fprintf(stderr, "%s\n", network->about().c_str());
}

}  // namespace

int run_program(int argc, char** argv, const std::string& usage, bool on_codes, const classifier_factory& make) {
  return engine::run_program(argc, argv, usage.c_str(), [&] {
    const options o = parse(argc, argv, usage, on_codes);
    if (o.help)
      std::fputs(usage.c_str(), stdout);
    else
      run(o, make);
  });
}

}  // namespace imagenet
