// Sending an image: go-back-N over the offsets that the server returns. Pure: told what arrived and what did not.
//
// The server's offset rules everything. It answers a request at the wrong offset with the one it expects, so a
// duplicate does no harm, a lost request shows in the next reply, and a session it still has is taken up where it is.
// Source: Zephyr subsys/mgmt/mcumgr/grp/img_mgmt/src/img_mgmt.c (img_mgmt_upload, img_mgmt_upload_inspect); MCUboot
// boot/boot_serial/src/boot_serial.c (bs_upload).
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "smp/commands.hpp"

namespace fota::smp {

struct UploadPlan {
    std::size_t longest_message = 0;  ///< bytes, header included; what the server can take
    std::uint32_t window = 1;         ///< requests in flight at most
    std::uint32_t alignment = 4;      ///< chunks are multiples of it, where the buffer allows
    std::uint32_t image = 0;          ///< the server's image number: 0 is not sent
    /// SHA-256 of the whole file: lets an application take up a session it has, and check what it got. A bootloader
    /// ignores it.
    std::optional<Bytes> sha;
};

class Upload {
  public:
    /// The first chunk has at least 32 bytes of the image, or a Zephyr server refuses it; where the buffer is too small
    /// for that the hash is left out. transfer_failed: even so no useful chunk fits. `image` outlives the upload.
    static Result<Upload> plan(BytesView image, UploadPlan plan);

    /// Before the first chunk: the server of a bootloader keeps its place, and tells it when asked with a wrong offset.
    Command probe() const;
    /// Its answer: go on there.
    void resume_at(std::uint64_t offset);

    /// The next request, with what to remember it by; nullopt while the window is full, or while older requests have to
    /// be answered or given up before the upload goes back.
    std::optional<Command> next(std::uint8_t sequence);
    /// The answer to the request with this number; unknown numbers (late duplicates) are passed over.
    /// transfer_failed: the server lost its place too often, or answers beyond the image's end.
    Result<> replied(std::uint8_t sequence, std::uint64_t offset, std::optional<bool> match = std::nullopt);
    /// No answer to what is in flight, or a new connection: goes back to the last confirmed offset.
    void lost();

    bool done() const noexcept { return acknowledged_ >= image_.size(); }
    /// Bytes the server has confirmed.
    std::uint64_t acknowledged() const noexcept { return acknowledged_; }
    std::uint64_t size() const noexcept { return image_.size(); }
    std::size_t in_flight() const noexcept { return in_flight_.size(); }
    bool waits_for(std::uint8_t sequence) const noexcept;
    /// Whether the oldest request in flight is a first one, before which a server may erase the whole slot.
    bool erasing() const noexcept { return !in_flight_.empty() && in_flight_.front().begin == 0; }
    std::size_t chunk() const noexcept { return chunk_; }
    std::uint32_t window() const noexcept { return window_; }

    /// What the server said of the hash at the end; nullopt: nothing, so the image list has to be asked.
    std::optional<bool> match() const noexcept { return match_; }
    std::uint64_t requests() const noexcept { return requests_; }
    std::uint64_t bytes_sent() const noexcept { return bytes_sent_; }
    std::uint64_t resent() const noexcept { return resent_; }
    int restarts() const noexcept { return restarts_; }

  private:
    Upload(BytesView image, UploadPlan plan) : image_(image), plan_(std::move(plan)), window_(plan_.window) {}
    Json first_body() const;

    struct InFlight {
        std::uint8_t sequence;
        std::uint64_t begin;
        std::uint64_t end;
    };

    BytesView image_;
    UploadPlan plan_;
    std::uint32_t window_;
    std::size_t first_chunk_ = 0;
    std::size_t chunk_ = 0;
    std::uint64_t acknowledged_ = 0;
    std::uint64_t next_ = 0;      ///< offset of the next request
    std::uint64_t furthest_ = 0;  ///< what was sent at least once
    std::deque<InFlight> in_flight_;
    bool rewinding_ = false;  ///< a reply was short: wait for the others, then go back
    std::optional<bool> match_;
    std::uint64_t requests_ = 0;
    std::uint64_t bytes_sent_ = 0;
    std::uint64_t resent_ = 0;
    int restarts_ = 0;
};

}  // namespace fota::smp
