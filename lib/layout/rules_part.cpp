#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "layout/rules.hpp"

namespace fota::layout::rules {
namespace {

/// The MX25R6435F's Basic Flash Parameter table (SFDP, JESD216), up to where its variants agree.
constexpr std::array<std::uint8_t, 40> mx25r64_bfp{0xe5, 0x20, 0xf1, 0xff, 0xff, 0xff, 0xff, 0x03, 0x44, 0xeb,
                                                   0x08, 0x6b, 0x08, 0x3b, 0x04, 0xbb, 0xee, 0xff, 0xff, 0xff,
                                                   0xff, 0xff, 0x00, 0xff, 0xff, 0xff, 0x00, 0xff, 0x0c, 0x20,
                                                   0x0f, 0x52, 0x10, 0xd8, 0x00, 0xff, 0x23, 0x72, 0xf5, 0x00};
constexpr flash::JedecId mx25r64_id{0xc2, 0x28, 0x17};

struct Described {
    const DtNode* node = nullptr;
    std::optional<flash::JedecId> id;
    std::optional<std::uint64_t> bits;
    std::vector<std::uint8_t> bfp;
    const Image* image = nullptr;

    Where where(std::string_view property) const {
        const auto* found = node->find(property);
        if (found != nullptr && !found->where.file.empty()) return found->where;
        return node->where.file.empty() ? image->devicetree_where() : node->where;
    }
};

std::optional<Described> described(const Project& project) {
    for (const auto* image : {&project.app, &project.mcuboot}) {
        const auto* node = project.flash_or_board(*image);
        if (node == nullptr) continue;
        Described out;
        out.node = node;
        out.image = image;
        if (const auto* id = node->find("jedec-id"))
            if (const auto bytes = id->bytes(); bytes.size() == 3)
                out.id = flash::JedecId{bytes[0], bytes[1], bytes[2]};
        if (const auto* size = node->find("size")) out.bits = size->number();
        if (const auto* bfp = node->find("sfdp-bfp")) out.bfp = bfp->bytes();
        return out;
    }
    return std::nullopt;
}

/// Bits by the table's second double word (JESD216): bit 31 clear: the number less one; set: a power of two.
std::optional<std::uint64_t> density(const std::vector<std::uint8_t>& bfp) {
    if (bfp.size() < 8) return std::nullopt;
    const auto word = load_le32(bfp.data() + 4);
    if ((word & 0x80000000U) == 0) return std::uint64_t{word} + 1;
    const auto power = word & 0x7fffffffU;
    return power < 63 ? std::optional(std::uint64_t{1} << power) : std::nullopt;
}

}  // namespace

std::optional<flash::JedecId> fitted_part(const Inputs& inputs) {
    if (inputs.flash_part) return inputs.flash_part;
    if (inputs.probe && inputs.probe->id) return inputs.probe->id;
    return inputs.log ? inputs.log->answered : std::nullopt;
}

void jedec_id_mismatch(const Project& project, const Inputs& inputs, Findings& findings) {
    const auto fitted = fitted_part(inputs).value_or(flash::JedecId{});
    const auto flash = described(project);
    if (flash::is_nand(fitted) || flash::is_silent(fitted) || !flash || !flash->id || *flash->id == fitted) return;
    const auto* part = flash::find_part(fitted);
    auto& f = findings.add(
        Severity::error, flash->where("jedec-id"),
        fmt::format(
            "The flash that is fitted answers with another id than the devicetree has{}: the driver refuses it.",
            part == nullptr ? "" : fmt::format(" (it is a {})", part->name)));
    f.expected = flash::jedec_text(fitted);
    f.found = flash::jedec_text(*flash->id);
    f.fix = fmt::format("jedec-id = [{}]; and replace sfdp-bfp too{}", flash::jedec_text(fitted),
                        part == nullptr ? "" : fmt::format("; size = <{}>;", std::uint64_t{part->size} * 8));
}

void nand_part_as_nor(const Project&, const Inputs& inputs, Findings& findings) {
    const auto fitted = fitted_part(inputs).value_or(flash::JedecId{});
    if (!flash::is_nand(fitted)) return;
    auto& f = findings.add(Severity::error, {}, "The part is a SPI NAND (W25N); the SPI NOR driver cannot drive it.");
    f.expected = "a SPI NOR part";
    f.found = flash::jedec_text(fitted);
    f.fix = "fit a NOR part";
}

void sfdp_bfp_of_other_part(const Project& project, const Inputs& inputs, Findings& findings) {
    const auto flash = described(project);
    if (!flash || flash->bfp.empty()) return;
    if (inputs.probe && !inputs.probe->bfp.empty()) {
        const auto& read = inputs.probe->bfp;
        const auto both = std::min(read.size(), flash->bfp.size());  // tables grow with the standard's revisions
        const auto [mine, theirs] =
            std::ranges::mismatch(std::span(flash->bfp).first(both), std::span(read).first(both));
        if (mine != std::span(flash->bfp).first(both).end()) {
            auto& f = findings.add(Severity::error, flash->where("sfdp-bfp"),
                                   "The SFDP table in the devicetree is not the one that the flash itself has.");
            f.expected = fmt::format("byte {} of the table to be {:02x}, as probed",
                                     mine - std::span(flash->bfp).begin(), *theirs);
            f.found = fmt::format("{:02x}", *mine);
            f.fix = "put the probed table into the flash node:\n  sfdp-bfp = [" + to_hex(read) + "];";
            return;
        }
    }
    const auto bits = density(flash->bfp);
    if (bits && flash->bits && *bits != *flash->bits) {
        auto& f = findings.add(Severity::error, flash->where("sfdp-bfp"),
                               "The SFDP table in the devicetree is of a part of another size.");
        f.expected = fmt::format("{} bits, as `size` says", *flash->bits);
        f.found = fmt::format("{} bits", *bits);
        f.fix = "read the part's own table (build once with CONFIG_SPI_NOR_SFDP_RUNTIME=y) and put it in sfdp-bfp";
        return;
    }
    if (flash->id && *flash->id != mx25r64_id && flash->bfp.size() >= mx25r64_bfp.size() &&
        std::ranges::equal(std::span(flash->bfp).first(mx25r64_bfp.size()), mx25r64_bfp)) {
        auto& f = findings.add(Severity::error, flash->where("sfdp-bfp"),
                               "The SFDP table in the devicetree is the MX25R6435F's, the id another part's.");
        f.expected = fmt::format("the table of {}", flash::jedec_text(*flash->id));
        f.found = "the table of c2 28 17";
        f.fix = "read the part's own table (build once with CONFIG_SPI_NOR_SFDP_RUNTIME=y) and put it in sfdp-bfp";
    }
}

void four_byte_opcodes_without_erase(const Project& project, const Inputs&, Findings& findings) {
    for (const auto* image : {&project.app, &project.mcuboot}) {
        const auto* node = project.flash_or_board(*image);
        if (node == nullptr || node->find("use-4b-addr-opcodes") == nullptr ||
            !image->config.on("CONFIG_SPI_NOR_SFDP_DEVICETREE"))
            continue;
        // Double words 8 and 9 of the table: four erase types, each a size (a power of two) and its command.
        const auto* property = node->find("sfdp-bfp");
        const auto table = property == nullptr ? std::vector<std::uint8_t>() : property->bytes();
        static constexpr std::array<std::uint8_t, 3> with_4_bytes{0x21, 0x5c, 0xdc};
        bool fits = table.size() >= 36;
        for (std::size_t at = 28; fits && at < 36; at += 2)
            fits = table[at] == 0 || std::ranges::find(with_4_bytes, table[at + 1]) != with_4_bytes.end();
        if (fits) continue;
        const auto* where = node->find("use-4b-addr-opcodes");
        auto& f = findings.add(
            Severity::warning, where->where.file.empty() ? image->devicetree_where() : where->where,
            fmt::format("With use-4b-addr-opcodes and CONFIG_SPI_NOR_SFDP_DEVICETREE=y {} sends the erase commands of "
                        "sfdp-bfp, which are for 3-byte addresses, with 4 bytes: nothing is erased, and what is "
                        "written next is damaged.",
                        image->name));
        f.expected = "CONFIG_SPI_NOR_SFDP_RUNTIME=y, which reads the part's 4-byte commands, or no use-4b-addr-opcodes";
        f.found = "CONFIG_SPI_NOR_SFDP_DEVICETREE=y";
        f.fix = fmt::format("in {}:\n  CONFIG_SPI_NOR_SFDP_RUNTIME=y", place_for_config(project, *image));
    }
}

void flash_size_in_bytes(const Project& project, const Inputs& inputs, Findings& findings) {
    const auto flash = described(project);
    if (!flash || !flash->bits) return;
    const auto power = flash->id ? (*flash->id)[2] : 64;
    const bool is_probed_size = inputs.probe && inputs.probe->geometry && inputs.probe->geometry->size == *flash->bits;
    if (is_probed_size || (power < 40 && *flash->bits == std::uint64_t{1} << power)) {
        auto& f = findings.add(Severity::error, flash->where("size"),
                               "`size` of the flash node is in bits; this is the part's size in bytes, so seven "
                               "eighths of it are out of reach.");
        f.expected = fmt::format("<{}>", *flash->bits * 8);
        f.found = fmt::format("<{}>", *flash->bits);
        f.fix = fmt::format("size = <{}>;", *flash->bits * 8);
        return;
    }
    const auto* part = flash->id ? flash::find_part(*flash->id) : nullptr;
    if (part == nullptr || *flash->bits == std::uint64_t{part->size} * 8) return;
    auto& f = findings.add(Severity::warning, flash->where("size"),
                           fmt::format("`size` is not that of a {}, whose id the node has.", part->name));
    f.expected = fmt::format("<{}> (bits)", std::uint64_t{part->size} * 8);
    f.found = fmt::format("<{}>", *flash->bits);
    f.fix = fmt::format("size = <{}>;", std::uint64_t{part->size} * 8);
}

}  // namespace fota::layout::rules
