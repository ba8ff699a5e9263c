// Many modems, one after the other: a CSV in, one result line per device, a signed report.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cli/modem_job.hpp"
#include "cli/signed_report.hpp"

namespace fota::cli {

/// Each line of the CSV is `common` with the line's own port, imei, endpoint, sec_tag and label. The report is
/// rewritten after each device. Exit: the common one if all agree, 11 if at least one succeeded, else the lowest.
int run_modem_batch(Output& out, const ModemJob& common, const std::string& csv, const SignedReport* report);

/// The rows of a CSV (RFC 4180) with a header: column names to values. config_invalid names the line.
Result<std::vector<std::map<std::string, std::string>>> parse_csv(std::string_view text);

}  // namespace fota::cli
