// SPDX-License-Identifier: Apache-2.0

#include "support/catch.hpp"
#include "support/paths.hpp"
#include "unit/io/craft.hpp"

#include <bitpq/io/mapped_file.hpp>

#if __has_include(<sys/stat.h>)
#include <sys/stat.h>
#endif

using bitpq::mapped_file;
using bitpq_test::error_of;

static std::string text_of(const mapped_file& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

TEST_CASE("a mapped file shows the bytes, wherever the object moves", "[io]") {
  const bitpq_test::temp_dir dir;
  bitpq_test::write_file(dir / "a", "some bytes");
  mapped_file first(dir / "a");
  CHECK(text_of(first) == "some bytes");
  const std::byte* const where = first.bytes().data();
  mapped_file second(std::move(first));
  CHECK(second.bytes().data() == where);
  bitpq_test::write_file(dir / "b", "others");
  mapped_file third(dir / "b");
  third = std::move(second);
  CHECK(third.bytes().data() == where);
  CHECK(text_of(third) == "some bytes");
}

TEST_CASE("an empty file has no bytes", "[io]") {
  const bitpq_test::temp_dir dir;
  bitpq_test::write_file(dir / "empty", "");
  CHECK(mapped_file(dir / "empty").bytes().empty());
  CHECK(mapped_file().bytes().empty());
}

TEST_CASE("what cannot be mapped is named with the reason", "[io]") {
  const bitpq_test::temp_dir dir;
  const std::string missing = (dir / "missing").string();
  CHECK(error_of([&] { mapped_file{missing}; }) ==
        "io_failure: bitpq: cannot open " + missing + ": No such file or directory");
  CHECK(error_of([&] { mapped_file{dir.path()}; }) ==
        "io_failure: bitpq: cannot read " + dir.path().string() + ": not a regular file");
#if __has_include(<sys/stat.h>)
  const std::string pipe = (dir / "pipe").string();
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK(error_of([&] { mapped_file{pipe}; }) == "io_failure: bitpq: cannot read " + pipe + ": not a regular file");
#endif
}
