// What fotactl image sign takes on its command line about the image itself, and the same as options of the builder.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "cli/cli11.hpp"
#include "cli/slot_options.hpp"
#include "image/builder.hpp"

namespace fota::cli {

struct ImageOptions {
    std::string version;
    std::string header_size = "0x200";
    bool pad_header = false;
    std::string erased_value = "0xff";
    std::string load_address;
    std::string rom_fixed;
    bool non_bootable = false;

    SlotOptions slot;
    std::uint32_t max_align = 0;
    bool pad = false;
    bool test = false;
    bool confirm = false;

    std::string security_counter;
    std::string boot_record;
    std::vector<std::string> dependencies;
    std::string vendor_id;
    std::string class_id;
    std::string manifest;
    std::vector<std::pair<std::string, std::string>> custom_tlvs;
    std::vector<std::pair<std::string, std::string>> custom_tlv_files;

    std::string hash = "auto";
    bool pure = false;
    std::string public_key_format = "hash";
    bool pad_signature = false;

    std::string encrypt_to;
    std::uint32_t encrypt_bits = 128;
    std::uint32_t encrypt_hmac = 256;
    bool save_encrypted_key = false;
    std::string compress;
};

void bind_image_options(CLI::App& app, ImageOptions& options);

/// usage: a value out of range, or options that exclude each other. Else what reading the recipient's key, the manifest
/// or the files with TLVs brings.
Result<image::SignOptions> to_sign_options(const ImageOptions& options);

}  // namespace fota::cli
