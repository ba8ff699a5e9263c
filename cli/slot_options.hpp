// The slot an image is for, as the commands that sign and verify take it.
#pragma once

#include <cstdint>
#include <string>

#include "cli/cli11.hpp"
#include "image/image.hpp"
#include "image/limit.hpp"

namespace fota::cli {

struct SlotOptions {
    std::string slot_size;  ///< empty: none was named, and nothing is checked
    std::string boot_mode = "move";
    std::string sector_size = "4096";
    std::uint64_t max_sectors = 0;
    std::uint32_t align = 4;
};

void bind_slot_options(CLI::App& app, SlotOptions& options);

/// With size 0 where none was named. usage: a number that is none, or a slot of 0 bytes.
Result<image::Slot> to_slot(const SlotOptions& options);

/// For images that are there already: the flag --save-enctlv.
void bind_saved_key(CLI::App& app, bool& saved_as_wrapped);

/// What a swapping bootloader keeps of this image's key: see image::Slot::key_bytes.
std::uint32_t key_bytes(const image::Parsed& parsed, bool saved_as_wrapped) noexcept;

}  // namespace fota::cli
