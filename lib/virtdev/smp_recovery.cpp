// MCUboot's serial recovery: it knows little, checks nothing while it writes, and answers in version 1 whatever it is
// asked in.
#include <algorithm>
#include <utility>

#include "virtdev/smp_server.hpp"

namespace fota::virtdev {

namespace {

using smp::Json;
namespace group = smp::group;

constexpr int invalid = 3;
constexpr int unsupported = 8;
constexpr std::uint64_t write_alignment = 4;
constexpr Milliseconds decryption{10'000};

}  // namespace

SmpRecovery::SmpRecovery(Board& board, SmpQuirkSet quirks, SmpBuffers buffers)
    : board_(board), quirks_(quirks), buffers_(buffers) {}

SmpReaction SmpRecovery::handle(BytesView message) {
    if (message.size() + 3 > buffers_.size) return {};
    const auto request = smp::decode(message);
    // What has not the shape of a request is not answered.
    if (!request || (request->op != smp::Op::read && request->op != smp::Op::write)) return {};
    const auto body = smp::from_cbor(request->body);
    if (!body) return {};
    SmpReaction reaction;
    if (std::exchange(decrypting_, false)) reaction.busy = decryption;
    Json answer{{"rc", unsupported}};
    const bool write = request->op == smp::Op::write;
    if (request->group == group::os) {
        if (request->command == 5 && write) {
            reaction.reset = true;
            answer = {{"rc", 0}};
        } else if (request->command == 6 && !has(SmpQuirk::no_parameters)) {
            answer = {{"buf_size", buffers_.size}, {"buf_count", 1}};
        } else if (request->command == 1) {
            answer = {{"rc", 0}};
        }
    } else if (request->group == group::image) {
        if (request->command == 0 && !write) answer = list();
        if (request->command == 1 && write) answer = upload(*body);
    }
    auto response = *request;
    response.op = write ? smp::Op::write_response : smp::Op::read_response;
    response.body = encode_smp_map(answer, has(SmpQuirk::definite_maps));
    if (auto bytes = smp::encode(response)) reaction.reply = std::move(*bytes);
    return reaction;
}

/// Only images that the bootloader would boot are listed.
Json SmpRecovery::list() const {
    auto images = Json::array();
    for (unsigned number = 0; number < 2; ++number) {
        const auto found = image_in(number == 0 ? board_.primary() : board_.secondary());
        if (!found || !board_.bootloader().check()(found->bytes)) continue;
        Json row{{"slot", number}, {"version", found->version}};
        if (!has(SmpQuirk::recovery_no_hash)) row["hash"] = smp::binary(found->hash);
        if (has(SmpQuirk::recovery_state)) {
            row["bootable"] = true;
            if (number == 0) row["active"] = row["confirmed"] = true;
        }
        images.push_back(std::move(row));
    }
    return {{"images", std::move(images)}};
}

Json SmpRecovery::upload(const Json& body) {
    const auto offset = smp::number(body, "off");
    const auto data = smp::bytes(body, "data");
    const Json refused{{"rc", invalid}};
    if (!offset || !data) return refused;
    if (*offset == 0) {
        const auto image = smp::number(body, "image").value_or(0);
        const bool direct = has(SmpQuirk::direct_upload);
        if (direct ? image > 2 : image > 0) return refused;
        slot_ = direct && image == 2 ? 1 : 0;
        offset_ = 0;
        erased_ = 0;
        length_ = 0;
        const auto length = smp::number(body, "len");
        if (!length || *length > target().size()) return refused;
        length_ = *length;
    } else if (*offset != offset_) {
        return {{"rc", 0}, {"off", offset_}};
    }
    if (offset_ + data->size() > length_) return refused;
    auto& slot = target();
    while (erased_ < offset_ + data->size()) {
        if (!slot.erase(static_cast<std::uint32_t>(erased_), slot.sector_size())) return refused;
        erased_ += slot.sector_size();
    }
    // Whole write blocks only, but for the last piece.
    auto piece = *data;
    const auto rest = piece.size() % write_alignment;
    const bool last = offset_ + piece.size() == length_;
    const auto taken = last ? piece.size() : piece.size() - rest;
    piece.resize(taken);
    piece.resize((taken + write_alignment - 1) / write_alignment * write_alignment, 0xff);
    if (!piece.empty() && !slot.program(static_cast<std::uint32_t>(offset_), piece)) return refused;
    offset_ += taken;
    if (offset_ == length_) {
        decrypting_ = has(SmpQuirk::recovery_decrypts);
        // The trailer's sector as well: what it said was said of the image before.
        const auto trailer = slot.size() - slot.sector_size();
        if (erased_ <= trailer && !slot.erase(trailer, slot.sector_size())) return refused;
    }
    return {{"rc", 0}, {"off", offset_}};
}

}  // namespace fota::virtdev
