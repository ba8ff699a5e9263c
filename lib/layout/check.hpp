// The check: a tree in, findings out. Each rule of the catalogue is one small function in one table (catalogue.cpp).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_tree.hpp"
#include "base/result.hpp"
#include "flash/parts.hpp"
#include "image/version.hpp"
#include "layout/baseline.hpp"
#include "layout/boot_log.hpp"
#include "layout/finding.hpp"
#include "layout/probe.hpp"
#include "layout/project.hpp"
#include "layout/slots.hpp"

namespace fota::layout {

/// What the rules need of an image file; made by image_facts().
struct ImageFacts {
    std::string name;        ///< as the user gave it
    std::uint64_t size = 0;  ///< bytes of the file
    std::string what;        ///< "" for an MCUboot image, else what the file is instead: "a zip archive"
    bool walkable = false;   ///< header and TLV areas lie within the file; the fields below are set
    std::uint64_t end = 0;   ///< offset after the last TLV
    std::uint32_t header_size = 0;
    std::optional<std::uint16_t> signature_type;  ///< TLV type of the signature
    std::uint16_t key_hash_type = 0;
    Bytes key_hash;
    std::optional<std::uint32_t> reset_vector;  ///< word 1 of a plain payload
    std::optional<image::Version> version;
    std::optional<std::uint32_t> security_counter;
    bool intact = false;  ///< its hash is that of its bytes
};

/// Never fails: a file that is no image is a fact as well.
ImageFacts image_facts(BytesView file, std::string name);

struct Inputs {
    std::string board;               ///< overrides the tree's; "" when not given
    const Boards* boards = nullptr;  ///< boards that are known; nullptr: those that are built in
    std::optional<ImageFacts> image;
    std::optional<flash::JedecId> flash_part;          ///< the part that is really fitted
    std::optional<Baseline> baseline;                  ///< what is in the field
    std::optional<Probe> probe;                        ///< what the flash says of itself
    std::optional<BootLog> log;                        ///< what a device or a build printed
    std::optional<std::chrono::seconds> server_limit;  ///< how long the server waits for a transfer
    bool narrow_band = false;                          ///< NB-IoT: 3 s for a round trip instead of 1 s
    /// Rooted at "/": where conf files that build_info.yml names by absolute path are read. May be nullptr.
    const FileTree* absolute = nullptr;
};

/// How many rules were applied, and how many wait for what.
struct Counts {
    unsigned checked = 0;
    unsigned need_source = 0;  ///< look at sources only; this is a build
    unsigned need_build = 0;
    unsigned need_board = 0;
    unsigned need_image = 0;
    unsigned need_flash_part = 0;  ///< a probe, or the part's name
    unsigned need_baseline = 0;
    unsigned need_log = 0;
    unsigned unreadable = 0;  ///< skipped because a file they need cannot be read, or is not there
};

struct Report {
    std::string description;  ///< "nRF9160-DK @1.0.0 (nrf9160/ns) · nRF Connect SDK sources · MCUboot secondary in
                              ///< external flash"
    std::vector<Finding> findings;  ///< errors first, causes before consequences; every text is safe to print
    Counts counts;
    std::optional<SlotLayout> slots;
    std::vector<std::string_view> clean;  ///< rules that were decided on the tree and found nothing

    unsigned count(Severity severity) const;
};

/// Reads the tree and applies every rule. usage for a board name that is none; file_unreadable or config_invalid when
/// the tree is neither a source nor a build tree, or nothing of it can be judged.
Result<Report> check(const FileTree& files, const Inputs& inputs);

/// The same on a project that was read before.
Report check(const Project& project, const Inputs& inputs);

/// What a rule must have; the engine counts a rule whose needs are not met instead of running it.
namespace need {
inline constexpr unsigned source = 1U << 0;
inline constexpr unsigned build = 1U << 1;
inline constexpr unsigned slots = 1U << 2;
inline constexpr unsigned external = 1U << 3;  ///< the secondary in external flash, else the rule holds
inline constexpr unsigned spi = 1U << 4;       ///< that flash on plain SPI, else the rule holds
inline constexpr unsigned image = 1U << 5;
inline constexpr unsigned flash_part = 1U << 6;
inline constexpr unsigned app_config = 1U << 7;
inline constexpr unsigned mcuboot_config = 1U << 8;
inline constexpr unsigned app_devicetree = 1U << 9;
inline constexpr unsigned mcuboot_devicetree = 1U << 10;
inline constexpr unsigned partitions = 1U << 11;  ///< Partition Manager's table
inline constexpr unsigned board = 1U << 12;       ///< a board that is known
inline constexpr unsigned baseline = 1U << 13;
inline constexpr unsigned log = 1U << 14;
inline constexpr unsigned known_key = 1U << 15;  ///< the key that devices trust: of MCUboot's build, or of a baseline
}  // namespace need

struct Rule {
    std::string_view id;    ///< "M01"; "-" for a rule without number
    std::string_view name;  ///< a contract: scripts match on it
    unsigned needs = 0;
    void (*apply)(const Project&, const Inputs&, Findings&) = nullptr;
    /// What a log or a probe says by itself, whatever the tree is; nullptr when neither can tell. Runs when one of them
    /// is given and `apply` found nothing.
    void (*observe)(const Project&, const Inputs&, Findings&) = nullptr;
};

/// Every rule that exists, causes before consequences.
std::span<const Rule> catalogue();

}  // namespace fota::layout
