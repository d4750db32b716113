// SPDX-License-Identifier: Apache-2.0
#pragma once

// The layers of real networks at 224 x 224, under the names their torchvision models give them. Layers of one shape
// are listed once, under the first one's name.

#include <bitpq/codec/layer_geometry.hpp>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace bench {

struct layer {
  std::string name;
  bitpq::layer_geometry geometry;
  std::size_t size = 1;         ///< height and width of the input
  std::size_t columns = 1;      ///< of a linear layer: how many inputs at once
  std::size_t small_block = 4;  ///< block sizes: 9 and 18 for 3 x 3 windows, 4 and 8 otherwise
  std::size_t large_block = 4;  ///< equal where there is only one
  bool compressed = true;       ///< whether the usual recipes compress it: not a first 7 x 7
  std::size_t copies = 1;       ///< layers of this shape

  [[nodiscard]] bool is_linear() const { return geometry.type == bitpq::layer_geometry::kind::linear; }
  [[nodiscard]] std::size_t output_columns() const {
    const bitpq::extent2 out = geometry.output_size({size, size});
    return is_linear() ? columns : out.h * out.w;
  }
  /// Few codewords where there are few outputs to share a table: the setting for speed.
  [[nodiscard]] std::size_t few_codewords() const {
    const std::size_t outputs = geometry.out_per_group();
    return outputs <= 64 ? 16 : outputs <= 128 ? 32 : 64;
  }
};

struct network {
  std::string name;
  std::vector<layer> layers;
};

struct window {
  std::size_t kernel = 1, stride = 1, padding = 0, groups = 1;
};

/// Collects a network's layers, each shape once.
class network_builder {
 public:
  explicit network_builder(std::string name, std::size_t large_block_of_1x1 = 8)
      : network_{std::move(name), {}}, large_block_of_1x1_(large_block_of_1x1) {}

  void conv(const std::string& name, std::size_t size, std::size_t in, std::size_t out, window w = {}) {
    const auto g = bitpq::layer_geometry::conv2d(out, in, {w.kernel, w.kernel},
                                                 {{w.stride, w.stride}, {w.padding, w.padding}, {1, 1}, w.groups});
    const std::size_t small = w.kernel == 3 ? 9 : w.kernel == 7 ? 7 : 4;
    const std::size_t large = w.kernel == 3 ? 18 : w.kernel == 7 ? 7 : large_block_of_1x1_;
    add({name, g, size, 1, small, g.cols() % large == 0 ? large : small, w.kernel != 7});
  }
  void linear(const std::string& name, std::size_t in, std::size_t out, std::size_t columns, std::size_t block) {
    add({name, bitpq::layer_geometry::linear(out, in), 1, columns, block, block});
  }
  [[nodiscard]] network take() { return std::move(network_); }

 private:
  void add(layer l) {
    const auto same = [&](const layer& other) {
      return other.geometry == l.geometry && other.size == l.size && other.columns == l.columns;
    };
    const auto first = std::find_if(network_.layers.begin(), network_.layers.end(), same);
    if (first == network_.layers.end())
      network_.layers.push_back(std::move(l));
    else
      ++first->copies;
  }

  network network_;
  std::size_t large_block_of_1x1_;
};

inline network resnet18() {
  network_builder net("resnet18", 4);
  net.conv("conv1", 224, 3, 64, {7, 2, 3});
  std::size_t in = 64;
  for (std::size_t stage = 1, size = 56; stage <= 4; ++stage) {
    const std::size_t out = std::size_t{32} << stage, stride = stage == 1 ? 1 : 2;
    const std::string at = "layer" + std::to_string(stage) + ".";
    net.conv(at + "0.conv1", size, in, out, {3, stride, 1});
    net.conv(at + "0.conv2", size / stride, out, out, {3, 1, 1});
    if (stride == 2) net.conv(at + "0.downsample.0", size, in, out, {1, 2});
    size /= stride;
    net.conv(at + "1.conv1", size, out, out, {3, 1, 1});
    net.conv(at + "1.conv2", size, out, out, {3, 1, 1});
    in = out;
  }
  net.linear("fc", 512, 1000, 1, 4);
  return net.take();
}

inline network resnet50() {
  constexpr std::size_t blocks[] = {3, 4, 6, 3};
  network_builder net("resnet50");
  net.conv("conv1", 224, 3, 64, {7, 2, 3});
  std::size_t in = 64;
  for (std::size_t stage = 1, size = 56; stage <= 4; ++stage) {
    const std::size_t mid = std::size_t{32} << stage, out = 4 * mid, stride = stage == 1 ? 1 : 2;
    const std::string at = "layer" + std::to_string(stage) + ".";
    net.conv(at + "0.conv1", size, in, mid);
    net.conv(at + "0.conv2", size, mid, mid, {3, stride, 1});
    net.conv(at + "0.conv3", size / stride, mid, out);
    net.conv(at + "0.downsample.0", size, in, out, {1, stride});
    size /= stride;
    for (std::size_t block = 1; block < blocks[stage - 1]; ++block) {
      const std::string block_at = at + std::to_string(block) + ".";
      net.conv(block_at + "conv1", size, out, mid);
      net.conv(block_at + "conv2", size, mid, mid, {3, 1, 1});
      net.conv(block_at + "conv3", size, mid, out);
    }
    in = out;
  }
  net.linear("fc", 2048, 1000, 1, 4);
  return net.take();
}

inline network squeezenet() {
  struct fire {
    std::size_t index, size, in, squeezed, expanded;
  };
  network_builder net("squeezenet1_1");
  net.conv("features.0", 224, 3, 64, {3, 2});
  for (const fire& f : {fire{3, 55, 64, 16, 64}, fire{4, 55, 128, 16, 64}, fire{6, 27, 128, 32, 128},
                        fire{7, 27, 256, 32, 128}, fire{9, 13, 256, 48, 192}, fire{10, 13, 384, 48, 192},
                        fire{11, 13, 384, 64, 256}, fire{12, 13, 512, 64, 256}}) {
    const std::string at = "features." + std::to_string(f.index) + ".";
    net.conv(at + "squeeze", f.size, f.in, f.squeezed);
    net.conv(at + "expand1x1", f.size, f.squeezed, f.expanded);
    net.conv(at + "expand3x3", f.size, f.squeezed, f.expanded, {3, 1, 1});
  }
  net.conv("classifier.1", 13, 512, 1000);
  return net.take();
}

inline network mobilenet_v2() {
  struct stage {
    std::size_t expansion, out, blocks, stride;
  };
  network_builder net("mobilenet_v2");
  net.conv("features.0.0", 224, 3, 32, {3, 2, 1});
  std::size_t in = 32, size = 112, index = 1;
  for (const stage& s : {stage{1, 16, 1, 1}, stage{6, 24, 2, 2}, stage{6, 32, 3, 2}, stage{6, 64, 4, 2},
                         stage{6, 96, 3, 1}, stage{6, 160, 3, 2}, stage{6, 320, 1, 1}}) {
    for (std::size_t block = 0; block < s.blocks; ++block, ++index) {
      const std::size_t mid = in * s.expansion, stride = block == 0 ? s.stride : 1;
      const std::string at = "features." + std::to_string(index) + ".conv.";
      if (s.expansion > 1) net.conv(at + "0.0", size, in, mid);
      net.conv(at + (s.expansion > 1 ? "1.0" : "0.0"), size, mid, mid, {3, stride, 1, mid});
      size /= stride;
      net.conv(at + (s.expansion > 1 ? "2" : "1"), size, mid, s.out);
      in = s.out;
    }
  }
  net.conv("features.18.0", size, 320, 1280);
  net.linear("classifier.1", 1280, 1000, 1, 4);
  return net.take();
}

/// Linear layers of a language model of 7 billion weights, by in x out x columns.
inline network language_model() {
  network_builder net("llm");
  for (const auto& [in, out] : {std::pair<std::size_t, std::size_t>{4096, 4096}, {4096, 11008}, {11008, 4096}})
    for (const std::size_t columns : std::initializer_list<std::size_t>{1, 4, 32, 128})
      net.linear(std::to_string(in) + "x" + std::to_string(out) + "x" + std::to_string(columns), in, out, columns, 8);
  return net.take();
}

}  // namespace bench
