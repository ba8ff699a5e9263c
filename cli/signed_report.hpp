// The report of a provisioning run, signed by the station's key.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/key_files.hpp"
#include "release/signed_document.hpp"

namespace fota::cli {

/// "typ" of its header.
inline constexpr std::string_view report_type = "fotactl-provisioning-report";

/// A private key that can sign documents; key_unusable unless it is Ed25519 or P-256.
Result<std::shared_ptr<image::Signer>> document_key(const std::string& path, const PassphraseOptions& passphrase);
/// A public key that can have signed one.
Result<image::PublicKey> document_check(const std::string& path);

class SignedReport {
  public:
    /// Reads the key, so that a bad one is known before the first device.
    static Result<SignedReport> open(std::string file, const std::string& key, const PassphraseOptions& passphrase);
    /// Replaces the file atomically. `devices`: one object each, without secrets.
    Result<> write(const std::vector<nlohmann::json>& devices) const;
    const std::string& file() const noexcept { return file_; }

  private:
    std::string file_;
    std::shared_ptr<image::Signer> key_;
};

}  // namespace fota::cli
