// Pre-shared keys of devices: the credentials file, `--psk`, and key files.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"

namespace fota::adapters {

struct DeviceCredential {
    std::string endpoint;
    std::string identity;  ///< DTLS PSK identity, 1 to 128 bytes (OpenSSL's limit)
    Secret<Bytes> key;     ///< 16 to 64 bytes
};

/// Everything the server may accept. Errors are credentials_unusable, or file_unreadable where there is no file to read;
/// none contains a key.
class Credentials {
  public:
    /// The file {"devices":[{"endpoint":"...","identity":"...","psk":"<hex>"}]}, mode 0600. The details "file" and,
    /// where one is concerned, "endpoint" are set. Nothing is added unless the whole file is good.
    Result<> load(const std::filesystem::path& file);
    /// `EP=IDENTITY:@KEYFILE`, split at the first '=' and the last ":@". A malformed argument is Errc::usage.
    Result<> add_argument(std::string_view argument);
    /// Refused: an endpoint, identity or key that another entry has, a key of the wrong length, a published sample key.
    Result<> add(DeviceCredential credential);

    const std::vector<DeviceCredential>& devices() const noexcept { return devices_; }
    /// nullptr when unknown. Valid until the next change.
    const DeviceCredential* find(std::string_view identity) const;

  private:
    std::vector<DeviceCredential> devices_;
    std::unordered_map<std::string, std::size_t> by_identity_;
    std::unordered_map<std::string, std::size_t> by_endpoint_;
    std::unordered_map<std::string, std::size_t> by_key_digest_;  ///< SHA-256 of the key
};

/// A key as hexadecimal text, mode 0600: `sim --psk-file`, `push --psk`. credentials_unusable with the detail "file".
Result<Secret<Bytes>> load_key_file(const std::filesystem::path& file);

}  // namespace fota::adapters
