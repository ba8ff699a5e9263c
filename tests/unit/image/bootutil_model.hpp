// The rules of MCUboot's image check once more, as one walk with the 32-bit arithmetic of the device: nothing of the
// image module but its hash and its signature check. It judges as a bootloader built for ECDSA-P256 with one key, an
// update that lies in the secondary slot. Source: boot/bootutil/src/tlv.c, image_validate.c, bootutil_loader.c.
#pragma once

#include <algorithm>
#include <array>
#include <optional>

#include "image/signer.hpp"

namespace fota::image::model {

class Bootutil {
  public:
    Bootutil(BytesView flash, const PublicKey& key) : flash_(flash), key_(key) {}

    bool boots() {
        const auto magic = u32(0);
        if (!magic || *magic != 0x96f3b83d || flash_.size() < 32) return false;
        header_ = *u16(8);
        protected_ = *u16(10);
        payload_ = *u32(12);
        const auto flags = *u32(16);
        if ((flags & 0x10) != 0 || (flags & 0x0c) != 0 || (flags & 0x600) != 0) return false;
        // boot_u32_safe_add, twice, and the size of the slot.
        std::uint32_t sum = payload_ + header_;
        if (sum < payload_) return false;
        tlv_ = sum;
        sum += protected_;
        if (sum < protected_ || sum >= flash_.size()) return false;
        return begin() && walk();
    }

  private:
    std::optional<std::uint16_t> u16(std::uint64_t at) const {
        if (at + 2 > flash_.size()) return std::nullopt;
        return static_cast<std::uint16_t>(flash_[at] | flash_[at + 1] << 8);
    }
    std::optional<std::uint32_t> u32(std::uint64_t at) const {
        if (at + 4 > flash_.size()) return std::nullopt;
        return static_cast<std::uint32_t>(*u16(at)) | static_cast<std::uint32_t>(*u16(at + 2)) << 16;
    }

    bool begin() {
        auto magic = u16(tlv_);
        auto total = u16(std::uint64_t{tlv_} + 2);
        if (!magic || !total) return false;
        if (*magic == 0x6908) {
            if (*total != protected_) return false;
            magic = u16(std::uint64_t{tlv_} + *total);
            total = u16(std::uint64_t{tlv_} + *total + 2);
            if (!magic || !total) return false;
        } else if (protected_ != 0) {
            return false;
        }
        if (*magic != 0x6907) return false;
        protected_end_ = tlv_ + protected_;
        end_ = protected_end_ + *total;
        return end_ <= flash_.size();
    }

    bool walk() {
        const auto region = flash_.first(protected_end_);
        const auto hash = digest(HashType::sha256, region);
        const auto own = key_.hash(HashType::sha256);
        bool hashed = false;
        bool named = false;
        bool valid = false;
        for (std::uint32_t at = tlv_ + 4; at < end_;) {
            if (protected_ > 0 && at == protected_end_) {
                at += 4;
                continue;
            }
            if (at > end_ || 4 > end_ - at) return false;
            const auto type = *u16(at);
            const auto length = *u16(at + 2);
            if (length > end_ - at - 4) return false;
            const auto bytes = flash_.subspan(at + 4, length);
            const bool is_protected = at + 4 < protected_end_;
            at += 4U + length;
            static constexpr std::array<std::uint16_t, 14> allowed{0x01, 0x02, 0x10, 0x11, 0x12, 0x20, 0x21,
                                                                   0x22, 0x23, 0x24, 0x30, 0x31, 0x32, 0x33};
            if (!is_protected && std::ranges::find(allowed, type) == allowed.end()) return false;
            if (type == 0x10) {
                if (!std::ranges::equal(bytes, hash)) return false;
                hashed = true;
            } else if (type == 0x01) {
                if (length > 32) return false;
                named = std::equal(bytes.begin(), bytes.end(), own.begin());
            } else if (type == 0x22 && named) {
                if (length > 128) return false;
                valid = verify_signature(key_, {region, hash, HashType::sha256, false}, bytes);
                named = false;
            }
        }
        return hashed && valid;
    }

    BytesView flash_;
    const PublicKey& key_;
    std::uint32_t header_ = 0;
    std::uint32_t payload_ = 0;
    std::uint32_t protected_ = 0;
    std::uint32_t tlv_ = 0;
    std::uint32_t protected_end_ = 0;
    std::uint32_t end_ = 0;
};

}  // namespace fota::image::model
