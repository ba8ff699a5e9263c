// Signing by a command of the user's: a signing service, a smart card's own tool, a script on another machine.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "image/signer.hpp"

namespace fota::adapters {

/// The words of a command line: separated by blanks, kept together by '…', "…" or a backslash. Nothing is expanded and
/// no shell is started, so that no file name or variable can become another command; who wants a shell names one:
/// sh -c '…'. usage: an open quote, or no word at all.
Result<std::vector<std::string>> split_command(std::string_view line);

/// Runs the command once for each signature. Its stdin is what the key has to sign: the digest of the image, raw, for
/// RSA (PSS with the same hash in MGF1 and a salt of 32 bytes) and ECDSA; for Ed25519 the message, which is that
/// digest, or with `pure` the region itself. Its stdout is the signature as it stands in the image: DER for ECDSA, raw
/// for the others. Its stderr is the caller's.
class ExternalSigner final : public image::Signer {
  public:
    ExternalSigner(image::PublicKey key, std::vector<std::string> command, std::chrono::milliseconds timeout)
        : key_(std::move(key)), command_(std::move(command)), timeout_(timeout) {}

    const image::PublicKey& public_key() const override { return key_; }

    /// file_unreadable: no such program. key_unusable: it fails, is killed, takes longer than the timeout (it is killed
    /// then), or writes nothing or more than any signature has. signature_invalid: what it wrote is no signature by the
    /// key for this image.
    Result<Bytes> sign(const image::SignRequest& request) override;

  private:
    image::PublicKey key_;
    std::vector<std::string> command_;
    std::chrono::milliseconds timeout_;
};

}  // namespace fota::adapters
