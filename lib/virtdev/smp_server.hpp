// SMP servers on the virtual board, as pure reactions: a Zephyr application's and MCUboot's serial recovery.
// Source: Zephyr subsys/mgmt/mcumgr/grp/{os,img,enum,shell,stat,settings,zephyr_basic}_mgmt; MCUboot
// boot/boot_serial/src/boot_serial.c; behaviour measured on a Zephyr 4.4 server and MCUboot recovery under QEMU.
#pragma once

#include <optional>

#include "base/sha256.hpp"
#include "base/time.hpp"
#include "smp/cbor.hpp"
#include "smp/message.hpp"
#include "virtdev/board.hpp"
#include "virtdev/smp_quirks.hpp"

namespace fota::virtdev {

struct SmpReaction {
    std::optional<Bytes> reply;  ///< none: silence
    Milliseconds busy{0};        ///< before the reply leaves, beyond the server's usual time
    bool reset = false;          ///< after the reply
    bool to_bootloader = false;  ///< and stay there
    bool lose_reply = false;     ///< it is made and does not arrive
};

struct SmpBuffers {
    std::uint32_t size = 384;
    std::uint32_t count = 4;
};

/// The application's server.
class SmpApplication {
  public:
    SmpApplication(Board& board, SmpQuirkSet quirks, SmpBuffers buffers);
    SmpReaction handle(BytesView message);
    /// RAM is new; only what the quirks did once is remembered.
    void after_reset();

  private:
    struct Refused {
        std::uint16_t group;  ///< 0xffff: SMP itself
        std::uint64_t code;
        std::uint64_t code_v1;  ///< what version 1 makes of it
        const char* reason = "";
    };
    struct Done {
        smp::Json body = smp::Json::object();
        SmpReaction reaction{};
    };
    using Outcome = std::expected<Done, Refused>;

    Outcome dispatch(const smp::Message& request, const smp::Json& body);
    Outcome os(const smp::Message& request, const smp::Json& body);
    Outcome image(const smp::Message& request, const smp::Json& body);
    Outcome list();
    Outcome set_state(const smp::Json& body);
    Outcome upload(const smp::Json& body);
    Outcome erase(const smp::Json& body);
    bool has(SmpQuirk quirk) const { return quirks_.has(quirk); }

    Board& board_;
    SmpQuirkSet quirks_;
    SmpBuffers buffers_;
    // The upload that is open.
    std::uint64_t offset_ = 0;
    std::uint64_t length_ = 0;
    std::uint64_t erased_ = 0;
    Bytes sha_;
    Sha256 hash_;
    std::uint64_t uploads_ = 0;
    bool was_reset_ = false;
    bool test_answer_lost_ = false;
};

/// The bootloader's server.
class SmpRecovery {
  public:
    SmpRecovery(Board& board, SmpQuirkSet quirks, SmpBuffers buffers);
    SmpReaction handle(BytesView message);
    /// How far an upload was is known in memory alone.
    void after_reset() { offset_ = length_ = erased_ = 0; }

  private:
    smp::Json list() const;
    smp::Json upload(const smp::Json& body);
    FlashArea& target() { return slot_ == 1 ? board_.secondary() : board_.primary(); }
    bool has(SmpQuirk quirk) const { return quirks_.has(quirk); }

    Board& board_;
    SmpQuirkSet quirks_;
    SmpBuffers buffers_;
    std::uint64_t offset_ = 0;
    std::uint64_t length_ = 0;
    std::uint64_t erased_ = 0;
    unsigned slot_ = 0;
    bool decrypting_ = false;  ///< the image that has just come whole
};

/// A map as zcbor writes it: of indefinite length; `definite` as others do.
Bytes encode_smp_map(const smp::Json& map, bool definite);

/// An image found at the start of a slot: nullopt when there is none.
struct SlotImage {
    std::string version;  ///< as img_mgmt writes it: "1.2.3" or "1.2.3.4"
    Bytes hash;
    Bytes bytes;  ///< header to the last TLV
};
std::optional<SlotImage> image_in(const FlashArea& slot);

/// What the application's shell prints for a command; nullopt: it has no such command.
std::optional<std::string> shell_command(std::string_view line);

}  // namespace fota::virtdev
