// What became of the devices a laptop updated from a bundle: a file of lines, one per attempt, only ever appended to.
//
// A line is an object of JSON, or with a key of the laptop a signed document (release/signed_document.hpp) of one. A
// signed line holds the SHA-256 of the line before it: a line that was changed, taken out, put in or moved shows. That
// lines are missing at the very end does not.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "image/signer.hpp"
#include "ports/store.hpp"
#include "update/types.hpp"

namespace fota::cli {

/// "typ" of a signed line's header.
inline constexpr std::string_view result_type = "fotactl-cable-result";

/// One attempt on one device.
struct BundleResult {
    std::string endpoint;
    std::string port;
    std::string bundle;  ///< SHA-256 of its file, hex
    std::string image;   ///< hash TLV of what was to be installed, hex
    update::Report report;
};

class ResultsFile {
  public:
    /// Creates it where it is missing; file_unwritable, so that it is known before a device is touched. Without a
    /// `signer` the lines are not signed.
    static Result<ResultsFile> open(std::string path, std::shared_ptr<image::Signer> signer);
    /// On the disk before it returns. file_unwritable, or the signer's errors.
    Result<> append(const BundleResult& result) const;
    const std::string& path() const noexcept { return path_; }
    bool is_signed() const noexcept { return signer_ != nullptr; }

  private:
    std::string path_;
    std::shared_ptr<image::Signer> signer_;
};

struct ResultsRead {
    std::vector<ports::Fact> facts;       ///< kind "cable-result"; the attempt is the identity of the line
    std::vector<std::size_t> unreadable;  ///< numbers of lines that are cut or no result
    std::size_t signed_lines = 0;
    std::size_t unsigned_lines = 0;
};

/// Without a `key` no signature is looked at. With one every line must be signed by it and follow the one before:
/// policy_refused for a line without a signature, key_mismatch, signature_invalid, each with the line's number. A cut
/// line is passed over where it is the last one, or the one after it vouches for it.
Result<ResultsRead> read_results(std::string_view text, const std::optional<image::PublicKey>& key);

}  // namespace fota::cli
