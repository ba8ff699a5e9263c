// Values of resources for a person and for a script.
#pragma once

#include <span>
#include <string>

#include "cli/output.hpp"
#include "lwm2m/formats.hpp"

namespace fota::cli {

/// "/3/0/9        Battery Level                 95", escaped.
std::string value_line(const lwm2m::Entry& entry);
/// {"path","name","type","value"} and, where the device gave one, "time". Opaque values are hexadecimal, links "3:0".
nlohmann::json value_json(const lwm2m::Entry& entry);
/// "/3/0/9        Battery Level                 dim=2"
std::string link_line(const lwm2m::Path& path, const std::map<std::string, std::string>& attributes);
nlohmann::json link_json(const lwm2m::Path& path, const std::map<std::string, std::string>& attributes);

}  // namespace fota::cli
