// The attempt in the store: facts, never a program counter (DESIGN.md section 3). Device truth outranks it.
//
// Facts, all under the endpoint as subject:
//   attempt-begun  image (hex hash), to, from            full
//   transfer       token, block-size, offset, pull,      full   a transfer of image[offset..] begins
//                  automatic
//   block          block, block-size                     relaxed, replaced in place
//   downloaded                                           full   State 2 was read
//   execute        linked, name-N, from-N, to-N          full   written before the request is sent; N: an instance of
//                                                               33629 that is updated along
//   proven         version                               full
//   closed         outcome                               full   written after the result was told
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ports/store.hpp"
#include "update/types.hpp"

namespace fota::update {

/// An instance of object 33629 that is updated along with the target's own, and what proves it.
struct LinkedInstance {
    std::uint16_t instance = 0;
    std::string name;  ///< of the component; foreign text
    std::string from;  ///< what ran before
    std::string to;    ///< version of its package; "" where the device does not tell
    friend bool operator==(const LinkedInstance&, const LinkedInstance&) = default;
};

/// What is known of the newest attempt that was not closed.
struct OpenAttempt {
    std::string id;
    std::string image;  ///< hex of the image's hash
    std::string from_version;
    bool downloaded = false;
    bool executed = false;
    struct Transfer {
        Bytes token;
        std::uint64_t offset = 0;
        std::uint32_t block_size = 0;
        std::uint32_t block = 0;  ///< blocks acknowledged at block_size
        bool pull = false;        ///< the device fetches it; `token` is the secret of its URI
        bool automatic = false;   ///< its last block is the Execute too (5/0/14)
    };
    std::optional<Transfer> transfer;
    std::vector<LinkedInstance> linked;  ///< by the last Execute
};

class Journal {
  public:
    Journal(ports::Store& store, std::string endpoint) : store_(store), endpoint_(std::move(endpoint)) {}

    /// Reads the facts; the open attempt for this image, if there is one. An open attempt for another image is closed
    /// as superseded: only one image can be meant for a device.
    Result<std::optional<OpenAttempt>> open_attempt(const std::string& image_hex);
    /// After open_attempt(): the newest transfer of another image to this device, unless it was seen to end in State 2.
    /// The device may still hold what came of it.
    const std::optional<OpenAttempt::Transfer>& unfinished() const noexcept { return unfinished_; }
    Result<std::string> begin(const Target& target, const std::string& from_version);
    Result<> transfer(const std::string& attempt, const OpenAttempt::Transfer& transfer);
    Result<> block(const std::string& attempt, std::uint32_t block, std::uint32_t block_size);
    Result<> downloaded(const std::string& attempt);
    Result<> execute(const std::string& attempt, const std::vector<LinkedInstance>& linked = {});
    Result<> proven(const std::string& attempt, const std::string& version);
    Result<> close(const std::string& attempt, Outcome outcome);

  private:
    Result<> append(const std::string& attempt, const char* kind, std::map<std::string, std::string> fields = {});

    ports::Store& store_;
    std::string endpoint_;
    std::optional<OpenAttempt::Transfer> unfinished_;
};

}  // namespace fota::update
