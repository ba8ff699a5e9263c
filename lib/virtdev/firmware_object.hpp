// Firmware Update (OMA object 5) on the virtual device: the state machine, the package by Block1 into the secondary
// slot, and the resume protocol of the External Flash object (26245). Requests in, reactions out; the only thing it
// touches is the board.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "coap/message.hpp"
#include "lwm2m/firmware.hpp"
#include "virtdev/board.hpp"
#include "virtdev/modem_object.hpp"
#include "virtdev/quirks.hpp"
#include "virtdev/reaction.hpp"

namespace fota::virtdev {

class FirmwareObject {
  public:
    /// The board must outlive the object.
    FirmwareObject(Board& board, QuirkSet quirks) : board_(board), quirks_(quirks) {}

    /// After each boot that ended in an image: judges what became of an update and picks up a kept package prefix.
    void after_boot(const BootResult& boot);

    lwm2m::State state() const noexcept { return state_; }
    lwm2m::UpdateResult result() const noexcept { return result_; }
    const std::string& package_uri() const noexcept { return uri_; }
    /// Version of the downloaded package; empty outside State 2 and 3.
    const std::string& package_version() const noexcept { return package_version_; }
    std::uint32_t start_offset() const noexcept { return start_offset_; }
    /// A push is under way and its next block is expected.
    bool receiving() const noexcept { return !fetch_ && transfer_.has_value() && state_ == lwm2m::State::downloading; }

    /// PUT 5/0/0: whole, or one block of it.
    Reaction write_package(const coap::Message& request);
    /// PUT 5/0/1: empty is the reset, anything else begins a fetch (a second one replaces the first).
    Reaction write_uri(BytesView text);
    /// The fetch that is under way, by its number; whoever carries it out stops when this changes.
    std::optional<std::uint32_t> fetching() const noexcept { return fetch_; }
    /// What a fetch brought, in order. `total` is known from Size2, or not. The block it was, while it goes on; nothing
    /// when the fetch is over, well or badly.
    std::optional<BlockTaken> fetched(coap::Block block, BytesView payload, std::optional<std::uint32_t> total);
    void fetch_failed(lwm2m::UpdateResult result);
    /// The next block of a push has not come for as long as the client remembers an exchange: State 0, Result 4.
    void push_expired() { (void)give_up(coap::Code::internal_server_error, lwm2m::UpdateResult::connection_lost); }
    /// The package that was complete a while ago is looked at now (quirk late-verdict).
    void check_package();
    /// POST 5/0/10, since version 1.1 of the object.
    Reaction cancel();
    /// PUT 5/0/13: how long it may postpone an update, in seconds; 0: not at all.
    void limit_deferral(std::int64_t seconds) { may_defer_ = seconds != 0; }
    /// POST 5/0/2, with the arguments of object 33629: "0" for this instance alone, "0='</33629/1>'" for that one, too.
    Reaction execute(std::string_view arguments = {});
    /// PUT 26245/0/10: 0, or the number of bytes that 26245/0/9 reports.
    Reaction write_start_offset(std::int64_t offset);

    /// The modem's instance of object 33629. It must outlive this one.
    void set_companion(ModemObject& modem) { companion_ = &modem; }
    /// Instances that an Execute without arguments updates along, and those that are in its way (33629/0/16 and 17).
    std::vector<std::uint16_t> linked() const;
    std::vector<std::uint16_t> conflicting() const;

    /// Of the second-stage bootloader (quirk upgradable-bootloader): its firmware-info version, and the slot it runs
    /// from.
    std::uint32_t bootloader_version() const noexcept { return bootloader_version_; }
    std::uint8_t bootloader_slot() const noexcept { return bootloader_slot_; }

  private:
    /// What the downloaded package is, where it is no application.
    struct Candidate {
        std::uint32_t version = 0;
        std::uint8_t slot = 0;
    };
    std::optional<Candidate> bootloader_candidate();
    /// A block-wise write. Counts bytes of this transfer, without the start offset.
    struct Transfer {
        coap::Token token;
        std::uint8_t szx = 6;
        std::uint64_t received = 0;
        std::optional<std::uint32_t> size1;
        std::uint32_t offset = 0;           ///< where the transfer starts in the package
        bool sink_hole = false;             ///< acknowledges and stores nothing
        bool shrunk = false;                ///< was told to use smaller blocks
        bool spoilt = false;                ///< never becomes a download
        std::uint64_t written = 0;          ///< so much of it is on flash from before, and not written again
        std::optional<std::uint32_t> last;  ///< number of the final block, once it was taken
        std::uint16_t message_id = 0;       ///< of the block that was taken last
    };

    Reaction reset(bool nul);
    Reaction take_block(const coap::Message& request, coap::Block block, bool blockwise);
    std::optional<Reaction> begin(const coap::Message& request, coap::Block& block, BytesView& payload);
    Reaction complete(coap::Block block, bool blockwise);
    Reaction judge(coap::Block block, bool blockwise);
    bool starts_over_in_mid_push(const coap::Message& request) const;
    Reaction repeated(const coap::Message& request, coap::Block block) const;
    /// Whether a quirk that strikes once, in the middle of a transfer, strikes now.
    bool strikes(Quirk quirk);
    Reaction give_up(coap::Code code, lwm2m::UpdateResult result);
    /// A package for both components, and the other one is busy (quirk linked-instances).
    bool meets_conflict() const;
    /// The flash failed: silence if the supply did, else an error of the application.
    Reaction flash_failed();
    Reaction block_reply(coap::Code code, coap::Block block, bool blockwise) const;
    void to_idle(lwm2m::UpdateResult result);

    Board& board_;
    QuirkSet quirks_;
    ModemObject* companion_ = nullptr;
    lwm2m::State state_ = lwm2m::State::idle;
    lwm2m::UpdateResult result_ = lwm2m::UpdateResult::initial;
    std::string uri_;
    std::string package_version_;
    std::uint32_t start_offset_ = 0;
    std::optional<Transfer> transfer_;
    bool struck_ = false;   ///< a quirk that strikes once has struck
    bool begun_ = false;    ///< a package has been sent to it since it was made
    bool refuses_ = false;  ///< quirk first-block-fails: until the reset
    bool may_defer_ = true;
    std::optional<coap::Block> unchecked_;  ///< the last block of a package that is still to be looked at
    std::optional<Candidate> candidate_;
    std::uint32_t bootloader_version_ = 1;
    std::uint8_t bootloader_slot_ = 0;
    std::optional<std::uint32_t> fetch_;
    std::uint32_t fetches_ = 0;
};

}  // namespace fota::virtdev
