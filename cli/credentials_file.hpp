// The credentials file as something that grows: devices are added, what else stands in it is kept.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "adapters/credentials.hpp"
#include "base/result.hpp"

namespace fota::cli {

/// Open from open() until it goes out of scope, and locked against other writers for that long: hold it briefly.
class CredentialsFile {
  public:
    /// A file that is not there yet is an empty one. Errors as of adapters::Credentials::load; store_failed when the
    /// folder cannot be locked.
    static Result<CredentialsFile> open(const std::string& path);
    CredentialsFile(CredentialsFile&&) noexcept;
    CredentialsFile& operator=(CredentialsFile&&) = delete;
    ~CredentialsFile();

    const adapters::DeviceCredential* find_endpoint(const std::string& endpoint) const;
    /// With a key made here. Refused as by adapters::Credentials::add: an identity or endpoint that another entry has.
    Result<const adapters::DeviceCredential*> mint(const std::string& endpoint, const std::string& identity);
    /// Replaces the file atomically, mode 0600.
    Result<> save();

  private:
    CredentialsFile() = default;

    std::string path_;
    int folder_ = -1;
    nlohmann::json document_ = nlohmann::json::object();
    adapters::Credentials credentials_;
};

/// The identity's characters that the credentials file and the modem take; usage otherwise.
Result<> check_endpoint_name(const std::string& endpoint);

}  // namespace fota::cli
