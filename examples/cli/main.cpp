// SPDX-License-Identifier: Apache-2.0

// The command line.

#include "cli/byte_size.hpp"
#include "cli/commands.hpp"
#include "cli/context.hpp"
#include "cli/interrupt.hpp"

#include <cstdio>
#include <functional>
#include <map>
#include <vector>

namespace {

using bitpq::dtype;
using bitpq::errc;
using bitpq::require;

constexpr const char* usage =
    "usage: bitpq compress CHECKPOINT -o FILE [--preset best] [--rules RULES.json] [--gram STATISTICS]\n"
    "                      [--rest F16|BF16|F32] [--notes yes|no]\n"
    "                      [--budget SIZE] [--cycles N [--columns N]] [--seed N] [--threads N]\n"
    "       bitpq decompress FILE -o CHECKPOINT [--dtype F16|BF16|F32|F64]\n"
    "       bitpq info FILE\n"
    "       bitpq info CHECKPOINT [--preset best] [--rules RULES.json] [--gram STATISTICS] [--rest F16|BF16|F32]\n"
    "                  [--notes yes|no]: what compress would make of it, without looking at a weight\n"
    "\n"
    "CHECKPOINT and STATISTICS are safetensors files, or the .index.json of a sharded one; SIZE is that of the whole\n"
    "file, as 800000, 5MB or 1.5MiB; presets: paper, fast, best, quick-to-run. Statistics hold a tensor\n"
    "<layer>.gram of groups x cols x cols for each weight; docs/python.md shows how to make them. --cycles is a "
    "budget\n"
    "of time: what this machine's cores are estimated to take for all layers, each with --columns columns of inputs.\n"
    "--rest rounds numbers that are not compressed; --notes no leaves types and errors of weights out of the file.\n";

/// The words after the command: paths, and options with a value each.
struct arguments {
  std::vector<std::string> paths;
  std::map<std::string, std::string> options;

  arguments(const std::vector<std::string>& words, const std::vector<std::string>& known) {
    for (std::size_t i = 0; i < words.size(); ++i) {
      const std::string& word = words[i];
      if (!word.starts_with('-')) {
        paths.push_back(word);
        continue;
      }
      require(std::find(known.begin(), known.end(), word) != known.end(), errc::bad_params, "unknown option ", word);
      require(i + 1 < words.size(), errc::bad_params, word, " needs a value");
      require(options.emplace(word, words[++i]).second, errc::bad_params, word, " is given twice");
    }
  }

  [[nodiscard]] std::optional<std::string> get(const std::string& name) const {
    const auto at = options.find(name);
    return at == options.end() ? std::nullopt : std::optional(at->second);
  }

  /// The only path.
  [[nodiscard]] const std::string& input() const {
    require(paths.size() == 1, errc::bad_params, "one input file is needed, not ", paths.size());
    return paths[0];
  }

  [[nodiscard]] std::string output() const {
    require(options.contains("-o"), errc::bad_params, "-o is missing: where to write");
    return options.at("-o");
  }

  /// One of `types`, which errors call `names`.
  [[nodiscard]] std::optional<dtype> type(const std::string& name, std::initializer_list<dtype> types,
                                          const char* names) const {
    const std::optional<std::string> text = get(name);
    if (!text) return std::nullopt;
    for (const dtype t : types)
      if (to_string(t) == *text) return t;
    bitpq::fail(errc::bad_params, name, ' ', *text, " is none of ", names);
  }

  /// A whole number; `otherwise` where there is none.
  [[nodiscard]] std::uint64_t number(const std::string& name, std::uint64_t otherwise, std::uint64_t most) const {
    const std::optional<std::string> text = get(name);
    if (!text) return otherwise;
    std::uint64_t value = 0;
    const char* const last = text->data() + text->size();
    const std::from_chars_result result = std::from_chars(text->data(), last, value);
    require(result.ec == std::errc{} && result.ptr == last && value <= most, errc::bad_params, name, " ", *text,
            " is no whole number up to ", most);
    return value;
  }
};

/// What decides on the file's contents, but for budgets.
const std::vector<std::string> settings{"--preset", "--rules", "--gram", "--rest", "--notes"};

void read_settings(const arguments& given, cli::compress_options& options) {
  options.preset = given.get("--preset").value_or(options.preset);
  options.rules = given.get("--rules");
  options.gram = given.get("--gram");
  options.rest = given.type("--rest", {dtype::f16, dtype::bf16, dtype::f32}, "F16, BF16 and F32");
  const std::string notes = given.get("--notes").value_or("yes");
  require(notes == "yes" || notes == "no", errc::bad_params, "--notes ", notes, " is neither yes nor no");
  options.notes = notes == "yes";
}

void run_compress(const std::vector<std::string>& words) {
  std::vector<std::string> known = settings;
  known.insert(known.end(), {"-o", "--budget", "--cycles", "--columns", "--seed", "--threads"});
  const arguments given(words, known);
  cli::compress_options options{given.input(), given.output()};
  read_settings(given, options);
  if (const auto budget = given.get("--budget"))
    options.budget = cli::in_context("--budget", [&] { return cli::parse_byte_size(*budget); });
  if (given.get("--cycles")) options.cycles = static_cast<double>(given.number("--cycles", 0, std::uint64_t{1} << 53));
  options.columns = given.number("--columns", 1, std::uint64_t{1} << 32);
  require(options.columns > 0, errc::bad_params, "--columns 0");
  options.seed = given.number("--seed", 0, (std::numeric_limits<std::uint64_t>::max)());
  options.threads = given.number("--threads", 0, 4096);
  cli::compress(options);
}

void run_decompress(const std::vector<std::string>& words) {
  const arguments given(words, {"-o", "--dtype"});
  cli::decompress_options options{given.input(), given.output()};
  options.type = given.type("--dtype", {dtype::f16, dtype::bf16, dtype::f32, dtype::f64}, "F16, BF16, F32 and F64");
  cli::decompress(options);
}

void run_info(const std::vector<std::string>& words) {
  const arguments given(words, settings);
  if (given.options.empty()) return cli::info(given.input());
  cli::compress_options options{given.input(), {}};
  read_settings(given, options);
  cli::foresee(options);
}

}  // namespace

int main(int argc, char** argv) {
  const std::map<std::string, std::function<void(const std::vector<std::string>&)>> commands{
      {"compress", run_compress}, {"decompress", run_decompress}, {"info", run_info}};
  const std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  const bool help = !words.empty() && (words[0] == "--help" || words[0] == "help");
  if (words.empty() || help) {
    std::fputs(usage, help ? stdout : stderr);
    return help ? 0 : 2;
  }
  cli::catch_interrupts();
  try {
    const auto command = commands.find(words[0]);
    require(command != commands.end(), errc::bad_params, "no command is called \"", words[0],
            "\"; there are compress, decompress and info");
    command->second({words.begin() + 1, words.end()});
  } catch (const std::exception& e) {
    if (cli::interrupted())
      std::fputs("bitpq: interrupted; nothing was written\n", stderr);
    else
      std::fprintf(stderr, "%s\n", e.what());
    return cli::interrupted() ? 130 : 1;
  }
  return 0;
}
