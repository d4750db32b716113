// SPDX-License-Identifier: Apache-2.0

#include "imagenet/options.hpp"

#include "engine/command_line.hpp"

namespace imagenet {

namespace {

bitpq::isa isa_of(const std::string& value) {
  const std::optional<bitpq::isa> isa = bitpq::parse_isa(value);
  bitpq::require(isa.has_value(), bitpq::errc::bad_params, "--isa ", value,
                 " is none of scalar, sse2, avx2, avx512, avx512vnni and neon64");
  return *isa;
}

bitpq::precision precision_of(const std::string& value) {
  for (const bitpq::precision p : {bitpq::precision::exact, bitpq::precision::lut16, bitpq::precision::int8})
    if (value == to_string(p)) return p;
  bitpq::fail(bitpq::errc::bad_params, "--precision ", value, " is none of exact, lut16 and int8");
}

std::regex pattern_of(const std::string& value) {
  try {
    return std::regex(value);
  } catch (const std::regex_error& e) {
    bitpq::fail(bitpq::errc::bad_params, "--exact ", value, " is no regular expression: ", e.what());
  }
}

}  // namespace

options parse(int argc, char** argv, const std::string& usage, bool on_codes) {
  options o;
  engine::for_each_option(argc, argv, usage, [&](const std::string& name, const auto& value) {
    if (name == "--help")
      o.help = true;
    else if (name == "--classes")
      o.classes = value();
    else if (name == "--labels")
      o.labels = value();
    else if (name == "--agree")
      o.agree = value();
    else if (name == "--resize")
      o.resize = engine::whole_number(name, value(), input_side, 1 << 15);
    else if (name == "--threads")
      o.threads = engine::whole_number(name, value(), 1, 1024);
    else if (name == "--isa" && on_codes)
      o.isa = isa_of(value());
    else if (name == "--precision" && on_codes)
      o.precision = precision_of(value());
    else if (name == "--exact" && on_codes)
      o.exact = pattern_of(value());
    else if (name == "--plan")
      o.plan = true;
    else if (name.starts_with("--"))
      return false;
    else if (o.model.empty())
      o.model = name;
    else
      o.inputs.emplace_back(name);
    return true;
  });
  if (o.help) return o;
  bitpq::require(!o.model.empty() && (!o.inputs.empty() || !o.labels.empty()), bitpq::errc::bad_params,
                 "a model and an image are needed\n", usage);
  bitpq::require(o.agree.empty() || !o.labels.empty(), bitpq::errc::bad_params, "--agree names a column of --labels");
  return o;
}

}  // namespace imagenet
