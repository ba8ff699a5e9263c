// The program's one error type. The library states facts (expected, found); hints are added by cli/diagnostics.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fota {

/// Every way the program can fail. One enum for the whole program, so that the CLI can map each to an exit code and to
/// hints in a `switch` without `default`. The kebab-case name (`errc_name`) is part of the JSON contract (CLI.md).
enum class Errc : std::uint8_t {
    internal,               ///< a bug in fotactl
    usage,                  ///< the command line does not make sense
    file_unreadable,        ///< an input file is missing, a directory, or cannot be read
    file_unwritable,        ///< an output cannot be created or renamed into place
    config_invalid,         ///< a configuration or project file cannot be understood
    image_malformed,        ///< not an MCUboot image: empty, wrong magic, areas that cannot be walked within the file
    image_rejected,         ///< it can be walked, and the bootloader refuses it
    signature_invalid,      ///< the signature does not verify
    key_mismatch,           ///< signed by another key than the expected one
    key_unusable,           ///< a key file is not a key, or of a type which does not fit
    image_too_large,        ///< the image does not fit its slot in this swap mode
    policy_refused,         ///< release policy forbids it (development key, expiry)
    downgrade_refused,      ///< the device runs a newer version
    board_mismatch,         ///< the image is for another board
    layout_failed,          ///< layout findings of severity error
    address_in_use,         ///< the listening address or port is taken
    address_unusable,       ///< the address cannot be parsed, resolved or bound
    device_absent,          ///< no device registered within the time allowed
    port_unavailable,       ///< a serial or UDP port is absent or busy
    timed_out,              ///< one exchange was not answered
    peer_gone,              ///< the session to the peer ended
    message_malformed,      ///< a datagram or payload violates its specification
    transfer_failed,        ///< the package could not be delivered
    transfer_stalled,       ///< no progress for longer than --stall allows
    device_refused,         ///< the device answered an operation with an error
    device_did_not_apply,   ///< delivered and executed, yet not running and no revert seen
    not_proven,             ///< what runs cannot be determined
    rolled_back,            ///< the old (or another) version runs after the update
    deferred,               ///< the device postponed the update
    credentials_unusable,   ///< a secret file is readable by others, malformed, or holds a known sample key
    authentication_failed,  ///< handshake or identity refused
    store_failed,           ///< the state store could not be read or written
    store_locked,           ///< another process holds the state directory
    interrupted,            ///< SIGINT; state is saved
    terminated,             ///< SIGTERM; state is saved
    cancelled,              ///< the caller withdrew; never shown to a person
};

/// Kebab-case name of the enumerator, as in the JSON output: `Errc::file_unreadable` -> "file-unreadable".
std::string_view errc_name(Errc code) noexcept;

/// An error value: what was expected and found, plus the chain of what was being done, outermost last.
class [[nodiscard]] Error {
  public:
    Error(Errc code, std::string message) : code_(code), message_(std::move(message)) {}

    Errc code() const noexcept { return code_; }
    /// The innermost statement: "expected X, found Y". No trailing full stop, no newline, safe to print.
    const std::string& message() const noexcept { return message_; }
    /// What was being done, innermost first ("uploading block 412 of 900").
    const std::vector<std::string>& context() const noexcept { return context_; }
    /// Facts for machines (and for hints): file names, numbers, hashes. Never secrets.
    const std::map<std::string, std::string>& details() const noexcept { return details_; }
    std::string_view detail(const std::string& key) const noexcept {
        auto it = details_.find(key);
        return it == details_.end() ? std::string_view{} : std::string_view{it->second};
    }

    /// Adds what was being done; returns itself so that it chains in a return statement.
    Error&& in(std::string doing) && {
        context_.push_back(std::move(doing));
        return std::move(*this);
    }
    Error&& with(std::string key, std::string value) && {
        details_.insert_or_assign(std::move(key), std::move(value));
        return std::move(*this);
    }
    /// Same facts under another code: a step maps a low-level failure to its own error.
    Error&& as(Errc code) && {
        code_ = code;
        return std::move(*this);
    }

    /// "uploading block 412 of 900: expected 2.31, found 4.08", outermost context first.
    std::string text() const;

  private:
    Errc code_;
    std::string message_;
    std::vector<std::string> context_;
    std::map<std::string, std::string> details_;
};

}  // namespace fota
