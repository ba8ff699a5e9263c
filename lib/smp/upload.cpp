#include "smp/upload.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace fota::smp {

namespace {

constexpr std::size_t least_first_chunk = 32;
/// More than an unlucky power cut or two: the server cannot keep what it takes.
constexpr int most_restarts = 8;

/// Bytes of a CBOR head for this number.
std::size_t head(std::uint64_t number) {
    return number < 24 ? 1 : number < 0x100 ? 2 : number < 0x10000 ? 3 : number <= UINT32_MAX ? 5 : 9;
}

/// The longest byte string that fits behind `other` bytes (its key and an empty string's head included).
std::size_t room_for(std::size_t longest, std::size_t other) {
    const auto fixed = header_bytes + other - 1;
    if (longest <= fixed + 1) return 0;
    auto room = longest - fixed - 1;
    while (room > 0 && fixed + head(room) + room > longest) --room;
    return room;
}

std::size_t align_down(std::size_t size, std::size_t alignment) {
    return alignment > 1 && size > alignment ? size / alignment * alignment : size;
}

}  // namespace

Json Upload::first_body() const {
    Json body{{"off", 0}, {"len", image_.size()}, {"data", binary({})}};
    if (plan_.image != 0) body["image"] = plan_.image;
    if (plan_.sha) body["sha"] = binary(*plan_.sha);
    return body;
}

Result<Upload> Upload::plan(BytesView image, UploadPlan plan) {
    if (image.empty() || image.size() > UINT32_MAX)
        return fail(Errc::transfer_failed,
                    fmt::format("expected an image of 1 byte to 4 GiB to upload, found {} bytes", image.size()));
    Upload upload(image, std::move(plan));
    upload.window_ = std::max(upload.window_, 1U);
    const auto longest = upload.plan_.longest_message;
    // Offsets of the largest form, so that all chunks but the first and last have one size.
    const Json later{{"off", std::uint64_t{UINT32_MAX}}, {"data", binary({})}};
    upload.chunk_ = align_down(room_for(longest, to_cbor(later).size()), upload.plan_.alignment);
    upload.first_chunk_ = align_down(room_for(longest, to_cbor(upload.first_body()).size()), upload.plan_.alignment);
    if (upload.first_chunk_ < least_first_chunk && upload.plan_.sha) {
        upload.plan_.sha.reset();
        upload.first_chunk_ =
            align_down(room_for(longest, to_cbor(upload.first_body()).size()), upload.plan_.alignment);
    }
    if (upload.first_chunk_ < std::min(least_first_chunk, image.size()) || upload.chunk_ == 0)
        return fail(
            Errc::transfer_failed,
            fmt::format("expected room for 32 bytes of the image in a request, found a limit of {} bytes", longest));
    return upload;
}

Command Upload::probe() const {
    // One byte at an offset where nobody can be: 1 is never the end of an aligned chunk.
    return {Op::write, group::image, 1, {{"off", 1}, {"data", binary(image_.first(1))}}, "tell how far the upload is"};
}

void Upload::resume_at(std::uint64_t offset) {
    in_flight_.clear();
    rewinding_ = false;
    acknowledged_ = std::min<std::uint64_t>(offset, image_.size());
    next_ = acknowledged_;
    furthest_ = std::max(furthest_, next_);
}

std::optional<Command> Upload::next(std::uint8_t sequence) {
    if (rewinding_ || in_flight_.size() >= window_ || next_ >= image_.size()) return std::nullopt;
    // The answer to a first chunk may be the offset of a session that the server still has: nothing is sent past it.
    if (!in_flight_.empty() && in_flight_.front().begin == 0) return std::nullopt;
    const bool first = next_ == 0;
    const auto size =
        static_cast<std::size_t>(std::min<std::uint64_t>(first ? first_chunk_ : chunk_, image_.size() - next_));
    auto body = first ? first_body() : Json{{"off", next_}};
    body["data"] = binary(image_.subspan(static_cast<std::size_t>(next_), size));
    const auto end = next_ + size;
    in_flight_.push_back({sequence, next_, end});
    ++requests_;
    bytes_sent_ += size;
    if (next_ < furthest_) ++resent_;
    furthest_ = std::max(furthest_, end);
    next_ = end;
    return Command{Op::write, group::image, 1, std::move(body), "take a piece of the image"};
}

bool Upload::waits_for(std::uint8_t sequence) const noexcept {
    return std::ranges::any_of(in_flight_, [&](const InFlight& each) { return each.sequence == sequence; });
}

Result<> Upload::replied(std::uint8_t sequence, std::uint64_t offset, std::optional<bool> match) {
    const auto found = std::ranges::find(in_flight_, sequence, &InFlight::sequence);
    if (found == in_flight_.end()) return {};
    if (offset > image_.size())
        return fail(Errc::transfer_failed, fmt::format("expected an offset of at most {}, found {}: the device counts "
                                                       "another upload",
                                                       image_.size(), offset));
    const auto request = *found;
    // Servers answer in order: what was sent before this one is not answered any more.
    in_flight_.erase(in_flight_.begin(), found + 1);
    if (match) match_ = match;
    if (offset < acknowledged_ && ++restarts_ > most_restarts)
        return fail(Errc::transfer_failed,
                    fmt::format("expected the device to keep what it takes, found it back at {} after {}", offset,
                                acknowledged_));
    // Replies come in order, so the latest is the truth, also when the device has forgotten everything.
    acknowledged_ = offset;
    if (offset != request.end) {
        rewinding_ = true;
        // A server that takes whole write blocks only must be sent such.
        if (offset > request.begin && offset < request.end && request.end - offset < 32 && plan_.alignment < 32) {
            plan_.alignment = 32;
            chunk_ = align_down(chunk_, plan_.alignment);
        }
    }
    if (rewinding_ && in_flight_.empty()) {
        rewinding_ = false;
        next_ = acknowledged_;
    }
    return {};
}

void Upload::lost() {
    in_flight_.clear();
    rewinding_ = false;
    next_ = acknowledged_;
}

}  // namespace fota::smp
