// SPDX-License-Identifier: Apache-2.0

#include "cli/rules.hpp"
#include "cli/context.hpp"

#include <bitpq/io/mapped_file.hpp>

#include <nlohmann/json.hpp>

namespace cli {

using bitpq::errc;
using bitpq::require;
using bitpq::detail::quoted;

namespace {

std::string regex_of_glob(const std::string& glob) {
  std::string text;
  for (const char c : glob) {
    if (c == '*')
      text += ".*";
    else if (c == '?')
      text += '.';
    else {
      if (std::string_view("\\^$.|+()[]{}").find(c) != std::string_view::npos) text += '\\';
      text += c;
    }
  }
  return text;
}

std::regex compiled(const std::string& text) {
  try {
    return std::regex(text);
  } catch (const std::regex_error&) {
    bitpq::fail(errc::bad_params, quoted{text}, " is no regular expression");
  }
}

bitpq::codeword_type storage_of(const std::string& name) {
  for (const bitpq::codeword_type type :
       {bitpq::codeword_type::f32, bitpq::codeword_type::f16, bitpq::codeword_type::i8})
    if (name == bitpq::to_string(type)) return type;
  bitpq::fail(errc::bad_params, "no storage is called \"", name, "\"; there are f32, f16 and i8");
}

std::string string_of(const std::string& key, const nlohmann::json& value) {
  require(value.is_string(), errc::bad_params, "\"", key, "\" is no string");
  return value.get<std::string>();
}

std::size_t count_of(const std::string& key, const nlohmann::json& value) {
  require(value.is_number_unsigned() && value.get<std::uint64_t>() >= 1 &&
              value.get<std::uint64_t>() <= bitpq::max_codewords,
          errc::bad_params, "\"", key, "\" is ", value.dump(), ", not a whole number in 1 .. ", bitpq::max_codewords);
  return value.get<std::size_t>();
}

void read_field(rule& r, const std::string& key, const nlohmann::json& value) {
  if (key == "match" || key == "regex") {
    require(r.pattern.empty(), errc::bad_params, R"("match" and "regex" are both given)");
    r.pattern = string_of(key, value);
    require(!r.pattern.empty(), errc::bad_params, "\"", key, "\" is empty");
    r.expression = compiled(key == "match" ? regex_of_glob(r.pattern) : r.pattern);
  } else if (key == "skip") {
    require(value.is_boolean(), errc::bad_params, "\"skip\" is neither true nor false");
    r.skip = value.get<bool>();
  } else if (key == "d") {
    r.d = count_of(key, value);
  } else if (key == "k") {
    r.k = count_of(key, value);
  } else if (key == "preset") {
    r.preset = bitpq::preset_of(string_of(key, value));
  } else if (key == "storage") {
    r.storage = storage_of(string_of(key, value));
  } else {
    bitpq::fail(errc::bad_params, "no field is called \"", key,
                "\"; there are match, regex, skip, d, k, preset and storage");
  }
}

}  // namespace

std::vector<rule> read_rules(const std::filesystem::path& path) {
  const bitpq::mapped_file file(path);
  const std::string_view text(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  require(json.is_array(), errc::bad_params, path.string(), ": not a JSON array of rules");
  std::vector<rule> rules;
  for (const nlohmann::json& entry : json)
    in_context(path.string() + ": rule " + std::to_string(rules.size() + 1), [&] {
      require(entry.is_object(), errc::bad_params, "not a JSON object");
      rule r;
      for (const auto& [key, value] : entry.items()) read_field(r, key, value);
      require(!r.pattern.empty(), errc::bad_params, R"(neither "match" nor "regex" is given)");
      rules.push_back(std::move(r));
    });
  return rules;
}

const rule* find_rule(const std::vector<rule>& rules, const std::string& name) {
  for (const rule& r : rules)
    if (std::regex_match(name, r.expression)) return &r;
  return nullptr;
}

}  // namespace cli
