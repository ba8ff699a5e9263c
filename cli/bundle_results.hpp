// What became of the devices a laptop updated from a bundle: kept in a file on the laptop, merged into the inventory
// when the laptop is back.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "cli/program.hpp"
#include "update/types.hpp"

namespace fota::cli {

/// One attempt on one device.
struct BundleResult {
    std::string endpoint;
    std::string port;
    std::string bundle;  ///< SHA-256 of its file, hex
    std::string image;   ///< hash TLV of what was to be installed, hex
    update::Report report;
};

/// A file of lines of JSON, one per attempt, in order. Only ever appended to.
class ResultsFile {
  public:
    /// Creates it where it is missing; file_unwritable, so that it is known before a device is touched.
    static Result<ResultsFile> open(std::string path);
    /// On the disk before it returns. file_unwritable.
    Result<> append(const BundleResult& result) const;
    const std::string& path() const noexcept { return path_; }

  private:
    std::string path_;
};

void add_bundle_results(CLI::App& group, Program& program);

}  // namespace fota::cli
