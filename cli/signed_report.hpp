// The report of a provisioning run, signed by the station's key.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/key_files.hpp"
#include "provision/signed_document.hpp"

namespace fota::cli {

/// "typ" of its header.
inline constexpr std::string_view report_type = "fotactl-provisioning-report";

/// Functions for provision::sign_document and open_document. key_unusable unless the key is Ed25519.
struct DocumentKey {
    std::string id;  ///< SHA-256 of the public key
    provision::SignFunction sign;
};
Result<DocumentKey> document_key(const std::string& path, const PassphraseOptions& passphrase);
Result<provision::CheckFunction> document_check(const std::string& path);

class SignedReport {
  public:
    /// Reads the key, so that a bad one is known before the first device.
    static Result<SignedReport> open(std::string file, const std::string& key, const PassphraseOptions& passphrase);
    /// Replaces the file atomically. `devices`: one object each, without secrets.
    Result<> write(const std::vector<nlohmann::json>& devices) const;
    const std::string& file() const noexcept { return file_; }

  private:
    std::string file_;
    DocumentKey key_;
};

}  // namespace fota::cli
