// SPDX-License-Identifier: Apache-2.0

#include "engine/image_folder.hpp"
#include "engine_data.hpp"
#include "support/catch.hpp"
#include "support/expect_error.hpp"
#include "support/paths.hpp"

#include <stb_image_write.h>

#include <fstream>

using engine::image;
using engine::tensor;
using engine_test::values_of;

namespace {

/// Red grows across, green down, blue is constant.
image gradient(std::size_t height, std::size_t width) {
  image made{height, width, {}};
  for (std::size_t y = 0; y < height; ++y)
    for (std::size_t x = 0; x < width; ++x)
      for (const std::size_t value : {4 * x, 5 * y, std::size_t{77}})
        made.pixels.push_back(static_cast<std::uint8_t>(value));
  return made;
}

void write_png(const std::filesystem::path& file, const image& made) {
  REQUIRE(stbi_write_png(file.string().c_str(), static_cast<int>(made.width), static_cast<int>(made.height), 3,
                         made.pixels.data(), 0) != 0);
}

void write_jpeg(const std::filesystem::path& file, const image& made) {
  REQUIRE(stbi_write_jpg(file.string().c_str(), static_cast<int>(made.width), static_cast<int>(made.height), 3,
                         made.pixels.data(), 95) != 0);
}

std::vector<double> resized_row(std::size_t from, std::size_t to) {
  tensor x(1, 1, 1, from);
  for (std::size_t i = 0; i < from; ++i) x.data()[i] = static_cast<float>(i);
  return values_of(engine::resize(x, {1, to}));
}

void check_close(const std::vector<double>& got, const std::vector<double>& want) {
  REQUIRE(got.size() == want.size());
  for (std::size_t i = 0; i < got.size(); ++i) CHECK(got[i] == Approx(want[i]).margin(1e-6));
}

}  // namespace

TEST_CASE("images come back from files as they were written") {
  const bitpq_test::temp_dir dir;
  const image made = gradient(13, 21);
  write_png(dir / "image.png", made);
  const image png = engine::read_image(dir / "image.png");
  CHECK((png.height == 13 && png.width == 21));
  CHECK(png.pixels == made.pixels);
  write_jpeg(dir / "image.jpg", made);
  const image jpeg = engine::read_image(dir / "image.jpg");
  REQUIRE(jpeg.pixels.size() == made.pixels.size());
  double difference = 0;
  for (std::size_t i = 0; i < made.pixels.size(); ++i)
    difference += std::abs(static_cast<double>(jpeg.pixels[i]) - static_cast<double>(made.pixels[i]));
  CHECK(difference / static_cast<double>(made.pixels.size()) < 3);
}

TEST_CASE("what is no image is an error that names the file") {
  const bitpq_test::temp_dir dir;
  CHECK_THROWS_WITH(engine::read_image(dir / "none.jpg"), bitpq_test::contains("none.jpg cannot be opened"));
  std::ofstream(dir / "text.jpg") << "no image at all";
  CHECK_THROWS_WITH(engine::read_image(dir / "text.jpg"), bitpq_test::contains("text.jpg: "));
  write_png(dir / "whole.png", gradient(20, 20));
  std::filesystem::resize_file(dir / "whole.png", std::filesystem::file_size(dir / "whole.png") / 2);
  CHECK_THROWS_WITH(engine::read_image(dir / "whole.png"), bitpq_test::contains("whole.png: "));
  write_jpeg(dir / "whole.jpg", gradient(20, 20));
  std::filesystem::resize_file(dir / "whole.jpg", std::filesystem::file_size(dir / "whole.jpg") - 3);
  CHECK_THROWS_WITH(engine::read_image(dir / "whole.jpg"),
                    bitpq_test::contains("whole.jpg: the JPEG's end is missing"));
  std::ofstream(dir / "empty.png").flush();
  CHECK_THROWS_WITH(engine::read_image(dir / "empty.png"), bitpq_test::contains("empty.png: "));
}

TEST_CASE("the middle is cropped and pixels become normalised numbers") {
  const image middle = engine::centre_crop(gradient(7, 10), {3, 4});
  CHECK((middle.height == 3 && middle.width == 4));
  const tensor x = engine::to_tensor(middle, {{0, 0.5F, 0}, {1, 2, 1}});
  CHECK(x.view()(0, 0, 1, 2) == Approx(4 * 5 / 255.0));
  CHECK(x.view()(0, 1, 1, 2) == Approx((5 * 3 / 255.0 - 0.5) / 2));
  CHECK(x.view()(0, 2, 2, 3) == Approx(77 / 255.0));
  bitpq_test::expect_error(bitpq::errc::bad_shape, "a crop of 8 x 2 from an image of 7 x 10", [] {
    static_cast<void>(engine::centre_crop(gradient(7, 10), {8, 2}));
  });
}

TEST_CASE("resizing averages over what it skips, as torch does with antialias=True") {
  check_close(resized_row(6, 6), {0, 1, 2, 3, 4, 5});
  check_close(resized_row(6, 3), {1.25 / 1.75, 2.5, 5 - 1.25 / 1.75});  // triangles four pixels wide, cut at the edges
  check_close(resized_row(2, 4), {0, 0.25, 0.75, 1});
  check_close(resized_row(1, 3), {0, 0, 0});
  check_close(resized_row(9, 1), {4});
  // Rows and columns alike: a plane stays nearly a plane away from the edges.
  tensor plane(1, 1, 18, 27);
  for (std::size_t y = 0; y < 18; ++y)
    for (std::size_t x = 0; x < 27; ++x) plane.data()[y * 27 + x] = static_cast<float>(10 * y + x);
  const tensor small = engine::resize(plane, {12, 9});
  for (std::size_t y = 1; y < 11; ++y)
    for (std::size_t x = 1; x < 8; ++x)
      CHECK(small.view()(0, 0, y, x) ==
            Approx(10 * (1.5 * (static_cast<double>(y) + 0.5) - 0.5) + 3 * static_cast<double>(x) + 1).margin(0.35));
}

TEST_CASE("a photograph is scaled by its shorter side and cropped") {
  const image made = gradient(40, 60);
  const engine::normalisation plain{{0, 0, 0}, {1, 1, 1}};
  // As it is; as resizing the whole and taking its middle.
  CHECK(values_of(engine::photograph(engine::centre_crop(made, {24, 24}), 32, 24, plain)) ==
        values_of(engine::to_tensor(engine::centre_crop(made, {24, 24}), plain)));
  const tensor whole = engine::resize(engine::to_tensor(made, plain), {32, 48});
  const tensor x = engine::photograph(made, 32, 24, plain);
  REQUIRE(x.shape() == engine::tensor_shape{1, 3, 24, 24});
  for (std::size_t c = 0; c < 3; ++c)
    for (std::size_t i = 0; i < 24; ++i)
      for (std::size_t j = 0; j < 24; ++j)
        REQUIRE(x.view()(0, c, i, j) == Approx(whole.view()(0, c, i + 4, j + 12)).margin(1e-6));
  CHECK(values_of(engine::photograph(image{1, 1, {255, 0, 51}}, 32, 24, plain))[2 * 576 + 5] == Approx(0.2));
  CHECK(engine::photograph(gradient(1, 50), 32, 24, plain).shape().size() == 3 * 576);
  bitpq_test::expect_error(bitpq::errc::bad_params, "a crop of 24 from 40 x 60 pixels scaled to 20",
                           [&] { static_cast<void>(engine::photograph(made, 20, 24)); });
}

TEST_CASE("a folder of images makes batches") {
  const bitpq_test::temp_dir dir;
  write_png(dir / "b.png", gradient(8, 8));
  write_png(dir / "a.png", engine::centre_crop(gradient(16, 16), {8, 8}));
  const std::vector<std::string> names = engine::files_of(dir.path());
  REQUIRE(names == std::vector<std::string>{"a.png", "b.png"});
  const engine::image_folder folder(dir.path(), names, {4, 4}, {});
  const tensor batch = folder.batch(0, 2, {});
  CHECK((batch.batch() == 2 && batch.size() == bitpq::extent2{4, 4}));
  const tensor want = engine::resize(engine::to_tensor(gradient(8, 8)), {4, 4});
  CHECK(values_of(folder.batch(1, 1, {})) == values_of(want));
}
