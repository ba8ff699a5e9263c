#include "virtdev/firmware_object.hpp"

#include <algorithm>
#include <utility>

namespace fota::virtdev {
namespace {

using coap::Code;
using lwm2m::State;
using lwm2m::UpdateResult;

constexpr Milliseconds separate_delay{200};
constexpr Milliseconds erase_delay{8000};
constexpr std::uint8_t szx_256 = 4;
constexpr std::uint8_t szx_512 = 5;

/// `struct fw_info` of the nRF Connect SDK, where MCUboot has it, and where its second slot begins on this board.
constexpr std::uint32_t bootloader_head = 0x1000;
constexpr std::size_t firmware_info_offset = 0x200;
constexpr std::uint32_t firmware_info_magic = 0x281ee6de;
constexpr std::uint32_t s1_address = 0x14000;

bool is_image_magic(BytesView start) {
    return start.size() >= 4 && load_le32(start.data()) == FOTA_IMAGE_MAGIC;
}

}  // namespace

void FirmwareObject::after_boot(const BootResult& boot) {
    const bool was_updating = state_ == State::updating;
    const bool was_downloaded = state_ == State::downloaded;
    transfer_.reset();
    unchecked_.reset();
    fetch_.reset();
    start_offset_ = 0;
    uri_.clear();
    if (quirks_.has(Quirk::always_downloading)) {
        state_ = State::downloading;
        result_ = UpdateResult::initial;
        return;
    }
    if (quirks_.has(Quirk::no_state_persist)) {
        to_idle(UpdateResult::initial);
        (void)board_.package().discard();
        return;
    }
    if (was_updating && candidate_) {
        // As the immutable bootloader does it: the other slot, if what is there counts higher.
        const bool runs = candidate_->slot != bootloader_slot_ && candidate_->version > bootloader_version_ &&
                          !quirks_.has(Quirk::bootloader_unchanged);
        if (runs) bootloader_slot_ = candidate_->slot;
        if (runs) bootloader_version_ = candidate_->version;
        to_idle(runs || quirks_.has(Quirk::bootloader_unchanged) ? UpdateResult::success : UpdateResult::update_failed);
        candidate_.reset();
        (void)board_.package().discard();
        return;
    }
    candidate_.reset();
    if (boot.swap == Swap::test || boot.swap == Swap::permanent) {
        const bool late = quirks_.has(Quirk::self_confirm_result_8);
        if (late) (void)board_.confirm();
        to_idle(late ? UpdateResult::update_failed : UpdateResult::success);
        (void)board_.package().discard();  // the slot holds the previous image now
        return;
    }
    if (was_updating || boot.swap == Swap::revert || boot.secondary_refused) {
        to_idle(quirks_.has(Quirk::success_unchanged) ? UpdateResult::success : UpdateResult::update_failed);
        (void)board_.package().discard();
        return;
    }
    if (was_downloaded) return;  // a whole package stays whole
    to_idle(quirks_.has(Quirk::stale_result) && !begun_ ? UpdateResult::update_failed : UpdateResult::initial);
    (void)board_.package().restore();
}

void FirmwareObject::to_idle(UpdateResult result) {
    state_ = State::idle;
    result_ = result;
    package_version_.clear();
}

Reaction FirmwareObject::block_reply(Code code, coap::Block block, bool blockwise) const {
    auto reaction = Reaction::reply(code);
    if (quirks_.has(Quirk::echo_without_more)) block.more = false;
    if (blockwise) reaction.answer.message.set_block(coap::OptionNumber::block1, block);
    return reaction;
}

Reaction FirmwareObject::give_up(Code code, UpdateResult result) {
    transfer_.reset();
    unchecked_.reset();
    start_offset_ = 0;
    to_idle(result);
    (void)board_.package().discard();
    return Reaction::reply(code);
}

Reaction FirmwareObject::flash_failed() {
    if (!board_.power().on()) return Reaction::silence(Afterwards::reboot_now);
    return give_up(Code::internal_server_error, UpdateResult::update_failed);
}

bool FirmwareObject::strikes(Quirk quirk) {
    const bool middle = transfer_ && transfer_->size1 && transfer_->received >= *transfer_->size1 / 2;
    if (!quirks_.has(quirk) || struck_ || !middle) return false;
    struck_ = true;
    return true;
}

Reaction FirmwareObject::cancel() {
    if (state_ == State::idle || state_ == State::updating) return Reaction::reply(Code::method_not_allowed);
    return give_up(Code::changed, UpdateResult::cancelled);
}

Reaction FirmwareObject::reset(bool nul) {
    if (state_ == State::updating) return Reaction::reply(Code::method_not_allowed);
    if (quirks_.has(Quirk::always_downloading)) return Reaction::reply(Code::changed);
    if (state_ == State::downloading && quirks_.has(Quirk::only_reboot_resets)) return Reaction::reply(Code::changed);
    refuses_ = false;
    if (nul && state_ == State::downloading && quirks_.has(Quirk::nul_completes)) {
        state_ = State::downloaded;
        return Reaction::reply(Code::changed);
    }
    const bool withdrawn = state_ == State::downloaded || quirks_.has(Quirk::skips_written);
    if (companion_ != nullptr) companion_->withdraw();
    transfer_.reset();
    unchecked_.reset();
    fetch_.reset();
    start_offset_ = 0;
    uri_.clear();
    to_idle(UpdateResult::initial);
    // What was stored of an unfinished package stays on offer for a resume; a whole one was withdrawn.
    if (withdrawn && !board_.package().discard() && !board_.power().on())
        return Reaction::silence(Afterwards::reboot_now);
    return Reaction::reply(Code::changed);
}

Reaction FirmwareObject::write_uri(BytesView text) {
    if (quirks_.has(Quirk::no_uri_reset)) return Reaction::reply(Code::method_not_allowed);
    if (text.empty()) return reset(false);
    if (quirks_.has(Quirk::always_downloading)) return Reaction::reply(Code::changed);
    if (state_ == State::downloaded || state_ == State::updating) return Reaction::reply(Code::bad_request);
    transfer_.reset();
    start_offset_ = 0;
    // Zephyr's buffer for it holds 127 characters.
    if (quirks_.has(Quirk::push_only) || text.size() > lwm2m::longest_package_uri) {
        to_idle(quirks_.has(Quirk::push_only) ? UpdateResult::unsupported_protocol : UpdateResult::update_failed);
        return Reaction::reply(Code::changed);
    }
    uri_ = as_text(text);
    state_ = State::downloading;
    result_ = UpdateResult::initial;
    fetch_ = ++fetches_;
    auto reaction = Reaction::reply(Code::changed);
    reaction.afterwards = Afterwards::fetch;
    return reaction;
}

std::optional<BlockTaken> FirmwareObject::fetched(coap::Block block, BytesView payload,
                                                  std::optional<std::uint32_t> total) {
    const auto failed = [&](UpdateResult result) {
        if (board_.power().on()) fetch_failed(result);
        return std::optional<BlockTaken>{};
    };
    if (block.num == 0) {
        if (!is_image_magic(payload)) return failed(UpdateResult::unsupported_package);
        if (total.value_or(0) > board_.package().limit()) return failed(UpdateResult::no_flash_space);
        if (meets_conflict()) return failed(UpdateResult::conflicting_state);
        if (!board_.package().begin(0)) return failed(UpdateResult::update_failed);
        transfer_.emplace();
        transfer_->size1 = total;
    }
    auto& transfer = *transfer_;
    if (transfer.received + payload.size() > board_.package().limit()) return failed(UpdateResult::no_flash_space);
    if (strikes(Quirk::reboot_in_push)) {
        board_.power().power_off();
        return std::nullopt;
    }
    if (!board_.package().write(payload)) return failed(UpdateResult::update_failed);
    transfer.received += payload.size();
    const BlockTaken taken{block.num, transfer.received, transfer.size1.value_or(0)};
    if (block.more) return taken;
    (void)complete(block, true);
    fetch_.reset();
    return taken;
}

void FirmwareObject::fetch_failed(UpdateResult result) {
    if (!fetch_) return;
    fetch_.reset();
    (void)give_up(Code::internal_server_error, result);
}

Reaction FirmwareObject::write_start_offset(std::int64_t offset) {
    if (state_ == State::downloaded || state_ == State::updating) return Reaction::reply(Code::method_not_allowed);
    if (offset != 0 && offset != static_cast<std::int64_t>(board_.package().stored()))
        return Reaction::reply(Code::bad_request);
    start_offset_ = static_cast<std::uint32_t>(offset);
    return Reaction::reply(Code::changed);
}

Reaction FirmwareObject::write_package(const coap::Message& request) {
    const auto format = request.format();
    if (!format) return Reaction::reply(Code::bad_request);
    if (*format == static_cast<std::uint32_t>(coap::Format::text)) return Reaction::reply(Code::not_implemented);
    if (*format != static_cast<std::uint32_t>(coap::Format::opaque))
        return Reaction::reply(Code::unsupported_content_format);
    const auto block = request.block1();
    if (!block && request.option(coap::OptionNumber::block1)) return Reaction::reply(Code::bad_option);
    const bool whole = !block || (block->num == 0 && !block->more);
    if (whole && request.payload.size() <= 1 && (request.payload.empty() || request.payload[0] == 0)) {
        const bool nul = !request.payload.empty();
        if (state_ == State::idle && quirks_.has(Quirk::reset_in_idle)) {
            result_ = nul ? UpdateResult::unsupported_package : UpdateResult::update_failed;
            return Reaction::reply(nul ? Code::unsupported_content_format : Code::internal_server_error);
        }
        // Zephyr's engine does not hand an empty body to the application.
        return nul ? reset(true) : Reaction::reply(Code::internal_server_error);
    }
    if (quirks_.has(Quirk::pull_only)) return Reaction::reply(Code::method_not_allowed);
    const bool first = !block || block->num == 0;
    if (quirks_.has(Quirk::always_downloading))
        return block_reply(block && block->more ? Code::continue_ : Code::changed, block.value_or(coap::Block{}),
                           block.has_value());
    if (quirks_.has(Quirk::unsupported_package) && first)
        return give_up(Code::unsupported_content_format, UpdateResult::unsupported_package);
    if (first && quirks_.has(Quirk::first_block_fails) && (refuses_ || !begun_)) {
        refuses_ = begun_ = true;
        state_ = State::downloading;
        return Reaction::reply(Code::internal_server_error);
    }
    auto reaction = take_block(request, block.value_or(coap::Block{}), block.has_value());
    if (first && quirks_.has(Quirk::late_first_answer) && reaction.answer.kind == coap::Answer::Kind::piggybacked) {
        reaction.later = std::move(reaction.answer.message);
        reaction.later_after = erase_delay;
        reaction.answer = {coap::Answer::Kind::silence, {}};
    }
    if (reaction.answer.kind == coap::Answer::Kind::piggybacked &&
        (quirks_.has(Quirk::separate_response) || (first && quirks_.has(Quirk::slow_erase)))) {
        reaction.later = std::move(reaction.answer.message);
        reaction.later_after = first && quirks_.has(Quirk::slow_erase) ? erase_delay : separate_delay;
        reaction.answer = {coap::Answer::Kind::empty_ack, {}};
    }
    return reaction;
}

std::optional<Reaction> FirmwareObject::begin(const coap::Message& request, coap::Block& block, BytesView& payload) {
    if (meets_conflict()) return give_up(Code::bad_request, UpdateResult::conflicting_state);
    // In bytes of the package: what came before this transfer counts.
    const auto size1 = request.uint_option(coap::OptionNumber::size1);
    const std::uint64_t total = std::uint64_t{start_offset_} + size1.value_or(0);
    if (total > board_.package().limit()) return give_up(Code::internal_server_error, UpdateResult::no_flash_space);
    if (start_offset_ == 0 && !is_image_magic(payload))
        return give_up(Code::unsupported_content_format, UpdateResult::unsupported_package);
    if (start_offset_ != 0 && start_offset_ != board_.package().stored()) {
        transfer_.reset();
        start_offset_ = 0;
        return Reaction::reply(Code::request_entity_incomplete);
    }
    // NCS asks its flash how much of a package is there, and not of which.
    const bool skips = quirks_.has(Quirk::skips_written) && start_offset_ == 0;
    const auto written = skips ? board_.package().stored() : 0;
    const bool spoilt = quirks_.has(Quirk::restart_spoils) && state_ == State::downloading && transfer_;
    if (!board_.package().begin(written > 0 ? written : start_offset_)) return flash_failed();
    fetch_.reset();
    unchecked_.reset();
    begun_ = true;
    transfer_.emplace();
    transfer_->written = written;
    transfer_->spoilt = spoilt;
    transfer_->token = request.token;
    transfer_->szx = block.szx;
    transfer_->size1 = size1;
    transfer_->offset = start_offset_;
    transfer_->sink_hole = quirks_.has(Quirk::size1_required) && !size1 && block.more;
    if (quirks_.has(Quirk::smaller_szx) && block.szx > szx_512 && block.more) {
        transfer_->shrunk = true;
        transfer_->szx = szx_512;
        block.szx = szx_512;
        payload = payload.first(std::min<std::size_t>(payload.size(), block.size()));
    }
    state_ = State::downloading;
    result_ = UpdateResult::initial;
    return std::nullopt;
}

Reaction FirmwareObject::repeated(const coap::Message& request, coap::Block block) const {
    if (quirks_.has(Quirk::silent_duplicates) && transfer_ && transfer_->message_id == request.id)
        return Reaction::silence();
    if (!block.more && transfer_ && transfer_->last) {
        if (quirks_.has(Quirk::refuse_after_retransmission)) return Reaction::reply(Code::request_entity_incomplete);
        if (quirks_.has(Quirk::last_block_404)) return Reaction::reply(Code::not_found);
        return block_reply(Code::changed, block, true);
    }
    if (quirks_.has(Quirk::refuse_after_retransmission)) return Reaction::reply(Code::service_unavailable);
    return block_reply(Code::continue_, block, true);
}

Reaction FirmwareObject::take_block(const coap::Message& request, coap::Block block, bool blockwise) {
    BytesView payload = request.payload;
    if (state_ == State::downloaded && transfer_ && transfer_->last == block.num && transfer_->token == request.token &&
        !block.more)
        return repeated(request, block);
    if (state_ == State::downloaded || state_ == State::updating) return Reaction::reply(Code::method_not_allowed);
    if (blockwise && (payload.size() > block.size() || (block.more && payload.size() != block.size())))
        return Reaction::reply(quirks_.has(Quirk::bad_block_402) ? Code::bad_option : Code::bad_request);
    if (blockwise && block.szx > szx_256 &&
        (quirks_.has(Quirk::too_large_no_hint) || quirks_.has(Quirk::too_large_with_hint))) {
        transfer_.reset();
        if (quirks_.has(Quirk::too_large_no_hint)) return Reaction::reply(Code::request_entity_too_large);
        return block_reply(Code::request_entity_too_large, {block.num, block.more, szx_256}, true);
    }
    if (block.num == 0) {
        if (starts_over_in_mid_push(request)) return Reaction::reply(Code::service_unavailable);
        if (quirks_.has(Quirk::refuse_after_retransmission) && transfer_ && transfer_->token == request.token &&
            transfer_->received == payload.size())
            return repeated(request, block);
        const bool keeps = quirks_.has(Quirk::keeps_old_context) || quirks_.has(Quirk::only_reboot_resets);
        if (keeps && state_ == State::downloading && transfer_ && transfer_->token != request.token)
            return block_reply(Code::continue_, block, blockwise);
        // A client that recognises a copy by its message id does not begin anew.
        if (quirks_.has(Quirk::silent_duplicates) && transfer_ && transfer_->message_id == request.id)
            return Reaction::silence();
        if (auto refused = begin(request, block, payload)) return std::move(*refused);
    } else if (!transfer_ || state_ != State::downloading) {
        return Reaction::reply(Code::not_found);
    }
    auto& transfer = *transfer_;
    if (quirks_.has(Quirk::token_context) && transfer.token != request.token) return Reaction::reply(Code::not_found);
    const bool ignored_shrink = transfer.shrunk && block.szx != transfer.szx;
    if (block.szx != transfer.szx && !transfer.shrunk) return Reaction::reply(Code::request_entity_incomplete);
    if (!ignored_shrink) {
        if (block.offset() < transfer.received) return repeated(request, block);
        if (block.offset() > transfer.received) {
            if (quirks_.has(Quirk::gap_ends_transfer)) transfer_.reset();
            if (quirks_.has(Quirk::busy_during_push)) return Reaction::reply(Code::service_unavailable);
            return Reaction::reply(Code::request_entity_incomplete);
        }
    }
    if (transfer.size1 && transfer.received + payload.size() > *transfer.size1)
        return give_up(Code::internal_server_error, UpdateResult::update_failed);
    if (transfer.offset + transfer.received + payload.size() > board_.package().limit())
        return give_up(Code::internal_server_error, UpdateResult::no_flash_space);
    if (strikes(Quirk::reboot_in_push)) {
        board_.power().power_off();
        return Reaction::silence(Afterwards::reboot_now);
    }
    const bool unstored = transfer.sink_hole || strikes(Quirk::swallowed_write_error);
    const auto skipped =
        std::min<std::uint64_t>(payload.size(), transfer.written - std::min(transfer.written, transfer.received));
    if (!unstored && skipped < payload.size() &&
        !board_.package().write(payload.subspan(static_cast<std::size_t>(skipped))))
        return flash_failed();
    transfer.received += payload.size();
    transfer.message_id = request.id;
    if (block.more && strikes(Quirk::wrong_echo))
        return block_reply(Code::continue_, {block.num + 7, true, block.szx}, true);
    auto reaction = block.more ? block_reply(Code::continue_, {block.num, block.more, transfer.szx}, true)
                               : complete(block, blockwise);
    if (transfer_)
        reaction.block = BlockTaken{block.num, transfer_->offset + transfer_->received,
                                    transfer_->size1 ? std::uint64_t{transfer_->offset} + *transfer_->size1 : 0};
    return reaction;
}

bool FirmwareObject::starts_over_in_mid_push(const coap::Message& request) const {
    if (!quirks_.has(Quirk::busy_during_push) || !receiving()) return false;
    // The first block again is a copy of it, and not a new beginning.
    return transfer_->token != request.token || transfer_->received > request.payload.size();
}

std::optional<FirmwareObject::Candidate> FirmwareObject::bootloader_candidate() {
    if (!quirks_.has(Quirk::upgradable_bootloader)) return std::nullopt;
    const auto mode = core_mode(board_.bootloader().config().mode);
    const auto start = fota_upload_offset(mode, board_.secondary().sector_size());
    const auto head = board_.secondary().read(start, bootloader_head);
    if (!head) return std::nullopt;
    const auto info = std::size_t{load_le16(head->data() + 8)} + firmware_info_offset;
    if (info + 28 > head->size() || load_le32(head->data() + info) != firmware_info_magic) return std::nullopt;
    const auto address = load_le32(head->data() + info + 24);
    return Candidate{load_le32(head->data() + info + 20), static_cast<std::uint8_t>(address < s1_address ? 0 : 1)};
}

Reaction FirmwareObject::complete(coap::Block block, bool blockwise) {
    auto& transfer = *transfer_;
    // Zephyr trusts Size1: while bytes are missing by it, the download is not over, whatever the last block says.
    const bool short_of_size1 = transfer.size1 && transfer.received < *transfer.size1;
    if (short_of_size1 && quirks_.has(Quirk::early_end_aborts)) {
        (void)give_up(Code::changed, UpdateResult::integrity_failed);
        return block_reply(Code::changed, block, blockwise);
    }
    if (transfer.sink_hole || transfer.spoilt || short_of_size1 || quirks_.has(Quirk::stuck_state_1)) {
        transfer.last = block.num;
        return block_reply(Code::changed, block, blockwise);
    }
    if (quirks_.has(Quirk::connection_lost_once) && !struck_) {
        struck_ = true;
        (void)give_up(Code::changed, UpdateResult::connection_lost);
        return block_reply(Code::changed, block, blockwise);
    }
    if (quirks_.has(Quirk::late_verdict)) {
        unchecked_ = block;
        transfer.last = block.num;
        auto reaction = block_reply(Code::changed, block, blockwise);
        reaction.afterwards = Afterwards::check;
        return reaction;
    }
    return judge(block, blockwise);
}

void FirmwareObject::check_package() {
    if (!unchecked_ || !transfer_) return;
    (void)judge(*std::exchange(unchecked_, std::nullopt), true);
}

Reaction FirmwareObject::judge(coap::Block block, bool blockwise) {
    auto& transfer = *transfer_;
    const auto extent = board_.package().finish();
    if (!board_.power().on()) return Reaction::silence(Afterwards::reboot_now);
    if (!extent || quirks_.has(Quirk::reject_package)) {
        const bool unseen = quirks_.has(Quirk::reject_package) || quirks_.has(Quirk::bad_package_changed) ||
                            quirks_.has(Quirk::swallowed_write_error);
        (void)give_up(Code::request_entity_incomplete, UpdateResult::integrity_failed);
        return unseen ? block_reply(Code::changed, block, blockwise) : Reaction::reply(Code::request_entity_incomplete);
    }
    package_version_ = version_text(extent->header.version);
    state_ = State::downloaded;
    if (quirks_.has(Quirk::early_success)) result_ = UpdateResult::success;
    start_offset_ = 0;
    transfer.last = block.num;
    if (companion_ != nullptr && quirks_.has(Quirk::linked_instances)) companion_->take_along();
    auto reaction = block_reply(Code::changed, block, blockwise);
    if (upgrades_itself(quirks_) && board_.mark_pending(false)) {
        if (quirks_.has(Quirk::auto_upgrade)) state_ = State::updating;
        reaction.afterwards = Afterwards::reboot;
    }
    return reaction;
}

bool FirmwareObject::meets_conflict() const {
    return quirks_.has(Quirk::linked_instances) && companion_ != nullptr && companion_->state() != State::idle;
}

std::vector<std::uint16_t> FirmwareObject::linked() const {
    const bool both = state_ == State::downloaded && companion_ != nullptr && !companion_->linked().empty();
    return both ? std::vector{lwm2m::advanced_firmware::modem} : std::vector<std::uint16_t>{};
}

std::vector<std::uint16_t> FirmwareObject::conflicting() const {
    const bool failed = result_ == UpdateResult::conflicting_state || result_ == UpdateResult::dependency;
    const bool in_the_way =
        quirks_.has(Quirk::conflicting_instances) && companion_ != nullptr && companion_->state() != State::idle;
    return failed || in_the_way ? std::vector{lwm2m::advanced_firmware::modem} : std::vector<std::uint16_t>{};
}

Reaction FirmwareObject::execute(std::string_view arguments) {
    if (quirks_.has(Quirk::always_downloading)) {
        if (state_ != State::downloading) return Reaction::reply(Code::bad_request);
        state_ = State::downloaded;
        return Reaction::reply(Code::changed);
    }
    if (state_ != State::downloaded || quirks_.has(Quirk::auto_upgrade_late))
        return Reaction::reply(Code::method_not_allowed);
    if (quirks_.has(Quirk::defer) && may_defer_) {
        result_ = UpdateResult::deferred;
        return Reaction::reply(Code::changed);
    }
    if (quirks_.has(Quirk::install_fails)) {
        result_ = UpdateResult::update_failed;
        return Reaction::reply(Code::changed);
    }
    if (quirks_.has(Quirk::installs_nothing)) return give_up(Code::changed, UpdateResult::success);
    if (quirks_.has(Quirk::install_fails_idle)) return give_up(Code::changed, UpdateResult::update_failed);
    const bool along = !linked().empty() && (arguments.empty() || arguments.contains("</33629/1>"));
    const bool alone_fails = quirks_.has(Quirk::linked_instances) ||
                             (quirks_.has(Quirk::conflicting_instances) && !conflicting().empty()) ||
                             (quirks_.has(Quirk::unmet_dependency) && companion_ != nullptr && !companion_->updated());
    if (alone_fails && !along) {
        result_ = UpdateResult::dependency;
        return Reaction::reply(Code::changed);
    }
    candidate_ = bootloader_candidate();
    const bool idles =
        candidate_ || quirks_.has(Quirk::executes_without_update) || quirks_.has(Quirk::success_unchanged);
    if (!idles && !board_.mark_pending(false)) {
        if (!board_.power().on()) return Reaction::silence(Afterwards::reboot_now);
        result_ = UpdateResult::update_failed;
        return Reaction::reply(Code::internal_server_error);
    }
    state_ = State::updating;
    if (along) companion_->update_along();
    if (quirks_.has(Quirk::lost_execute_ack)) return Reaction::silence(Afterwards::reboot_now);
    auto reaction = Reaction::reply(Code::changed);
    reaction.afterwards = quirks_.has(Quirk::silent_after_execute) ? Afterwards::vanish : Afterwards::reboot;
    return reaction;
}

}  // namespace fota::virtdev
