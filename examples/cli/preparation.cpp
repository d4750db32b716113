// SPDX-License-Identifier: Apache-2.0

#include "cli/preparation.hpp"
#include "cli/context.hpp"
#include "cli/rest.hpp"

#include <cstdio>

namespace cli {

void say(const std::string& words) { std::fprintf(stderr, "bitpq: %s\n", words.c_str()); }

preparation::preparation(const compress_options& options) : source(options.input) {
  bitpq::require(!source.metadata().contains("bitpq.format"), bitpq::errc::bad_params, source.name(),
                 ": is compressed already");
  if (options.gram) statistics.emplace(*options.gram);
  std::vector<rule> rules;
  if (options.rules) rules = read_rules(*options.rules);
  jobs = find_jobs(source, rules, bitpq::preset_of(options.preset), options.seed, known(), say);
  rest = in_context(source.name(), [&] { return model_of_the_rest(source, jobs, options.rest, options.notes); });
}

}  // namespace cli
